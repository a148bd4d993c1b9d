//! Gives paid lines their goods, set-based: each kind of goods serves all its lines of a slice at once.

use std::collections::BTreeMap;

use diesel_async::{AnsiTransactionManager, AsyncPgConnection, TransactionManager};
use futures::TryFutureExt;

use crate::base::ids::{KeyId, OrderId, UnitId};
use crate::base::outcome::{Failure, Fault};
use crate::fulfilment::store;
pub use crate::fulfilment::store::{Handed, HandedLine, PaidLine};
use crate::goods::{self, Given, Wanted};
use crate::infra::kit::Kit;
use crate::orders::unit::{UnitChange, UnitState};
use crate::vault::claim;

/// The lines of these paid orders whose units have nothing yet.
pub async fn list_lines(conn: &AsyncPgConnection, orders: &[OrderId]) -> Result<Vec<PaidLine>, Fault> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    Ok(store::list_unassigned(conn, orders).await?)
}

/// Hands over what there is. A line gets all its units or none, unless its product allows partial delivery; what is
/// short waits for stock. Runs in statements after the one that locked the orders: a claim in the locking statement
/// was seen to miss a key committed meanwhile.
pub async fn assign(conn: &AsyncPgConnection, kit: &Kit, lines: &[PaidLine]) -> Result<Handed, Failure> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    hand_over(conn, kit, lines, UnitState::Unassigned).await
}

/// The orders of a slice all of whose lines got everything.
pub fn delivered(handed: &Handed, orders: &[OrderId]) -> Vec<OrderId> {
    let all_there = |order: &&OrderId| handed.iter().filter(|h| h.line.order_id == **order).all(is_complete);
    orders.iter().filter(all_there).copied().collect()
}

fn is_complete(handed: &HandedLine) -> bool {
    handed.awaiting_stock.is_empty() && handed.awaiting_person.is_empty()
}

/// The same behind a savepoint: should it raise, the money is kept and every line goes to a person.
pub async fn assign_or_leave_to_a_person(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    lines: &[PaidLine],
) -> Result<Handed, Failure> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    AnsiTransactionManager::begin_transaction(conn).await?;
    match assign(conn, kit, lines).await {
        Ok(handed) => {
            AnsiTransactionManager::commit_transaction(conn).await?;
            Ok(handed)
        }
        Err(failure) => {
            AnsiTransactionManager::rollback_transaction(conn).await?;
            tracing::error!(?failure, "goods could not be assigned: left to a person");
            leave_to_a_person(conn, lines).await
        }
    }
}

async fn leave_to_a_person(conn: &mut AsyncPgConnection, lines: &[PaidLine]) -> Result<Handed, Failure> {
    let handed: Handed =
        lines.iter().map(|line| HandedLine::new(line, Given::nothing(&line.wanted()))).collect();
    advance(conn, &handed, UnitState::Unassigned).await?;
    Ok(handed)
}

/// Lets each kind of goods serve its lines, marks the keys that were claimed and moves the units from `before`.
pub(super) async fn hand_over(
    conn: &AsyncPgConnection,
    kit: &Kit,
    lines: &[PaidLine],
    before: UnitState,
) -> Result<Handed, Failure> {
    let mut by_kind: BTreeMap<&str, Vec<&PaidLine>> = BTreeMap::new();
    for line in lines {
        by_kind.entry(&line.kind).or_default().push(line);
    }
    let served = by_kind.into_iter().map(|(kind, lines)| serve(conn, kit, kind, lines));
    let mut handed: Handed = futures::future::try_join_all(served).await?.into_iter().flatten().collect();
    handed.sort_by_key(|h| lines.iter().position(|l| l.line_id == h.line.line_id));
    let pairs: Vec<(KeyId, UnitId)> =
        handed.iter().flat_map(|h| &h.assigned).filter_map(|(unit, key)| Some(((*key)?, *unit))).collect();
    // Neither needs the other's answer, so they go to the server together.
    futures::try_join!(claim::assign(conn, &pairs).map_err(Failure::from), advance(conn, &handed, before))?;
    Ok(handed)
}

/// The lines of one kind. A kind that this program does not know is left to a person.
async fn serve(
    conn: &AsyncPgConnection,
    kit: &Kit,
    kind: &str,
    lines: Vec<&PaidLine>,
) -> Result<Vec<HandedLine>, Failure> {
    let wanted: Vec<Wanted> = lines.iter().map(|line| line.wanted()).collect();
    let given = match goods::find(kind) {
        Some(kind) => kind.assign(conn, &kit.clock, &wanted).await?,
        None => wanted.iter().map(Given::nothing).collect(),
    };
    Ok(lines.into_iter().zip(given).map(|(line, given)| HandedLine::new(line, given)).collect())
}

async fn advance(conn: &AsyncPgConnection, handed: &Handed, before: UnitState) -> Result<(), Failure> {
    let mut moves = Vec::new();
    for line in handed {
        let assigned = line.assigned.iter().map(|(unit, _)| (*unit, UnitChange::Assign));
        let stock = line.awaiting_stock.iter().map(|unit| (*unit, UnitChange::AwaitStock));
        let person = line.awaiting_person.iter().map(|unit| (*unit, UnitChange::AwaitPerson));
        for (unit, change) in assigned.chain(stock).chain(person) {
            // What was left to a person stays there until it can be handed over.
            if before == UnitState::AwaitingPerson && change != UnitChange::Assign {
                continue;
            }
            let after = before.after(change).map_err(|e| Fault::bug(e.to_string()))?;
            if after != before {
                moves.push((unit, before, after));
            }
        }
    }
    if store::advance_units(conn, &moves).await? != moves.len() {
        return Err(Fault::bug("a unit of a locked order changed its state").into());
    }
    Ok(())
}
