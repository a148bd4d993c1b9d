//! Monthly partitions, made before their month begins.

use diesel::QueryResult;
use diesel::sql_types::{Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::infra::db::statement::Statement;

/// Partitioned tables and the column that decides the month.
const TABLES: &[(&str, &str)] = &[("event", "created_at"), ("notice_body", "received_at")];

/// Makes the partitions of the next `months` months. Rows of a month without one are in the DEFAULT partition.
pub async fn make(conn: &mut AsyncPgConnection, months: i32) -> QueryResult<()> {
    for (table, column) in TABLES {
        Statement::new("select make_partitions($1, $2, $3)")
            .bind::<Text, _>(*table)
            .bind::<Text, _>(*column)
            .bind::<Integer, _>(months)
            .execute(conn)
            .await?;
    }
    Ok(())
}
