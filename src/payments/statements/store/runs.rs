//! Runs: one reading of a statement each.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{StatementRunId, UserId};
use crate::infra::db::statement::Statement;
use crate::payments::statements::model::Run;
use crate::payments::statements::state::RunState;

const INSERT_RUN: &str = "insert into statement_run (id, account_id, day, source, requested_by)
  values ($1, $2, $3, $4, $5)";

pub async fn insert_run(
    conn: &mut AsyncPgConnection,
    id: StatementRunId,
    account_id: &str,
    day: NaiveDate,
    source: &str,
    requested_by: Option<UserId>,
) -> QueryResult<usize> {
    Statement::new(INSERT_RUN)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Text, _>(account_id)
        .bind::<Date, _>(day)
        .bind::<Text, _>(source)
        .bind::<Nullable<SqlUuid>, _>(requested_by.map(|u| u.0))
        .execute(conn)
        .await
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = SqlUuid)]
    id: StatementRunId,
}

const INSERT_MISSING: &str = "insert into statement_run (id, account_id, day, source)
  select w.id, a.id, w.day, 'gateway' from gateway_account a,
    unnest($1::uuid[], $2::date[]) as w (id, day)
  where a.id = $3 and w.day >= (a.created_at at time zone 'UTC')::date
    and not exists (select 1 from statement_run r where r.account_id = a.id and r.day = w.day)
  order by w.day returning id";

/// Runs for those of the days that no run of this account was for yet. Days before the account was known are left out.
pub async fn insert_missing_runs(
    conn: &mut AsyncPgConnection,
    account_id: &str,
    days: &[(StatementRunId, NaiveDate)],
) -> QueryResult<Vec<StatementRunId>> {
    let rows: Vec<IdRow> = Statement::new(INSERT_MISSING)
        .bind::<Array<SqlUuid>, _>(days.iter().map(|d| d.0.0).collect::<Vec<_>>())
        .bind::<Array<Date>, _>(days.iter().map(|d| d.1).collect::<Vec<_>>())
        .bind::<Text, _>(account_id)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

pub async fn find_run(conn: &mut AsyncPgConnection, id: StatementRunId) -> QueryResult<Option<Run>> {
    let mut query = Statement::new(crate::payments::statements::read::RUNS);
    query.push(" where r.id = ").push_bind::<SqlUuid, _>(id.0);
    query.get_result(conn).await.optional()
}

const ADVANCE_RUN: &str =
    "update statement_run set state = w.after, lines = greatest(statement_run.lines, w.lines),
    new_lines = greatest(statement_run.new_lines, w.new_lines), failure = w.failure,
    ended_at = case when w.after in ('done', 'failed') then app_now() end
  from (select $1::uuid as id, $2::text as before, $3::text as after, $4::int as lines, $5::int as new_lines,
    $6::text as failure) w
  where statement_run.id = w.id and statement_run.state = w.before";

/// Moves a run from the state it was read in; counts never shrink.
pub async fn advance_run(
    conn: &mut AsyncPgConnection,
    run: &Run,
    after: RunState,
    lines: (usize, usize),
    failure: Option<&str>,
) -> QueryResult<usize> {
    Statement::new(ADVANCE_RUN)
        .bind::<SqlUuid, _>(run.id.0)
        .bind::<Text, _>(run.state.as_str())
        .bind::<Text, _>(after.as_str())
        .bind::<Integer, _>(lines.0 as i32)
        .bind::<Integer, _>(lines.1 as i32)
        .bind::<Nullable<Text>, _>(failure)
        .execute(conn)
        .await
}

/// Notes how far a run's comparison has come.
pub async fn note_compared(
    conn: &mut AsyncPgConnection,
    id: StatementRunId,
    fact: i64,
) -> QueryResult<usize> {
    Statement::new(
        "update statement_run set compared_to = w.fact from (select $1::uuid as id, $2::bigint as fact) w
        where statement_run.id = w.id",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<BigInt, _>(fact)
    .execute(conn)
    .await
}

#[derive(QueryableByName)]
struct DayRow {
    #[diesel(sql_type = Date)]
    day: NaiveDate,
}

/// Days of an account whose statement is here, among those from `first` to `last`.
pub async fn list_days(
    conn: &mut AsyncPgConnection,
    account_id: &str,
    first: NaiveDate,
    last: NaiveDate,
) -> QueryResult<Vec<NaiveDate>> {
    let rows: Vec<DayRow> = Statement::new(
        "select distinct day from statement_run where account_id = $1 and day between $2 and $3
           and state in ('read', 'done') order by day",
    )
    .bind::<Text, _>(account_id)
    .bind::<Date, _>(first)
    .bind::<Date, _>(last)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.day).collect())
}
