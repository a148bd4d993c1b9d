//! What a screen says about an order, computed once here instead of differently in every client.

use async_graphql::{Context, Enum};
use chrono::{DateTime, TimeDelta, Utc};

use crate::base::text::Locale;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Answer;
use crate::graphql::loaders;
use crate::graphql::orders::load::{Whole, WholeLine};
use crate::graphql::payments::types::Explanation;
use crate::orders::{OrderState, UnitState};
use crate::payments::{Payment, PaymentState};

/// A text about an order, for a screen.
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

/// How long a client looks often after the buyer came back from a gateway that knows of no payment.
const ATTENTIVE: TimeDelta = TimeDelta::minutes(3);

/// Money came that pays for nothing: not what was asked for, or one time too many. A person looks at it.
pub fn holds_money(whole: &Whole) -> bool {
    whole.payments.iter().any(Payment::waits_for_a_person)
}

/// The stage of an order.
pub fn of(whole: &Whole) -> OrderStage {
    match whole.order.state {
        OrderState::Cancelled => return OrderStage::Cancelled,
        OrderState::PendingPayment | OrderState::Expired if holds_money(whole) => {
            return OrderStage::NeedsAttention;
        }
        OrderState::Expired => return OrderStage::Expired,
        OrderState::PendingPayment => {
            let confirming = |p: &Payment| matches!(p.state, PaymentState::Pending | PaymentState::Unknown);
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
    let all_gone = !states.is_empty() && states.iter().all(gone);
    let unpaid = matches!(paying, Some(PaymentState::Refunded | PaymentState::Lost));
    if unpaid && !all_gone && holds_money(whole) {
        return OrderStage::NeedsAttention;
    }
    if unpaid || all_gone {
        return OrderStage::Refunded;
    }
    let for_a_person = |s: &UnitState| matches!(s, UnitState::Unassigned | UnitState::AwaitingPerson);
    if paying == Some(PaymentState::Disputed) || states.iter().any(for_a_person) {
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
        // Who has just come back from the gateway may have paid, although it does not say so yet.
        OrderStage::AwaitingPayment if whole.payments.iter().any(|p| came_back(p, now)) => Some(2),
        OrderStage::AwaitingPayment => Some(5),
        // Quick at first, then ever slower.
        OrderStage::Delivering | OrderStage::PartlyDelivered | OrderStage::NeedsAttention => {
            Some((since(whole.order.paid_at.unwrap_or(whole.order.placed_at)) / 10).clamp(2, 60))
        }
        OrderStage::Delivered | OrderStage::Expired | OrderStage::Cancelled | OrderStage::Refunded => None,
    }
}

fn came_back(payment: &crate::payments::Payment, now: DateTime<Utc>) -> bool {
    payment.state.is_open() && payment.returned_at.is_some_and(|at| now - at < ATTENTIVE)
}

/// The same of a whole order: it is delivered, but the mail with the goods did not arrive.
pub async fn why_not_arrived(ctx: &Context<'_>, whole: &Whole) -> Answer<Option<Explanation>> {
    let lines: Vec<_> = whole.lines.iter().collect();
    let explained = why_not(whole, &lines, ctx.locale());
    let delivered = whole.lines.iter().flat_map(|l| &l.units).any(|unit| unit.state.is_delivered());
    if explained.is_some() || !delivered {
        return Ok(explained);
    }
    let Some(trouble) = loaders::mail_trouble(ctx, whole.order.id).await? else { return Ok(None) };
    let (code, english, chinese) = match (trouble.bounced, whole.gift.is_some()) {
        (_, true) => (
            if trouble.bounced { "MAIL_BOUNCED" } else { "MAIL_NOT_SENT" },
            "The mail with the gift did not arrive. Our staff is looking at it and corrects the address.",
            "发送礼物的邮件未能送达，工作人员正在处理并会更正邮箱地址。",
        ),
        (true, false) => (
            "MAIL_BOUNCED",
            "The mail with the goods came back. They are on this page; our staff corrects the address.",
            "发送商品的邮件被退回。您可以在本页查看商品，工作人员会更正邮箱地址。",
        ),
        (false, false) => (
            "MAIL_NOT_SENT",
            "The mail with the goods could not be sent. They are on this page; our staff is looking at it.",
            "发送商品的邮件未能发出。您可以在本页查看商品，工作人员正在处理。",
        ),
    };
    let message = if ctx.locale() == Locale::Zh { chinese } else { english };
    Ok(Some(Explanation { code: code.into(), message: message.into(), expected_at: None }))
}

/// Why what was paid for is not all delivered.
pub fn why_not(whole: &Whole, lines: &[&WholeLine], locale: Locale) -> Option<Explanation> {
    let text = |english: &'static str, chinese: &'static str| match locale {
        Locale::En => english,
        Locale::Zh => chinese,
    };
    let say = |code: &str, english, chinese| {
        Some(Explanation { code: code.into(), message: text(english, chinese).into(), expected_at: None })
    };
    if !whole.order.state.is_paid() {
        return if whole.order.state != OrderState::Cancelled && holds_money(whole) {
            say(
                "PAYMENT_NEEDS_ATTENTION",
                "Your money has arrived, but not as this order asks for it. Our staff is looking at it; please do not \
                 pay again.",
                "款项已收到，但与订单要求不符。工作人员正在处理，请勿重复付款。",
            )
        } else {
            None
        };
    }
    if whole.payments.iter().any(|p| p.allocated && p.state == PaymentState::Disputed) {
        return say(
            "PAYMENT_DISPUTED",
            "The payment is disputed. Nothing can be delivered until that is decided.",
            "该笔付款存在争议，处理完成前无法交付。",
        );
    }
    let waiting = |line: &WholeLine| {
        let states = line.units.iter().map(|unit| unit.state).filter(|state| state.is_waiting());
        UnitState::of_line(states.chain([UnitState::Cancelled]))
    };
    let worst = UnitState::of_line(lines.iter().map(|line| waiting(line)));
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
        // Settling a payment leaves no unit as it was, unless the order is under review.
        UnitState::Unassigned => (
            "IN_REVIEW",
            "Our staff looks at this order before it is delivered.",
            "工作人员将在交付前核对此订单。",
        ),
        _ => return None,
    };
    // Where only parts of bundles are missing, the buyer reads which.
    let missing = || lines.iter().filter(|line| waiting(line) == worst);
    let message = match missing().all(|line| line.line.parent_line_id.is_some()) {
        true => {
            let titles: Vec<&str> = missing().map(|line| line.line.title.as_str()).collect();
            format!("{}: {}", titles.join(", "), text(english, chinese))
        }
        false => text(english, chinese).to_owned(),
    };
    Some(Explanation { code: code.into(), message, expected_at: None })
}
