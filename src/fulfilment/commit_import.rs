//! An import that was looked at is put on sale, or given up.

use chrono::TimeDelta;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::BatchId;
use crate::base::outcome::{Failure, Outcome, Refusal};
use crate::catalogue::{self, intake};
use crate::fulfilment::jobs::Fill;
use crate::fulfilment::{fill, store};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::kit::Kit;
use crate::infra::stuck::{self, RowName};
use crate::vault::jobs::{ClearImport, CommitImport};
use crate::vault::state::{BatchChange, BatchState};
use crate::vault::{Batch, batch, generate, preview};

/// After how long an import that nobody committed is given up.
const PATIENCE: TimeDelta = TimeDelta::days(7);

/// Decides that the keys of an import are sold. They are moved by [`run`]: by whoever decided, and should that be killed, by
/// the job. A repeat changes nothing. `IMPORT_NOT_READY` while its file is still read, `IMPORT_ALREADY_COMMITTED` when it
/// was given up, `INVALID` when its variant takes no keys any more.
pub async fn commit(kit: &Kit, actor: &Actor, id: BatchId) -> Outcome<Batch> {
    let mut tx = kit.db.begin().await?;
    let seen = locked(&mut tx, actor, id).await?;
    batch::refuse_recalled(&seen)?;
    if seen.state == BatchState::Running {
        let text = "the file of this import is not read to its end";
        return Err(Refusal::new(ErrorCode::ImportNotReady, text).into());
    }
    if seen.state == BatchState::Ready {
        intake::key_variant(&mut tx, actor, seen.variant_id).await?;
    }
    let batch = batch::end(&mut tx, actor, id, BatchChange::Commit).await?;
    if batch.state == BatchState::Committing {
        let job = CommitImport { batch: id }.job();
        jobs::add(&tx, &[job.at(kit.clock.now() + generate::HEAD_START)]).await?;
    }
    tx.commit().await?;
    kit.bell.ring();
    Ok(batch)
}

/// Moves the keys of a committed import among those that are sold, each chunk in a transaction of its own that also fills
/// the lines that wait. Two that do it at once do it together.
pub async fn run(kit: &Kit, actor: &Actor, id: BatchId) -> Outcome<Batch> {
    loop {
        let mut tx = kit.db.begin().await?;
        let seen = batch::get(&mut tx, actor, id).await?;
        store::lock_variant(&mut tx, seen.variant_id).await?;
        // Looked at again under the lock: somebody else may have moved the rest.
        let seen = batch::get(&mut tx, actor, id).await?;
        if seen.state != BatchState::Committing {
            return Ok(seen);
        }
        let folding = catalogue::read::list_folding(&mut tx, seen.seller_id).await?;
        let moved = preview::move_chunk(&mut tx, &seen, &folding, &actor.label()).await?;
        let filled = match moved.added {
            0 => fill::Filled::default(),
            _ => fill::fill(&mut tx, kit, seen.variant_id).await?,
        };
        if filled.more {
            jobs::add(&tx, &[Fill { variant: seen.variant_id }.job()]).await?;
        }
        if moved.last {
            batch::end(&mut tx, actor, id, BatchChange::Finish).await?;
        }
        crate::fault_point!("import.committing");
        tx.commit().await?;
        kit.bell.ring();
    }
}

/// Gives an import up before its keys are sold: none of them is stored any more once the job has run, and the same texts may
/// be brought again. A repeat changes nothing. `IMPORT_ALREADY_COMMITTED` when its keys are on sale.
pub async fn cancel(kit: &Kit, actor: &Actor, id: BatchId) -> Outcome<Batch> {
    let mut tx = kit.db.begin().await?;
    let seen = locked(&mut tx, actor, id).await?;
    if !seen.preview {
        let text = "the keys of this import are on sale as soon as they are read";
        return Err(Refusal::new(ErrorCode::ImportAlreadyCommitted, text).into());
    }
    let batch = batch::end(&mut tx, actor, id, BatchChange::Cancel).await?;
    jobs::add(&tx, &[ClearImport { batch: id }.job()]).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(batch)
}

/// Deletes the keys of an import that was given up, a few in each transaction.
pub async fn clear(kit: &Kit, id: BatchId) -> Outcome<()> {
    loop {
        let mut tx = kit.db.begin().await?;
        let seen = preview::lock(&mut tx, id).await?;
        if seen.is_none_or(|batch| batch.state != BatchState::Cancelled) {
            return Ok(());
        }
        let more = preview::clear(&mut tx, id).await?;
        crate::fault_point!("import.clearing");
        tx.commit().await?;
        if !more {
            return Ok(());
        }
    }
}

/// Sweep: gives up imports that nobody has committed for a week. Returns how many.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let abandoned = preview::list_abandoned(&mut *kit.db.conn().await?, PATIENCE).await?;
    let name = |id: &BatchId| RowName::of(id.0, id);
    stuck::each(kit, "abandoned_imports", abandoned, name, |id| async move {
        match cancel(kit, &Actor::system(), id).await {
            Ok(_) => Ok(1),
            // Somebody was faster.
            Err(Failure::Refused(refusal)) => {
                tracing::info!(batch = %id, code = %refusal.code, "an import was not given up");
                Ok(0)
            }
            Err(fault) => Err(fault),
        }
    })
    .await
}

async fn locked(conn: &mut diesel_async::AsyncPgConnection, actor: &Actor, id: BatchId) -> Outcome<Batch> {
    preview::lock(conn, id).await?;
    batch::get(conn, actor, id).await
}
