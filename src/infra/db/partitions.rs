//! Monthly partitions, made before their month begins.

use diesel::sql_types::{Integer, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use crate::base::outcome::Fault;
use crate::infra::db::Db;
use crate::infra::db::errors::is_lock_timeout;
use crate::infra::db::statement::Statement;

/// Partitioned tables and the column that decides the month.
const TABLES: &[(&str, &str)] = &[("event", "created_at"), ("notice_body", "received_at")];

/// Makes the partitions of the next `months` months. Rows of a month without one are in the DEFAULT partition. Whoever holds
/// the table is waited for a second: those who wait behind this are sales, and there are two months to try it again.
pub async fn make(db: &Db, months: i32) -> Result<(), Fault> {
    for (table, column) in TABLES {
        let mut tx = db.begin().await?;
        tx.batch_execute("set local lock_timeout = '1s'").await?;
        let made = Statement::new("select make_partitions($1, $2, $3)")
            .bind::<Text, _>(*table)
            .bind::<Text, _>(*column)
            .bind::<Integer, _>(months)
            .execute(&mut *tx)
            .await;
        match made {
            Ok(_) => tx.commit().await?,
            Err(error) if is_lock_timeout(&error) => {
                tracing::info!(table, "a table is in use, its next partition is made later");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
