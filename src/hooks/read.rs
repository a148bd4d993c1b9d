//! Questions about endpoints and what was sent to them, and the events that somebody may pull.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{ApiClientId, HookDeliveryId, HookEndpointId, OrderId, SellerId};
use crate::base::page::{Page, PageArgs};
use crate::hooks::model::{HookAttempt, HookDelivery, HookEndpoint, HookOwner};
use crate::hooks::state::HookState;
use crate::hooks::store::{delivery_columns, endpoint_columns};
use crate::infra::db::statement::Statement;
use crate::infra::db::total;
use crate::infra::sequence::Numbered;

pub async fn find(conn: &mut AsyncPgConnection, id: HookEndpointId) -> QueryResult<Option<HookEndpoint>> {
    let sql = concat!("select ", endpoint_columns!(), " from hook_endpoint where id = $1");
    Statement::new(sql).bind::<SqlUuid, _>(id).get_result(conn).await.optional()
}

/// The endpoints of these sellers, the oldest first; at most 200.
pub async fn list(conn: &mut AsyncPgConnection, sellers: &[SellerId]) -> QueryResult<Vec<HookEndpoint>> {
    let sql = concat!(
        "select ",
        endpoint_columns!(),
        " from hook_endpoint where seller_id = any($1) and api_client_id is null order by created_at, id limit 200"
    );
    Statement::new(sql)
        .bind::<Array<SqlUuid>, _>(sellers.iter().map(|seller| seller.0).collect::<Vec<_>>())
        .load(conn)
        .await
}

/// The endpoints of an API client, the oldest first; at most 200.
pub async fn list_of_client(
    conn: &mut AsyncPgConnection,
    client: ApiClientId,
) -> QueryResult<Vec<HookEndpoint>> {
    let sql = concat!(
        "select ",
        endpoint_columns!(),
        " from hook_endpoint where api_client_id = $1 order by created_at, id limit 200"
    );
    Statement::new(sql).bind::<SqlUuid, _>(client).load(conn).await
}

#[derive(QueryableByName)]
struct CountedHooks {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many endpoints an owner has.
pub async fn count(conn: &mut AsyncPgConnection, owner: HookOwner) -> QueryResult<i64> {
    let query = match owner {
        HookOwner::Seller(seller) => {
            let sql = "select count(*) from hook_endpoint where api_client_id is null and seller_id = $1";
            Statement::new(sql).bind::<SqlUuid, _>(seller)
        }
        HookOwner::Client(client) => {
            let sql = "select count(*) from hook_endpoint where api_client_id = $1";
            Statement::new(sql).bind::<SqlUuid, _>(client)
        }
    };
    let counted: CountedHooks = query.get_result(conn).await?;
    Ok(counted.count)
}

/// How many events wait at an endpoint.
pub async fn count_waiting(conn: &mut AsyncPgConnection, id: HookEndpointId) -> QueryResult<Option<i64>> {
    let sql = "select 1 from hook_delivery where endpoint_id = $1 and state in ('queued', 'sending')";
    total::count(conn, Statement::new(sql).bind::<SqlUuid, _>(id)).await
}

fn narrow<'a>(query: &mut Statement<'a>, endpoint: HookEndpointId, states: &[HookState]) {
    query.push(" from hook_delivery where endpoint_id = ").push_bind::<SqlUuid, _>(endpoint);
    if !states.is_empty() {
        let states: Vec<&'static str> = states.iter().map(|state| state.as_str()).collect();
        query.push(" and state = any(").push_bind::<Array<Text>, _>(states).push(")");
    }
}

/// What was sent or is to be sent to an endpoint, the newest event first.
pub async fn list_deliveries(
    conn: &mut AsyncPgConnection,
    endpoint: HookEndpointId,
    states: &[HookState],
    args: &PageArgs,
) -> QueryResult<Page<HookDelivery>> {
    let mut query = Statement::new(concat!("select ", delivery_columns!()));
    narrow(&mut query, endpoint, states);
    let from = args.from.as_deref().and_then(|keys| keys.first()?.parse::<i64>().ok());
    let (compare, direction) = if args.backwards { (">", "asc") } else { ("<", "desc") };
    if let Some(seq) = from {
        query.push(&format!(" and seq {compare} ")).push_bind::<BigInt, _>(seq);
    }
    query.push(&format!(" order by seq {direction} limit ")).push_bind::<BigInt, _>(args.size + 1);
    Ok(Page::cut(query.load(conn).await?, args))
}

/// How many there are; none above 10,000.
pub async fn count_deliveries(
    conn: &mut AsyncPgConnection,
    endpoint: HookEndpointId,
    states: &[HookState],
) -> QueryResult<Option<i64>> {
    let mut query = Statement::new("select 1");
    narrow(&mut query, endpoint, states);
    total::count(conn, query).await
}

pub async fn find_delivery(
    conn: &mut AsyncPgConnection,
    id: HookDeliveryId,
) -> QueryResult<Option<HookDelivery>> {
    let sql = concat!("select ", delivery_columns!(), " from hook_delivery where id = $1");
    Statement::new(sql).bind::<SqlUuid, _>(id).get_result(conn).await.optional()
}

