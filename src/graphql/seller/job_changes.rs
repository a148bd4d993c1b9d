//! Jobs that are followed. What a follower is given is the job's present state: steps that follow each other quickly are one.

use async_graphql::{Context, ID, SimpleObject, Subscription};
use futures::stream::{self, Stream};

use crate::base::error_code::ErrorCode;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{OutcomeExt, coded};
use crate::graphql::live::TurnExt;
use crate::graphql::scalars::DateTime;
use crate::graphql::seller::jobs::{self, Job};
use crate::infra::hub::Topic;
use crate::infra::sequence;

/// A job that somebody follows, as it is now.
#[derive(SimpleObject)]
pub struct JobChange {
    /// How far the job's story has come; `after` of the subscription that goes on from here.
    cursor: String,
    /// Open code of the last thing that happened, `noun.verbed`; null when this is where the following began.
    event: Option<String>,
    /// When that happened.
    at: DateTime,
    /// The job.
    job: Job,
}

/// Jobs that are followed.
#[derive(Default)]
pub struct JobSubscription;

#[Subscription]
impl JobSubscription {
    /// For those who sell, and staff: something that runs long, by the id of a batch, a recall or an export. Its present state
    /// first, then again as it goes on (a thousand lines of an import or keys of a generation, a second of a recall), until
    /// its end. With `after` only when something happened since. A job that is missing, or somebody else's, is `FORBIDDEN`.
    async fn job_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of a batch, a recall or an export.")] id: ID,
        #[graphql(desc = "The last cursor that came. One that is old or unknown gives the present state.")]
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = JobChange>> {
        let turn = ctx.turn();
        let object = jobs::find(ctx, &id).await?.ok_or_else(unseen)?.object();
        turn.follow(Topic::Object(object)).await?;
        // Before the state: whoever goes on from the cursor may see a state twice and misses none.
        let last = {
            let mut conn = ctx.backend().db.conn().await.or_top()?;
            sequence::last_of(&mut conn, object).await.or_top()?
        };
        let job = jobs::find(ctx, &id).await?.ok_or_else(unseen)?;
        let (seq, event, at, more) = match last {
            Some(last) => (last.seq, Some(last.kind), last.at, last.more),
            None => (0, None, job.begun_at().unwrap_or_else(|| ctx.backend().clock.now()), false),
        };
        let (cursor, after) = (seq.to_string(), turn.after(after));
        let knows_all = after.as_ref() == Some(&cursor);
        // Whoever knows all that has a number may not know the end yet.
        if job.is_over() && !(knows_all && more) {
            turn.end();
        }
        let change = (!knows_all).then(|| {
            turn.give(cursor.clone());
            JobChange { cursor, event: event.filter(|_| after.is_some()), at: at.into(), job }
        });
        Ok(stream::iter(change))
    }
}

/// What is missing and what may not be seen are alike.
fn unseen() -> async_graphql::Error {
    coded(ErrorCode::Forbidden, "there is no such job, or you may not see it")
}
