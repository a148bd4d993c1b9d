//! What of a payment's money is gone, in one place for all gateways. Pure.
//!
//! A refund is known by its gateway's id or by ours. A *sum* is what a gateway says it gave back of a payment so far;
//! it names no refund. So:
//!
//! - unattributed = max(0, newest sum − known refunds that were part of it when it was said);
//! - given back = known refunds that succeeded and did not fail later + unattributed, never above what was received.
//!
//! Refunds arrive in any order, repeated, before or after their sum. Whether a refund was part of a sum is decided by
//! the order in which we saw things where that says it (a refund that was asked for after the sum was heard is not in it,
//! what was known before a question is in the answer), else by the gateway's own times, with leeway on the side of "it
//! was": counting one refund twice takes money from the books that nobody gave back. Where the leeway decides about money
//! ([`leans_on_clocks`]), the gateway is asked for the sum.

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::ids::RefundId;
use crate::payments::disputes::TrackedDispute;
use crate::payments::disputes::state::DisputeState;
use crate::payments::gateways::gateway::Abilities;
use crate::payments::model::Payment;
use crate::payments::refunds::model::{Basis, Refund, TrackedRefund};
use crate::payments::refunds::state::RefundState;

/// Events of one refund are seconds apart, and gateways' machines disagree by as much.
pub const LEEWAY: TimeDelta = TimeDelta::minutes(5);

/// How long a mail about a sum waits for more to be known at most; the second question comes a minute later.
const DOUBT: TimeDelta = TimeDelta::minutes(7);

/// How a gateway reports sums.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// They count refunds that have not ended yet.
    count_open: bool,
    /// The gateway can be asked for the newest one.
    can_be_asked: bool,
}

impl Sums {
    pub fn of(abilities: &Abilities) -> Self {
        Self { count_open: abilities.sums_count_open, can_be_asked: abilities.query }
    }
}

/// Brings rows and payment in line after something about them changed: the rows of sums, what each row counts, what
/// the payment gave back and lost. `rows` and `disputes` are those of this payment alone.
pub fn balance(
    payment: &mut Payment,
    sums: Sums,
    rows: &mut [&mut TrackedRefund],
    disputes: &mut [&mut TrackedDispute],
    fresh: impl FnMut() -> RefundId,
    now: DateTime<Utc>,
) -> Vec<TrackedRefund> {
    rows.iter_mut().for_each(|tracked| tracked.note_heard(now));
    let received = payment.received_minor.unwrap_or(0);
    let known: i64 = rows.iter().filter(|r| counts(r)).map(|r| r.row.amount_minor).sum();
    let unattributed =
        beyond(payment, sums, rows.iter().map(|r| &**r), may_be_in).min((received - known).max(0));
    let mut new = fit_sums(payment, rows, unattributed, fresh, now);
    let mut left = received;
    for tracked in rows.iter_mut() {
        let counted =
            if tracked.row.state == RefundState::Succeeded { tracked.row.amount_minor.min(left) } else { 0 };
        tracked.row.counted_minor = counted;
        left -= counted;
    }
    left -= new.iter().map(|r| r.row.counted_minor).sum::<i64>();
    payment.refunded_minor = received - left;
    let mut lost = 0;
    for dispute in disputes.iter_mut() {
        dispute.row.counted_minor = match dispute.row.state {
            DisputeState::Lost => dispute.row.amount_minor.min(left),
            DisputeState::Inquiry | DisputeState::Opened | DisputeState::Won | DisputeState::Withdrawn => 0,
        };
        left -= dispute.row.counted_minor;
        lost += dispute.row.counted_minor;
    }
    payment.lost_minor = lost;
    let unnamed = |r: &Refund| r.state.is_open() && r.origin != "gateway" && r.gateway_refund_id.is_none();
    let open = rows.iter().any(|r| r.row.state.is_open());
    let leans = sums.can_be_asked && leans_on_clocks(payment, sums, rows.iter().map(|r| &**r).chain(&new));
    let doubt = leans || (sums.can_be_asked && open);
    let doubtful = doubt || sums.count_open || rows.iter().any(|r| unnamed(&r.row));
    mark_mails(rows, &mut new, doubtful.then_some(now - DOUBT), !leans);
    new
}

