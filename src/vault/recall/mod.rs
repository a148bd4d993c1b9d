//! A batch of keys is recalled: none of its keys is sold from the commit on, whatever state it was in and whoever held it.
//! Its keys stay out of sale for ever; what buyers hold is another feature's.

mod store;

use diesel_async::AsyncPgConnection;

use crate::base::error_code::ErrorCode;
use crate::base::ids::BatchId;
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::stock_lock;
use crate::vault::jobs::ClearImport;
use crate::vault::model::Batch;
use crate::vault::preview;
use crate::vault::reserved::FreedLine;
use crate::vault::state::{BatchChange, BatchState};

/// What was taken out of sale.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenOut {
    pub keys: i64,
    /// Lines that are not paid and lost what was held for them.
    pub freed: Vec<FreedLine>,
}

/// Locks a batch against everybody who puts keys of it on sale: imports and fills, which take the variant's lock, refunds
/// and purchases, which share the batch's.
pub async fn lock(conn: &mut AsyncPgConnection, batch: &Batch) -> Outcome<Batch> {
    stock_lock::take(conn, batch.variant_id).await?;
    let locked = preview::lock(conn, batch.id).await?;
    Ok(locked.ok_or_else(|| Fault::bug("a batch is gone"))?)
}

/// Takes the keys of a locked batch out of sale and ends what still brings keys in. Keys that are being sold at this moment
/// are waited for: once this returns, they belong to a unit. `BATCH_ALREADY_RECALLED`.
pub async fn take_out(conn: &mut AsyncPgConnection, batch: &Batch) -> Outcome<TakenOut> {
    if batch.recalled_at.is_some() {
        return Err(already(batch.id).into());
    }
    store::advance_recalled(conn, batch.id).await?;
    store::forget_epoch(conn, batch.id).await?;
    let taken = store::advance_to_frozen(conn, batch.id).await?;
    let change = match (batch.preview, batch.state) {
        (true, BatchState::Running) => BatchChange::Cancel,
        _ => BatchChange::Recall,
    };
    let state = batch.state.after(change).map_err(|e| Fault::bug(e.to_string()))?;
    if state != batch.state {
        crate::infra::db::one(crate::vault::store::advance_batch(conn, batch, state).await?, "batch")?;
    }
    if batch.staged > 0 {
        jobs::add(conn, &[ClearImport { batch: batch.id }.job()]).await?;
    }
    Ok(taken)
}

fn already(id: BatchId) -> Refusal {
    let text = format!("the batch {id} was recalled already");
    Refusal::new(ErrorCode::BatchAlreadyRecalled, text).at(["batchId"])
}
