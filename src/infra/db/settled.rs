//! How far a list that is sorted by its rows' transaction times can be read without missing any.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::QueryableByName;
use diesel::sql_types::Timestamptz;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::infra::db::statement::Statement;

#[derive(QueryableByName)]
struct SettledRow {
    #[diesel(sql_type = Timestamptz)]
    until: DateTime<Utc>,
}

/// Everything that a transaction changed before this moment is committed. To be asked before the statement that reads
/// the list, not in it: a transaction that ends between that statement's snapshot and the question would be missed.
/// What changes later bears a later time, so a client that goes on from here sees it.
pub async fn until(conn: &mut AsyncPgConnection) -> QueryResult<DateTime<Utc>> {
    let row: SettledRow = Statement::new("select settled_until() as until").get_result(conn).await?;
    Ok(row.until)
}
