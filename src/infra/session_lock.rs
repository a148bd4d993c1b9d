//! Advisory locks that outlive transactions, on a connection of their own. When the connection or the process dies,
//! PostgreSQL gives them up.

use diesel::sql_types::{Bool, Text};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::outcome::Fault;
use crate::infra::db::Db;
use crate::infra::db::statement::Statement;

/// Locks by name, held by one session.
#[derive(Default)]
pub struct SessionLocks {
    conn: Option<AsyncPgConnection>,
}

#[derive(QueryableByName)]
struct Yes {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

impl SessionLocks {
    /// Takes the lock if nobody holds it. False: somebody does.
    pub async fn try_lock(&mut self, db: &Db, name: &str) -> Result<bool, Fault> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => db.dedicated().await?,
        };
        // A connection that failed is not kept: the next call makes another.
        let taken =
            ask(&mut conn, "select pg_try_advisory_lock(hashtextextended($1, 20261121)) as yes", name)
                .await?;
        self.conn = Some(conn);
        Ok(taken)
    }

    /// Gives the lock up.
    pub async fn unlock(&mut self, name: &str) {
        let Some(mut conn) = self.conn.take() else { return };
        let freed =
            ask(&mut conn, "select pg_advisory_unlock(hashtextextended($1, 20261121)) as yes", name).await;
        if freed.is_ok() {
            self.conn = Some(conn);
        }
    }
}

async fn ask(conn: &mut AsyncPgConnection, sql: &'static str, name: &str) -> QueryResult<bool> {
    let row: Yes = Statement::new(sql).bind::<Text, _>(name).get_result(conn).await?;
    Ok(row.yes)
}