/// The last twenty attempts of each of these deliveries, in their order.
pub async fn list_attempts(
    conn: &mut AsyncPgConnection,
    deliveries: &[HookDeliveryId],
) -> QueryResult<Vec<HookAttempt>> {
    let sql = "select a.* from unnest($1::uuid[]) d(id) cross join lateral ( \
          select delivery_id, attempt, started_at, ended_at, outcome, status, reason, duration_ms \
          from hook_attempt where delivery_id = d.id order by attempt desc limit 20) a order by a.delivery_id, a.attempt";
    Statement::new(sql)
        .bind::<Array<SqlUuid>, _>(deliveries.iter().map(|id| id.0).collect::<Vec<_>>())
        .load(conn)
        .await
}

/// An attempt to send an event of an order.
#[derive(Clone, Debug, QueryableByName)]
pub struct OrderAttempt {
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub event_type: String,
    #[diesel(sql_type = SqlUuid)]
    pub endpoint_id: HookEndpointId,
    #[diesel(sql_type = Integer)]
    pub attempt: i32,
    #[diesel(sql_type = Nullable<Text>)]
    pub outcome: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    pub status: Option<i32>,
}

/// The attempts to send an order's events, the oldest first; at most 500.
pub async fn list_order_attempts(
    conn: &mut AsyncPgConnection,
    order: OrderId,
) -> QueryResult<Vec<OrderAttempt>> {
    let sql = "select a.started_at as at, h.event_type, h.endpoint_id, a.attempt, a.outcome, a.status \
        from hook_delivery h join hook_attempt a on a.delivery_id = h.id \
        where h.order_id = $1 order by a.started_at, h.seq limit 500";
    Statement::new(sql).bind::<SqlUuid, _>(order).load(conn).await
}

/// How the sending of events does, in numbers.
#[derive(Clone, Debug, QueryableByName)]
pub struct HookHealth {
    /// What waits at active endpoints.
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    /// Since when the first of them should have been sent.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub oldest_due: Option<DateTime<Utc>>,
    /// Since when the oldest of them waits.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub oldest: Option<DateTime<Utc>>,
    /// Endpoints that took nothing lately, or that the program disabled.
    #[diesel(sql_type = BigInt)]
    pub failing: i64,
}

/// The code and the description of what waits to be sent, beside what waits elsewhere in the shop.
pub const WAITING: (&str, &str) = (
    "HOOKS_QUEUED",
    "events that are still to be sent to active hook endpoints, since they were put into the queue",
);

pub async fn health(conn: &mut AsyncPgConnection) -> QueryResult<HookHealth> {
    let sql = "select count(h.id) as waiting, min(h.next_at) filter (where h.next_at <= app_now()) as oldest_due, \
          min(h.created_at) as oldest, \
          (select count(*) from hook_endpoint where failing_since is not null or disabled_for is not null) as failing \
        from hook_delivery h join hook_endpoint e on e.id = h.endpoint_id \
        where h.state in ('queued', 'sending') and e.state = 'active'";
    Statement::new(sql).get_result(conn).await
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    seq: i64,
}

/// The number of the oldest event that is kept; none when there is none.
pub async fn first_kept(conn: &mut AsyncPgConnection) -> QueryResult<Option<i64>> {
    let sql = "select s.seq from event e join event_seq s on s.event_id = e.id order by e.id limit 1";
    let found: Option<Number> = Statement::new(sql).get_result(conn).await.optional()?;
    Ok(found.map(|row| row.seq))
}

/// Numbers looked at for one page of a pull.
const WINDOW: i64 = 5_000;

/// Whose events somebody pulls.
#[derive(Clone, Copy, Debug)]
pub enum EventsOf<'a> {
    Sellers(&'a [SellerId]),
    /// Those of the orders that it placed.
    Client(ApiClientId),
}

/// A part of the sequence, as somebody may see it.
pub struct PulledEvents {
    /// Their `kind` is null where they are not kept any more.
    pub events: Vec<Numbered>,
    /// The last number that was looked at.
    pub next: i64,
}

/// The events numbered above `after` and up to `head` that this reader may see, in order, at most `limit`; `kinds`: those
/// that readers like this one see.
pub async fn pull(
    conn: &mut AsyncPgConnection,
    whose: EventsOf<'_>,
    kinds: &[&'static str],
    (after, head): (i64, i64),
    limit: i64,
) -> QueryResult<PulledEvents> {
    let upto = head.min(after.saturating_add(WINDOW)).max(after);
    let mut query = Statement::new(
        "select s.seq, s.event_id as id, v.created_at as at, v.seller_id, v.kind, v.object_id, v.order_id, v.body \
         from event_seq s left join event v on v.id = s.event_id where s.seq > ",
    );
    query.push_bind::<BigInt, _>(after).push(" and s.seq <= ").push_bind::<BigInt, _>(upto);
    query.push(" and (v.id is null or v.kind = any(").push_bind::<Array<Text>, _>(kinds).push(") and ");
    match whose {
        EventsOf::Client(client) => {
            // By the key of each event's order: never all orders that a client has.
            query.push("(select o.api_client_id from orders o where o.id = v.order_id) = ");
            query.push_bind::<SqlUuid, _>(client).push(")");
        }
        EventsOf::Sellers(sellers) => {
            let sellers: Vec<_> = sellers.iter().map(|seller| seller.0).collect();
            query.push("v.seller_id = any(").push_bind::<Array<SqlUuid>, _>(sellers).push("))");
        }
    }
    query.push(" order by s.seq limit ").push_bind::<BigInt, _>(limit);
    let events: Vec<Numbered> = query.load(conn).await?;
    let full = events.len() as i64 == limit;
    let next = events.last().map(|event| event.seq).filter(|_| full).unwrap_or(upto);
    Ok(PulledEvents { events, next })
}
