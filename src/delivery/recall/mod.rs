//! A whole batch of keys is recalled (K13): from the commit on none of its keys is sold, and a job sees to those who hold
//! one, piece by piece. It may be killed at any point: each piece is handled in one transaction, which marks it.

pub mod model;
pub mod read;
mod run;
mod store;

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{BatchId, LineId, RecallId};
use crate::base::outcome::{Failure, Fault, Outcome, Refusal};
use crate::delivery::jobs::HandleRecall;
use crate::delivery::replace::reason_of;
use crate::infra::effects::Effects;
use crate::infra::effects::events::Event;
use crate::infra::effects::jobs::Payload;
use crate::infra::idempotency::{self, Claim};
use crate::infra::kit::Kit;
use crate::orders;
use crate::vault::batch;
use crate::vault::events::{BatchEvent, RecalledBatch};
use crate::vault::reserved::{self, Cause};
use crate::vault::{Batch, recall as vault};

pub use model::{RecallAction, RecallRow};
pub use run::{run, sweep};

/// A batch that is to be recalled.
#[derive(Clone, Debug)]
pub struct RecallRequest {
    pub idempotency_key: String,
    pub batch_id: BatchId,
    pub action: RecallAction,
    pub reason: String,
}

/// Recalls a batch, for who sells it and for staff. Its keys are out of sale when this returns, those included that are held
/// for orders or still being read; the rest is a job's. A recall that only listed who holds keys goes on with another action.
/// `NOT_FOUND`, `REASON_REQUIRED`, `INVALID`, `BATCH_ALREADY_RECALLED`, `IN_PROGRESS` while a sale holds one of its keys for
/// too long, and those of idempotency.
pub async fn recall(kit: &Kit, actor: &Actor, wish: RecallRequest) -> Outcome<RecallRow> {
    let reason = reason_of(&wish.reason)?;
    let mut tx = kit.db.begin().await?;
    let seen = batch::get_any(&mut tx, actor, wish.batch_id).await?;
    let (scope, key) = (format!("user:{}", actor.label()), wish.idempotency_key.as_str());
    let named = seen.id.0.to_string();
    let request = [named.as_str(), wish.action.as_str(), reason.as_str()];
    if let Claim::Replay(known) =
        idempotency::claim(&mut tx, &scope, "keyBatchRecall", key, &request, seen.id.0).await?
    {
        let row = read::find_of_batch(&mut tx, BatchId(known)).await?;
        return Ok(row.ok_or_else(|| Fault::bug("a recall is gone"))?);
    }
    let batch = vault::lock(&mut tx, &seen).await?;
    let row = match store::lock_of_batch(&mut tx, batch.id).await? {
        None => begin(&mut tx, kit, actor, &batch, (wish.action, &reason)).await?,
        Some(listed) if listed.action == RecallAction::ListOnly && wish.action != RecallAction::ListOnly => {
            store::advance_action(&mut tx, listed.id, wish.action, &reason, actor.user_id()).await?;
            let row = read::find(&mut tx, listed.id).await?.ok_or_else(|| Fault::bug("a recall is gone"))?;
            facts(&batch, &row, actor).write(&tx, &kit.clock).await?;
            row
        }
        Some(_) => {
            let text = "this batch was recalled already";
            return Err(Refusal::new(ErrorCode::BatchAlreadyRecalled, text).at(["batchId"]).into());
        }
    };
    crate::fault_point!("recall.begun");
    tx.commit().await?;
    kit.bell.ring();
    Ok(row)
}

async fn begin(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    batch: &Batch,
    (action, reason): (RecallAction, &str),
) -> Outcome<RecallRow> {
    let id = RecallId(kit.clock.uuid());
    let taken = vault::take_out(conn, batch).await.map_err(in_progress)?;
    store::insert(conn, batch, (id, action), reason, actor.user_id(), taken.keys).await?;
    // In a statement after the keys were locked: what was sold while they were waited for is visible to it.
    store::insert_pieces(conn, batch.id, id, action).await?;
    let row = read::find(conn, id).await?.ok_or_else(|| Fault::bug("a recall is gone"))?;
    let mut effects = facts(batch, &row, actor);
    let lines: Vec<LineId> = taken.freed.iter().map(|line| line.line_id).collect();
    let of = orders::store::list_orders_of_lines(conn, &lines).await?;
    for line in &taken.freed {
        let order =
            of.get(&line.line_id).ok_or_else(|| Fault::bug("keys were held for a line of no order"))?;
        effects.events.push(reserved::released_event(*order, line, Cause::Recalled, &actor.label()));
    }
    effects.write(conn, &kit.clock).await?;
    Ok(row)
}

/// The event, and the job where there is something to do.
fn facts(batch: &Batch, row: &RecallRow, actor: &Actor) -> Effects {
    let mut effects = Effects::default();
    let body = RecalledBatch {
        variant: batch.variant_id,
        recall: row.id,
        action: row.action.as_str().into(),
        frozen: row.frozen,
        holders: row.holders,
    };
    let event = BatchEvent::Recalled(batch.id, body).by(actor.label()).of_seller(batch.seller_id);
    effects.events.push(event);
    if row.action != RecallAction::ListOnly {
        effects.jobs.push(HandleRecall { recall: row.id }.job());
    }
    effects
}

/// A sale that takes long keeps its key meanwhile; nothing was changed.
fn in_progress(failure: Failure) -> Failure {
    match failure {
        Failure::Fault(Fault::Database(text)) if text.contains("due to lock timeout") => {
            let text = "a key of this batch is being sold at this moment: try again";
            Refusal::new(ErrorCode::InProgress, text).retry_after(1).into()
        }
        other => other,
    }
}
