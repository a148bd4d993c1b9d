use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::Utc;
use uuid::Uuid;

use crate::base::ids::{self, BatchId, KeyExportId, RecallId, UnitId};
use crate::base::outcome::{Failure, Outcome};
use crate::delivery::recall::model::RecallRow;
use crate::delivery::recall::read as recalls;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::scalars::{DateTime, Int64, Url};
use crate::graphql::seller::recalls::size;
use crate::vault::export::{self, Export};
use crate::vault::state::BatchState;
use crate::vault::{Batch, Origin, batch, read};

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum JobState {
    /// It goes on.
    Running,
    /// It waits for whoever began it: an import that is looked at first.
    Ready,
    /// It came to its end.
    Done,
    /// It broke off.
    Failed,
    /// It was given up.
    Cancelled,
}

/// What went wrong with a part of a job.
#[derive(SimpleObject)]
pub struct JobProblem {
    /// Which part: the number of a line, or the id of a delivery. Give it as `after` for those behind it.
    subject: String,
    /// Open code of what went wrong.
    code: String,
}

/// Something that runs long, by what it is about: an import or generation of keys, a recall, a file of keys.
pub struct Job(Subject);

enum Subject {
    Batch(Batch),
    Recall(RecallRow),
    Export(Export),
}

impl Job {
    pub fn of_recall(recall: &RecallRow) -> Self {
        Self(Subject::Recall(recall.clone()))
    }

    /// Whose events say how far it has come: those of a recall are its batch's.
    pub(super) fn object(&self) -> Uuid {
        match &self.0 {
            Subject::Batch(batch) => batch.id.0,
            Subject::Recall(recall) => recall.batch_id.0,
            Subject::Export(export) => export.id.0,
        }
    }

    pub(super) fn begun_at(&self) -> Option<chrono::DateTime<Utc>> {
        match &self.0 {
            Subject::Batch(batch) => Some(batch.created_at),
            Subject::Recall(recall) => Some(recall.created_at),
            Subject::Export(_) => None,
        }
    }

    /// Whether it goes no further by itself or by whoever began it. What is bought one by one has no end, and nobody is woken
    /// for it.
    pub(super) fn is_over(&self) -> bool {
        match &self.0 {
            Subject::Batch(batch) => batch.origin == Origin::Bought || self.state_now().is_final(),
            Subject::Recall(_) | Subject::Export(_) => self.state_now().is_final(),
        }
    }

    fn state_now(&self) -> JobState {
        match &self.0 {
            Subject::Batch(batch) => match batch.state {
                BatchState::Running | BatchState::Committing => JobState::Running,
                BatchState::Ready => JobState::Ready,
                BatchState::Done => JobState::Done,
                BatchState::Failed => JobState::Failed,
                BatchState::Cancelled => JobState::Cancelled,
            },
            Subject::Recall(recall) if recall.finished_at.is_none() => JobState::Running,
            Subject::Recall(_) | Subject::Export(_) => JobState::Done,
        }
    }
}

