//! What follows when refunds and disputes move: rows, ledger, holds, goods, events, mails, tasks. Every way in which
//! they move (a notice, the gateway's answer to our call, a question, a statement) ends here, so that all have the
//! same consequences. Runs in the transaction that holds the order's lock.

mod effects;

use diesel_async::AsyncPgConnection;

use crate::base::error_code::ErrorCode;
use crate::base::ids::UnitId;
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::fulfilment;
use crate::infra::db::{ResultExt, one};
use crate::infra::effects::Effects;
use crate::orders::holds::{self, Cause, Hold};
use crate::orders::model::Order;
use crate::payments::case::{Case, Tracked};
use crate::payments::cover::Coverage;
use crate::payments::disputes::{self, DisputeState};
use crate::payments::kit::PaymentKit;
use crate::payments::ledger;
use crate::payments::notices::store::slice;
use crate::payments::refunds::{self, RefundState};

/// Writes everything but the payments' own rows, which the caller has written. What follows beside rows is added to
/// `effects`.
pub async fn write(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    case: &Case,
    order: Option<&Order>,
    effects: &mut Effects,
) -> Outcome<()> {
    if !case.weighed {
        return Ok(());
    }
    rows(conn, case).await?;
    ledger::returned::write(conn, kit, case).await?;
    let lifted = holds::replace(conn, case.order_id, &wanted_holds(case)).await?;
    revoke(conn, case).await?;
    effects::add(conn, kit, case, order, effects).await?;
    if lifted {
        effects.jobs.extend(fulfilment::fill::jobs_of_order(conn, case.order_id).await?);
    }
    Ok(())
}

/// The same for one order outside a slice, with its payments and everything that is to be announced.
pub async fn write_alone(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    case: &Case,
    order: &Order,
) -> Outcome<()> {
    let changed: Vec<&Tracked> = case.payments.iter().filter(|t| t.changed).collect();
    slice::give_way(conn, &changed).await?;
    if slice::advance(conn, &changed).await? != changed.len() {
        return Err(Fault::bug("a locked payment changed its state").into());
    }
    let mut effects = Effects::default();
    write(conn, kit, case, Some(order), &mut effects).await?;
    of_case(case, "system", &mut effects);
    Ok(effects.write(conn, &kit.clock).await?)
}

pub use effects::of_case;

/// The refusal of a unit that another refund, open or succeeded, names.
pub fn already_refunded() -> Refusal {
    Refusal::new(ErrorCode::AlreadyRefunded, "a unit was refunded already, or its refund is on its way")
        .at(["units"])
}

async fn rows(conn: &mut AsyncPgConnection, case: &Case) -> Outcome<()> {
    let allocated = |id| case.payment(id).is_some_and(|p| p.allocated);
    for tracked in case.refunds.iter().filter(|r| r.is_changed()) {
        let Some(before) = &tracked.before else {
            refunds::store::insert(conn, &tracked.row).await?;
            if !tracked.shares.is_empty() {
                refunds::store::insert_units(conn, tracked.row.id, &tracked.shares)
                    .await
                    .on_constraint("refund_unit_once", already_refunded)?;
            }
            continue;
        };
        one(refunds::store::advance(conn, before.state, &tracked.row).await?, "refund")?;
        match (before.state, tracked.row.state) {
            // Its units are paid for by other money now.
            (_, RefundState::Succeeded) if !allocated(tracked.row.payment_id) => {
                refunds::store::release_units(conn, tracked.row.id).await?;
            }
            (RefundState::Failed, RefundState::Succeeded) => {
                refunds::store::reclaim_units(conn, tracked.row.id).await?;
            }
            (before, RefundState::Failed) if before != RefundState::Failed => {
                refunds::store::release_units(conn, tracked.row.id).await?;
            }
            _ => {}
        }
    }
    for tracked in case.disputes.iter().filter(|d| d.is_changed()) {
        let written = match &tracked.before {
            None => disputes::store::insert(conn, &tracked.row).await?,
            Some(before) => disputes::store::advance(conn, before.state, &tracked.row).await?,
        };
        one(written, "dispute")?;
    }
    Ok(())
}

/// What is to be held: the named units of a refund that is open; the whole order while all of its money is on
/// its way back, disputed, or gone with other money still here. Money that pays for nothing holds nothing.
fn wanted_holds(case: &Case) -> Vec<Hold> {
    let Some(paying) = case.payments.iter().map(|t| &t.row).find(|p| p.allocated) else { return Vec::new() };
    let mut wanted = Vec::new();
    let open = case.refunds.iter().filter(|r| r.row.payment_id == paying.id && r.row.state.is_open());
    for tracked in open {
        let hold =
            |unit_id: Option<UnitId>| Hold { unit_id, cause: Cause::Refund, cause_id: tracked.row.id.0 };
        wanted.extend(tracked.units.iter().map(|unit| hold(Some(*unit))));
        if tracked.units.is_empty() && tracked.row.amount_minor >= paying.kept_minor() {
            wanted.push(hold(None));
        }
    }
    let opened =
        |d: &&disputes::TrackedDispute| d.row.payment_id == paying.id && d.row.state == DisputeState::Opened;
    wanted.extend(case.disputes.iter().filter(opened).map(|d| Hold {
        unit_id: None,
        cause: Cause::Dispute,
        cause_id: d.row.id.0,
    }));
    if let Some(Coverage::Unclear(payment)) = case.coverage {
        wanted.push(Hold { unit_id: None, cause: Cause::Uncovered, cause_id: payment.0 });
    }
    wanted
}

/// Named units lose their goods with their refund; all do when nothing is left of the money.
async fn revoke(conn: &mut AsyncPgConnection, case: &Case) -> Outcome<()> {
    let allocated = |id| case.payment(id).is_some_and(|p| p.allocated);
    for tracked in &case.refunds {
        let succeeded = tracked.row.state == RefundState::Succeeded && tracked.moved_from().is_some();
        if succeeded && !tracked.units.is_empty() && allocated(tracked.row.payment_id) {
            let units = Some(tracked.units.as_slice());
            fulfilment::revoke::revoke(conn, case.order_id, units, "system", tracked.row.id.0).await?;
        }
    }
    if let Some(Coverage::Gone(payment)) = case.coverage
        && case.has_goods
    {
        fulfilment::revoke::revoke(conn, case.order_id, None, "system", payment.0).await?;
    }
    Ok(())
}
