use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::base::ids::{BatchId, UnitId};
use crate::delivery::recall::model::{PieceOutcome, RecallRow};
use crate::delivery::recall::{self, RecallRequest, read};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt, split};
use crate::graphql::id;
use crate::graphql::orders::{OrderLine, line_page};
use crate::graphql::scalars::{DateTime, Int64};
use crate::graphql::seller::jobs::Job;
use crate::graphql::seller::types::KeyBatch;
use crate::graphql::user_error::StockError;
use crate::orders::access::AccessLevel;
use crate::vault::batch;

/// What those get who hold keys of a recalled batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "recall::RecallAction")]
pub enum RecallAction {
    /// Another key each; where there is none, they wait for it in the order of their payment.
    Replace,
    /// Their money.
    Refund,
    /// Nothing yet: they are listed, and a later call says what they get.
    ListOnly,
}

/// What became of a delivery whose buyer held a recalled key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "PieceOutcome")]
pub enum KeyRecallPieceState {
    /// It is listed, and nothing is to be done about it.
    Listed,
    /// It has not been seen to yet.
    Open,
    /// Another delivery took its place, which may still wait for its key.
    Replaced,
    /// The money for it goes back.
    Refunded,
    /// It had been taken back or replaced before.
    Skipped,
    /// A person has to look at it.
    Failed,
}

/// A delivery whose buyer held a recalled key.
#[derive(SimpleObject)]
pub struct KeyRecallPiece {
    /// The delivery.
    delivery_id: ID,
    /// The line it is part of. Who bought it is masked for sellers.
    line: OrderLine,
    /// What became of it.
    state: KeyRecallPieceState,
    /// The delivery that took its place.
    replaced_by: Option<ID>,
    /// The refund that was begun.
    refund_id: Option<ID>,
    /// Open code of why it was skipped or failed: `REPLACED`, `REVOKED`, `REFUNDED`, `DISPUTE_OPEN`, `REFUND_NOT_SUPPORTED`.
    code: Option<String>,
}

/// The recall of a batch of keys, and how far it has come.
pub struct KeyRecall(pub RecallRow);

/// The recall of a batch of keys, and how far it has come.
#[Object]
impl KeyRecall {
    /// The recall's id, which is also the id of its job.
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// What those get who hold keys of it.
    async fn action(&self) -> RecallAction {
        self.0.action.into()
    }

    /// Why it was recalled.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Keys that were taken out of sale.
    async fn frozen(&self) -> Int64 {
        Int64(self.0.frozen)
    }

    /// Deliveries whose buyers held a key when it was recalled.
    async fn holders(&self) -> Int64 {
        Int64(self.0.holders)
    }

    /// Those that have not been seen to yet.
    async fn open(&self) -> Int64 {
        Int64(self.0.open)
    }

    /// Those that have another key.
    async fn replaced(&self) -> Int64 {
        Int64(self.0.replaced)
    }

    /// Those that were replaced and whose new key is still to come.
    async fn waiting(&self) -> Int64 {
        Int64(self.0.waiting)
    }

    /// Those whose money goes back.
    async fn refunded(&self) -> Int64 {
        Int64(self.0.refunded)
    }

    /// Those that had been taken back or replaced before.
    async fn skipped(&self) -> Int64 {
        Int64(self.0.skipped)
    }

    /// Those that a person has to look at, refunds that failed included.
    async fn failed(&self) -> Int64 {
        Int64(self.0.failed)
    }

    /// When it was recalled.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When all had been seen to; null before.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(Into::into)
    }

    /// Who holds, or held, keys of it: by the deliveries' ids.
    async fn pieces(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; by default 20.", default = 20)] first: Option<i32>,
        #[graphql(desc = "Only those after this delivery.")] after: Option<ID>,
    ) -> Answer<Vec<KeyRecallPiece>> {
        let after = after.and_then(|id| UnitId::parse(&id).ok());
        let rows = {
            let mut conn = ctx.backend().db.conn().await.or_top()?;
            read::list_pieces(&mut conn, self.0.id, after, size(first)).await.or_top()?
        };
        let lines = rows.iter().map(|row| (row.order_id, row.line_id)).collect();
        let lines = line_page(ctx, lines, AccessLevel::of_who_sells(ctx.actor())).await?;
        let piece = |(row, line): (recall::model::RecallPieceRow, OrderLine)| KeyRecallPiece {
            delivery_id: row.unit_id.into(),
            line,
            state: row.state.into(),
            replaced_by: row.successor_id.map(Into::into),
            refund_id: row.refund_id.map(Into::into),
            code: row.code,
        };
        Ok(rows.into_iter().zip(lines).map(piece).collect())
    }
}

/// How many rows of a plain list are given.
pub fn size(first: Option<i32>) -> i64 {
    i64::from(first.unwrap_or(20).clamp(1, 100))
}

/// Input of `keyBatchRecall`.
#[derive(InputObject)]
pub struct KeyBatchRecallInput {
    /// 16 to 255 random characters, made and kept before sending.
    idempotency_key: String,
    /// Which batch.
    batch_id: ID,
    /// What those get who hold keys of it.
    action: RecallAction,
    /// Why, for the shop's records; at most 500 characters. With `REFUND` the buyers read it.
    reason: String,
}

/// Payload of `keyBatchRecall`.
#[derive(Default, SimpleObject)]
pub struct KeyBatchRecallPayload {
    /// The batch.
    batch: Option<KeyBatch>,
    /// The recall, just begun.
    recall: Option<KeyRecall>,
    /// The job that sees to those who hold keys.
    job: Option<Job>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StockError>,
}

/// Taking whole batches back.
#[derive(Default)]
pub struct RecallMutation;

#[Object]
impl RecallMutation {
    /// For those who sell it and for staff: recalls a batch. From this answer on none of its keys is sold, those included that
    /// are held for orders; those who hold keys of it get what `action` says, by and by. A batch that was recalled with
    /// `LIST_ONLY` may be recalled once more with another action.
    async fn key_batch_recall(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which batch, and why.")] input: KeyBatchRecallInput,
    ) -> Answer<KeyBatchRecallPayload> {
        ctx.person()?;
        let done = async {
            let wish = RecallRequest {
                idempotency_key: input.idempotency_key,
                batch_id: id::read(&input.batch_id, "batchId", BatchId::parse)?,
                action: input.action.into(),
                reason: input.reason,
            };
            let recall = recall::recall(ctx.backend(), ctx.actor(), wish).await?;
            let mut conn = ctx.backend().db.conn().await?;
            let batch = batch::get_any(&mut conn, ctx.actor(), recall.batch_id).await?;
            Ok((batch, recall))
        };
        Ok(match split(done.await)? {
            Ok((batch, recall)) => KeyBatchRecallPayload {
                batch: Some(KeyBatch(batch)),
                job: Some(Job::of_recall(&recall)),
                recall: Some(KeyRecall(recall)),
                user_errors: Vec::new(),
            },
            Err(refusal) => KeyBatchRecallPayload {
                user_errors: ctx.user_errors(refusal)?,
                ..KeyBatchRecallPayload::default()
            },
        })
    }
}
