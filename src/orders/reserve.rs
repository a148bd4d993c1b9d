//! Placing an order holds keys where their variant says so (K8), until the hold's time is over or the order ends unpaid.

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;

use crate::base::error_code::ErrorCode;
use crate::base::ids::{LineId, OrderId};
use crate::base::outcome::{Outcome, Refusal};
use crate::catalogue::model::Variant;
use crate::catalogue::offers::Offer;
use crate::goods::{self, Supply};
use crate::infra::effects::events;
use crate::infra::kit::Kit;
use crate::orders::quote::{Quote, QuoteLine};
use crate::orders::store::{self, NewLine};
use crate::vault::reserved::{self, Attempt, Cause, FreedLine, Hold};

/// Keys given back in one transaction.
const STEP: i64 = 500;

/// Until when keys are held for a line that is placed now; none where they are taken when it is paid.
pub(super) fn until(kit: &Kit, variant: &Variant) -> Option<DateTime<Utc>> {
    let minutes = variant.reservation_minutes?;
    (goods::supply(&variant.kind) == Some(Supply::Keys))
        .then(|| kit.clock.now() + TimeDelta::minutes(i64::from(minutes)))
}

/// How many pieces of a cart would be held.
pub(super) fn wanted(kit: &Kit, quote: &Quote) -> i64 {
    let held = |variant: &Variant, quantity: i32| match until(kit, variant) {
        Some(_) => i64::from(quantity.max(0)),
        None => 0,
    };
    let of_offer = |line: &QuoteLine, offer: &Offer| {
        let parts = offer.parts.iter().map(|part| held(&part.offer.variant, part.quantity));
        held(&offer.variant, line.quantity) + i64::from(line.quantity.max(0)) * parts.sum::<i64>()
    };
    quote.lines.iter().filter_map(|line| Some(of_offer(line, line.offer.as_ref()?))).sum()
}

/// Holds keys for the lines of an order that is being placed: for all of them or for none. What it returns is why not, a
/// refusal per line: `OUT_OF_STOCK`, `NOT_ENOUGH_STOCK`.
pub(super) async fn hold(
    conn: &mut AsyncPgConnection,
    order: OrderId,
    lines: &[NewLine],
    actor: &str,
) -> Outcome<Vec<Refusal>> {
    let hold = |line: &NewLine| {
        Some(Hold {
            line_id: line.id,
            variant_id: line.variant_id,
            seller_id: line.seller_id,
            count: line.quantity.max(0) as usize,
            until: line.reserved_until?,
        })
    };
    let holds: Vec<Hold> = lines.iter().filter_map(hold).collect();
    if holds.is_empty() {
        return Ok(Vec::new());
    }
    match reserved::reserve(conn, &holds).await? {
        Attempt::Held(held) => {
            let facts: Vec<_> = held.iter().map(|line| reserved::held_event(line, order, actor)).collect();
            events::append(conn, &facts).await?;
            Ok(Vec::new())
        }
        Attempt::Short(left) => {
            let short = |line: &NewLine| Some(refusal(lines, line, *left.get(&line.variant_id)?));
            Ok(lines.iter().filter_map(short).collect())
        }
    }
}

/// Of a part, what is short is the bundle that was ordered.
fn refusal(lines: &[NewLine], short: &NewLine, left: i64) -> Refusal {
    let (line, left) = match &short.part {
        Some(part) => {
            let bundle = lines.iter().find(|line| line.id == part.bundle).unwrap_or(short);
            (bundle, left / i64::from(part.quantity.max(1)))
        }
        None => (short, left),
    };
    let (code, text) = match left {
        0 => (ErrorCode::OutOfStock, format!("{} is sold out", line.title)),
        left => (ErrorCode::NotEnoughStock, format!("only {left} of {} are left", line.title)),
    };
    let mut refusal =
        Refusal::new(code, text).at(["lines".to_owned(), line.cart_index.to_string(), "quantity".to_owned()]);
    refusal.variant_id = Some(line.variant_id);
    refusal.available = Some(i32::try_from(left).unwrap_or(i32::MAX));
    refusal
}

/// Gives back what is held for a locked order that ends unpaid.
pub(super) async fn release(conn: &mut AsyncPgConnection, order: OrderId, actor: &str) -> Outcome<()> {
    let lines = store::list_reserved_lines(conn, order).await?;
    let freed = reserved::release(conn, lines).await?.into_iter().map(|line| (order, line)).collect();
    write(conn, freed, Cause::OrderOver, actor).await
}

/// Gives back what is held for these lines of a locked order, of which nothing waits any more.
pub async fn release_lines(
    conn: &mut AsyncPgConnection,
    order: OrderId,
    lines: Vec<LineId>,
    actor: &str,
) -> Outcome<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let freed = reserved::release(conn, lines).await?.into_iter().map(|line| (order, line)).collect();
    write(conn, freed, Cause::OrderOver, actor).await
}

/// Sweep: gives back what is held longer than it was to be. The order stays as it is: it may be paid, and then gets what
/// there is. Returns how many keys.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let mut total = 0;
    loop {
        let mut tx = kit.db.begin().await?;
        let freed = reserved::release_lapsed(&mut tx, STEP).await?;
        if freed.is_empty() {
            return Ok(total);
        }
        total += freed.iter().map(|line| line.keys.len()).sum::<usize>();
        let lines: Vec<LineId> = freed.iter().map(|line| line.line_id).collect();
        let orders = store::list_orders_of_lines(&mut tx, &lines).await?;
        let of_order = |line: FreedLine| Some((*orders.get(&line.line_id)?, line));
        let freed = freed.into_iter().filter_map(of_order).collect();
        write(&mut tx, freed, Cause::Lapsed, "system").await?;
        crate::fault_point!("reserve.lapsed");
        tx.commit().await?;
    }
}

async fn write(
    conn: &mut AsyncPgConnection,
    freed: Vec<(OrderId, FreedLine)>,
    cause: Cause,
    actor: &str,
) -> Outcome<()> {
    let effects = reserved::effects(&freed, cause, actor);
    events::append(conn, &effects.events).await?;
    crate::infra::effects::jobs::add(conn, &effects.jobs).await?;
    Ok(())
}
