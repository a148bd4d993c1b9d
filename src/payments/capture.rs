//! Money that came in: a payment that is captured, and money that nobody asked for. Pure, as `decide`.

use serde_json::json;

use crate::base::ids::PaymentId;
use crate::base::money::Money;
use crate::infra::effects::tasks::{NewTask, TaskKind};
use crate::orders::state::{OrderChange, OrderState};
use crate::payments::case::{CapturedMoney, Case, Tracked};
use crate::payments::events::{Captured, PaymentEvent};
use crate::payments::gateways::gateway::{Facts, Match};
use crate::payments::model::Payment;
use crate::payments::notices::decide::advance;
use crate::payments::state::{PaymentChange, PaymentState};
use crate::payments::tasks::{
    PaymentDouble, PaymentForCancelledOrder, PaymentOverBuyerLimit, PaymentWrongAmount, PaymentWrongCurrency,
    Stray,
};

/// Whether a capture that fits pays for the order's lines.
pub(super) fn settles_order(case: &Case, fit: Match) -> bool {
    let open = matches!(case.state, OrderState::PendingPayment | OrderState::Expired);
    fit == Match::Fits && open && !case.over_limit && !case.payments.iter().any(|p| p.row.allocated)
}

/// How the task about money that pays for nothing is made.
pub(super) type Unallocated = fn(PaymentId, Stray) -> NewTask;

pub(super) fn why_unallocated(case: &Case, fit: Match) -> Unallocated {
    match (fit, case.state) {
        (Match::WrongAmount, _) => PaymentWrongAmount::open,
        (Match::WrongCurrency, _) => PaymentWrongCurrency::open,
        (_, OrderState::Cancelled) => PaymentForCancelledOrder::open,
        (Match::Fits, OrderState::PendingPayment | OrderState::Expired) if case.over_limit => {
            PaymentOverBuyerLimit::open
        }
        (Match::Fits | Match::Foreign(_), _) => PaymentDouble::open,
    }
}

pub(super) fn unallocated(case: &mut Case, index: usize, task: Unallocated) {
    let row = &case.payments[index].row;
    let received = row.received_currency.unwrap_or(row.expected_currency);
    let stray = Stray {
        order: case.number.clone(),
        expected: Money::new(row.expected_minor, row.expected_currency).to_string(),
        received: Money::new(row.received_minor.unwrap_or(0), received).to_string(),
        account: row.account_id.clone(),
    };
    case.decided.tasks.push(task(row.id, stray).of_payment(row.id));
}

/// Money seen for the first time through what became of it.
pub(super) fn capture_late(case: &mut Case, index: usize, facts: &Facts, fit: Match, whole: bool) {
    let row = &case.payments[index].row;
    let Some(minor) = facts.amount_minor else { return };
    let money = Money::new(minor, facts.currency.unwrap_or(row.expected_currency));
    let trade_no = facts.trade_no.clone().or_else(|| row.gateway_reference.clone());
    let allocated = !whole && settles_order(case, fit);
    capture(case, index, money, trade_no, allocated);
}

pub(super) fn capture(
    case: &mut Case,
    index: usize,
    money: Money,
    trade_no: Option<String>,
    allocated: bool,
) {
    let tracked = &mut case.payments[index];
    if !advance(tracked, PaymentChange::Capture) {
        return;
    }
    tracked.row.received_minor = Some(money.minor);
    tracked.row.received_currency = Some(money.currency);
    tracked.row.trade_no = trade_no;
    (tracked.row.allocated, tracked.on_lines) = (allocated, allocated);
    let payment_id = tracked.row.id;
    case.decided.captures.push(CapturedMoney { payment_id, amount: money, allocated });
    let captured =
        Captured { amount_minor: money.minor, currency: money.currency.as_str().into(), allocated };
    case.decided.events.push(PaymentEvent::Captured(payment_id, captured));
    if allocated && let Ok(next) = case.state.after(OrderChange::Pay) {
        case.state = next;
        case.paid_now = true;
    }
}

pub(super) fn stray(case: &mut Case, index: usize, id: PaymentId, trade_no: &str) -> usize {
    let attempt = case.payments.iter().map(|p| p.row.attempt).max().unwrap_or(0) + 1;
    let model = &case.payments[index].row;
    let row = Payment {
        id,
        attempt,
        gateway_number: None,
        state: PaymentState::Started,
        received_minor: None,
        received_currency: None,
        allocated: false,
        refunded_minor: 0,
        lost_minor: 0,
        told_sum_minor: None,
        told_sum_at: None,
        told_sum_heard_at: None,
        told_sum_asked: false,
        trade_no: Some(trade_no.to_owned()),
        gateway_reference: None,
        returned_at: None,
        action: None,
        failure_code: None,
        options: json!({ "number": model.number_there() }),
        captured_at: None,
        expires_at: None,
        next_check_at: None,
        checks: 0,
        ..model.clone()
    };
    let (before, sums) = (PaymentState::Started, case.payments[index].sums);
    case.payments.push(Tracked { before, row, is_new: true, changed: true, on_lines: false, sums });
    case.payments.len() - 1
}
