//! What a report about a payment changes, in pure Rust: no database, no gateway.

use chrono::{DateTime, Utc};

use crate::base::ids::PaymentId;
use crate::base::money::{Currency, Money};
use crate::config::Policy;
use crate::infra::effects::record::Nothing;
use crate::infra::effects::tasks::TaskKind;
use crate::orders::state::{OrderChange, OrderState};
use crate::payments::capture::{capture, capture_late, settles_order, stray, unallocated, why_unallocated};
use crate::payments::case::{Case, Tracked};
use crate::payments::disputes::DisputeChange;
use crate::payments::events::{Declined, PaymentEvent};
use crate::payments::gateways::gateway::{Expected, Facts, Identity, Match, Meaning, matches};
use crate::payments::model::Payment;
use crate::payments::notices::belongs;
use crate::payments::report::{PaymentReport, Settled};
use crate::payments::state::PaymentChange;
use crate::payments::tasks::{Foreign, NoticeForeign, PaymentDouble};
use crate::payments::{disputes, refunds};

/// What must be known of an account to judge its reports.
#[derive(Clone, Debug, Default)]
pub struct AccountView {
    pub policy: Policy,
    pub identity: Vec<Identity>,
    /// Its notices are only hints: the gateway is asked before money is believed.
    pub hints_only: bool,
}

/// Judges one report. `payment` is the one it was found to be about; `new_id` is for a row of stray money.
pub fn decide(
    case: &mut Case,
    report: &PaymentReport,
    payment: PaymentId,
    account: &AccountView,
    new_id: PaymentId,
) -> Settled {
    let Some(index) = case.payments.iter().position(|p| p.row.id == payment) else { return Settled::Orphan };
    let Some(facts) = report.facts() else { return capture_free(case, index) };
    if facts.meaning == Meaning::Ignored {
        return Settled::Ignored;
    }
    let index = by_trade(case, index, facts);
    let payment = case.payments[index].row.id;
    let row = &case.payments[index].row;
    let expected = Expected {
        number: row.number_there(),
        amount_minor: row.expected_minor,
        currency: row.expected_currency,
        gateway_reference: row.gateway_reference.as_deref(),
        trade_no: row.trade_no.as_deref(),
        identity: &account.identity,
    };
    let fit = matches(facts, &expected);
    // A number that was paid twice: the other trade's own notice is still on its way.
    if fit == Match::Foreign("trade_no")
        && row.state.was_captured()
        && matches!(report, PaymentReport::Notice { .. })
    {
        return Settled::Orphan;
    }
    if let Match::Foreign(reason) = fit {
        let body = Foreign { account: report.account_id().into(), reason: reason.into() };
        case.decided.tasks.push(NoticeForeign::open(payment, body).of_payment(payment));
        return Settled::Foreign(reason.to_owned());
    }
    if let Some(settled) = belongs::refuse_older(case, index, report, facts) {
        return settled;
    }
    if must_confirm(case, index, report, facts, account) {
        return Settled::Confirm(payment);
    }
    let settled = match facts.meaning {
        Meaning::Paid => paid(case, index, report, facts, fit, new_id),
        Meaning::Approved => approved(case, index, report),
        Meaning::Open => {
            quiet(case, index, PaymentChange::Reopen, |id| PaymentEvent::Reopened(id, Nothing {}))
        }
        Meaning::Pending => {
            quiet(case, index, PaymentChange::Wait, |id| PaymentEvent::Pending(id, Nothing {}))
        }
        Meaning::Failed => {
            quiet(case, index, PaymentChange::Fail, |id| PaymentEvent::Failed(id, Declined { code: None }))
        }
        Meaning::Closed => {
            quiet(case, index, PaymentChange::Expire, |id| PaymentEvent::Expired(id, Nothing {}))
        }
        Meaning::Refunded
        | Meaning::PartiallyRefunded
        | Meaning::RefundSucceeded
        | Meaning::RefundPending
        | Meaning::RefundFailed => money_back(case, index, report, facts, fit),
        Meaning::DisputeInquiry => quarrel(case, index, report, facts, fit, DisputeChange::Inquire),
        Meaning::DisputeOpened => quarrel(case, index, report, facts, fit, DisputeChange::Open),
        Meaning::DisputeWon => quarrel(case, index, report, facts, fit, DisputeChange::Win),
        Meaning::DisputeLost => quarrel(case, index, report, facts, fit, DisputeChange::Lose),
        Meaning::DisputeWithdrawn => quarrel(case, index, report, facts, fit, DisputeChange::Withdraw),
        Meaning::Ignored => Settled::Ignored,
    };
    if is_before_its_money(case, index, report) {
        return Settled::Orphan;
    }
    match beside_answer(case, index, report) {
        Some(Settled::Applied) => Settled::Applied,
        _ => settled,
    }
}

