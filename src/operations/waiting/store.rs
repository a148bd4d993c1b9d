//! SQL of what waits.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Integer, Nullable, Timestamptz};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::infra::db::statement::Statement;
use crate::operations::waiting::KINDS;

/// How many of a kind wait.
#[derive(Clone, Debug, QueryableByName)]
pub struct WaitingRow {
    #[diesel(sql_type = Integer)]
    kind: i32,
    #[diesel(sql_type = BigInt)]
    pub count: i64,
    /// Since when the oldest does; none when there is none.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub oldest: Option<DateTime<Utc>>,
}

impl WaitingRow {
    /// What it counts.
    pub fn kind(&self) -> &'static super::WaitingKind {
        &KINDS[usize::try_from(self.kind).unwrap_or_default().min(KINDS.len() - 1)]
    }
}

/// One statement for all kinds.
static ALL: LazyLock<String> = LazyLock::new(|| {
    let one = |(at, kind): (usize, &super::WaitingKind)| {
        format!("select {at} as kind, q.count, q.oldest from ({}) q", kind.sql)
    };
    KINDS.iter().enumerate().map(one).collect::<Vec<_>>().join(" union all ")
});

/// How many of each kind wait, and since when the oldest does, in the order of [`KINDS`].
pub async fn list(conn: &mut AsyncPgConnection) -> QueryResult<Vec<WaitingRow>> {
    let mut rows: Vec<WaitingRow> = Statement::new(&ALL).load(conn).await?;
    rows.sort_by_key(|row| row.kind);
    Ok(rows)
}
