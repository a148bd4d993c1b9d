//! What a report about refunds changes. As pure as `decide`: every way a refund moves (a notice, the gateway's answer to
//! our call, a question, a statement) comes through here.

use chrono::{DateTime, Utc};

use crate::base::ids::RefundId;
use crate::payments::case::{Case, SumToAsk};
use crate::payments::gateways::gateway::{Facts, Meaning};
use crate::payments::refunds::arithmetic::{LEEWAY, blank, leans_on_clocks};
use crate::payments::refunds::model::{Basis, Refund, TrackedRefund};
use crate::payments::refunds::state::{RefundChange, RefundState};
use crate::payments::report::Settled;

/// One refund, as somebody who knows reports it.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// Our id of it, where it was asked for here.
    pub refund_id: Option<RefundId>,
    pub gateway_refund_id: Option<&'a str>,
    /// Minor units; none where only a sum was said.
    pub amount_minor: Option<i64>,
    pub change: RefundChange,
    /// By the gateway's clock.
    pub said_at: DateTime<Utc>,
    pub made_at: Option<DateTime<Utc>>,
    pub failure_code: Option<&'a str>,
    /// The gateway waits for a person there.
    pub needs_person: bool,
}

/// A report about refunds: a sum, one refund, or both.
pub fn facts(
    case: &mut Case,
    index: usize,
    facts: &Facts,
    said_at: DateTime<Utc>,
    is_answer: bool,
) -> Settled {
    let before = states(case);
    if let Some(sum) = sum_of(case, index, facts) {
        sum_so_far(case, index, sum, said_at, is_answer);
    }
    if let Some(fact) = &facts.refund {
        let change = match facts.meaning {
            Meaning::RefundPending => RefundChange::Accept,
            Meaning::RefundFailed => RefundChange::Fail,
            _ => fact.change,
        };
        let heard = Heard {
            refund_id: fact.refund_id.as_deref().and_then(|id| RefundId::parse(id).ok()),
            gateway_refund_id: Some(&fact.gateway_refund_id),
            amount_minor: fact.amount_minor,
            change,
            said_at,
            made_at: fact.made_at,
            failure_code: fact.failure_code.as_deref(),
            needs_person: fact.needs_person,
        };
        one_refund(case, index, &heard);
    }
    case.rebalance(index);
    doubt(case, index);
    if states(case) == before { Settled::Recorded } else { Settled::Applied }
}

/// Has the gateway asked where clocks alone decide how much went back, and later where the mail about a sum waits for
/// more to be known. What its answer leaves in doubt is asked again later, and at once only if something was heard while
/// the question was on its way.
pub fn doubt(case: &mut Case, index: usize) {
    let payment = &case.payments[index].row;
    let mine = case.refunds.iter().filter(|r| r.row.payment_id == payment.id);
    let waits = |r: &TrackedRefund| r.row.basis == Basis::Sum && r.row.mailed_minor < r.row.counted_minor;
    let mail_waits = mine.clone().any(waits);
    let answered = payment.told_sum_asked
        && mine.clone().filter(|r| r.is_identified()).all(|r| Some(r.row.heard_at) <= payment.told_sum_at);
    let leans = leans_on_clocks(payment, case.payments[index].sums, mine);
    if leans || mail_waits {
        let payment_id = payment.id;
        case.decided.sums_to_ask.push(SumToAsk { payment_id, at_once: leans && !answered });
    }
}

/// What of the refunds leaves a trace in the events.
fn states(case: &Case) -> Vec<(RefundId, RefundState, Basis)> {
    case.refunds.iter().map(|r| (r.row.id, r.row.state, r.row.basis)).collect()
}

/// The sum that a report names, in the payment's own bounds. A gateway that says "all went back" without a sum means
/// what was received.
fn sum_of(case: &Case, index: usize, facts: &Facts) -> Option<i64> {
    let received = case.payments[index].row.received_minor?;
    match (facts.meaning, facts.refunded_minor) {
        (_, Some(sum)) => Some(sum.clamp(0, received)),
        (Meaning::Refunded, None) => Some(received),
        (_, None) => None,
    }
}

/// A newer sum takes the place of an older one. The answer to a question that was asked after the known sum was heard
/// is newer, and may lower it.
fn sum_so_far(case: &mut Case, index: usize, sum: i64, said_at: DateTime<Utc>, is_answer: bool) {
    let row = &mut case.payments[index].row;
    if let (Some(before), Some(at), Some(heard_at)) =
        (row.told_sum_minor, row.told_sum_at, row.told_sum_heard_at)
    {
        let is_newer = match (is_answer, row.told_sum_asked) {
            (true, _) => said_at >= heard_at,
            // Our clock and the gateway's disagree by seconds: what is only a little newer raises the sum at most.
            (false, true) if sum < before => said_at > at + LEEWAY,
            (false, _) => said_at > at || (said_at == at && sum > before),
        };
        if !is_newer {
            if sum != before && said_at > at - LEEWAY && (is_answer || sum > before || row.told_sum_asked) {
                case.decided.sums_to_ask.push(SumToAsk { payment_id: row.id, at_once: true });
            }
            return;
        }
    }
    (row.told_sum_minor, row.told_sum_at) = (Some(sum), Some(said_at));
    (row.told_sum_heard_at, row.told_sum_asked) = (Some(case.clock.now()), is_answer);
    case.payments[index].changed = true;
}

