//! Gives paid lines their goods, set-based: each kind of goods serves all its lines of a slice at once.

use std::collections::BTreeMap;

use diesel_async::{AnsiTransactionManager, AsyncPgConnection, TransactionManager};
use futures::TryFutureExt;

use crate::base::ids::OrderId;
use crate::base::outcome::{Failure, Fault};
use crate::fulfilment::store;
pub use crate::fulfilment::store::{Handed, HandedLine, PaidLine};
use crate::goods::{self, Given, LineGiven, Served, Wanted};
use crate::infra::effects::Effects;
use crate::infra::kit::Kit;
use crate::orders;
use crate::orders::unit::{UnitChange, UnitState};

/// The lines of these paid orders whose units have nothing yet.
pub async fn list_lines(conn: &AsyncPgConnection, orders: &[OrderId]) -> Result<Vec<PaidLine>, Fault> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    Ok(store::list_unassigned(conn, orders).await?)
}

/// Assigns what there is. A line gets all its units or none, unless its product allows partial delivery; what is
/// short waits for stock. Runs in statements after the one that locked the orders: a claim in the locking statement
/// was seen to miss a key committed meanwhile.
pub async fn assign(conn: &AsyncPgConnection, kit: &Kit, lines: &[PaidLine]) -> Result<Handed, Failure> {
    if lines.is_empty() {
        return Ok(Handed::default());
    }
    hand_over(conn, kit, lines, UnitState::Unassigned).await
}

/// The orders of a slice all of whose lines got everything.
pub fn delivered(handed: &Handed, orders: &[OrderId]) -> Vec<OrderId> {
    let of = |order: OrderId| handed.lines.iter().filter(move |h| h.line.order_id == order);
    orders.iter().copied().filter(|order| of(*order).all(HandedLine::is_complete)).collect()
}

/// The same behind a savepoint: should it raise, the money is kept and every line goes to a person.
pub async fn assign_or_leave_to_a_person(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    lines: &[PaidLine],
) -> Result<Handed, Failure> {
    if lines.is_empty() {
        return Ok(Handed::default());
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
    let left = |line: &PaidLine| match line.in_review {
        true => HandedLine::untouched(line),
        false => HandedLine::new(line, LineGiven::all(&line.wanted(), Given::AwaitPerson)),
    };
    let handed: Vec<HandedLine> = lines.iter().map(left).collect();
    advance(conn, &handed, UnitState::Unassigned).await?;
    Ok(Handed { lines: handed, effects: Effects::default() })
}

/// Lets each kind of goods serve its lines and moves the units from `before`.
pub(super) async fn hand_over(
    conn: &AsyncPgConnection,
    kit: &Kit,
    lines: &[PaidLine],
    before: UnitState,
) -> Result<Handed, Failure> {
    let mut by_kind: BTreeMap<&str, Vec<&PaidLine>> = BTreeMap::new();
    for line in lines.iter().filter(|line| !line.in_review) {
        by_kind.entry(&line.kind).or_default().push(line);
    }
    let served = by_kind.into_iter().map(|(kind, lines)| serve(conn, kit, kind, lines));
    let mut handed = Handed::default();
    handed.lines.extend(lines.iter().filter(|line| line.in_review).map(HandedLine::untouched));
    let mut marks = Vec::new();
    for (lines, served) in futures::future::try_join_all(served).await? {
        let given = lines.into_iter().zip(served.lines);
        handed.lines.extend(given.map(|(line, given)| HandedLine::new(line, given)));
        handed.effects.add(served.effects);
        marks.push(served.marks.map_err(Failure::from));
    }
    handed.lines.sort_by_key(|h| lines.iter().position(|l| l.line_id == h.line.line_id));
    // Neither needs the other's answer, so they go to the server together.
    futures::try_join!(futures::future::try_join_all(marks), advance(conn, &handed.lines, before))?;
    Ok(handed)
}

/// The lines of one kind. A kind that this program does not know is left to a person.
async fn serve<'a, 'l>(
    conn: &'a AsyncPgConnection,
    kit: &Kit,
    kind: &str,
    lines: Vec<&'l PaidLine>,
) -> Result<(Vec<&'l PaidLine>, Served<'a>), Failure> {
    let wanted: Vec<Wanted> = lines.iter().map(|line| line.wanted()).collect();
    let served = match goods::find(kind) {
        Some(kind) => kind.assign(conn, &kit.clock, &wanted).await?,
        None => Served::by_a_person(&wanted),
    };
    let answered = |(line, given): (&Wanted, &LineGiven)| line.units.len() == given.units.len();
    if served.lines.len() != lines.len() || !wanted.iter().zip(&served.lines).all(answered) {
        return Err(Fault::bug(format!("goods of kind {kind} did not answer for each unit")).into());
    }
    Ok((lines, served))
}

async fn advance(conn: &AsyncPgConnection, handed: &[HandedLine], before: UnitState) -> Result<(), Failure> {
    let mut moves = Vec::new();
    for (unit, change) in handed.iter().flat_map(HandedLine::changes) {
        // What was left to a person stays there until it can be delivered.
        if before == UnitState::AwaitingPerson && change != UnitChange::Assign {
            continue;
        }
        let after = before.after(change).map_err(|e| Fault::bug(e.to_string()))?;
        if after != before {
            moves.push((unit, before, after));
        }
    }
    if orders::store::advance_units(conn, &moves).await? != moves.len() {
        return Err(Fault::bug("a unit of a locked order changed its state").into());
    }
    Ok(())
}
