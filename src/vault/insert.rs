//! Stores a chunk of keys. The transaction around it belongs to restocking, which also fills the lines that wait.

use std::collections::BTreeMap;

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{KeyId, VariantId};
use crate::base::outcome::{Failure, Fault, Outcome, Refusal};
use crate::infra::data_keys;
use crate::infra::effects::events::{self, Event};
use crate::infra::kit::Kit;
use crate::infra::seal::SealedPlace;
use crate::vault::batch;
use crate::vault::events::{Added, BatchEvent};
use crate::vault::import::{Chunk, LineProblem};
use crate::vault::model::{Batch, SealedKey};
use crate::vault::preview;
use crate::vault::state::BatchState;
use crate::vault::store::{self, Counted};

/// The column that holds sealed keys, as their seals are bound to it.
pub(super) const SEALED_COLUMN: &str = "vault_key.sealed";

/// What became of a chunk.
#[derive(Clone, Debug)]
pub struct Inserted {
    /// The batch with its new counts; the next chunk goes on from it.
    pub batch: Batch,
    pub added: usize,
    /// Lines whose text the seller has already, in this file or before.
    pub duplicates: Vec<i64>,
}

/// Stores the keys of a chunk, to be sold or, where the batch says so, to be looked at first, in the caller's transaction, which holds the variant's advisory lock. Texts that exist
/// already are reported by line and do not keep the others out: the unique fingerprint decides, whoever else
/// imports at the same time. `folding` are the seller's variants in which keys that differ in case alone are the same.
/// `IN_PROGRESS` when another run of the same batch was faster.
pub async fn insert_chunk(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    batch: &Batch,
    folding: &[VariantId],
    chunk: Chunk,
) -> Outcome<Inserted> {
    batch::refuse_recalled(batch)?;
    if batch.state != BatchState::Running {
        return Err(Refusal::new(ErrorCode::ImportAlreadyCommitted, "this batch has ended")
            .at(["batchId"])
            .into());
    }
    let fold_case = folding.contains(&batch.variant_id);
    let data_key = data_keys::open(conn, &kit.sealer, [batch.data_key_id]).await?;
    let data_key =
        data_key.get(&batch.data_key_id).ok_or_else(|| Fault::bug("a batch without its data key"))?;
    let mut problems = chunk.problems;
    let mut first_of: BTreeMap<[u8; 32], i64> = BTreeMap::new();
    let mut sealed: Vec<SealedKey> = Vec::with_capacity(chunk.keys.len());
    let now = kit.clock.now();
    for key in &chunk.keys {
        if key.expires_at.is_some_and(|at| at <= now) {
            problems.push((key.line, LineProblem::Expired));
            continue;
        }
        let fingerprint = kit.sealer.fingerprint(batch.seller_id.0, key.text.expose(), fold_case);
        if first_of.contains_key(&fingerprint) {
            problems.push((key.line, LineProblem::Duplicate));
            continue;
        }
        first_of.insert(fingerprint, key.line);
        let id = key.id.unwrap_or_else(|| KeyId(kit.clock.uuid()));
        let place = SealedPlace { column: SEALED_COLUMN, row: id.0, owner: batch.variant_id.0 };
        let bytes = kit.sealer.seal(data_key, place, key.text.expose().as_bytes()).map_err(Fault::from)?;
        let otherwise = kit.sealer.fingerprint(batch.seller_id.0, key.text.expose(), !fold_case);
        let expires_at = key.expires_at;
        sealed.push(SealedKey { id, line: key.line, fingerprint, otherwise, sealed: bytes, expires_at });
    }
    sealed.sort_by_key(|k| k.line);
    let mut added = 0;
    if !sealed.is_empty() {
        data_keys::count_uses(conn, batch.data_key_id, sealed.len() as i64).await?;
        let stored = match batch.preview {
            true => preview::stage_keys(conn, batch, &sealed, folding).await?,
            false => store::insert_keys(conn, batch, &sealed, folding).await?,
        };
        for stored in stored {
            added += usize::from(first_of.remove(stored.as_slice()).is_some());
        }
        // What is left over was in the vault before.
        problems.extend(first_of.into_values().map(|line| (line, LineProblem::Duplicate)));
    }
    problems.sort_by_key(|p| p.0);
    if !problems.is_empty() {
        store::insert_problems(conn, batch.id, &problems).await?;
    }
    let refused = problems.len() as i64;
    let duplicates: Vec<i64> =
        problems.iter().filter(|p| p.1 == LineProblem::Duplicate).map(|p| p.0).collect();
    let counts = Counted { stored: added as i64, refused, duplicates: duplicates.len() as i64 };
    let Some(counted) = store::advance_lines(conn, batch, chunk.end, counts, chunk.layout.as_ref()).await?
    else {
        return Err(Failure::from(
            Refusal::new(ErrorCode::InProgress, "another run of this batch was faster").retry_after(1),
        ));
    };
    let stored = Added { variant: batch.variant_id, added, refused };
    let event = match batch.preview {
        true => BatchEvent::Staged(batch.id, stored),
        false => BatchEvent::Added(batch.id, stored),
    };
    events::append(conn, &[event.by(actor.label()).of_seller(batch.seller_id)]).await?;
    Ok(Inserted { batch: counted, added, duplicates })
}
