//! Double entry for every movement of money. Each transaction sums to zero per currency; the database refuses one that
//! does not.

use crate::base::clock::Clock;
use crate::base::ids::{LineId, SHOP, SellerId};
use crate::base::money::spread;
use crate::fulfilment::assign::PaidLine;
use crate::payments::decide::{Case, News};
use crate::payments::model::Payment;
use crate::payments::store::slice::Entry;

/// Entries for what was captured in a slice: the gateway owes it, and the sellers of the lines earned it or nobody has
/// it yet.
pub fn captures<'a>(clock: &Clock, cases: impl Iterator<Item = &'a Case>, lines: &[PaidLine]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for case in cases {
        for news in &case.news {
            let News::Captured { payment_id, amount, allocated } = news else { continue };
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

/// Entries for money that went back (or was lost in a dispute): `shares` are the lines that lose it, with how much
/// each is to bear at most; none for money that was never allocated.
pub fn give_back(
    clock: &Clock,
    payment: &Payment,
    amount: i64,
    shares: &[(LineId, SellerId, i64)],
) -> Vec<Entry> {
    let mut entries = Vec::new();
    let weights: Vec<i64> = shares.iter().map(|s| s.2).collect();
    let parts: Vec<(LineId, SellerId, i64)> =
        shares.iter().zip(spread(-amount, &weights)).map(|(s, part)| (s.0, s.1, part)).collect();
    movement(clock, payment, -amount, &parts, &mut entries);
    entries
}

/// One transaction: `amount` to the gateway's book, its opposite to the lines' sellers, or to the unallocated book when
/// no line is concerned.
fn movement(
    clock: &Clock,
    payment: &Payment,
    amount: i64,
    shares: &[(LineId, SellerId, i64)],
    entries: &mut Vec<Entry>,
) {
    if amount == 0 {
        return;
    }
    let first = Entry {
        transaction_id: clock.uuid(),
        book: "gateway",
        account_id: payment.account_id.clone(),
        order_id: payment.order_id,
        payment_id: payment.id,
        line_id: None,
        seller_id: SHOP,
        amount_minor: amount,
        currency: crate::payments::decide::received_currency(payment),
    };
    let shared: i64 = shares.iter().map(|s| s.2).sum();
    for (line_id, seller_id, part) in shares.iter().filter(|s| s.2 != 0) {
        entries.push(Entry {
            book: "sales",
            line_id: Some(*line_id),
            seller_id: *seller_id,
            amount_minor: -part,
            ..first.clone()
        });
    }
    if shared != amount {
        entries.push(Entry { book: "unallocated", amount_minor: shared - amount, ..first.clone() });
    }
    entries.push(first);
}
