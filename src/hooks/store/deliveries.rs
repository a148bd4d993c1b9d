//! Which events are sent where, and what became of them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::{HookDeliveryId, HookEndpointId, OrderId, SellerId};
use crate::hooks::model::HookDelivery;
use crate::hooks::state::HookState;
use crate::infra::db::statement::Statement;

/// The columns of a delivery.
macro_rules! delivery_columns {
    () => {
        "id, endpoint_id, seq, event_type, order_id, state, attempts, attempts_before, next_at, created_at, ended_at"
    };
}
pub(in crate::hooks) use delivery_columns;

/// An event that an endpoint wants.
#[derive(Clone, Debug, QueryableByName)]
pub struct WantedEvent {
    #[diesel(sql_type = SqlUuid)]
    endpoint_id: HookEndpointId,
    #[diesel(sql_type = SqlUuid)]
    seller_id: SellerId,
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    #[diesel(sql_type = Text)]
    event_type: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    order_id: Option<OrderId>,
}

impl WantedEvent {
    pub fn named(self, id: HookDeliveryId) -> NewDelivery {
        NewDelivery { id, wanted: self }
    }
}

/// A row of an event on its way, to be stored.
pub struct NewDelivery {
    id: HookDeliveryId,
    wanted: WantedEvent,
}

const WANTED: &str = "select e.id as endpoint_id, e.seller_id, s.seq, v.kind as event_type, v.order_id
  from event_seq s join event v on v.id = s.event_id left join orders o on o.id = v.order_id
    join hook_endpoint e on e.state = 'active' and (e.event_types = '{}' or v.kind = any(e.event_types)) and
      (e.api_client_id is null and e.seller_id = v.seller_id and v.kind = any(";

/// The beginning of a question for events that active endpoints want: which kinds sellers and API clients see.
fn wanted<'a>(sellers: &'a [&'static str], clients: &'a [&'static str]) -> Statement<'a> {
    let mut query = Statement::new(WANTED);
    query.push_bind::<Array<Text>, _>(sellers);
    query.push(") or e.api_client_id = o.api_client_id and v.kind = any(");
    query.push_bind::<Array<Text>, _>(clients).push("))");
    query
}

/// Who wants which of the events numbered above `after`, up to `upto`.
pub async fn list_wanted(
    conn: &mut AsyncPgConnection,
    (after, upto): (i64, i64),
    sellers: &[&'static str],
    clients: &[&'static str],
) -> QueryResult<Vec<WantedEvent>> {
    let mut query = wanted(sellers, clients);
    query.push(" where s.seq > ").push_bind::<BigInt, _>(after);
    query.push(" and s.seq <= ").push_bind::<BigInt, _>(upto).push(" order by s.seq, e.id");
    query.load(conn).await
}

/// Which part of the past is meant.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// Numbers above this, up to that.
    pub after: i64,
    pub upto: i64,
    /// Not what happened before this time.
    pub since: Option<DateTime<Utc>>,
}

/// Past events that an endpoint wants, in order, at most `limit`.
pub async fn list_past(
    conn: &mut AsyncPgConnection,
    endpoint: HookEndpointId,
    past: Past,
    (sellers, clients): (&[&'static str], &[&'static str]),
    limit: i64,
) -> QueryResult<Vec<WantedEvent>> {
    let mut query = wanted(sellers, clients);
    query.push(" where e.id = ").push_bind::<SqlUuid, _>(endpoint);
    query.push(" and s.seq > ").push_bind::<BigInt, _>(past.after);
    query.push(" and s.seq <= ").push_bind::<BigInt, _>(past.upto);
    if let Some(since) = past.since {
        query.push(" and v.created_at >= ").push_bind::<Timestamptz, _>(since);
    }
    query.push(" order by s.seq limit ").push_bind::<BigInt, _>(limit);
    query.load(conn).await
}

const INSERT: &str = "insert into hook_delivery (id, endpoint_id, seller_id, seq, event_type, order_id) \
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::uuid[]) \
    on conflict (endpoint_id, seq) do nothing";

/// Stores what is to be sent, once for an event and endpoint.
pub async fn insert_deliveries(conn: &mut AsyncPgConnection, new: &[NewDelivery]) -> QueryResult<usize> {
    if new.is_empty() {
        return Ok(0);
    }
    let uuids = |of: fn(&NewDelivery) -> Uuid| new.iter().map(of).collect::<Vec<Uuid>>();
    Statement::new(INSERT)
        .bind::<Array<SqlUuid>, _>(uuids(|n| n.id.0))
        .bind::<Array<SqlUuid>, _>(uuids(|n| n.wanted.endpoint_id.0))
        .bind::<Array<SqlUuid>, _>(uuids(|n| n.wanted.seller_id.0))
        .bind::<Array<BigInt>, _>(new.iter().map(|n| n.wanted.seq).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(new.iter().map(|n| n.wanted.event_type.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(
            new.iter().map(|n| n.wanted.order_id.map(|id| id.0)).collect::<Vec<_>>(),
        )
        .execute(conn)
        .await
}

/// Locks a delivery.
pub async fn lock_delivery(
    conn: &mut AsyncPgConnection,
    id: HookDeliveryId,
) -> QueryResult<Option<HookDelivery>> {
    let sql = concat!("select ", delivery_columns!(), " from hook_delivery where id = $1 for update");
    Statement::new(sql).bind::<SqlUuid, _>(id).get_result(conn).await.optional()
}

const REPLAY: &str = "update hook_delivery set state = 'queued', attempts_before = attempts, next_at = app_now(), \
    ended_at = null where endpoint_id = $1 and seq = any($2) and state <> 'sending'";

/// Has an endpoint's events sent again, at once and with a fresh number of attempts. Those that are being sent are left.
pub async fn advance_replayed(
    conn: &mut AsyncPgConnection,
    endpoint: HookEndpointId,
    seqs: &[i64],
) -> QueryResult<usize> {
    Statement::new(REPLAY).bind::<SqlUuid, _>(endpoint).bind::<Array<BigInt>, _>(seqs).execute(conn).await
}

const ADVANCE: &str = "update hook_delivery set state = $1, next_at = app_now() + make_interval(secs => $2), \
      ended_at = case when $3 in ('delivered', 'needs_attention') then app_now() end \
    where id = $4 and state = 'sending' and attempts = $5";

/// Ends what the given attempt began; `wait`: seconds until it is tried again. 0 rows: a later attempt has begun, and this
/// one's end counts for nothing.
pub async fn advance_delivery(
    conn: &mut AsyncPgConnection,
    id: HookDeliveryId,
    attempt: i32,
    to: HookState,
    wait: f64,
) -> QueryResult<usize> {
    Statement::new(ADVANCE)
        .bind::<Text, _>(to)
        .bind::<Double, _>(wait)
        .bind::<Text, _>(to)
        .bind::<SqlUuid, _>(id)
        .bind::<Integer, _>(attempt)
        .execute(conn)
        .await
}