impl JobState {
    fn is_final(self) -> bool {
        match self {
            Self::Running | Self::Ready => false,
            Self::Done | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// Something that runs long: an import or generation of keys, a recall, a file of keys.
#[Object]
impl Job {
    /// The id of what it is about: of a batch, a recall, an export.
    async fn id(&self) -> ID {
        match &self.0 {
            Subject::Batch(batch) => batch.id.into(),
            Subject::Recall(recall) => recall.id.into(),
            Subject::Export(export) => export.id.into(),
        }
    }

    /// Open code: `KEY_IMPORT`, `KEY_GENERATION`, `KEY_PURCHASES`, `KEY_RECALL`, `KEY_EXPORT`.
    async fn kind(&self) -> &str {
        match &self.0 {
            Subject::Batch(batch) => match batch.origin {
                Origin::Import => "KEY_IMPORT",
                Origin::Generated => "KEY_GENERATION",
                Origin::Bought => "KEY_PURCHASES",
            },
            Subject::Recall(_) => "KEY_RECALL",
            Subject::Export(_) => "KEY_EXPORT",
        }
    }

    /// How far it has come. A file of keys is made while it is fetched, so it is done from the beginning.
    async fn state(&self) -> JobState {
        self.state_now()
    }

    /// Parts that were seen to: lines of an import, keys of a generation, deliveries of a recall.
    async fn done(&self) -> Int64 {
        Int64(match &self.0 {
            Subject::Batch(batch) if batch.origin == Origin::Generated => batch.added,
            Subject::Batch(batch) => batch.lines,
            Subject::Recall(recall) => recall.holders - recall.open,
            Subject::Export(_) => 0,
        })
    }

    /// How many there are; null while that is not known.
    async fn total(&self) -> Option<Int64> {
        match &self.0 {
            Subject::Batch(batch) => batch.wanted.map(Int64),
            Subject::Recall(recall) => Some(Int64(recall.holders)),
            Subject::Export(_) => None,
        }
    }

    /// What went wrong with parts of it, in their order.
    async fn problems(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; by default 20.", default = 20)] first: Option<i32>,
        #[graphql(desc = "Only those after this `subject`.")] after: Option<String>,
    ) -> Answer<Vec<JobProblem>> {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        match &self.0 {
            Subject::Batch(batch) => {
                let after = after.and_then(|line| line.parse().ok()).unwrap_or(0);
                let rows = read::list_problems(&mut conn, batch.id, after, size(first)).await.or_top()?;
                Ok(rows
                    .into_iter()
                    .map(|(line, code)| JobProblem { subject: line.to_string(), code })
                    .collect())
            }
            Subject::Recall(recall) => {
                let after = after.and_then(|unit| UnitId::parse(&unit).ok());
                let rows = recalls::list_troubles(&mut conn, recall.id, after, size(first)).await.or_top()?;
                let problem = |row: crate::delivery::recall::model::RecallPieceRow| JobProblem {
                    subject: row.unit_id.to_string(),
                    code: row.code.unwrap_or_default(),
                };
                Ok(rows.into_iter().map(problem).collect())
            }
            Subject::Export(_) => Ok(Vec::new()),
        }
    }

    /// Where its result is fetched by `GET`, with the access token of whoever asked for it; null where there is none.
    async fn result_url(&self, ctx: &Context<'_>) -> Option<Url> {
        match &self.0 {
            Subject::Export(export) => {
                Some(Url(format!("{}/jobs/{}/result", ctx.backend().public_url(), export.id)))
            }
            Subject::Batch(_) | Subject::Recall(_) => None,
        }
    }

    /// Until when.
    async fn result_expires_at(&self) -> Option<DateTime> {
        match &self.0 {
            Subject::Export(export) => Some(export.expires_at.into()),
            Subject::Batch(_) | Subject::Recall(_) => None,
        }
    }
}

/// What runs long.
#[derive(Default)]
pub struct JobQuery;

#[Object]
impl JobQuery {
    /// For those who sell, and staff: something that runs long, by the id of a batch, a recall or an export; null when there is
    /// no such thing, or it is somebody else's.
    async fn job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of a batch, a recall or an export.")] id: ID,
    ) -> Answer<Option<Job>> {
        find(ctx, &id).await
    }
}

/// A job by its id; none when there is no such thing, or the caller may not see it.
pub(super) async fn find(ctx: &Context<'_>, id: &ID) -> Answer<Option<Job>> {
    match find_subject(ctx, id).await {
        Ok(kind) => Ok(kind.map(Job)),
        Err(Failure::Refused(_)) => Ok(None),
        Err(fault) => Err(fault).or_top(),
    }
}

async fn find_subject(ctx: &Context<'_>, id: &ID) -> Outcome<Option<Subject>> {
    let actor = ctx.actor();
    let Ok((prefix, uuid)) = ids::decode(id) else { return Ok(None) };
    let mut conn = ctx.backend().db.conn().await?;
    Ok(match prefix {
        BatchId::PREFIX => Some(Subject::Batch(batch::get_any(&mut conn, actor, uuid.into()).await?)),
        RecallId::PREFIX => recalls::find(&mut conn, uuid.into())
            .await?
            .filter(|recall| actor.is_staff() || actor.sells_for(recall.seller_id))
            .map(Subject::Recall),
        KeyExportId::PREFIX => Some(Subject::Export(export::get(&mut conn, actor, uuid.into()).await?)),
        _ => None,
    })
}
