//! What a screen says about an order, computed once here instead of differently in every client.

use async_graphql::Enum;
use chrono::{DateTime, TimeDelta, Utc};

use crate::graphql::orders::load::Whole;
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

/// Whether a payment of the order can be started or made.
pub fn can_pay(whole: &Whole, now: DateTime<Utc>) -> bool {
    let order = &whole.order;
    order.state == OrderState::PendingPayment
        && !holds_money(whole)
        && order.total_minor > 0
        && order.pay_by > now
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
            return match whole.payments.iter().any(|p| p.state.is_confirming()) {
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
