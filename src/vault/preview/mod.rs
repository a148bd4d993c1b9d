//! Imports that are looked at before their keys are sold: the keys are stored sealed in a table of their own, where nothing
//! that sells looks, until the import is committed or given up.

mod store;

use diesel_async::AsyncPgConnection;

use crate::base::ids::{BatchId, VariantId};
use crate::base::outcome::Fault;
use crate::infra::effects::events::{self, Event};
use crate::vault::events::{Added, BatchEvent};
use crate::vault::import::{CHUNK, LineProblem};
use crate::vault::model::Batch;
use crate::vault::state::BatchState;

pub(super) use store::stage_keys;
pub use store::{list_abandoned, lock};

/// Staged keys that are deleted in one transaction.
const CLEARED: i64 = 5_000;

/// What moving a chunk did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    pub added: usize,
    /// Nothing of the import is staged any more.
    pub last: bool,
}

/// Moves the next keys of a committed import among those that are sold, in the order of their lines, in the caller's
/// transaction, which holds the variant's advisory lock. A text that came into the vault since it was looked at is reported
/// by its line. `folding`: see [`insert_chunk`](crate::vault::insert::insert_chunk).
pub async fn move_chunk(
    conn: &mut AsyncPgConnection,
    batch: &Batch,
    folding: &[VariantId],
    actor: &str,
) -> Result<Moved, Fault> {
    if batch.state != BatchState::Committing {
        return Ok(Moved { added: 0, last: true });
    }
    let rows = store::move_keys(conn, batch.id, folding, CHUNK as i64).await?;
    let twice: Vec<(i64, LineProblem)> =
        rows.iter().filter(|row| !row.stored).map(|row| (row.line, LineProblem::Duplicate)).collect();
    let added = rows.len() - twice.len();
    if !twice.is_empty() {
        crate::vault::store::insert_problems(conn, batch.id, &twice).await?;
    }
    if !rows.is_empty() {
        store::count_moved(conn, batch.id, added as i64, twice.len() as i64).await?;
        let stored = Added { variant: batch.variant_id, added, refused: twice.len() as i64 };
        let event = BatchEvent::Added(batch.id, stored).by(actor).of_seller(batch.seller_id);
        events::append(conn, &[event]).await?;
    }
    Ok(Moved { added, last: rows.len() < CHUNK })
}

/// Deletes staged keys of an import that was given up; whether some are left.
pub async fn clear(conn: &mut AsyncPgConnection, id: BatchId) -> Result<bool, Fault> {
    Ok(store::delete_staged(conn, id, CLEARED).await? as i64 == CLEARED)
}
