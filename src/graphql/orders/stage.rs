//! What a screen says about an order, computed once here instead of differently in every client.

use async_graphql::Enum;
use chrono::{DateTime, Utc};

use crate::base::text::Locale;
use crate::graphql::orders::load::{Whole, WholeLine};
use crate::graphql::payments::types::Explanation;
use crate::orders::{OrderState, UnitState};
use crate::payments::PaymentState;

/// What a screen says about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum OrderStage {
    /// The buyer has to pay.
    AwaitingPayment,
    /// The money is on its way.
    ConfirmingPayment,
    /// Paid, nothing delivered yet.
    Delivering,
    /// Some is delivered.
    PartlyDelivered,
    /// Everything is delivered.
    Delivered,
    /// A person of the shop looks after it.
    NeedsAttention,
    /// It was not paid in time.
    Expired,
    /// It was given up.
    Cancelled,
    /// The money was given back.
    Refunded,
}

/// The stage of an order.
pub fn of(whole: &Whole) -> OrderStage {
    match whole.order.state {
        OrderState::Expired => return OrderStage::Expired,
        OrderState::Cancelled => return OrderStage::Cancelled,
        OrderState::PendingPayment => {
            let confirming = |p: &crate::payments::Payment| {
                matches!(p.state, PaymentState::Pending | PaymentState::Unknown)
            };
            return match whole.payments.iter().any(confirming) {
                true => OrderStage::ConfirmingPayment,
                false => OrderStage::AwaitingPayment,
            };
        }
        OrderState::Paid | OrderState::Closed => {}
    }
    let states: Vec<UnitState> = whole.lines.iter().flat_map(|l| &l.units).map(|u| u.state).collect();
    let paying = whole.payments.iter().find(|p| p.allocated).map(|p| p.state);
    let gone = |s: &UnitState| matches!(s, UnitState::Revoked | UnitState::Cancelled);
    if matches!(paying, Some(PaymentState::Refunded | PaymentState::Lost))
        || (!states.is_empty() && states.iter().all(gone))
    {
        return OrderStage::Refunded;
    }
    if paying == Some(PaymentState::Disputed) || states.contains(&UnitState::AwaitingPerson) {
        return OrderStage::NeedsAttention;
    }
    let waiting = states.iter().any(|s| s.is_waiting());
    let delivered = states.iter().any(|s| s.is_delivered());
    match (waiting, delivered) {
        (false, _) => OrderStage::Delivered,
        (true, true) => OrderStage::PartlyDelivered,
        (true, false) => OrderStage::Delivering,
    }
}

/// Seconds until a client looks again; none when nothing more will happen.
pub fn poll_after(whole: &Whole, now: DateTime<Utc>) -> Option<i32> {
    let since = |at: DateTime<Utc>| i32::try_from((now - at).num_seconds().max(0)).unwrap_or(i32::MAX);
    match of(whole) {
        OrderStage::ConfirmingPayment => Some(2),
        OrderStage::AwaitingPayment => Some(5),
        // Quick at first, then ever slower.
        OrderStage::Delivering | OrderStage::PartlyDelivered | OrderStage::NeedsAttention => {
            Some((since(whole.order.paid_at.unwrap_or(now)) / 10).clamp(2, 60))
        }
        OrderStage::Delivered | OrderStage::Expired | OrderStage::Cancelled | OrderStage::Refunded => None,
    }
}

/// Why a paid line is not all delivered.
pub fn why_not(paid: bool, lines: &[&WholeLine], locale: Locale) -> Option<Explanation> {
    if !paid {
        return None;
    }
    let waiting = lines.iter().flat_map(|l| &l.units).map(|u| u.state).filter(|s| s.is_waiting());
    let worst = UnitState::of_line(waiting.chain([UnitState::Cancelled]));
    let (code, english, chinese) = match worst {
        UnitState::AwaitingPerson => {
            ("AWAITING_PERSON", "Our staff is looking after this delivery.", "工作人员正在处理此次交付。")
        }
        UnitState::AwaitingSupplier => {
            ("AWAITING_SUPPLIER", "We are waiting for our supplier.", "正在等待供应商。")
        }
        UnitState::AwaitingStock => (
            "AWAITING_STOCK",
            "This has just sold out. It will be delivered as soon as new stock arrives.",
            "该商品刚刚售罄，到货后将自动交付。",
        ),
        UnitState::Unassigned => ("DELIVERING", "This is being delivered right now.", "正在交付。"),
        _ => return None,
    };
    let message = match locale {
        Locale::En => english,
        Locale::Zh => chinese,
    };
    Some(Explanation { code: code.into(), message: message.into(), expected_at: None })
}
