use std::collections::HashMap;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::base::ids::{ApiClientId, HookDeliveryId, SellerId};
use crate::base::page::{self, DEFAULT_SIZE, LARGEST_SIZE, PageArgs};
use crate::graphql::connection::{Connection, Listed, counted};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::scalars::{DateTime, Int64, Url};
use crate::hooks::state::{HookEndpointState as EndpointState, HookState};
use crate::hooks::{self, read};

impl Listed for HookDelivery {
    const NAME: &'static str = "HookDelivery";
}

/// Whether anything is sent to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "EndpointState")]
pub enum HookEndpointState {
    /// Events are sent there.
    Active,
    /// Nothing is sent there: what happens now is left out, what was on its way waits.
    Disabled,
}

/// How far an event has come on its way to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "HookState")]
pub enum HookDeliveryState {
    /// It is sent at `nextAttemptAt`.
    Queued,
    /// It is being sent.
    Sending,
    /// The endpoint took it.
    Delivered,
    /// It was tried as often as it is; `hookReplay` sends it again.
    NeedsAttention,
}

/// Where events are sent, signed as Standard Webhooks say.
pub struct HookEndpoint(pub hooks::HookEndpoint);

/// Where events are sent, signed as Standard Webhooks say.
#[Object]
impl HookEndpoint {
    /// The endpoint's id.
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The address that is called.
    async fn url(&self) -> Url {
        Url(self.0.url.clone())
    }

    /// What its owner notes on it.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Which types of events are sent; empty: all that its owner may see.
    async fn event_types(&self) -> &[String] {
        &self.0.event_types
    }

    /// Whether an event waits until those before it were taken or given up.
    async fn ordered(&self) -> bool {
        self.0.ordered
    }

    /// Whether anything is sent there.
    async fn state(&self) -> HookEndpointState {
        self.0.state.into()
    }

    /// Open code: why the shop itself disabled it: `FAILING`, `GONE`.
    async fn disabled_for(&self) -> Option<&str> {
        self.0.disabled_for.as_deref()
    }

    /// Since when it has taken no event; null when it took the last one.
    async fn failing_since(&self) -> Option<DateTime> {
        self.0.failing_since.map(Into::into)
    }

    /// Until when messages carry the signature of the secret before, too.
    async fn old_secret_until(&self, ctx: &Context<'_>) -> Option<DateTime> {
        let now = ctx.backend().clock.now();
        self.0.old_secret_until.filter(|until| *until > now).map(Into::into)
    }

    /// Events that wait to be sent; null above 10,000.
    async fn waiting(&self, ctx: &Context<'_>) -> Answer<Option<Int64>> {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        Ok(read::count_waiting(&mut conn, self.0.id).await.or_top()?.map(Int64))
    }

    /// Events that were sent or are to be, the newest first. What ended is kept for 60 days.
    async fn deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In any of these states; by default all.")] states: Option<Vec<HookDeliveryState>>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
    ) -> Answer<Connection<HookDelivery>> {
        let states: Vec<HookState> = states.unwrap_or_default().into_iter().map(Into::into).collect();
        let (id, list) = (self.0.id, format!("hook deliveries {} {states:?}", self.0.id));
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let page = read::list_deliveries(&mut conn, id, &states, &args).await.or_top()?;
        let ids: Vec<HookDeliveryId> = page.rows.iter().map(|row| row.id).collect();
        let mut attempts: HashMap<HookDeliveryId, Vec<hooks::HookAttempt>> = HashMap::new();
        for attempt in read::list_attempts(&mut conn, &ids).await.or_top()? {
            attempts.entry(attempt.delivery_id).or_default().push(attempt);
        }
        let page = page.map(|row| {
            let attempts = attempts.remove(&row.id).unwrap_or_default();
            (page::encode(&list, &[row.seq.to_string()]), HookDelivery { row, attempts })
        });
        let total = counted(ctx.backend(), move |conn| {
            let states = states.clone();
            Box::pin(async move { Ok(read::count_deliveries(conn, id, &states).await?) })
        });
        Ok(Connection::new(page).with_total(total))
    }

    /// Grows with each edit.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }
}

/// One event on its way to one endpoint.
pub struct HookDelivery {
    pub row: hooks::HookDelivery,
    pub attempts: Vec<hooks::HookAttempt>,
}

/// One event on its way to one endpoint.
#[Object]
impl HookDelivery {
    /// Its id, which is also the header `webhook-id` of every attempt.
    async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// The event's number in the sequence, as in `GET /events`.
    async fn seq(&self) -> Int64 {
        Int64(self.row.seq)
    }

    /// The event's type: open code, `noun.verbed`.
    async fn event_type(&self) -> &str {
        &self.row.event_type
    }

    /// The order that the event is about.
    async fn order_id(&self) -> Option<ID> {
        self.row.order_id.map(Into::into)
    }

    /// How far it has come.
    async fn state(&self) -> HookDeliveryState {
        self.row.state.into()
    }

    /// When it is sent; null unless it is queued.
    async fn next_attempt_at(&self) -> Option<DateTime> {
        (self.row.state == HookState::Queued).then(|| self.row.next_at.into())
    }

    /// How often it was sent.
    async fn attempts_made(&self) -> i32 {
        self.row.attempts
    }

    /// The last twenty attempts, the oldest of them first.
    async fn attempts(&self) -> Vec<HookAttempt> {
        self.attempts.iter().cloned().map(Into::into).collect()
    }

    /// When the event was put on its way.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }

    /// When it was taken or given up.
    async fn ended_at(&self) -> Option<DateTime> {
        self.row.ended_at.map(Into::into)
    }
}

/// One try to have an endpoint take an event.
#[derive(SimpleObject)]
pub struct HookAttempt {
    /// From 1.
    number: i32,
    /// When it began.
    started_at: DateTime,
    /// When it ended; null while it is under way.
    ended_at: Option<DateTime>,
    /// Open code: `delivered`, `refused` (another status than 2xx), `no_answer` (not in time), `unreachable` (nothing was
    /// sent), `event_gone`, `lost` (the shop was interrupted); null while it is under way.
    outcome: Option<String>,
    /// The HTTP status of the answer. Nothing else of it is kept.
    status: Option<i32>,
    /// Why there was no answer.
    reason: Option<String>,
    /// Milliseconds until the answer, or until it was not waited for any longer.
    duration_ms: Option<i32>,
}

impl From<hooks::HookAttempt> for HookAttempt {
    fn from(attempt: hooks::HookAttempt) -> Self {
        Self {
            number: attempt.attempt,
            started_at: attempt.started_at.into(),
            ended_at: attempt.ended_at.map(Into::into),
            outcome: attempt.outcome,
            status: attempt.status,
            reason: attempt.reason,
            duration_ms: attempt.duration_ms,
        }
    }
}

/// The endpoints of these sellers.
pub async fn list(ctx: &Context<'_>, sellers: &[SellerId]) -> Answer<Vec<HookEndpoint>> {
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    let rows = read::list(&mut conn, sellers).await.or_top()?;
    Ok(rows.into_iter().map(HookEndpoint).collect())
}

/// The endpoints of an API client.
pub async fn list_of_client(ctx: &Context<'_>, client: ApiClientId) -> Answer<Vec<HookEndpoint>> {
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    let rows = read::list_of_client(&mut conn, client).await.or_top()?;
    Ok(rows.into_iter().map(HookEndpoint).collect())
}
