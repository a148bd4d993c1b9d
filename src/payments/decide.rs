//! What a word about a payment changes, in pure Rust: no clock, no database, no gateway.

use std::collections::HashMap;

use serde_json::json;

use crate::base::ids::{OrderId, PaymentId, RefundId};
use crate::base::money::{Currency, Money};
use crate::config::Policy;
use crate::orders::state::{OrderChange, OrderState};
use crate::payments::gateway::{Expected, Facts, Identity, Match, Meaning, matches};
use crate::payments::model::{Payment, Refund};
use crate::payments::state::{PaymentChange, PaymentState};
use crate::payments::word::{Settled, Word};

/// What must be known of an account to judge its words.
#[derive(Clone, Debug, Default)]
pub struct AccountView {
    pub policy: Policy,
    pub identity: Vec<Identity>,
}

/// An order that is locked, with all its payments; the decisions of a slice change it one after the other.
#[derive(Clone, Debug)]
pub struct Case {
    pub order_id: OrderId,
    pub number: String,
    pub state: OrderState,
    pub payments: Vec<Tracked>,
    pub refunds: Vec<Refund>,
    /// The order became paid in this slice.
    pub paid_now: bool,
    pub news: Vec<News>,
}

/// A payment and the state it had when it was locked.
#[derive(Clone, Debug)]
pub struct Tracked {
    pub before: PaymentState,
    pub row: Payment,
    /// Made by this slice: money that came a second time.
    pub is_new: bool,
    pub changed: bool,
}

/// What has to be written beside the payment and order rows.
#[derive(Clone, Debug)]
pub enum News {
    Captured {
        payment_id: PaymentId,
        amount: Money,
        allocated: bool,
    },
    /// Money went back, by a refund of ours or one that we only saw.
    Refunded {
        payment_id: PaymentId,
        refund: SeenRefund,
        amount_minor: i64,
        all: bool,
    },
    /// A refund of ours moved without money.
    RefundMoved {
        refund_id: RefundId,
        change: crate::payments::state::RefundChange,
        gateway_refund_id: Option<String>,
    },
    DisputeLost {
        payment_id: PaymentId,
        amount_minor: i64,
    },
    Task {
        kind: &'static str,
        payment_id: Option<PaymentId>,
        body: serde_json::Value,
    },
    Event {
        kind: &'static str,
        payment_id: PaymentId,
        body: serde_json::Value,
    },
}

/// Which refund a word is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeenRefund {
    Ours { refund_id: RefundId, gateway_refund_id: Option<String> },
    AtGateway { gateway_refund_id: Option<String> },
}

/// Judges one word. `payment` is the one it was found to be about; `new_id` is for a row of stray money.
pub fn decide(
    case: &mut Case,
    word: &Word,
    payment: PaymentId,
    account: &AccountView,
    new_id: PaymentId,
) -> Settled {
    let Some(index) = case.payments.iter().position(|p| p.row.id == payment) else { return Settled::Orphan };
    let Some(facts) = word.facts() else { return capture_free(case, index) };
    if facts.meaning == Meaning::Ignored {
        return Settled::Ignored;
    }
    let row = &case.payments[index].row;
    let expected = Expected {
        number: row.gateway_number.as_deref().unwrap_or_default(),
        amount_minor: row.expected_minor,
        currency: row.expected_currency,
        gateway_reference: row.gateway_reference.as_deref(),
        trade_no: row.trade_no.as_deref(),
        identity: &account.identity,
    };
    let fit = matches(facts, &expected);
    if let Match::Foreign(reason) = fit {
        let body = json!({ "account": word.account_id(), "reason": reason });
        case.news.push(News::Task { kind: "notice_foreign", payment_id: Some(payment), body });
        return Settled::Foreign(reason.to_owned());
    }
    if must_confirm(case, index, word, facts, account) {
        return Settled::Confirm(payment);
    }
    match facts.meaning {
        Meaning::Paid => paid(case, index, facts, fit, new_id),
        Meaning::Pending => quiet(case, index, PaymentChange::Wait, "payment.pending"),
        Meaning::Failed => quiet(case, index, PaymentChange::Fail, "payment.failed"),
        Meaning::Closed => quiet(case, index, PaymentChange::Expire, "payment.expired"),
        Meaning::Refunded | Meaning::PartiallyRefunded => {
            if !case.payments[index].row.state.was_captured() {
                let whole = facts.meaning == Meaning::Refunded;
                capture_late(case, index, facts, fit, whole);
            }
            refunded_so_far(case, index, facts)
        }
        Meaning::RefundSucceeded => one_refund(case, index, facts),
        Meaning::RefundPending => move_refund(case, facts, crate::payments::state::RefundChange::Accept),
        Meaning::RefundFailed => move_refund(case, facts, crate::payments::state::RefundChange::Fail),
        Meaning::DisputeOpened => dispute(case, index, PaymentChange::Dispute, "payment.disputed"),
        Meaning::DisputeWon => {
            let part = case.payments[index].row.refunded_minor > 0;
            let change = if part { PaymentChange::RefundPart } else { PaymentChange::WinDispute };
            dispute(case, index, change, "payment.dispute_won")
        }
        Meaning::DisputeLost => dispute_lost(case, index),
        Meaning::Ignored => Settled::Ignored,
    }
}