/// Decides which buyers are mailed now: about money that went back and that no mail was about. A sum that was first heard
/// of after `doubtful_since` waits, which is where a refund that was asked for here has no name at the gateway yet (the sum
/// may be that refund, and that may still fail), where other refunds are open or the gateway counts open ones, and where
/// clocks alone decide how much of it is new.
///
/// What a sum was mailed about stays mailed about when its row gives way: a refund that explains it, open ones included,
/// or another row of a sum takes it over. Where only a failed one does, its buyer is mailed that it failed, once `is_settled`:
/// no question about the sum is open.
fn mark_mails(
    rows: &mut [&mut TrackedRefund],
    new: &mut [TrackedRefund],
    doubtful_since: Option<DateTime<Utc>>,
    is_settled: bool,
) {
    let is_young = |row: &Refund| doubtful_since.is_some_and(|since| row.requested_at > since);
    let mut spare: i64 = rows.iter().map(|r| spare_mail(&r.row)).sum();
    let mut taken = 0;
    for tracked in rows.iter_mut().map(|r| &mut **r).chain(new) {
        let row = &mut tracked.row;
        let explains = row.state.is_open() && row.gateway_refund_id.is_some();
        if row.mailed_minor > 0 || !(row.counted_minor > 0 || explains) {
            continue;
        }
        if row.amount_minor <= spare {
            row.mailed_minor = row.amount_minor;
            spare -= row.amount_minor;
            taken += row.amount_minor;
        } else if row.counted_minor > 0 && !(row.basis == Basis::Sum && is_young(row)) {
            (row.mailed_minor, tracked.mail_due) = (row.amount_minor, true);
        }
    }
    for tracked in rows.iter_mut().filter(|r| r.row.state == RefundState::Failed) {
        let was_mailed =
            tracked.before.as_ref().is_some_and(|b| b.state != RefundState::Failed && b.mailed_minor > 0);
        // The mail about a sum was about this refund, whose name is heard with its failure or not before.
        let by_sum = is_settled && !tracked.row.ever_succeeded && tracked.row.amount_minor <= spare;
        if by_sum && !was_mailed {
            spare -= tracked.row.amount_minor;
            taken += tracked.row.amount_minor;
        }
        tracked.failure_mail_due |= was_mailed || by_sum;
    }
    for tracked in rows {
        let take = spare_mail(&tracked.row).min(taken);
        tracked.row.mailed_minor -= take;
        taken -= take;
    }
}

/// Money that a mail was about and that the row of a sum counts no longer.
fn spare_mail(row: &Refund) -> i64 {
    if row.basis == Basis::Sum { (row.mailed_minor - row.amount_minor).max(0) } else { 0 }
}

/// A known refund whose money is with the buyer.
fn counts(tracked: &TrackedRefund) -> bool {
    tracked.is_identified() && tracked.row.state == RefundState::Succeeded
}

/// Whether what is unattributed depends on how far clocks may disagree, or on when exactly a refund was made whose
/// answer was late.
pub fn leans_on_clocks<'r>(
    payment: &Payment,
    sums: Sums,
    rows: impl Iterator<Item = &'r TrackedRefund> + Clone,
) -> bool {
    let known: i64 = rows.clone().filter(|r| counts(r)).map(|r| r.row.amount_minor).sum();
    let most = (payment.received_minor.unwrap_or(0) - known).max(0);
    let left = |part: fn(&Refund, &Sum) -> bool| beyond(payment, sums, rows.clone(), part).min(most);
    left(may_be_in) != left(must_be_in)
}

/// The newest sum of a payment.
struct Sum {
    minor: i64,
    at: DateTime<Utc>,
    heard_at: DateTime<Utc>,
    asked: bool,
    counts_open: bool,
}

fn newest_sum(payment: &Payment, sums: Sums) -> Option<Sum> {
    Some(Sum {
        minor: payment.told_sum_minor?,
        at: payment.told_sum_at?,
        heard_at: payment.told_sum_heard_at?,
        asked: payment.told_sum_asked,
        counts_open: sums.count_open,
    })
}

/// What the newest sum has beyond the refunds that were part of it.
fn beyond<'r>(
    payment: &Payment,
    sums: Sums,
    rows: impl Iterator<Item = &'r TrackedRefund>,
    part: fn(&Refund, &Sum) -> bool,
) -> i64 {
    let Some(sum) = newest_sum(payment, sums) else { return 0 };
    let explained: i64 =
        rows.filter(|r| r.is_identified() && part(&r.row, &sum)).map(|r| r.row.amount_minor).sum();
    (sum.minor - explained).max(0)
}

/// Whether a refund was part of a sum, where our own clock alone can decide it; none where the gateway's is needed.
fn seen_in(refund: &Refund, sum: &Sum) -> Option<bool> {
    let ours = refund.origin != "gateway";
    if ours && refund.requested_at > sum.heard_at {
        return Some(false);
    }
    // Where open ones are counted, a sum that comes while ours is being made is taken to be about it: it may still fail, and
    // nothing is gone for good before that is known. If it never came there, its end will say so.
    if ours && sum.counts_open && refund.state.is_open() && refund.gateway_refund_id.is_none() {
        return Some(true);
    }
    // What was known before the question was asked is in the answer as it was known. Only a failure may be too young:
    // a gateway sends that notice before its own sum is lowered, so a question some minutes later decides.
    let settles = if refund.state == RefundState::Failed { LEEWAY } else { TimeDelta::zero() };
    (sum.asked && refund.heard_at + settles <= sum.at).then(|| match refund.state {
        RefundState::Succeeded => true,
        RefundState::Failed => false,
        // Stripe counts a refund from the moment it is made, before its end is known.
        RefundState::Requested | RefundState::Pending | RefundState::Unknown => {
            sum.counts_open && refund.gateway_refund_id.is_some()
        }
    })
}

