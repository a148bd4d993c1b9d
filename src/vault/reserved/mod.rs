//! Keys held for lines that are placed and not paid. A hold has its time: after it, and when the order ends unpaid, its
//! keys go back on sale. Nobody else's line ever gets them meanwhile.

mod store;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;

use crate::base::ids::{KeyId, LineId, OrderId, SellerId, VariantId};
use crate::base::outcome::Fault;
use crate::infra::effects::Effects;
use crate::infra::effects::events::{Event, NewEvent};
use crate::infra::effects::jobs::Payload;
use crate::infra::stock_lock;
use crate::vault::claim::{self, Want};
use crate::vault::events::{HoldEvent, Released, Reserved};
use crate::vault::jobs::KeysFreed;

/// Keys that a line is to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub line_id: LineId,
    pub variant_id: VariantId,
    pub seller_id: SellerId,
    pub count: usize,
    pub until: DateTime<Utc>,
}

/// What became of holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    Held(Vec<HeldLine>),
    /// Nothing is held. How many keys could have been had of each variant that is short.
    Short(BTreeMap<VariantId, i64>),
}

/// A hold with its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLine {
    pub hold: Hold,
    pub keys: Vec<KeyId>,
}

/// Why keys that were held are held no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The time of the hold is over.
    Lapsed,
    /// The order was cancelled or expired.
    OrderOver,
    /// The line was paid and could not be served with them.
    NotServed,
    /// Their batch was recalled.
    Recalled,
}

impl Cause {
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Lapsed => "lapsed",
            Cause::OrderOver => "order_over",
            Cause::NotServed => "not_served",
            Cause::Recalled => "recalled",
        }
    }
}

/// Keys of one line that are held no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreedLine {
    pub line_id: LineId,
    pub variant_id: VariantId,
    pub seller_id: SellerId,
    pub keys: Vec<KeyId>,
}

/// The keys of a line that is being paid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnKeys {
    /// Those that may be sold, first to expire first.
    pub sellable: Vec<KeyId>,
    /// Those whose date has passed.
    pub expired: Vec<KeyId>,
}

/// Holds keys for all these lines or for none, in the caller's transaction. A key that somebody else is just taking is
/// passed over; where that leaves too few, the variant's advisory lock is waited for and the keys are looked at again, so
/// that an import or a sweep that had them locked for a moment makes nobody believe that they are sold out.
pub async fn reserve(conn: &mut AsyncPgConnection, holds: &[Hold]) -> Result<Attempt, Fault> {
    let mut wanted: BTreeMap<VariantId, i64> = BTreeMap::new();
    for hold in holds {
        *wanted.entry(hold.variant_id).or_default() += hold.count as i64;
    }
    let mut found = find(conn, wanted.iter()).await?;
    let short = |found: &HashMap<VariantId, Vec<KeyId>>| -> BTreeMap<VariantId, i64> {
        let had = |id: &VariantId| found.get(id).map_or(0, |keys| keys.len() as i64);
        wanted.iter().filter(|(id, count)| had(id) < **count).map(|(id, _)| (*id, had(id))).collect()
    };
    let few = short(&found);
    if !few.is_empty() {
        for variant in few.keys() {
            stock_lock::take(conn, *variant).await?;
        }
        found.extend(find(conn, wanted.iter().filter(|(id, _)| few.contains_key(id))).await?);
    }
    let few = short(&found);
    if !few.is_empty() {
        return Ok(Attempt::Short(few));
    }
    let held: Vec<HeldLine> = holds
        .iter()
        .map(|hold| {
            let free = found.entry(hold.variant_id).or_default();
            HeldLine { hold: *hold, keys: free.drain(..hold.count.min(free.len())).collect() }
        })
        .collect();
    let keys: usize = held.iter().map(|line| line.keys.len()).sum();
    if store::advance_to_reserved(conn, &held).await? != keys {
        return Err(Fault::bug("a claimed key could not be held"));
    }
    Ok(Attempt::Held(held))
}