/// Whether the gateway itself must be asked first: the account's policy wants it, or the notice speaks of going back
/// before the money came.
fn must_confirm(case: &Case, index: usize, word: &Word, facts: &Facts, account: &AccountView) -> bool {
    if !matches!(word, Word::Notice { confirmed: None, .. }) {
        return false;
    }
    let captured = case.payments[index].row.state.was_captured();
    match facts.meaning {
        Meaning::Paid => {
            let above =
                account.policy.confirm_above.is_some_and(|limit| facts.amount_minor.unwrap_or(0) > limit);
            let late = account.policy.confirm_expired && case.state == OrderState::Expired;
            !captured && (above || late)
        }
        Meaning::Refunded
        | Meaning::PartiallyRefunded
        | Meaning::RefundSucceeded
        | Meaning::DisputeOpened
        | Meaning::DisputeWon
        | Meaning::DisputeLost => !captured,
        Meaning::Pending
        | Meaning::Closed
        | Meaning::Failed
        | Meaning::RefundPending
        | Meaning::RefundFailed
        | Meaning::Ignored => false,
    }
}

/// Moves a payment when its machine allows it; a word that comes too late changes nothing.
fn advance(tracked: &mut Tracked, change: PaymentChange) -> bool {
    match tracked.row.state.after(change) {
        Ok(next) if next != tracked.row.state => {
            tracked.row.state = next;
            tracked.changed = true;
            true
        }
        Ok(_) | Err(_) => false,
    }
}

fn quiet(case: &mut Case, index: usize, change: PaymentChange, event: &'static str) -> Settled {
    let tracked = &mut case.payments[index];
    if !advance(tracked, change) {
        return Settled::Recorded;
    }
    let payment_id = tracked.row.id;
    case.news.push(News::Event { kind: event, payment_id, body: json!({}) });
    Settled::Applied
}

fn capture_free(case: &mut Case, index: usize) -> Settled {
    let money = {
        let row = &case.payments[index].row;
        Money::new(row.expected_minor, row.expected_currency)
    };
    if case.payments[index].row.state.was_captured() {
        return Settled::Recorded;
    }
    if case.state.after(OrderChange::Pay).is_err() || money.minor != 0 {
        return Settled::Recorded;
    }
    let trade_no = case.payments[index].row.gateway_number.clone();
    capture(case, index, money, trade_no, true);
    Settled::Applied
}

fn paid(case: &mut Case, index: usize, facts: &Facts, fit: Match, new_id: PaymentId) -> Settled {
    let row = &case.payments[index].row;
    let (Some(minor), Some(trade_no)) = (facts.amount_minor, facts.trade_no.as_deref()) else {
        return Settled::Orphan;
    };
    let money = Money::new(minor, facts.currency.unwrap_or(row.expected_currency));
    let known = case.payments.iter().any(|p| {
        p.row.account_id == row.account_id
            && p.row.state.was_captured()
            && p.row.trade_no.as_deref() == Some(trade_no)
    });
    if known {
        return Settled::Recorded;
    }
    if row.state.was_captured() {
        // A second trade under a number that is paid: money that nobody asked for.
        let stray = stray(case, index, new_id, trade_no);
        capture(case, stray, money, Some(trade_no.to_owned()), false);
        unallocated(case, stray, "payment_double");
        return Settled::Recorded;
    }
    let allocated = settles_order(case, fit);
    capture(case, index, money, Some(trade_no.to_owned()), allocated);
    if allocated {
        return Settled::Applied;
    }
    let reason = why_unallocated(case, fit);
    unallocated(case, index, reason);
    Settled::Recorded
}

/// Whether a capture that fits pays for the order's lines.
fn settles_order(case: &Case, fit: Match) -> bool {
    let open = matches!(case.state, OrderState::PendingPayment | OrderState::Expired);
    fit == Match::Fits && open && !case.payments.iter().any(|p| p.row.allocated)
}

