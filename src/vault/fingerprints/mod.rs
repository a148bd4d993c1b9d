//! Gives stored keys their fingerprint under the present definition of a key's text. Beside it the one they were stored
//! with stays, and each is unique, so that programs of both definitions may take keys in meanwhile. Two keys that are
//! the same text now are left to a person; the one that is not sold yet is taken out of sale until then.

mod store;

use std::collections::HashMap;

use diesel_async::AsyncPgConnection;

use crate::base::ids::{KeyId, SellerId, VariantId};
use crate::base::outcome::Fault;
use crate::infra::data_keys;
use crate::infra::effects::tasks::{self, TaskKind};
use crate::infra::kit::Kit;
use crate::vault::freeze::freeze;
use crate::vault::model::OldPrint;
use crate::vault::reveal::{alarm, open_text};
use crate::vault::state::KeyState;
use crate::vault::tasks::{KeyTextTwin, Twins};

/// Keys looked at in one transaction, which holds their locks.
const STEP: i64 = 200;

/// What a step did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stepped {
    pub done: usize,
    pub twins: usize,
    /// The next step goes on after this key; none when the variant is through.
    pub last: Option<KeyId>,
}

/// Variants with keys that still lack their fingerprint.
pub async fn list_variants(conn: &mut AsyncPgConnection) -> Result<Vec<VariantId>, Fault> {
    Ok(store::list_old_print_variants(conn).await?)
}

/// One step over the keys of a variant, in the caller's transaction, which holds the variant's advisory lock: a sale that
/// passes over a key locked here leaves a job that waits for it. Keys that somebody else has locked are left for the
/// next run; so is a key that does not open, which raises the alarm.
pub async fn step(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    variant: VariantId,
    fold_case: bool,
    after: Option<KeyId>,
) -> Result<Stepped, Fault> {
    let rows = store::lock_old_prints(conn, variant, after, STEP).await?;
    let mut stepped = Stepped { last: rows.last().map(|row| row.id), ..Stepped::default() };
    let Some(seller) = rows.first().map(|row| row.seller_id) else { return Ok(stepped) };
    let data_keys = data_keys::open(conn, &kit.sealer, rows.iter().map(|r| r.data_key_id)).await?;
    let mut prints: Vec<([u8; 32], &OldPrint)> = Vec::with_capacity(rows.len());
    for row in &rows {
        match open_text(kit, &data_keys, row.id, row.variant_id, row.data_key_id, &row.sealed) {
            Ok(text) => {
                prints.push((kit.sealer.fingerprint(seller.0, text.expose(), fold_case), row));
            }
            Err(_) => drop(alarm(kit, row.id).await),
        }
    }
    prints.sort_by_key(|(print, row)| (*print, row.id.0));
    let wanted = prints.iter().map(|(print, _)| print.to_vec()).collect();
    let mut holders: HashMap<Vec<u8>, KeyId> = store::list_prints(conn, seller, wanted).await?;
    let mut fresh: Vec<(KeyId, Vec<u8>)> = Vec::new();
    for (print, row) in prints {
        match holders.get(print.as_slice()) {
            None => {
                holders.insert(print.to_vec(), row.id);
                fresh.push((row.id, print.to_vec()));
            }
            Some(twin) => {
                stepped.twins += usize::from(leave_to_a_person(conn, kit, row, *twin, seller).await?)
            }
        }
    }
    stepped.done = store::advance_prints(conn, fresh).await?;
    Ok(stepped)
}

/// Opens the task for a key whose text another one has, and freezes one that may still be sold. Whether it was done: not
/// while somebody is just taking the key.
async fn leave_to_a_person(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    row: &OldPrint,
    twin: KeyId,
    seller: SellerId,
) -> Result<bool, Fault> {
    let mut frozen = freeze(conn, &[row.id], "system").await?;
    if frozen.is_empty() {
        if matches!(row.state, KeyState::Available | KeyState::Reserved) {
            return Ok(false);
        }
        frozen = freeze(conn, &[twin], "system").await?;
    }
    let frozen = frozen.first().map(|key| key.id);
    tracing::warn!(key = %row.id, twin = %twin, "two keys have the same text: left to a person");
    let twins = Twins { key: row.id, twin, frozen, variant: row.variant_id, seller };
    tasks::open(conn, &kit.clock, &[KeyTextTwin::open(row.id, twins)]).await?;
    Ok(true)
}
