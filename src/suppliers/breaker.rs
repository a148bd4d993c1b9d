//! The circuit breaker of a connection: after failures in a row nothing is sent for a while, then one call tries.

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;

use crate::base::outcome::Fault;
use crate::infra::effects::Effects;
use crate::infra::effects::events::Event;
use crate::infra::effects::tasks::TaskKind;
use crate::infra::kit::Kit;
use crate::suppliers::events::{OfSupplier, SupplierEvent};
use crate::suppliers::model::Supplier;
use crate::suppliers::protocol::Heard;
use crate::suppliers::store;
use crate::suppliers::tasks::{SupplierDown, SupplierTrouble};

/// So many failures in a row open it.
pub const FAILURES: i32 = 5;

/// The first time it stays open, seconds; each further failure doubles it up to the longest.
const FIRST: i64 = 30;
const LONGEST: i64 = 900;

/// Until when nothing is sent after the failure that makes them so many.
pub fn open_until(failures: i32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let further = u32::try_from(failures.checked_sub(FAILURES)?).ok()?;
    let seconds = FIRST.saturating_mul(1 << further.min(10)).min(LONGEST);
    Some(now + TimeDelta::seconds(seconds))
}

/// Whether the supplier may be called now.
pub fn is_closed(supplier: &Supplier, now: DateTime<Utc>) -> bool {
    supplier.open_until.is_none_or(|until| until <= now)
}

/// Counts how a call ended, in the caller's transaction. A supplier that is busy is not down, and one that refuses works.
pub async fn count(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    supplier: &Supplier,
    heard: &Heard,
) -> Result<(), Fault> {
    let failed = match heard {
        Heard::NotSent { retry_after: Some(_), .. } => return Ok(()),
        Heard::NotSent { .. } | Heard::Unknown { .. } => true,
        Heard::Refused { reason } => reason == crate::suppliers::call::UNAUTHORISED,
        Heard::Delivered(_) | Heard::Pending { .. } | Heard::NotKnown => false,
    };
    if !failed && supplier.failures == 0 {
        return Ok(());
    }
    let Some(before) = store::lock(conn, supplier.id).await? else { return Ok(()) };
    let failures = if failed { before.failures.saturating_add(1) } else { 0 };
    let until = open_until(failures, kit.clock.now());
    store::advance_breaker(conn, before.id, failures, until).await?;
    let body = OfSupplier { name: before.name.clone(), version: before.version };
    let mut effects = Effects::default();
    if failures == FAILURES {
        effects.events.push(SupplierEvent::Down(before.id, body).by("system").of_seller(before.seller_id));
        let trouble = SupplierTrouble { name: before.name, reason: "CALLS_FAIL".into() };
        effects.tasks.push(SupplierDown::open(before.id, trouble));
    } else if !failed && before.failures >= FAILURES {
        effects.events.push(SupplierEvent::Up(before.id, body).by("system").of_seller(before.seller_id));
        effects.over.push(SupplierDown::over(before.id));
    }
    Ok(effects.write(conn, &kit.clock).await?)
}

/// Lets one call try where the breaker was open and its time is over: the others wait for what becomes of it. False:
/// somebody else tries already.
pub async fn may_try(conn: &mut AsyncPgConnection, kit: &Kit, supplier: &Supplier) -> Result<bool, Fault> {
    if supplier.failures < FAILURES {
        return Ok(true);
    }
    let until = kit.clock.now() + TimeDelta::seconds(i64::from(supplier.timeout_seconds) + FIRST);
    Ok(store::advance_trying(conn, supplier.id, until).await? == 1)
}
