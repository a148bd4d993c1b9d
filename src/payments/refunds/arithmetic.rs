//! What of a payment's money is gone, in one place for all gateways. Pure.
//!
//! A refund is known by its gateway's id or by ours. A *sum* is what a gateway says it gave back of a payment so far;
//! it names no refund. So:
//!
//! - unattributed = max(0, newest sum − known refunds that were part of it when it was said);
//! - given back = known refunds that succeeded and did not fail later + unattributed, never above what was received.
//!
//! Refunds arrive in any order, repeated, before or after their sum. Whether a refund was part of a sum is decided by
//! the gateway's own times, with leeway on the side of "it was": counting one refund twice takes money from the books
//! that nobody gave back, while counting too little is mended by the next sum.

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::ids::RefundId;
use crate::payments::disputes::TrackedDispute;
use crate::payments::disputes::state::DisputeState;
use crate::payments::model::Payment;
use crate::payments::refunds::model::{Basis, Refund, TrackedRefund};
use crate::payments::refunds::state::RefundState;

/// Events of one refund are seconds apart, and gateways' machines disagree by as much.
pub const LEEWAY: TimeDelta = TimeDelta::minutes(5);

/// Brings rows and payment in line after something about them changed: the rows of sums, what each row counts, what
/// the payment gave back and lost. `rows` and `disputes` are those of this payment alone.
pub fn balance(
    payment: &mut Payment,
    rows: &mut [&mut TrackedRefund],
    disputes: &mut [&mut TrackedDispute],
    fresh: impl FnMut() -> RefundId,
    now: DateTime<Utc>,
) -> Vec<TrackedRefund> {
    let received = payment.received_minor.unwrap_or(0);
    let known: i64 = rows.iter().filter(|r| stands(r)).map(|r| r.row.amount_minor).sum();
    let unattributed = unattributed(payment, rows).min((received - known).max(0));
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
    mark_mails(rows, &mut new);
    new
}

/// Decides whose buyers are mailed now: money that went back and was not mailed about. A sum waits while a refund that
/// was asked for here has no name at the gateway yet: the sum may be that refund, and that may still fail.
fn mark_mails(rows: &mut [&mut TrackedRefund], new: &mut [TrackedRefund]) {
    let unnamed = |r: &Refund| r.state.is_open() && r.origin != "gateway" && r.gateway_refund_id.is_none();
    let waits = rows.iter().any(|r| unnamed(&r.row));
    for tracked in rows.iter_mut().map(|r| &mut **r).chain(new) {
        let row = &mut tracked.row;
        if row.counted_minor > 0 && !row.mailed && !(waits && row.basis == Basis::Sum) {
            (row.mailed, tracked.mail_due) = (true, true);
        }
    }
}

/// A known refund whose money is with the buyer.
fn stands(tracked: &TrackedRefund) -> bool {
    tracked.is_identified() && tracked.row.state == RefundState::Succeeded
}

fn unattributed(payment: &Payment, rows: &[&mut TrackedRefund]) -> i64 {
    let (Some(sum), Some(at)) = (payment.told_sum_minor, payment.told_sum_at) else { return 0 };
    let explained: i64 =
        rows.iter().filter(|r| r.is_identified() && was_in(&r.row, at)).map(|r| r.row.amount_minor).sum();
    (sum - explained).max(0)
}

/// Whether a refund was part of a sum that was said at this moment.
fn was_in(refund: &Refund, sum_at: DateTime<Utc>) -> bool {
    // One that was asked for here cannot have been made before that.
    let asked = (refund.origin != "gateway").then_some(refund.requested_at);
    let made = refund.made_at.or(asked).is_none_or(|made| made <= sum_at + LEEWAY);
    match refund.state {
        RefundState::Succeeded => made,
        // It had succeeded, or was counted as on its way, when the sum was said before it failed.
        RefundState::Failed => made && refund.failed_at.is_some_and(|failed| failed > sum_at - LEEWAY),
        // Stripe counts a refund from the moment it is made, before its end is known.
        RefundState::Requested | RefundState::Pending | RefundState::Unknown => {
            made && refund.gateway_refund_id.is_some()
        }
    }
}

/// Makes the rows of sums add up to what is unattributed: takes from the oldest, adds a row for what is new.
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
        let mut row = blank(payment, fresh(), -over, now);
        row.counted_minor = row.amount_minor;
        return vec![TrackedRefund::new(row)];
    }
    let mut mailed = 0;
    for tracked in rows.iter_mut().filter(|r| r.row.basis == Basis::Sum) {
        let take = over.min(tracked.row.amount_minor);
        tracked.row.amount_minor -= take;
        over -= take;
        if tracked.row.mailed && !tracked.mail_due {
            mailed += take;
        }
    }
    // A refund that now explains what a sum said before, open ones included: its buyer was mailed about the sum.
    for tracked in rows.iter_mut().filter(|r| r.is_identified()) {
        let explains = tracked.is_changed() && tracked.row.state != RefundState::Failed;
        if explains && tracked.row.amount_minor <= mailed {
            tracked.row.mailed = true;
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
        mailed: false,
    }
}