fn why_unallocated(case: &Case, fit: Match) -> &'static str {
    match (fit, case.state) {
        (Match::WrongAmount, _) => "payment_wrong_amount",
        (Match::WrongCurrency, _) => "payment_wrong_currency",
        (_, OrderState::Cancelled) => "payment_for_cancelled_order",
        (Match::Fits | Match::Foreign(_), _) => "payment_double",
    }
}

fn unallocated(case: &mut Case, index: usize, kind: &'static str) {
    let row = &case.payments[index].row;
    let received = row.received_currency.unwrap_or(row.expected_currency);
    let body = json!({
        "order": case.number,
        "expected": Money::new(row.expected_minor, row.expected_currency).to_string(),
        "received": Money::new(row.received_minor.unwrap_or(0), received).to_string(),
        "account": row.account_id,
    });
    let payment_id = Some(row.id);
    case.news.push(News::Task { kind, payment_id, body });
}

/// Money seen for the first time through its refund: it is written down, and pays for the order only when a part of
/// it stayed.
fn capture_late(case: &mut Case, index: usize, facts: &Facts, fit: Match, whole: bool) {
    let row = &case.payments[index].row;
    let Some(minor) = facts.amount_minor else { return };
    let money = Money::new(minor, facts.currency.unwrap_or(row.expected_currency));
    let trade_no = facts.trade_no.clone().or_else(|| row.gateway_reference.clone());
    let allocated = !whole && settles_order(case, fit);
    capture(case, index, money, trade_no, allocated);
}

fn capture(case: &mut Case, index: usize, money: Money, trade_no: Option<String>, allocated: bool) {
    let tracked = &mut case.payments[index];
    if !advance(tracked, PaymentChange::Capture) {
        return;
    }
    tracked.row.received_minor = Some(money.minor);
    tracked.row.received_currency = Some(money.currency);
    tracked.row.trade_no = trade_no;
    tracked.row.allocated = allocated;
    let payment_id = tracked.row.id;
    case.news.push(News::Captured { payment_id, amount: money, allocated });
    let body =
        json!({ "amount_minor": money.minor, "currency": money.currency.as_str(), "allocated": allocated });
    case.news.push(News::Event { kind: "payment.captured", payment_id, body });
    if allocated && let Ok(next) = case.state.after(OrderChange::Pay) {
        case.state = next;
        case.paid_now = true;
    }
}

fn stray(case: &mut Case, index: usize, id: PaymentId, trade_no: &str) -> usize {
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
        trade_no: Some(trade_no.to_owned()),
        gateway_reference: None,
        action: None,
        failure_code: None,
        captured_at: None,
        expires_at: None,
        next_check_at: None,
        checks: 0,
        ..model.clone()
    };
    case.payments.push(Tracked { before: PaymentState::Started, row, is_new: true, changed: true });
    case.payments.len() - 1
}

/// A word that tells the sum of all refunds.
fn refunded_so_far(case: &mut Case, index: usize, facts: &Facts) -> Settled {
    let row = &case.payments[index].row;
    let received = row.received_minor.unwrap_or(0);
    let told = match (facts.meaning, facts.refunded_minor) {
        (Meaning::Refunded, _) => received,
        (_, Some(sum)) => sum.min(received),
        (_, None) => return Settled::Recorded,
    };
    let amount = told - row.refunded_minor;
    if amount <= 0 {
        return Settled::Recorded;
    }
    let payment_id = row.id;
    let gateway_refund_id = facts.refund.as_ref().map(|r| r.gateway_refund_id.clone());
    let ours = our_refund(case, payment_id, facts, amount);
    give_back(case, index, ours, gateway_refund_id, amount)
}

/// A word about one refund.
fn one_refund(case: &mut Case, index: usize, facts: &Facts) -> Settled {
    let Some(fact) = &facts.refund else { return Settled::Recorded };
    let payment_id = case.payments[index].row.id;
    let counted = case.refunds.iter().any(|r| {
        r.payment_id == payment_id
            && r.succeeded_at.is_some()
            && r.gateway_refund_id.as_deref() == Some(&fact.gateway_refund_id)
    });
    if counted {
        return Settled::Recorded;
    }
    let ours = our_refund(case, payment_id, facts, fact.amount_minor);
    give_back(case, index, ours, Some(fact.gateway_refund_id.clone()), fact.amount_minor)
}

