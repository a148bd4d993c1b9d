//! How many rows a list has, without reading a long one to its end.

use diesel::QueryResult;
use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::page::LARGEST_TOTAL;
use crate::infra::db::statement::Statement;

#[derive(QueryableByName)]
struct Total {
    #[diesel(sql_type = BigInt)]
    total: i64,
}

/// Counts the rows of a statement that has no order and no limit; none above [`LARGEST_TOTAL`].
pub async fn count(conn: &mut AsyncPgConnection, rows: Statement<'_>) -> QueryResult<Option<i64>> {
    let row: Total = rows.counted(LARGEST_TOTAL + 1).get_result(conn).await?;
    Ok((row.total <= LARGEST_TOTAL).then_some(row.total))
}