/// Whether a refund may have been part of a sum.
fn may_be_in(refund: &Refund, sum: &Sum) -> bool {
    if let Some(seen) = seen_in(refund, sum) {
        return seen;
    }
    // One that was asked for here cannot have been made before that.
    let asked = (refund.origin != "gateway").then_some(refund.requested_at);
    let made = refund.made_at.or(asked).is_none_or(|made| made <= sum.at + LEEWAY);
    let named = refund.gateway_refund_id.is_some();
    match refund.state {
        RefundState::Succeeded => made,
        // It had succeeded, or was counted as on its way, when the sum was said before it failed.
        RefundState::Failed => {
            let counted = named && (refund.ever_succeeded || sum.counts_open);
            made && counted && refund.failed_at.is_some_and(|at| at > sum.at - LEEWAY)
        }
        RefundState::Requested | RefundState::Pending | RefundState::Unknown => {
            sum.counts_open && made && named
        }
    }
}

/// Whether it was, however far clocks disagree.
fn must_be_in(refund: &Refund, sum: &Sum) -> bool {
    if let Some(seen) = seen_in(refund, sum) {
        return seen;
    }
    // When the gateway does not say when it was made, not later than its success was heard of.
    let made = refund.made_at.or(refund.succeeded_at).is_some_and(|made| made <= sum.at - LEEWAY);
    match refund.state {
        RefundState::Succeeded => made,
        RefundState::Failed => {
            made && refund.ever_succeeded && refund.failed_at.is_some_and(|at| at > sum.at + LEEWAY)
        }
        RefundState::Requested | RefundState::Pending | RefundState::Unknown => false,
    }
}

/// Makes the rows of sums add up to what is unattributed: takes from what is there, adds a row for what is new.
fn fit_sums(
    payment: &Payment,
    rows: &mut [&mut TrackedRefund],
    unattributed: i64,
    mut fresh: impl FnMut() -> RefundId,
    now: DateTime<Utc>,
) -> Vec<TrackedRefund> {
    let of_sums = rows.iter().filter(|r| r.row.basis == Basis::Sum);
    let there: i64 = of_sums.map(|r| r.row.amount_minor).sum();
    let mut over = there - unattributed;
    if over < 0 {
        // What gave way for a while comes back: its buyer was mailed about it.
        for tracked in rows.iter_mut().filter(|r| r.row.basis == Basis::Sum) {
            let back = spare_mail(&tracked.row).min(-over);
            tracked.row.amount_minor += back;
            over += back;
        }
        if over == 0 {
            return Vec::new();
        }
        // What no mail was about yet is one matter to its buyer.
        let waiting = |r: &&mut &mut TrackedRefund| {
            r.row.basis == Basis::Sum && r.row.amount_minor > 0 && (r.row.mailed_minor == 0 || r.mail_due)
        };
        if let Some(tracked) = rows.iter_mut().find(waiting) {
            tracked.row.amount_minor -= over;
            if tracked.mail_due {
                tracked.row.mailed_minor = tracked.row.amount_minor;
            }
            return Vec::new();
        }
        let mut row = blank(payment, fresh(), -over, now);
        row.counted_minor = row.amount_minor;
        return vec![TrackedRefund::new(row)];
    }
    let mut giving_way: Vec<&mut &mut TrackedRefund> =
        rows.iter_mut().filter(|r| r.row.basis == Basis::Sum).collect();
    // First what no mail was about yet.
    giving_way.sort_by_key(|r| r.row.mailed_minor > 0 && !r.mail_due);
    for tracked in giving_way {
        let take = over.min(tracked.row.amount_minor);
        tracked.row.amount_minor -= take;
        over -= take;
        if tracked.mail_due {
            // Its mail has not left: it will be about what remains, or not be written.
            (tracked.row.mailed_minor, tracked.mail_due) =
                (tracked.row.amount_minor, tracked.row.amount_minor > 0);
        }
    }
    Vec::new()
}

/// A row for money that went back without a name.
pub fn blank(payment: &Payment, id: RefundId, amount_minor: i64, now: DateTime<Utc>) -> Refund {
    Refund {
        id,
        order_id: payment.order_id,
        payment_id: payment.id,
        state: RefundState::Succeeded,
        amount_minor,
        currency: payment.received_currency.unwrap_or(payment.expected_currency),
        reason: None,
        origin: "gateway".into(),
        gateway_refund_id: None,
        requested_by: None,
        requested_at: now,
        succeeded_at: Some(now),
        failure_code: None,
        checks: 0,
        basis: Basis::Sum,
        counted_minor: 0,
        made_at: None,
        failed_at: None,
        said_at: None,
        mailed_minor: 0,
        heard_at: now,
        ever_succeeded: true,
    }
}
