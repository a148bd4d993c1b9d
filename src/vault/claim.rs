//! Takes keys for what was sold. Nobody waits for a row: a key that somebody else is taking is passed over.

use std::collections::BTreeMap;

use diesel_async::AsyncPgConnection;

use crate::base::ids::{KeyId, UnitId, VariantId};
use crate::base::outcome::Fault;
use crate::vault::store;

/// How many keys of a variant are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    pub variant_id: VariantId,
    pub count: i64,
}

/// Keys locked for the caller's transaction: first to expire first, then oldest. Fewer than wanted, or none, when
/// stock is short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub variant_id: VariantId,
    pub key_ids: Vec<KeyId>,
}

/// Locks keys that may be sold now, in one statement for all variants, and changes nothing: keys that the caller
/// does not assign are free again when its transaction ends. Runs after the statement that locked the orders, so
/// that it sees what was committed meanwhile. Wants of one variant are added up.
pub async fn claim(conn: &AsyncPgConnection, wants: &[Want]) -> Result<Vec<Claimed>, Fault> {
    let mut by_variant: BTreeMap<VariantId, i64> = BTreeMap::new();
    for want in wants.iter().filter(|w| w.count > 0) {
        *by_variant.entry(want.variant_id).or_default() += want.count;
    }
    if by_variant.is_empty() {
        return Ok(Vec::new());
    }
    let (variants, counts) = by_variant.into_iter().unzip();
    Ok(store::claim(conn, variants, counts).await?)
}

/// Marks claimed keys as sold to units, in one statement. A key that is not available any more is a bug of the
/// caller, which did not hold its lock.
pub async fn assign(conn: &AsyncPgConnection, pairs: &[(KeyId, UnitId)]) -> Result<(), Fault> {
    if pairs.is_empty() {
        return Ok(());
    }
    let (keys, units): (Vec<KeyId>, Vec<UnitId>) = pairs.iter().copied().unzip();
    let sold = store::advance_to_sold(conn, keys, units).await?;
    if sold == pairs.len() { Ok(()) } else { Err(Fault::bug("a key was assigned that was not available")) }
}
