//! Who is next. Endpoints have turns, the longest waiting first, and each has a few places: one that hangs takes its own
//! places and nobody else's.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{HookDeliveryId, HookEndpointId};
use crate::hooks::model::{BegunRow, HookEndpoint};
use crate::hooks::store::endpoint_columns;
use crate::infra::db::statement::Statement;

#[derive(QueryableByName)]
struct EndpointTurn {
    #[diesel(sql_type = SqlUuid)]
    id: HookEndpointId,
}

#[derive(QueryableByName)]
struct DeliveryTurn {
    #[diesel(sql_type = SqlUuid)]
    id: HookDeliveryId,
}

const TURNS: &str = "select e.id from hook_endpoint e
  where e.state = 'active' and (e.failing_since is not null) = $1
    and (e.api_client_id is null or exists (select 1 from api_client c
      where c.id = e.api_client_id and c.state = 'active' and 'events:read' = any(c.scopes)))
    and (select count(*) from hook_delivery h
        where h.endpoint_id = e.id and h.state = 'sending' and h.next_at > app_now())
      < case when e.ordered or e.failing_since is not null then 1 else $2 end
    and case when e.ordered
      then (select h.next_at <= app_now() from hook_delivery h
        where h.endpoint_id = e.id and h.state in ('queued', 'sending') order by h.seq limit 1)
      else exists (select 1 from hook_delivery h
        where h.endpoint_id = e.id and h.state in ('queued', 'sending') and h.next_at <= app_now()) end
  order by e.served_at, e.id limit $3 for no key update skip locked";

/// Locks endpoints that have a free place and something to be sent, those that fail or those that do not. What is for an API
/// client that may not have it any more waits. Whoever asks at the same time gets others.
pub async fn lock_turns(
    conn: &mut AsyncPgConnection,
    failing: bool,
    places: i64,
    limit: i64,
) -> QueryResult<Vec<HookEndpointId>> {
    let rows: Vec<EndpointTurn> = Statement::new(TURNS)
        .bind::<Bool, _>(failing)
        .bind::<BigInt, _>(places)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// In a later statement than the locks, so that what others began meanwhile is counted. Of an endpoint that wants its events
/// in order only the first that is not over can begin.
const BEGIN: &str = "with room as materialized (
    select e.id, e.ordered, case when e.ordered or e.failing_since is not null then 1 else $1 end
      - (select count(*) from hook_delivery h
          where h.endpoint_id = e.id and h.state = 'sending' and h.next_at > app_now()) as free
    from hook_endpoint e where e.id = any($2)),
  due as materialized (
    select d.id from room r cross join lateral (
      select h.id from hook_delivery h
      where h.endpoint_id = r.id and h.state in ('queued', 'sending') and h.next_at <= app_now()
        and (not r.ordered or h.id = (select b.id from hook_delivery b
          where b.endpoint_id = r.id and b.state in ('queued', 'sending') order by b.seq limit 1))
      order by h.next_at, h.seq limit least(greatest(r.free, 0), $3) for update skip locked) d)
  update hook_delivery h set state = 'sending', attempts = attempts + 1,
    next_at = app_now() + make_interval(secs => $4)
  from due where h.id = due.id returning h.id";

/// Begins attempts at locked endpoints, at most `each` at one; `lease`: seconds after which their worker counts as gone.
pub async fn begin(
    conn: &mut AsyncPgConnection,
    endpoints: &[HookEndpointId],
    places: i64,
    each: i64,
    lease: f64,
) -> QueryResult<Vec<HookDeliveryId>> {
    let rows: Vec<DeliveryTurn> = Statement::new(BEGIN)
        .bind::<BigInt, _>(places)
        .bind::<Array<SqlUuid>, _>(endpoints.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind::<BigInt, _>(each)
        .bind::<Double, _>(lease)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Puts endpoints that had their turn behind the others.
pub async fn advance_served(
    conn: &mut AsyncPgConnection,
    endpoints: &[HookEndpointId],
) -> QueryResult<usize> {
    Statement::new("update hook_endpoint set served_at = app_now() where id = any($1)")
        .bind::<Array<SqlUuid>, _>(endpoints.iter().map(|id| id.0).collect::<Vec<_>>())
        .execute(conn)
        .await
}

/// Attempts whose worker died: nobody knows whether the endpoint took the event.
pub async fn advance_lost_attempts(
    conn: &mut AsyncPgConnection,
    deliveries: &[HookDeliveryId],
) -> QueryResult<usize> {
    let sql = "update hook_attempt set outcome = 'lost', ended_at = app_now() \
        where delivery_id = any($1) and outcome is null";
    Statement::new(sql)
        .bind::<Array<SqlUuid>, _>(deliveries.iter().map(|id| id.0).collect::<Vec<_>>())
        .execute(conn)
        .await
}

/// Records the attempts that begin.
pub async fn insert_attempts(
    conn: &mut AsyncPgConnection,
    deliveries: &[HookDeliveryId],
) -> QueryResult<usize> {
    let sql = "insert into hook_attempt (delivery_id, attempt) \
        select id, attempts from hook_delivery where id = any($1)";
    Statement::new(sql)
        .bind::<Array<SqlUuid>, _>(deliveries.iter().map(|id| id.0).collect::<Vec<_>>())
        .execute(conn)
        .await
}

/// What is sent, in the order of the events.
pub async fn list_begun(
    conn: &mut AsyncPgConnection,
    deliveries: &[HookDeliveryId],
) -> QueryResult<Vec<BegunRow>> {
    let sql = "select h.id as delivery_id, h.endpoint_id, h.attempts, h.attempts_before, h.seq, \
          coalesce(s.event_id, 0) as id, \
          v.created_at as at, v.seller_id, v.kind, v.object_id, v.order_id, v.body \
        from hook_delivery h left join event_seq s on s.seq = h.seq left join event v on v.id = s.event_id \
        where h.id = any($1) order by h.seq, h.id";
    Statement::new(sql)
        .bind::<Array<SqlUuid>, _>(deliveries.iter().map(|id| id.0).collect::<Vec<_>>())
        .load(conn)
        .await
}

/// Endpoints by their ids.
pub async fn list_by_id(
    conn: &mut AsyncPgConnection,
    ids: &[HookEndpointId],
) -> QueryResult<Vec<HookEndpoint>> {
    let sql = concat!("select ", endpoint_columns!(), " from hook_endpoint where id = any($1)");
    Statement::new(sql)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .load(conn)
        .await
}

/// How an attempt ended.
pub struct AttemptEnd<'a> {
    pub outcome: &'static str,
    pub status: Option<i32>,
    pub reason: Option<&'a str>,
    pub duration_ms: i32,
}

pub async fn advance_attempt(
    conn: &mut AsyncPgConnection,
    id: HookDeliveryId,
    attempt: i32,
    end: &AttemptEnd<'_>,
) -> QueryResult<usize> {
    let sql = "update hook_attempt set outcome = $1, status = $2, reason = $3, duration_ms = $4, ended_at = app_now() \
        where delivery_id = $5 and attempt = $6 and outcome is null";
    Statement::new(sql)
        .bind::<Text, _>(end.outcome)
        .bind::<Nullable<Integer>, _>(end.status)
        .bind::<Nullable<Text>, _>(end.reason)
        .bind::<Integer, _>(end.duration_ms)
        .bind::<SqlUuid, _>(id)
        .bind::<Integer, _>(attempt)
        .execute(conn)
        .await
}
