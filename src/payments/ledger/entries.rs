//! Entries of each kind of movement. Pure.

use crate::base::clock::Clock;
use crate::base::ids::{DisputeId, LineId, RefundId, SHOP, SellerId};
use crate::base::money::spread;
use crate::fulfilment::assign::PaidLine;
use crate::payments::case::{CapturedMoney, Case};
use crate::payments::model::Payment;
use crate::payments::notices::decide::received_currency;
use crate::payments::notices::store::slice::SliceRow;
use crate::payments::refunds::store::LineShare;

/// Entries for what was captured in a slice: the gateway owes it, and the sellers of the lines earned it or nobody has
/// it yet.
pub fn captures<'a>(
    clock: &Clock,
    cases: impl Iterator<Item = &'a Case>,
    lines: &[PaidLine],
) -> Vec<SliceRow> {
    let mut entries = Vec::new();
    for case in cases {
        for CapturedMoney { payment_id, amount, allocated } in &case.decided.captures {
            let Some(payment) = case.payments.iter().map(|t| &t.row).find(|p| p.id == *payment_id) else {
                continue;
            };
            let shares: Vec<(LineId, SellerId, i64)> = lines
                .iter()
                .filter(|l| *allocated && l.order_id == case.order_id)
                .map(|l| (l.line_id, l.seller_id, l.total_minor))
                .collect();
            movement(clock, payment, amount.minor, &shares, &mut entries);
        }
    }
    entries
}

/// What a movement of money back is booked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Refund(RefundId),
    Dispute(DisputeId),
}

impl Cause {
    pub fn id(self) -> uuid::Uuid {
        match self {
            Self::Refund(id) => id.0,
            Self::Dispute(id) => id.0,
        }
    }
}

/// Entries for `amount` that went back (negative: that came back to us), spread over the lines by their weights; with
/// none, it is money that was never allocated.
pub fn money_back(
    clock: &Clock,
    payment: &Payment,
    amount: i64,
    weights: &[LineShare],
    cause: Cause,
) -> Vec<SliceRow> {
    let mut entries = Vec::new();
    let parts = spread(-amount, &weights.iter().map(|w| w.left_minor).collect::<Vec<_>>());
    let shares: Vec<(LineId, SellerId, i64)> =
        weights.iter().zip(parts).map(|(w, part)| (w.line_id, w.seller_id, part)).collect();
    movement(clock, payment, -amount, &shares, &mut entries);
    for entry in &mut entries {
        match cause {
            Cause::Refund(id) => entry.refund_id = Some(id),
            Cause::Dispute(id) => entry.dispute_id = Some(id),
        }
    }
    entries
}

/// Entries for money that pays for nothing and now pays for the order's lines.
pub fn allocation(clock: &Clock, payment: &Payment, lines: &[LineShare]) -> Vec<SliceRow> {
    let total: i64 = lines.iter().map(|l| l.left_minor).sum();
    let model = entry(clock, payment);
    let mut entries: Vec<SliceRow> = lines
        .iter()
        .filter(|line| line.left_minor != 0)
        .map(|line| SliceRow {
            book: "sales",
            line_id: Some(line.line_id),
            seller_id: line.seller_id,
            amount_minor: -line.left_minor,
            ..model.clone()
        })
        .collect();
    if total != 0 {
        entries.push(SliceRow { book: "unallocated", amount_minor: total, ..model });
    }
    entries
}

/// One transaction: `amount` to the gateway's book, its opposite to the lines' sellers, or to the unallocated book when
/// no line is concerned.
fn movement(
    clock: &Clock,
    payment: &Payment,
    amount: i64,
    shares: &[(LineId, SellerId, i64)],
    entries: &mut Vec<SliceRow>,
) {
    if amount == 0 {
        return;
    }
    let first = SliceRow { amount_minor: amount, ..entry(clock, payment) };
    let shared: i64 = shares.iter().map(|s| s.2).sum();
    for (line_id, seller_id, part) in shares.iter().filter(|s| s.2 != 0) {
        entries.push(SliceRow {
            book: "sales",
            line_id: Some(*line_id),
            seller_id: *seller_id,
            amount_minor: -part,
            ..first.clone()
        });
    }
    if shared != amount {
        entries.push(SliceRow { book: "unallocated", amount_minor: shared - amount, ..first.clone() });
    }
    entries.push(first);
}

/// A side of a new transaction about a payment, with nothing in it yet.
fn entry(clock: &Clock, payment: &Payment) -> SliceRow {
    SliceRow {
        transaction_id: clock.uuid(),
        book: "gateway",
        account_id: payment.account_id.clone(),
        order_id: payment.order_id,
        payment_id: payment.id,
        line_id: None,
        seller_id: SHOP,
        amount_minor: 0,
        currency: received_currency(payment),
        refund_id: None,
        dispute_id: None,
    }
}
