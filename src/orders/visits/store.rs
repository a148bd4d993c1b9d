//! SQL of visits.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::{DownloadSessionId, OrderId};
use crate::infra::db::statement::Statement;
use crate::orders::visits::VisitAct;

const INSERT: &str = "insert into order_visit (id, order_id, act, object_id, sealed)
  select w.id, w.order_id, w.act, w.object_id, w.sealed
  from (select $1::uuid as id, $2::uuid as order_id, $3::text as act, $4::uuid as object_id, $5::bytea as sealed) w
  where (select count(*) from order_visit v where v.order_id = w.order_id and v.act = w.act) < $6";

/// Stores a visit, unless there are `most` of the kind.
pub(super) async fn insert(
    conn: &mut AsyncPgConnection,
    (id, order): (Uuid, OrderId),
    (act, session): (VisitAct, Option<DownloadSessionId>),
    sealed: Vec<u8>,
    most: i64,
) -> QueryResult<usize> {
    Statement::new(INSERT)
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(order.0)
        .bind::<Text, _>(act.as_str())
        .bind::<Nullable<SqlUuid>, _>(session.map(|session| session.0))
        .bind::<Bytea, _>(sealed)
        .bind::<BigInt, _>(most)
        .execute(conn)
        .await
}

#[derive(QueryableByName)]
pub(super) struct VisitRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub act: VisitAct,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    #[diesel(sql_type = Bytea)]
    pub sealed: Vec<u8>,
}

pub(super) async fn list(conn: &mut AsyncPgConnection, order: OrderId) -> QueryResult<Vec<VisitRow>> {
    Statement::new("select id, act, at, sealed from order_visit where order_id = $1 order by at, id")
        .bind::<SqlUuid, _>(order.0)
        .load(conn)
        .await
}