/// Moves the row of one refund, or records it for the first time.
pub fn one_refund(case: &mut Case, index: usize, heard: &Heard<'_>) {
    let payment_id = case.payments[index].row.id;
    if let Some(tracked) = find(case, heard) {
        let before = tracked.row.state;
        step(tracked, heard);
        let failed = before != RefundState::Failed && tracked.row.state == RefundState::Failed;
        let summed = case.payments[index].row.told_sum_minor.is_some_and(|sum| sum > 0);
        if failed && (before == RefundState::Succeeded || summed) {
            case.decided.sums_to_ask.push(SumToAsk { payment_id, at_once: true });
        }
        return;
    }
    let (Some(amount), Some(id)) = (heard.amount_minor.filter(|a| *a > 0), heard.gateway_refund_id) else {
        return;
    };
    if heard.change == RefundChange::Succeed && name_a_sum(case, index, heard, id, amount) {
        return;
    }
    let mut row = blank(&case.payments[index].row, RefundId(case.clock.uuid()), amount, case.clock.now());
    row.basis = Basis::Refund;
    row.gateway_refund_id = Some(id.to_owned());
    (row.made_at, row.said_at) = (heard.made_at.or(Some(heard.said_at)), Some(heard.said_at));
    (row.state, row.succeeded_at, row.ever_succeeded) = (RefundState::Pending, None, false);
    let mut tracked = TrackedRefund::new(row);
    step(&mut tracked, heard);
    tracked.needs_person = heard.needs_person;
    if tracked.row.state == RefundState::Succeeded {
        tracked.row.succeeded_at = Some(case.clock.now());
    }
    case.refunds.push(tracked);
}

/// The refund that is meant: by our id, else by the gateway's.
fn find<'c>(case: &'c mut Case, heard: &Heard<'_>) -> Option<&'c mut TrackedRefund> {
    let named = |r: &TrackedRefund| Some(r.row.id) == heard.refund_id;
    let there = |r: &TrackedRefund| {
        heard.gateway_refund_id.is_some() && r.row.gateway_refund_id.as_deref() == heard.gateway_refund_id
    };
    let place = case.refunds.iter().position(named).or_else(|| case.refunds.iter().position(there))?;
    Some(&mut case.refunds[place])
}

/// One step of a known refund, unless the report is older than what is known.
fn step(tracked: &mut TrackedRefund, heard: &Heard<'_>) {
    let row = &mut tracked.row;
    row.gateway_refund_id =
        row.gateway_refund_id.take().or_else(|| heard.gateway_refund_id.map(str::to_owned));
    row.made_at = row.made_at.or(heard.made_at);
    row.ever_succeeded |= heard.change == RefundChange::Succeed;
    tracked.needs_person = heard.needs_person && row.state.is_open();
    if is_stale(row, heard) {
        if is_in_between(row, heard) {
            row.failed_at = row.said_at;
        }
        return;
    }
    let Ok(after) = row.state.after(heard.change) else { return };
    row.said_at = row.said_at.max(Some(heard.said_at));
    if after == row.state {
        return;
    }
    row.state = after;
    match after {
        RefundState::Succeeded => (row.failed_at, row.failure_code) = (None, None),
        RefundState::Failed => {
            (row.failed_at, row.succeeded_at) = (Some(heard.said_at), None);
            row.mailed_minor = 0;
            row.failure_code = heard.failure_code.map(str::to_owned).or_else(|| Some("failed".into()));
        }
        RefundState::Requested | RefundState::Pending | RefundState::Unknown => {}
    }
}

/// Refunds succeed first and fail later far more often than the other way round: of reports that are close to each other
/// the failure counts.
fn is_stale(row: &Refund, heard: &Heard<'_>) -> bool {
    let Some(said) = row.said_at else { return false };
    if revives(row, heard) { heard.said_at <= said } else { heard.said_at < said - LEEWAY }
}

fn revives(row: &Refund, heard: &Heard<'_>) -> bool {
    row.state == RefundState::Failed && heard.change == RefundChange::Succeed
}

/// A success between two failures of which the later one was heard first: it failed when that was said.
fn is_in_between(row: &Refund, heard: &Heard<'_>) -> bool {
    revives(row, heard) && row.failed_at.is_some_and(|failed| heard.said_at > failed)
}

/// A refund whose money a sum reported before takes the row of that sum as its own: the buyer was written to, and
/// perhaps a person was asked which units are meant.
fn name_a_sum(case: &mut Case, index: usize, heard: &Heard<'_>, id: &str, amount: i64) -> bool {
    let payment_id = case.payments[index].row.id;
    let same = |r: &&mut TrackedRefund| {
        r.row.payment_id == payment_id && r.row.basis == Basis::Sum && r.row.amount_minor == amount
    };
    let Some(tracked) = case.refunds.iter_mut().find(same) else { return false };
    tracked.row.basis = Basis::Refund;
    tracked.row.gateway_refund_id = Some(id.to_owned());
    tracked.row.made_at = heard.made_at.or(Some(heard.said_at));
    tracked.row.said_at = Some(heard.said_at);
    true
}
