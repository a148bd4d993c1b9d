use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::base::actor::{ApiScope, Role};
use crate::base::page::{DEFAULT_SIZE, LARGEST_SIZE, PageArgs};
use crate::graphql::connection::Connection;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::hooks::{self, HookEndpoint};
use crate::graphql::orders::{self, Order};
use crate::graphql::scalars::DateTime;
use crate::orders::access::AccessLevel;
use crate::orders::staff::OrderFilter;
use crate::people::clients;

/// Whether an API client's secret opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clients::ApiClientState")]
pub enum ApiClientState {
    /// It does.
    Active,
    /// It opens nothing.
    Retired,
}

/// How much an API client may ask for.
#[derive(SimpleObject)]
pub struct ApiClientLimits {
    /// Requests a minute, wherever they come from.
    per_minute: i32,
    /// The cost of one GraphQL request.
    cost: i32,
}

/// What API clients see of themselves.
#[derive(Default)]
pub struct ClientQuery;

#[Object]
impl ClientQuery {
    /// The API client that asks; null for others.
    async fn api_client(&self, ctx: &Context<'_>) -> Answer<Option<ApiClient>> {
        let Some(id) = ctx.actor().api_client else { return Ok(None) };
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        Ok(clients::find(&mut conn, id).await.or_top()?.map(ApiClient))
    }
}

/// A machine that speaks to the shop by a secret of its own.
pub struct ApiClient(pub clients::ApiClient);

/// A machine that speaks to the shop by a secret of its own.
#[Object]
impl ApiClient {
    /// The client's id.
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// What the shop calls it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Names the client where no secret may be.
    async fn publishable_id(&self) -> &str {
        &self.0.publishable_id
    }

    /// What it may do: open codes, `events:read`, `orders:read`, `orders:write`.
    async fn scopes(&self) -> Vec<&'static str> {
        self.0.scopes().into_iter().map(ApiScope::as_str).collect()
    }

    /// Whether its secret opens anything.
    async fn state(&self) -> ApiClientState {
        self.0.state.into()
    }

    /// How much it may ask for.
    async fn limits(&self, ctx: &Context<'_>) -> ApiClientLimits {
        let limits = &ctx.backend().config.limits;
        ApiClientLimits {
            per_minute: i32::try_from(limits.client_requests_per_minute).unwrap_or(i32::MAX),
            cost: i32::try_from(limits.graphql_cost_known).unwrap_or(i32::MAX),
        }
    }

    /// Until when the secret before the present one counts too.
    async fn old_secret_until(&self, ctx: &Context<'_>) -> Option<DateTime> {
        let now = ctx.backend().clock.now();
        self.0.old_secret_until.filter(|until| *until > now).map(Into::into)
    }

    /// The orders that it placed, the newest first; with `changedSince` what changed first first. Null without `orders:read`.
    #[expect(clippy::too_many_arguments, reason = "the arguments are those of the schema")]
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only the order that it gave this reference.")] reference: Option<String>,
        #[graphql(
            desc = "Only orders that changed at this moment or later, in the order they changed. Going on from the last \
                    cursor misses none: what changes again comes again."
        )]
        changed_since: Option<DateTime>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
    ) -> Answer<Option<Connection<Order>>> {
        let actor = ctx.actor();
        let level = if actor.is_staff() {
            AccessLevel::Staff
        } else if actor.client_with(ApiScope::OrdersRead) != Some(self.0.id) {
            return Ok(None);
        } else if actor.client_with(ApiScope::OrdersWrite).is_some() {
            AccessLevel::Buyer
        } else {
            AccessLevel::Status
        };
        let filter = OrderFilter {
            api_client: Some(self.0.id),
            reference: reference.map(|text| text.chars().take(100).collect()),
            changed_since: changed_since.map(|at| at.0),
            ..OrderFilter::default()
        };
        let list = format!("client orders {filter:?}");
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        orders::filtered(ctx, &list, filter, &args, level).await.map(Some)
    }

    /// Where the events of its orders are sent, the oldest first; at most 200. Null without `events:read`.
    async fn hook_endpoints(&self, ctx: &Context<'_>) -> Answer<Option<Vec<HookEndpoint>>> {
        let actor = ctx.actor();
        if !actor.has(Role::Admin) && actor.client_with(ApiScope::EventsRead) != Some(self.0.id) {
            return Ok(None);
        }
        Ok(Some(hooks::list_of_client(ctx, self.0.id).await?))
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

/// All clients.
pub async fn list(ctx: &Context<'_>) -> Answer<Vec<ApiClient>> {
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    Ok(clients::list(&mut conn).await.or_top()?.into_iter().map(ApiClient).collect())
}
