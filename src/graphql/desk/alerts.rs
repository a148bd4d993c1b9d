//! What staff follows: trouble that waits for a person, disputes, and sales that are held.

use async_graphql::{Context, ID, SimpleObject, Subscription};
use chrono::Utc;
use futures::stream::{self, Stream};

use crate::base::ids::{OrderId, TaskId};
use crate::graphql::context::ContextExt;
use crate::graphql::desk::types::Task;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::live::TurnExt;
use crate::graphql::scalars::{DateTime, Int64};
use crate::infra::effects::tasks::TaskEvent;
use crate::infra::hub::Topic;
use crate::infra::sequence::{self, Numbered};
use crate::kinds::events;
use crate::operations::{self, TaskFilter, TaskState};

/// How the kinds of events begin that are alerts.
pub const ALERTS: &[&str] = &["task.", "dispute.", "shop.", "statement.failed"];

/// Alerts given at once; the client is given the others in the next turn.
const MOST: i64 = 50;

/// How many numbers an old cursor reaches back.
const WINDOW: i64 = 10_000;

/// Something that staff should know.
#[derive(SimpleObject)]
pub struct ShopAlert {
    /// Where the list of alerts is; `after` of the subscription that goes on from here.
    cursor: String,
    /// Open code of what happened, `noun.verbed`; null when this is where the following began.
    event: Option<String>,
    /// When it happened.
    at: DateTime,
    /// Id of what it happened to.
    object_id: Option<ID>,
    /// The task, as it is now, when it is about one.
    task: Option<Task>,
    /// The order it is about.
    order_id: Option<ID>,
    /// Tasks that wait for a person now.
    open_tasks: Int64,
}

/// What staff follows.
#[derive(Default)]
pub struct AlertSubscription;

#[Subscription]
impl AlertSubscription {
    /// What support and admins should know: tasks opened, taken, released and resolved, disputes, sales held and opened,
    /// statements that could not be read. First the number of open tasks, then each alert by itself. With `after` those
    /// alerts that came since, at most as far back as the last 10,000 events.
    async fn shop_alerts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The last cursor that came.")] after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = ShopAlert>> {
        ctx.staff()?;
        let turn = ctx.turn();
        turn.follow(Topic::Kinds).await?;
        let after = turn.after(after);
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let head = sequence::head(&mut conn).await.or_top()?;
        // One from another life of the database is as good as none.
        let from = after.and_then(|text| text.parse::<i64>().ok()).filter(|seq| (0..=head).contains(seq));
        let found = match from {
            Some(from) => sequence::of_kinds(&mut conn, from, WINDOW, ALERTS, MOST).await.or_top()?,
            None => Vec::new(),
        };
        let states = vec![TaskState::Open, TaskState::Taken];
        let filter = TaskFilter { states, ..TaskFilter::default() };
        let open_tasks = operations::count_tasks(&mut conn, &filter).await.or_top()?;
        let open_tasks = Int64(open_tasks.unwrap_or(COUNTED));
        let mut alerts = Vec::new();
        if from.is_none() {
            alerts.push(ShopAlert::beginning(head, ctx.backend().clock.now(), open_tasks.clone()));
        }
        if found.len() as i64 == MOST {
            turn.repeat();
        }
        for event in found {
            let task = match event.read::<TaskEvent>() {
                Some(
                    TaskEvent::Opened(id, _)
                    | TaskEvent::Taken(id, _)
                    | TaskEvent::Released(id, _)
                    | TaskEvent::Resolved(id, _),
                ) => task(&mut conn, id).await?,
                None => None,
            };
            alerts.push(ShopAlert::of(event, task, open_tasks.clone()));
        }
        alerts.iter().for_each(|alert| turn.give(alert.cursor.clone()));
        Ok(stream::iter(alerts))
    }
}

/// Tasks are counted up to here.
const COUNTED: i64 = 10_000;

async fn task(conn: &mut crate::infra::db::Connection, id: TaskId) -> Answer<Option<Task>> {
    Ok(operations::find_task(conn, id).await.or_top()?.map(Task))
}

impl ShopAlert {
    fn beginning(head: i64, now: chrono::DateTime<Utc>, open_tasks: Int64) -> Self {
        let (event, object_id, task, order_id) = (None, None, None, None);
        Self { cursor: head.to_string(), event, at: now.into(), object_id, task, order_id, open_tasks }
    }

    fn of(event: Numbered, task: Option<Task>, open_tasks: Int64) -> Self {
        let object = event.kind.as_deref().zip(event.object_id);
        Self {
            cursor: event.seq.to_string(),
            at: event.at.unwrap_or_default().into(),
            object_id: object.map(|(kind, id)| ID(events::public_object(kind, id))),
            task,
            order_id: event.order_id.map(|id| OrderId(id).into()),
            event: event.kind,
            open_tasks,
        }
    }
}
