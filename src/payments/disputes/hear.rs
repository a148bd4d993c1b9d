//! What a report about a dispute changes. Pure.

use chrono::{DateTime, Utc};

use crate::base::ids::DisputeId;
use crate::payments::case::Case;
use crate::payments::disputes::model::{Dispute, TrackedDispute};
use crate::payments::disputes::state::{DisputeChange, DisputeState};
use crate::payments::gateways::gateway::Facts;
use crate::payments::notices::decide::received_currency;
use crate::payments::refunds::arithmetic::LEEWAY;
use crate::payments::report::Settled;

/// Moves the dispute that a report is about, or records it for the first time. A report that names no dispute (the
/// payment is "disputed", "frozen", "reversed") opens one that gets its name later, where none of the payment is known.
pub fn facts(
    case: &mut Case,
    index: usize,
    facts: &Facts,
    change: DisputeChange,
    said_at: DateTime<Utc>,
) -> Settled {
    let place = match find(case, index, facts) {
        Some(place) => place,
        None if is_old_news(case, index, facts) => {
            case.rebalance(index);
            return Settled::Recorded;
        }
        None => insert(case, index, facts, change, said_at),
    };
    let tracked = &mut case.disputes[place];
    let is_new = tracked.before.is_none();
    let moved = step(&mut tracked.row, facts, change, said_at);
    case.rebalance(index);
    if moved || is_new { Settled::Applied } else { Settled::Recorded }
}

/// The gateway says that the payment is well again, without naming a dispute: one that has no name either is over.
pub fn calm(case: &mut Case, index: usize, said_at: DateTime<Utc>) -> Settled {
    let payment_id = case.payments[index].row.id;
    let nameless = |d: &&mut TrackedDispute| {
        d.row.payment_id == payment_id
            && d.row.gateway_dispute_id.is_none()
            && d.row.state == DisputeState::Opened
    };
    let Some(tracked) = case.disputes.iter_mut().find(nameless) else { return Settled::Recorded };
    (tracked.row.state, tracked.row.decided_at) = (DisputeState::Withdrawn, Some(case.clock.now()));
    tracked.row.said_at = Some(said_at);
    case.rebalance(index);
    Settled::Applied
}

fn find(case: &Case, index: usize, facts: &Facts) -> Option<usize> {
    let payment_id = case.payments[index].row.id;
    let named = facts.dispute.as_ref().and_then(|d| d.gateway_dispute_id.as_deref());
    let of_it = |d: &TrackedDispute| d.row.payment_id == payment_id;
    let by_name = || {
        let wanted = named?;
        let is = |d: &TrackedDispute| of_it(d) && d.row.gateway_dispute_id.as_deref() == Some(wanted);
        case.disputes.iter().position(is)
    };
    // The nameless one that is open: a name in the report is its own now. A report without a name says nothing of those that
    // have one: it may be about another, and says no time of its own.
    let open =
        |d: &TrackedDispute| of_it(d) && !d.row.state.is_decided() && d.row.gateway_dispute_id.is_none();
    by_name().or_else(|| case.disputes.iter().position(open))
}

/// Gateways go on calling a payment disputed when its dispute has long ended; only a payment without a named one can
/// have been disputed without our knowing.
fn is_old_news(case: &Case, index: usize, facts: &Facts) -> bool {
    let payment = &case.payments[index].row;
    let named = |d: &TrackedDispute| d.row.payment_id == payment.id && d.row.gateway_dispute_id.is_some();
    let names = facts.dispute.as_ref().is_some_and(|d| d.gateway_dispute_id.is_some());
    !names && (payment.kept_minor() == 0 || case.disputes.iter().any(named))
}

fn insert(
    case: &mut Case,
    index: usize,
    facts: &Facts,
    change: DisputeChange,
    said_at: DateTime<Utc>,
) -> usize {
    let payment = &case.payments[index].row;
    let now = case.clock.now();
    let row = Dispute {
        id: DisputeId(case.clock.uuid()),
        order_id: payment.order_id,
        payment_id: payment.id,
        account_id: payment.account_id.clone(),
        gateway_dispute_id: facts.dispute.as_ref().and_then(|d| d.gateway_dispute_id.clone()),
        state: if change == DisputeChange::Inquire { DisputeState::Inquiry } else { DisputeState::Opened },
        // A gateway that names no amount disputes all that is there.
        amount_minor: payment.kept_minor(),
        counted_minor: 0,
        currency: received_currency(payment),
        reason: None,
        opened_at: now,
        decided_at: None,
        said_at: Some(said_at),
    };
    case.disputes.push(TrackedDispute { before: None, row });
    case.disputes.len() - 1
}

fn step(row: &mut Dispute, facts: &Facts, change: DisputeChange, said_at: DateTime<Utc>) -> bool {
    let names = facts.dispute.as_ref().is_some_and(|fact| fact.gateway_dispute_id.is_some());
    if names && row.gateway_dispute_id.is_none() {
        // A nameless report only says that there is one, at any time while it lasts or after it: what is said of the dispute
        // itself is new information, however old.
        row.said_at = None;
    }
    if row.said_at.is_some_and(|said| said_at < said - LEEWAY) {
        return false;
    }
    if let Some(fact) = &facts.dispute {
        row.gateway_dispute_id = row.gateway_dispute_id.take().or_else(|| fact.gateway_dispute_id.clone());
        row.reason = row.reason.take().or_else(|| fact.reason.clone());
        row.amount_minor = fact.amount_minor.unwrap_or(row.amount_minor);
    }
    if row.state == DisputeState::Inquiry && matches!(change, DisputeChange::Win | DisputeChange::Lose) {
        row.state = DisputeState::Opened;
    }
    let turns = row.state.is_decided() && row.said_at.is_some_and(|said| said_at < said);
    let after = match row.state.after(change) {
        // Of two verdicts the later one counts.
        Ok(after) if after == row.state || !turns => after,
        Ok(_) | Err(_) => return false,
    };
    row.said_at = row.said_at.max(Some(said_at));
    if after == row.state {
        return false;
    }
    row.state = after;
    row.decided_at = after.is_decided().then_some(said_at);
    true
}
