//! The story of one order, from all that happened to it.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::base::ids::OrderId;
use crate::infra::db::statement::Statement;

/// One entry of an order's story.
#[derive(Clone, Debug, QueryableByName)]
pub struct TimelineRow {
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    /// `event`, `notice`, `mail`, or `staff`: what staff did and why.
    #[diesel(sql_type = Text)]
    pub source: String,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Text)]
    pub actor: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub detail: Option<String>,
    /// An event's body, as it is stored.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub body: Option<Value>,
}

const TIMELINE: &str = "select * from (
    select e.created_at as at, 'event' as source, e.kind, e.actor, null as detail, nullif(e.body, '{}') as body, e.id as n
      from event e where e.order_id = $1
    union all
    select n.received_at, 'notice', n.verdict, n.account_id, n.reason, null, n.id from notice n where n.order_id = $2
    union all
    select m.created_at, 'mail', m.kind, 'system', m.state, null, 0 from message m where m.order_id = $3
    union all
    select a.done_at, 'staff', a.kind, 'staff', a.reason, null, a.id from staff_act a where a.order_id = $4
  ) story order by at, n limit 500";

/// Everything that happened to an order, the oldest first, at most 500 entries.
pub async fn timeline(conn: &mut AsyncPgConnection, order: OrderId) -> QueryResult<Vec<TimelineRow>> {
    Statement::new(TIMELINE)
        .bind::<SqlUuid, _>(order.0)
        .bind::<SqlUuid, _>(order.0)
        .bind::<SqlUuid, _>(order.0)
        .bind::<SqlUuid, _>(order.0)
        .load(conn)
        .await
}
