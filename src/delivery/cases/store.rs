//! SQL that changes cases.

use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{CaseId, RefundId, UnitId, UserId};
use crate::delivery::cases::model::CaseRow;
use crate::delivery::cases::read::case_columns;
use crate::delivery::cases::state::{CaseAction, CaseState};
use crate::infra::db::statement::Statement;
use crate::orders::model::Unit;

/// A case to be opened.
pub(in crate::delivery) struct NewCase<'a> {
    pub id: CaseId,
    pub unit: &'a Unit,
    pub problem: &'a str,
    pub wish: &'a str,
    pub text: Option<&'a str>,
}

const INSERT: &str = "insert into delivery_case (id, seller_id, order_id, line_id, unit_id, problem, wish, text) \
    values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (unit_id) where state = 'open' do nothing";

/// Opens a case. 0: an earlier one of the piece waits for its answer.
pub(in crate::delivery) async fn insert(
    conn: &mut AsyncPgConnection,
    new: &NewCase<'_>,
) -> QueryResult<usize> {
    Statement::new(INSERT)
        .bind::<SqlUuid, _>(new.id.0)
        .bind::<SqlUuid, _>(new.unit.seller_id.0)
        .bind::<SqlUuid, _>(new.unit.order_id.0)
        .bind::<SqlUuid, _>(new.unit.line_id.0)
        .bind::<SqlUuid, _>(new.unit.id.0)
        .bind::<Text, _>(new.problem)
        .bind::<Text, _>(new.wish)
        .bind::<Nullable<Text>, _>(new.text)
        .execute(conn)
        .await
}

/// Locks a case whose order is locked.
pub(super) async fn lock(conn: &mut AsyncPgConnection, id: CaseId) -> QueryResult<Option<CaseRow>> {
    Statement::new(concat!("select ", case_columns!(), " from delivery_case c where c.id = $1 for update"))
        .bind::<SqlUuid, _>(id.0)
        .get_result(conn)
        .await
        .optional()
}

/// An answer to be written.
pub(super) struct NewAnswer<'a> {
    pub action: CaseAction,
    pub text: &'a str,
    pub answered_by: Option<UserId>,
    pub by_staff: bool,
    pub successor: Option<UnitId>,
    pub refund: Option<RefundId>,
}

#[derive(QueryableByName)]
struct AnswerNo {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

const INSERT_ANSWER: &str = "insert into case_answer (case_id, action, text, answered_by, by_staff, successor_id, refund_id) \
     values ($1, $2, $3, $4, $5, $6, $7) returning id";

/// Writes an answer; its number.
pub(super) async fn insert_answer(
    conn: &mut AsyncPgConnection,
    case: CaseId,
    new: &NewAnswer<'_>,
) -> QueryResult<i64> {
    let row: AnswerNo = Statement::new(INSERT_ANSWER)
        .bind::<SqlUuid, _>(case.0)
        .bind::<Text, _>(new.action.as_str())
        .bind::<Text, _>(new.text)
        .bind::<Nullable<SqlUuid>, _>(new.answered_by.map(|user| user.0))
        .bind::<Bool, _>(new.by_staff)
        .bind::<Nullable<SqlUuid>, _>(new.successor.map(|unit| unit.0))
        .bind::<Nullable<SqlUuid>, _>(new.refund.map(|refund| refund.0))
        .get_result(conn)
        .await?;
    Ok(row.id)
}

const ADVANCE: &str = "update delivery_case c set state = w.after, outcome = w.outcome, answered_at = app_now(), \
    closed_at = case when w.after = 'closed' then app_now() end \
  from (select $1::uuid as id, $2::text as before, $3::text as after, $4::text as outcome) w \
  where c.id = w.id and c.state = w.before";

/// Moves a case by an answer, from the state it was locked in.
pub(super) async fn advance(
    conn: &mut AsyncPgConnection,
    id: CaseId,
    (before, after): (CaseState, CaseState),
    outcome: Option<&str>,
) -> QueryResult<usize> {
    Statement::new(ADVANCE)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Text, _>(before.as_str())
        .bind::<Text, _>(after.as_str())
        .bind::<Nullable<Text>, _>(outcome)
        .execute(conn)
        .await
}

const REPLACED: &str = "update delivery_case set state = 'closed', outcome = 'replaced', closed_at = app_now() \
    where unit_id = $1 and state in ('open', 'answered')";

/// Closes the cases of a piece that is replaced.
pub(super) async fn advance_of_replaced(conn: &mut AsyncPgConnection, unit: UnitId) -> QueryResult<usize> {
    Statement::new(REPLACED).bind::<SqlUuid, _>(unit.0).execute(conn).await
}

/// Open cases that were opened so many days ago and are no task yet.
pub(super) async fn list_unanswered(
    conn: &mut AsyncPgConnection,
    kind: &str,
    days: i32,
    limit: i64,
) -> QueryResult<Vec<CaseRow>> {
    Statement::new(concat!(
        "select ",
        case_columns!(),
        " from (select $1::text as kind, $2::int as days) w join delivery_case c on c.state = 'open' \
           and c.opened_at <= app_now() - make_interval(days => w.days) \
         where not exists (select 1 from task t where t.kind = w.kind and t.subject = c.unit_id::text \
           and (t.state <> 'resolved' or t.created_at >= c.opened_at)) \
         order by c.opened_at limit $3"
    ))
    .bind::<Text, _>(kind)
    .bind::<Integer, _>(days)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
}

/// Those of these cases that are still open, locked.
pub(super) async fn lock_open(conn: &mut AsyncPgConnection, ids: &[CaseId]) -> QueryResult<Vec<CaseRow>> {
    Statement::new(concat!(
        "select ",
        case_columns!(),
        " from delivery_case c where c.id = any($1::uuid[]) and c.state = 'open' order by c.id for update skip locked"
    ))
    .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
    .load(conn)
    .await
}