/// The open refund of ours that a word means: by our id, by the gateway's, else the oldest of the same amount.
fn our_refund(case: &Case, payment_id: PaymentId, facts: &Facts, amount: i64) -> Option<RefundId> {
    let fact = facts.refund.as_ref();
    let named = fact.and_then(|f| f.refund_id.as_deref()).and_then(|id| RefundId::parse(id).ok());
    let open = || case.refunds.iter().filter(|r| r.payment_id == payment_id && r.state.is_open());
    let by_name = named.and_then(|id| open().find(|r| r.id == id));
    let by_gateway = || {
        let gateway_id = fact.map(|f| f.gateway_refund_id.as_str())?;
        open().find(|r| r.gateway_refund_id.as_deref() == Some(gateway_id))
    };
    let by_amount = || open().find(|r| r.amount_minor == amount && r.gateway_refund_id.is_none());
    by_name.or_else(by_gateway).or_else(by_amount).map(|r| r.id)
}

fn give_back(
    case: &mut Case,
    index: usize,
    ours: Option<RefundId>,
    gateway_refund_id: Option<String>,
    amount: i64,
) -> Settled {
    let tracked = &mut case.payments[index];
    let received = tracked.row.received_minor.unwrap_or(0);
    let amount = amount.min(received - tracked.row.refunded_minor);
    if amount <= 0 {
        return Settled::Recorded;
    }
    let all = tracked.row.refunded_minor + amount == received;
    let change = if all { PaymentChange::RefundAll } else { PaymentChange::RefundPart };
    if tracked.row.state.after(change).is_err() {
        return Settled::Recorded;
    }
    advance(tracked, change);
    tracked.row.refunded_minor += amount;
    tracked.changed = true;
    let payment_id = tracked.row.id;
    if let Some(refund_id) = ours
        && let Some(refund) = case.refunds.iter_mut().find(|r| r.id == refund_id)
    {
        refund.state = crate::payments::state::RefundState::Succeeded;
    }
    let refund = match ours {
        Some(refund_id) => SeenRefund::Ours { refund_id, gateway_refund_id },
        None => SeenRefund::AtGateway { gateway_refund_id },
    };
    case.news.push(News::Refunded { payment_id, refund, amount_minor: amount, all });
    Settled::Applied
}

/// A refund of ours that its gateway says is done.
pub fn refund_succeeded(case: &mut Case, id: RefundId, gateway_refund_id: String, amount: i64) {
    if !case.payments.is_empty() {
        give_back(case, 0, Some(id), Some(gateway_refund_id), amount);
    }
}

fn move_refund(case: &mut Case, facts: &Facts, change: crate::payments::state::RefundChange) -> Settled {
    let Some(fact) = &facts.refund else { return Settled::Recorded };
    let named = fact.refund_id.as_deref().and_then(|id| RefundId::parse(id).ok());
    let found = case.refunds.iter_mut().find(|r| {
        Some(r.id) == named || r.gateway_refund_id.as_deref() == Some(fact.gateway_refund_id.as_str())
    });
    let Some(refund) = found else { return Settled::Recorded };
    match refund.state.after(change) {
        Ok(next) if next != refund.state => {
            refund.state = next;
            let gateway_refund_id = Some(fact.gateway_refund_id.clone());
            let refund_id = refund.id;
            case.news.push(News::RefundMoved { refund_id, change, gateway_refund_id });
            Settled::Applied
        }
        Ok(_) | Err(_) => Settled::Recorded,
    }
}

fn dispute(case: &mut Case, index: usize, change: PaymentChange, event: &'static str) -> Settled {
    let tracked = &mut case.payments[index];
    if !advance(tracked, change) {
        return Settled::Recorded;
    }
    let payment_id = tracked.row.id;
    let body = json!({ "order": case.number });
    case.news.push(News::Event { kind: event, payment_id, body: json!({}) });
    if change == PaymentChange::Dispute {
        case.news.push(News::Task { kind: "payment_disputed", payment_id: Some(payment_id), body });
    }
    Settled::Applied
}

fn dispute_lost(case: &mut Case, index: usize) -> Settled {
    let tracked = &mut case.payments[index];
    let amount_minor = tracked.row.kept_minor();
    advance(tracked, PaymentChange::Dispute);
    if !advance(tracked, PaymentChange::LoseDispute) {
        return Settled::Recorded;
    }
    tracked.row.refunded_minor += amount_minor;
    let payment_id = tracked.row.id;
    case.news.push(News::DisputeLost { payment_id, amount_minor });
    case.news.push(News::Event {
        kind: "payment.lost",
        payment_id,
        body: json!({ "amount_minor": amount_minor }),
    });
    Settled::Applied
}

/// The cases of a slice by order.
pub type Cases = HashMap<OrderId, Case>;

/// The currency of a capture, for its ledger entries.
pub fn received_currency(row: &Payment) -> Currency {
    row.received_currency.unwrap_or(row.expected_currency)
}
