//! Runs and their lines.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Date, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{PaymentId, RefundId, StatementRunId, UserId};
use crate::infra::db::statement::Statement;
use crate::payments::gateway::{Stated, StatementLine};
use crate::payments::statements::model::{Line, Run};
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
    line: i64,
) -> QueryResult<usize> {
    Statement::new(
        "update statement_run set compared_to = w.line from (select $1::uuid as id, $2::bigint as line) w
        where statement_run.id = w.id",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<BigInt, _>(line)
    .execute(conn)
    .await
}

const INSERT_LINES: &str =
    "insert into statement_line (run_id, account_id, day, digest, stated, number, trade_no, refund_id,
    gateway_refund_id, amount_minor, fee_minor, currency, at)
  select $1, $2, $3, w.* from unnest($4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::bigint[], $11::bigint[], $12::text[], $13::timestamptz[]) as w
  on conflict (account_id, day, digest) do nothing";

/// Stores the lines that were not stored before and answers how many these are.
pub async fn insert_lines(
    conn: &mut AsyncPgConnection,
    run: &Run,
    lines: &[(Vec<u8>, &StatementLine)],
) -> QueryResult<usize> {
    let all = || lines.iter().map(|line| line.1);
    let stated = |line: &StatementLine| match line.stated {
        Stated::Payment => "payment",
        Stated::Refund => "refund",
    };
    Statement::new(INSERT_LINES)
        .bind::<SqlUuid, _>(run.id.0)
        .bind::<Text, _>(run.account_id.as_str())
        .bind::<Date, _>(run.day)
        .bind::<Array<Bytea>, _>(lines.iter().map(|line| line.0.as_slice()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(stated).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(all().map(|l| l.number.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(|l| l.trade_no.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(all().map(|l| l.refund_id.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(all().map(|l| l.gateway_refund_id.as_deref()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(all().map(|l| l.amount_minor).collect::<Vec<_>>())
        .bind::<Array<Nullable<BigInt>>, _>(all().map(|l| l.fee_minor).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(|l| l.currency.as_str()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(all().map(|l| l.at).collect::<Vec<_>>())
        .execute(conn)
        .await
}

const OPEN_LINES: &str =
    "select id, stated, number, trade_no, refund_id, gateway_refund_id, amount_minor, fee_minor,
    currency, at, outcome, fee_booked from statement_line
  where account_id = $1 and day = $2 and outcome is distinct from 'matched' and id > $3 order by id limit $4";

/// The lines of a day that do not agree yet, from `after` on.
pub async fn list_open_lines(
    conn: &mut AsyncPgConnection,
    run: &Run,
    after: i64,
    limit: i64,
) -> QueryResult<Vec<Line>> {
    Statement::new(OPEN_LINES)
        .bind::<Text, _>(run.account_id.as_str())
        .bind::<Date, _>(run.day)
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}

/// Locks a line, so that two runs of one day do not book its fee twice.
pub async fn lock_line(conn: &mut AsyncPgConnection, id: i64) -> QueryResult<Line> {
    Statement::new(
        "select id, stated, number, trade_no, refund_id, gateway_refund_id, amount_minor, fee_minor, currency, at,
            outcome, fee_booked from statement_line where id = $1 for update",
    )
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
}

const SETTLE_LINE: &str = "update statement_line l set outcome = w.outcome, payment_id = w.payment_id,
    our_refund = w.our_refund, fee_booked = l.fee_booked or w.booked
  from (select $1::bigint as id, $2::text as outcome, $3::uuid as payment_id, $4::uuid as our_refund,
    $5::bool as booked) w where l.id = w.id";

/// What came of comparing a line.
pub async fn settle_line(
    conn: &mut AsyncPgConnection,
    id: i64,
    matched: bool,
    payment_id: Option<PaymentId>,
    our_refund: Option<RefundId>,
    booked: bool,
) -> QueryResult<usize> {
    Statement::new(SETTLE_LINE)
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(if matched { "matched" } else { "differs" })
        .bind::<Nullable<SqlUuid>, _>(payment_id.map(|p| p.0))
        .bind::<Nullable<SqlUuid>, _>(our_refund.map(|r| r.0))
        .bind::<diesel::sql_types::Bool, _>(booked)
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
