//! Gives paid lines their goods, set-based: one statement per kind for all lines of a slice.

use std::collections::HashMap;

use chrono::TimeDelta;
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, TransactionManager};
use futures::TryFutureExt;

use crate::app::App;
use crate::base::ids::{KeyId, OrderId, UnitId, VariantId};
use crate::base::outcome::{Failure, Fault};
use crate::downloads::grant::grant;
use crate::downloads::model::GrantWant;
use crate::fulfilment::store;
pub use crate::fulfilment::store::{Handed, HandedLine, PaidLine};
use crate::orders::unit::{UnitChange, UnitState};
use crate::vault::claim::{self, Want};

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
pub async fn assign(conn: &AsyncPgConnection, app: &App, lines: &[PaidLine]) -> Result<Handed, Failure> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    hand_over(conn, app, lines, UnitState::Unassigned).await
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
    app: &App,
    lines: &[PaidLine],
) -> Result<Handed, Failure> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    AnsiTransactionManager::begin_transaction(conn).await?;
    match assign(conn, app, lines).await {
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
    let handed: Handed = lines.iter().map(|line| person_line(line.clone())).collect();
    advance(conn, &handed, UnitState::Unassigned).await?;
    Ok(handed)
}

fn person_line(line: PaidLine) -> HandedLine {
    let awaiting_person = line.unit_ids.iter().map(|u| UnitId(*u)).collect();
    HandedLine { line, assigned: Vec::new(), awaiting_stock: Vec::new(), awaiting_person }
}

/// Claims keys and makes grants for the lines in their order, and moves their units from `before`.
pub(super) async fn hand_over(
    conn: &AsyncPgConnection,
    app: &App,
    lines: &[PaidLine],
    before: UnitState,
) -> Result<Handed, Failure> {
    let wants: Vec<Want> = lines
        .iter()
        .filter(|l| l.kind == "key")
        .map(|l| Want { variant_id: l.variant_id, count: l.unit_ids.len() as i64 })
        .collect();
    // Neither needs the other's answer, so they go to the server together; so do the two writes below.
    let (claimed, granted) =
        futures::try_join!(claim::claim(conn, &wants).map_err(Failure::from), grant_files(conn, app, lines))?;
    let mut free: HashMap<VariantId, Vec<KeyId>> =
        claimed.into_iter().map(|c| (c.variant_id, c.key_ids.into_iter().rev().collect())).collect();
    let handed: Handed = lines
        .iter()
        .map(|line| match line.kind.as_str() {
            "key" => share_keys(line, free.entry(line.variant_id).or_default()),
            "file" => share_grants(line, &granted),
            _ => person_line(line.clone()),
        })
        .collect();
    let pairs: Vec<(KeyId, UnitId)> =
        handed.iter().flat_map(|h| &h.assigned).filter_map(|(unit, key)| Some(((*key)?, *unit))).collect();
    futures::try_join!(claim::assign(conn, &pairs).map_err(Failure::from), advance(conn, &handed, before))?;
    Ok(handed)
}

/// Takes keys off the end of `free`, which lies reversed.
fn share_keys(line: &PaidLine, free: &mut Vec<KeyId>) -> HandedLine {
    let units: Vec<UnitId> = line.unit_ids.iter().map(|u| UnitId(*u)).collect();
    let enough = free.len() >= units.len();
    let take = if enough || line.partial_delivery { units.len().min(free.len()) } else { 0 };
    let keys = free.split_off(free.len() - take);
    let assigned = units.iter().copied().zip(keys.into_iter().rev().map(Some)).collect();
    let awaiting_stock = units[take..].to_vec();
    HandedLine { line: line.clone(), assigned, awaiting_stock, awaiting_person: Vec::new() }
}

async fn grant_files(
    conn: &AsyncPgConnection,
    app: &App,
    lines: &[PaidLine],
) -> Result<Vec<UnitId>, Failure> {
    let now = app.clock.now();
    let wants: Vec<GrantWant> = lines
        .iter()
        .filter(|l| l.kind == "file")
        .flat_map(|l| {
            l.unit_ids.iter().map(move |unit| GrantWant {
                unit_id: UnitId(*unit),
                line_id: l.line_id,
                order_id: l.order_id,
                seller_id: l.seller_id,
                variant_id: l.variant_id,
                max_downloads: l.download_limit,
                expires_at: l.access_days.map(|days| now + TimeDelta::days(i64::from(days))),
            })
        })
        .collect();
    Ok(grant(conn, &app.clock, &wants).await?.into_iter().map(|g| g.unit_id).collect())
}

/// A variant without any file that may be served leaves its units to a person.
fn share_grants(line: &PaidLine, granted: &[UnitId]) -> HandedLine {
    let units = line.unit_ids.iter().map(|u| UnitId(*u));
    let (with, without): (Vec<UnitId>, Vec<UnitId>) = units.partition(|u| granted.contains(u));
    HandedLine {
        line: line.clone(),
        assigned: with.into_iter().map(|u| (u, None)).collect(),
        awaiting_stock: Vec::new(),
        awaiting_person: without,
    }
}

async fn advance(conn: &AsyncPgConnection, handed: &Handed, before: UnitState) -> Result<(), Failure> {
    let mut moves = Vec::new();
    for line in handed {
        let assigned = line.assigned.iter().map(|(unit, _)| (*unit, UnitChange::Assign));
        let stock = line.awaiting_stock.iter().map(|unit| (*unit, UnitChange::AwaitStock));
        let person = line.awaiting_person.iter().map(|unit| (*unit, UnitChange::AwaitPerson));
        for (unit, change) in assigned.chain(stock).chain(person) {
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