/// Whether a notice about money that goes back came before the money of its own trade did: the payment has none yet,
/// or that of another trade of the same number, which was paid twice. What the gateway answered counts all the same.
fn is_before_its_money(case: &Case, index: usize, report: &PaymentReport) -> bool {
    let PaymentReport::Notice { notice, .. } = report else { return false };
    let payment = &case.payments[index].row;
    let (said, known) = (notice.trade_no.as_deref(), payment.trade_no.as_deref());
    let another = matches!((said, known), (Some(said), Some(known)) if said != known);
    notice.meaning.is_about_money_back() && (!payment.state.was_captured() || another)
}

/// What a notice says of money that goes back and the gateway's answer to our question about it does not: some answers
/// name no refunds, and none names a refund or a dispute by its id.
fn beside_answer(case: &mut Case, index: usize, report: &PaymentReport) -> Option<Settled> {
    let PaymentReport::Notice { notice, confirmed: Some(answer), .. } = report else { return None };
    let facts = notice.facts();
    let said_at = facts.occurred_at.unwrap_or_else(|| case.clock.now());
    let change = match facts.meaning {
        Meaning::Refunded
        | Meaning::PartiallyRefunded
        | Meaning::RefundSucceeded
        | Meaning::RefundPending
        | Meaning::RefundFailed => {
            return Some(refunds::hear::facts(case, index, facts, said_at, false));
        }
        Meaning::DisputeInquiry => DisputeChange::Inquire,
        // The answer reports the dispute too, without its id.
        _ if answer.meaning == Meaning::DisputeOpened => return None,
        Meaning::DisputeOpened => DisputeChange::Open,
        Meaning::DisputeWon => DisputeChange::Win,
        Meaning::DisputeLost => DisputeChange::Lose,
        Meaning::DisputeWithdrawn => DisputeChange::Withdraw,
        _ => return None,
    };
    Some(disputes::hear::facts(case, index, facts, change, said_at))
}

/// Several trades may be under one number: what is not about new money is about the trade it names.
fn by_trade(case: &Case, index: usize, facts: &Facts) -> usize {
    let row = &case.payments[index].row;
    let (Some(said), Some(ours)) = (facts.trade_no.as_deref(), row.trade_no.as_deref()) else { return index };
    if facts.meaning == Meaning::Paid || said == ours {
        return index;
    }
    let named = |p: &Tracked| p.row.account_id == row.account_id && p.row.trade_no.as_deref() == Some(said);
    case.payments.iter().position(named).unwrap_or(index)
}

/// Whether the gateway itself must be asked first: the account's policy wants it, or the notice reports going back
/// before the money came.
fn must_confirm(
    case: &Case,
    index: usize,
    report: &PaymentReport,
    facts: &Facts,
    account: &AccountView,
) -> bool {
    if !matches!(report, PaymentReport::Notice { confirmed: None, .. }) {
        return false;
    }
    let captured = case.payments[index].row.state.was_captured();
    match facts.meaning {
        Meaning::Paid => {
            let above =
                account.policy.confirm_above.is_some_and(|limit| facts.amount_minor.unwrap_or(0) > limit);
            let late = account.policy.confirm_expired && case.state == OrderState::Expired;
            // A second trade of a paid number is new too, and so is to be confirmed.
            let hint = account.hints_only && !is_known_trade(case, index, facts);
            (!captured && (above || late)) || hint
        }
        meaning => meaning.is_about_money_back() && !captured,
    }
}

/// Whether the trade that a report names was captured before.
fn is_known_trade(case: &Case, index: usize, facts: &Facts) -> bool {
    let account = &case.payments[index].row.account_id;
    facts.trade_no.is_some()
        && case.payments.iter().any(|p| {
            p.row.account_id == *account && p.row.state.was_captured() && p.row.trade_no == facts.trade_no
        })
}

/// Moves a payment when its machine allows it; a report that comes too late changes nothing.
pub(in crate::payments) fn advance(tracked: &mut Tracked, change: PaymentChange) -> bool {
    match tracked.row.state.after(change) {
        Ok(next) if next != tracked.row.state => {
            tracked.row.state = next;
            tracked.changed = true;
            true
        }
        Ok(_) | Err(_) => false,
    }
}

