//! The lives of this database. A restored backup is a second life of the same rows: what the world did after the backup
//! is unknown to it. Raising the epoch says so, and nothing is sold until it is opened.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Nullable, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::infra::db::statement::Statement;

/// The newest life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct Epoch {
    /// Counted from 1.
    #[diesel(sql_type = Integer)]
    pub id: i32,
    #[diesel(sql_type = Timestamptz)]
    pub raised_at: DateTime<Utc>,
    /// What happened from here on may be unknown here; none for the first.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub unknown_since: Option<DateTime<Utc>>,
    /// Nothing is sold yet.
    #[diesel(sql_type = Bool)]
    pub held: bool,
    /// Payments that were found by asking after the restore.
    #[diesel(sql_type = Integer)]
    pub found_payments: i32,
}

const CURRENT: &str = "select id, raised_at, unknown_since, state = 'held' as held, found_payments
  from epoch order by id desc limit 1";

pub async fn current(conn: &mut AsyncPgConnection) -> QueryResult<Epoch> {
    Statement::new(CURRENT).get_result(conn).await
}

const RAISE: &str = "insert into epoch (id, state, unknown_since) select max(id) + 1, 'held', $1 from epoch";

/// Begins a new life, held. One at a time: the caller's transaction keeps others waiting.
pub async fn raise(conn: &mut AsyncPgConnection, unknown_since: DateTime<Utc>) -> QueryResult<usize> {
    Statement::new("lock table epoch in share row exclusive mode").execute(conn).await?;
    Statement::new(RAISE).bind::<Timestamptz, _>(unknown_since).execute(conn).await
}

/// Counts payments that the gateways reported when they were asked after the restore.
pub async fn note_found(conn: &mut AsyncPgConnection, id: i32, payments: i32) -> QueryResult<usize> {
    Statement::new("update epoch set found_payments = found_payments + $1 where id = $2")
        .bind::<Integer, _>(payments)
        .bind::<Integer, _>(id)
        .execute(conn)
        .await
}

/// Sales go on. Says no when it was opened already.
pub async fn open(conn: &mut AsyncPgConnection, id: i32) -> QueryResult<bool> {
    let sql = "update epoch set state = 'open', opened_at = app_now() where id = $1 and state = 'held'";
    Ok(Statement::new(sql).bind::<Integer, _>(id).execute(conn).await? == 1)
}
