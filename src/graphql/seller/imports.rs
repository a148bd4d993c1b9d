use std::time::Duration;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::ids::BatchId;
use crate::base::outcome::{Failure, Outcome};
use crate::fulfilment::commit_import;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::seller::types::KeyBatch;
use crate::graphql::user_error::StockError;
use crate::vault::Batch;
use crate::vault::batch;
use crate::vault::state::BatchState;

/// How long a call waits for the keys to be on sale; the work goes on after it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Input of `keyImportCommit`.
#[derive(InputObject)]
pub struct KeyImportCommitInput {
    /// Which import: the id of its batch.
    import_id: ID,
}

/// Input of `keyImportCancel`.
#[derive(InputObject)]
pub struct KeyImportCancelInput {
    /// Which import: the id of its batch.
    import_id: ID,
}

/// Payload of what ends an import.
#[derive(Default, SimpleObject)]
pub struct KeyImportPayload {
    /// The batch; the keys of a large one are still being put on sale.
    batch: Option<KeyBatch>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StockError>,
}

/// What becomes of imports that were looked at first.
#[derive(Default)]
pub struct ImportMutation;

#[Object]
impl ImportMutation {
    /// Puts the keys of an import on sale that was created with `preview`. A repeat changes nothing.
    async fn key_import_commit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which import.")] input: KeyImportCommitInput,
    ) -> Answer<KeyImportPayload> {
        ctx.person()?;
        let done = async {
            let id = id::read(&input.import_id, "importId", BatchId::parse)?;
            let committed = commit_import::commit(ctx.backend(), ctx.actor(), id).await?;
            match committed.state {
                BatchState::Committing => put_on_sale(ctx, id).await,
                _ => Ok(committed),
            }
        };
        payload(ctx, done.await)
    }

    /// Gives an import up that was created with `preview`: none of its keys is sold. A repeat changes nothing.
    async fn key_import_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which import.")] input: KeyImportCancelInput,
    ) -> Answer<KeyImportPayload> {
        ctx.person()?;
        let done = async {
            let id = id::read(&input.import_id, "importId", BatchId::parse)?;
            commit_import::cancel(ctx.backend(), ctx.actor(), id).await
        };
        payload(ctx, done.await)
    }
}

fn payload(ctx: &Context<'_>, done: Outcome<Batch>) -> Answer<KeyImportPayload> {
    let at_import = |failure| match failure {
        Failure::Refused(refusal) => Failure::from(refusal.at(["importId"])),
        fault => fault,
    };
    Ok(match split(done.map_err(at_import))? {
        Ok(batch) => KeyImportPayload { batch: Some(KeyBatch(batch)), user_errors: Vec::new() },
        Err(refusal) => KeyImportPayload { batch: None, user_errors: ctx.user_errors(refusal)? },
    })
}

/// In a task of its own: when the client hangs up, it goes on.
async fn put_on_sale(ctx: &Context<'_>, id: BatchId) -> Outcome<Batch> {
    let (backend, actor) = (ctx.backend().clone(), ctx.actor().clone());
    let work = tokio::spawn(async move {
        let done = commit_import::run(&backend, &actor, id).await;
        if let Err(failure) = &done {
            tracing::error!(?failure, batch = %id, "the keys of an import were not all put on sale");
        }
        done
    });
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) | Err(_) => batch::get(&mut *ctx.backend().db.conn().await?, ctx.actor(), id).await,
    }
}
