//! Questions of staff about statements.

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::StatementRunId;
use crate::base::page::{Page, PageArgs};
use crate::infra::db::statement::Statement;
use crate::infra::db::total;
use crate::payments::statements::model::{Difference, Run};

/// Lines are counted by their index alone, and only the facts that do not match are looked at.
pub(super) const RUNS: &str =
    "select r.*, (select count(*) from statement_line l where l.run_id = r.id)
    - (select count(*) from statement_fact f join statement_line l on l.fact_id = f.id and l.run_id = r.id
      where f.account_id = r.account_id and f.outcome is distinct from 'matched') as matched from statement_run r";

/// What a list of runs is narrowed to; empty parts narrow nothing.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    pub accounts: Vec<String>,
    /// Those that found a difference that is still one.
    pub differing: bool,
}

/// The runs, the newest first. The cursor's only key is the run's id.
pub async fn list_runs(
    conn: &mut AsyncPgConnection,
    filter: &RunFilter,
    args: &PageArgs,
) -> QueryResult<Page<Run>> {
    let mut query = Statement::new(RUNS);
    query.push(" where true");
    narrow(&mut query, filter);
    let (compare, direction) = if args.backwards { (">", "asc") } else { ("<", "desc") };
    let from = args.from.as_deref().and_then(|keys| keys.iter().next()?.parse::<uuid::Uuid>().ok());
    if let Some(from) = from {
        query.push(&format!(" and r.id {compare} ")).push_bind::<SqlUuid, _>(from);
    }
    query.push(&format!(" order by r.id {direction} limit ")).push_bind::<BigInt, _>(args.size + 1);
    Ok(Page::cut(query.load(conn).await?, args))
}

/// How many such runs there are; none above 10,000.
pub async fn count_runs(conn: &mut AsyncPgConnection, filter: &RunFilter) -> QueryResult<Option<i64>> {
    let mut query = Statement::new("select 1 from statement_run r where true");
    narrow(&mut query, filter);
    total::count(conn, query).await
}

fn narrow(query: &mut Statement<'static>, filter: &RunFilter) {
    if !filter.accounts.is_empty() {
        query.push(" and r.account_id = any(").push_bind::<Array<Text>, _>(filter.accounts.clone()).push(")");
    }
    if filter.differing {
        query.push(
            " and exists (select 1 from statement_difference d where d.run_id = r.id and d.ended_at is null)",
        );
    }
}

const DIFFERENCES: &str = "select * from (
    select d.*, row_number() over (partition by d.run_id order by d.id) as place from statement_difference d
    where d.run_id = any($1::uuid[])) numbered where place <= $2 order by run_id, place";

/// The first `most` differences that each of these runs found.
pub async fn list_differences(
    conn: &mut AsyncPgConnection,
    runs: &[StatementRunId],
    most: i64,
) -> QueryResult<Vec<Difference>> {
    Statement::new(DIFFERENCES)
        .bind::<Array<SqlUuid>, _>(runs.iter().map(|run| run.0).collect::<Vec<_>>())
        .bind::<BigInt, _>(most)
        .load(conn)
        .await
}

/// How many differences a run found, by kind.
#[derive(Clone, Debug, diesel::QueryableByName)]
pub struct Count {
    #[diesel(sql_type = SqlUuid)]
    pub run_id: StatementRunId,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = BigInt)]
    pub count: i64,
}

const COUNTS: &str = "select run_id, kind, count(*) as count from statement_difference
  where run_id = any($1::uuid[]) group by run_id, kind";

/// How many differences each of these runs found.
pub async fn count_differences(
    conn: &mut AsyncPgConnection,
    runs: &[StatementRunId],
) -> QueryResult<Vec<Count>> {
    Statement::new(COUNTS)
        .bind::<Array<SqlUuid>, _>(runs.iter().map(|run| run.0).collect::<Vec<_>>())
        .load(conn)
        .await
}