async fn find(
    conn: &mut AsyncPgConnection,
    wanted: impl Iterator<Item = (&VariantId, &i64)>,
) -> Result<HashMap<VariantId, Vec<KeyId>>, Fault> {
    let wants: Vec<Want> = wanted.map(|(id, count)| Want { variant_id: *id, count: *count }).collect();
    let claimed = claim::claim(conn, &wants).await?;
    Ok(claimed.into_iter().map(|c| (c.variant_id, c.key_ids)).collect())
}

/// The event about a hold.
pub fn held_event(held: &HeldLine, order: OrderId, actor: &str) -> NewEvent {
    let Hold { line_id, variant_id, seller_id, until, .. } = held.hold;
    let reserved = Reserved { variant: variant_id, keys: held.keys.clone(), until };
    HoldEvent::Reserved(line_id, reserved).by(actor).of_order(order).of_seller(seller_id)
}

/// Locks what is held for lines that are being paid: also when the time of a hold is over and nobody has given its keys
/// back yet. Waits for whoever is just doing that.
pub async fn own(conn: &AsyncPgConnection, lines: Vec<LineId>) -> Result<HashMap<LineId, OwnKeys>, Fault> {
    let mut own: HashMap<LineId, OwnKeys> = HashMap::new();
    if lines.is_empty() {
        return Ok(own);
    }
    for key in store::lock_own(conn, lines).await? {
        let keys = own.entry(key.line_id).or_default();
        if key.sellable { &mut keys.sellable } else { &mut keys.expired }.push(key.id);
    }
    Ok(own)
}

/// Puts locked keys that were held back on sale.
pub async fn release_keys(conn: &AsyncPgConnection, keys: Vec<KeyId>) -> Result<(), Fault> {
    let count = keys.len();
    if count > 0 && store::advance_to_released(conn, keys).await? != count {
        return Err(Fault::bug("a locked key was held no longer"));
    }
    Ok(())
}

/// Puts what is held for these lines back on sale. A repeat finds nothing. The caller writes [`effects`].
pub async fn release(conn: &mut AsyncPgConnection, lines: Vec<LineId>) -> Result<Vec<FreedLine>, Fault> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    Ok(by_line(store::release_lines(conn, lines).await?))
}

/// Puts keys back on sale whose holds are over, at most so many, those first that have been over for longest. Keys that
/// somebody is just taking are passed over. The caller writes [`effects`].
pub async fn release_lapsed(conn: &mut AsyncPgConnection, limit: i64) -> Result<Vec<FreedLine>, Fault> {
    Ok(by_line(store::release_lapsed(conn, limit).await?))
}

/// The event about a hold that is over.
pub fn released_event(order: OrderId, line: &FreedLine, cause: Cause, actor: &str) -> NewEvent {
    let body = Released { variant: line.variant_id, keys: line.keys.clone(), cause: cause.as_str().into() };
    HoldEvent::Released(line.line_id, body).by(actor).of_order(order).of_seller(line.seller_id)
}

/// What follows when keys are on sale again: the events, and the jobs that give them to lines that wait.
pub fn effects(freed: &[(OrderId, FreedLine)], cause: Cause, actor: &str) -> Effects {
    let mut effects = Effects::default();
    effects.events.extend(freed.iter().map(|(order, line)| released_event(*order, line, cause, actor)));
    let mut variants: Vec<VariantId> = freed.iter().map(|(_, line)| line.variant_id).collect();
    variants.sort_unstable();
    variants.dedup();
    effects.jobs.extend(variants.into_iter().map(|variant| KeysFreed { variant }.job()));
    effects
}

fn by_line(keys: Vec<store::Freed>) -> Vec<FreedLine> {
    let mut lines: BTreeMap<LineId, FreedLine> = BTreeMap::new();
    for store::Freed { id, line_id, variant_id, seller_id } in keys {
        let new = || FreedLine { line_id, variant_id, seller_id, keys: Vec::new() };
        lines.entry(line_id).or_insert_with(new).keys.push(id);
    }
    lines.into_values().collect()
}
