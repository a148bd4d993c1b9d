//! The ledger of money that goes back, and of what comes back after all.

use diesel_async::AsyncPgConnection;

use crate::base::outcome::Outcome;
use crate::payments::case::{Case, Tracked};
use crate::payments::kit::PaymentKit;
use crate::payments::ledger::{self, Cause};
use crate::payments::notices::store::slice;
use crate::payments::refunds::store::{self as refunds, LineShare};

/// What one row's share of the payment's money has become.
struct Movement<'a> {
    payment: &'a Tracked,
    cause: Cause,
    /// Minor units that went back; negative: that are here again.
    amount: i64,
}

/// Books each refund and dispute whose counted amount changed, on the lines and sellers it belongs to. What comes back
/// is booked first, so that the lines have it when something else takes it.
pub async fn write(conn: &mut AsyncPgConnection, kit: &PaymentKit, case: &Case) -> Outcome<()> {
    let mut movements = movements(case);
    movements.sort_by_key(|m| m.amount);
    for movement in &movements {
        let payment = &movement.payment.row;
        let weights = match movement.amount {
            // Money of a payment that other money has replaced stays apart when it is here again.
            ..0 if !movement.payment.on_lines => Vec::new(),
            ..0 => refunds::list_booked(conn, payment.id, movement.cause.id()).await?,
            _ => weights(conn, movement).await?,
        };
        let entries = ledger::money_back(&kit.clock, payment, movement.amount, &weights, movement.cause);
        slice::insert_entries(conn, &entries).await?;
    }
    for payment in case.payments.iter().filter(|t| t.is_reallocated()) {
        let lines = refunds::list_line_totals(conn, case.order_id).await?;
        slice::insert_entries(conn, &ledger::allocation(&kit.clock, &payment.row, &lines)).await?;
    }
    Ok(())
}

fn movements(case: &Case) -> Vec<Movement<'_>> {
    let find = |id| case.payments.iter().find(|t| t.row.id == id);
    let of_refunds = case.refunds.iter().filter_map(|tracked| {
        let before = tracked.before.as_ref().map_or(0, |b| b.counted_minor);
        let payment = find(tracked.row.payment_id)?;
        let cause = Cause::Refund(tracked.row.id);
        Some(Movement { payment, cause, amount: tracked.row.counted_minor - before })
    });
    let of_disputes = case.disputes.iter().filter_map(|tracked| {
        let before = tracked.before.as_ref().map_or(0, |b| b.counted_minor);
        let payment = find(tracked.row.payment_id)?;
        let cause = Cause::Dispute(tracked.row.id);
        Some(Movement { payment, cause, amount: tracked.row.counted_minor - before })
    });
    of_refunds.chain(of_disputes).filter(|m| m.amount != 0).collect()
}

/// The lines of the units that a refund names, each with its share; else all lines with what they have left.
async fn weights(conn: &mut AsyncPgConnection, movement: &Movement<'_>) -> Outcome<Vec<LineShare>> {
    let left = refunds::list_shares(conn, movement.payment.row.id).await?;
    let Cause::Refund(id) = movement.cause else { return Ok(left) };
    let named = refunds::list_unit_lines(conn, id).await?;
    let of_named: Vec<LineShare> = left
        .iter()
        .filter_map(|line| {
            let share = named.iter().find(|n| n.0 == line.line_id)?.1.min(line.left_minor);
            Some(LineShare { left_minor: share, ..line.clone() })
        })
        .collect();
    // A line that has less left than its units cost was refunded by amount before: the rest falls on the others.
    let enough = of_named.iter().map(|l| l.left_minor).sum::<i64>() >= movement.amount;
    Ok(if enough { of_named } else { left })
}