fn quiet(
    case: &mut Case,
    index: usize,
    change: PaymentChange,
    event: fn(PaymentId) -> PaymentEvent,
) -> Settled {
    let tracked = &mut case.payments[index];
    if !advance(tracked, change) {
        return Settled::Recorded;
    }
    let event = event(tracked.row.id);
    case.decided.events.push(event);
    Settled::Applied
}

/// The buyer agreed; whoever reads the event takes the money. A notice always says so, because an earlier answer may have
/// moved the payment already; who asked the gateway takes the money by himself.
fn approved(case: &mut Case, index: usize, report: &PaymentReport) -> Settled {
    let tracked = &mut case.payments[index];
    let moved = advance(tracked, PaymentChange::Wait);
    let heard = matches!(report, PaymentReport::Notice { .. }) && tracked.row.state.is_open();
    if !moved && !heard {
        return Settled::Recorded;
    }
    let event = PaymentEvent::Approved(tracked.row.id, Nothing {});
    case.decided.events.push(event);
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
    if case.state.after(OrderChange::Pay).is_err() || money.minor != 0 || case.over_limit {
        return Settled::Recorded;
    }
    let trade_no = case.payments[index].row.gateway_number.clone();
    capture(case, index, money, trade_no, true);
    Settled::Applied
}

fn paid(
    case: &mut Case,
    index: usize,
    report: &PaymentReport,
    facts: &Facts,
    fit: Match,
    new_id: PaymentId,
) -> Settled {
    let row = &case.payments[index].row;
    let (Some(minor), Some(trade_no)) = (facts.amount_minor, facts.trade_no.as_deref()) else {
        return Settled::Orphan;
    };
    let money = Money::new(minor, facts.currency.unwrap_or(row.expected_currency));
    if is_known_trade(case, index, facts) {
        return all_is_well(case, index, report, facts);
    }
    if row.state.was_captured() {
        // A second trade under a number that is paid: money that nobody asked for.
        let stray = stray(case, index, new_id, trade_no);
        capture(case, stray, money, Some(trade_no.to_owned()), false);
        unallocated(case, stray, PaymentDouble::open);
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

/// When a report was said: by the gateway's clock, and an answer when it was asked for.
fn said_at(case: &Case, report: &PaymentReport, facts: &Facts) -> DateTime<Utc> {
    let said = if report.is_answer() { report.asked_at() } else { facts.occurred_at };
    said.unwrap_or_else(|| case.clock.now())
}

/// The gateway says that a known payment is paid, and perhaps how much of it went back.
fn all_is_well(case: &mut Case, index: usize, report: &PaymentReport, facts: &Facts) -> Settled {
    if !report.is_answer() || facts.refunded_minor.is_none() {
        return Settled::Recorded;
    }
    let said_at = said_at(case, report, facts);
    let calmed = disputes::hear::calm(case, index, said_at);
    match refunds::hear::facts(case, index, facts, said_at, true) {
        Settled::Recorded => calmed,
        settled => settled,
    }
}

/// A report about money that went back. Money that is seen for the first time through its refund is recorded, and
/// pays for the order only when a part of it stayed.
fn money_back(case: &mut Case, index: usize, report: &PaymentReport, facts: &Facts, fit: Match) -> Settled {
    if !case.payments[index].row.state.was_captured()
        && matches!(facts.meaning, Meaning::Refunded | Meaning::PartiallyRefunded)
    {
        capture_late(case, index, facts, fit, facts.meaning == Meaning::Refunded);
    }
    if !case.payments[index].row.state.was_captured() {
        return Settled::Recorded;
    }
    let said_at = said_at(case, report, facts);
    refunds::hear::facts(case, index, facts, said_at, report.is_answer())
}

fn quarrel(
    case: &mut Case,
    index: usize,
    report: &PaymentReport,
    facts: &Facts,
    fit: Match,
    change: DisputeChange,
) -> Settled {
    if !case.payments[index].row.state.was_captured() {
        if !report.is_answer() || change != DisputeChange::Open {
            return Settled::Recorded;
        }
        capture_late(case, index, facts, fit, false);
    }
    let said_at = said_at(case, report, facts);
    if facts.refunded_minor.is_some() {
        refunds::hear::facts(case, index, facts, said_at, report.is_answer());
    }
    disputes::hear::facts(case, index, facts, change, said_at)
}

/// The currency of a capture, for its ledger entries.
pub fn received_currency(row: &Payment) -> Currency {
    row.received_currency.unwrap_or(row.expected_currency)
}
