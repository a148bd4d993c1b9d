//! Questions about cases.

use diesel::sql_types::{Array, BigInt, Text, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{CaseId, LineId, SellerId};
use crate::base::page::{Page, PageArgs};
use crate::delivery::cases::model::{AnswerRow, CaseRow};
use crate::delivery::cases::state::CaseState;
use crate::infra::db::statement::Statement;
use crate::infra::db::total;

/// The columns of a [`CaseRow`], of `delivery_case c`.
macro_rules! case_columns {
    () => {
        "c.id, c.seller_id, c.order_id, c.line_id, c.unit_id, c.problem, c.wish, c.text, c.state, c.outcome, \
         c.opened_at, c.answered_at, c.closed_at"
    };
}
pub(super) use case_columns;

/// What a list of cases is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct CaseFilter {
    /// In any of these states; none: in all.
    pub states: Vec<CaseState>,
    /// With one of these wishes; none: with any.
    pub wishes: Vec<&'static str>,
}

pub async fn find(conn: &mut AsyncPgConnection, id: CaseId) -> QueryResult<Option<CaseRow>> {
    Statement::new(concat!("select ", case_columns!(), " from delivery_case c where c.id = $1"))
        .bind::<SqlUuid, _>(id.0)
        .get_result(conn)
        .await
        .optional()
}

/// The cases of these lines, the newest first: at most a hundred of each.
pub async fn list_of_lines(conn: &mut AsyncPgConnection, lines: &[LineId]) -> QueryResult<Vec<CaseRow>> {
    Statement::new(concat!(
        "select ",
        case_columns!(),
        " from (select distinct unnest($1::uuid[]) as id) w cross join lateral (select * from delivery_case l \
            where l.line_id = w.id order by l.id desc limit 100) c order by c.line_id, c.id desc"
    ))
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|line| line.0).collect::<Vec<_>>())
    .load(conn)
    .await
}

/// The answers to these cases, the oldest first.
pub async fn list_answers(conn: &mut AsyncPgConnection, cases: &[CaseId]) -> QueryResult<Vec<AnswerRow>> {
    Statement::new(
        "select a.id, a.case_id, a.action, a.text, a.by_staff, a.successor_id, a.refund_id, a.answered_at \
         from case_answer a where a.case_id = any($1::uuid[]) order by a.case_id, a.id",
    )
    .bind::<Array<SqlUuid>, _>(cases.iter().map(|case| case.0).collect::<Vec<_>>())
    .load(conn)
    .await
}

/// One answer.
pub async fn find_answer(conn: &mut AsyncPgConnection, id: i64) -> QueryResult<Option<AnswerRow>> {
    Statement::new(
        "select a.id, a.case_id, a.action, a.text, a.by_staff, a.successor_id, a.refund_id, a.answered_at \
         from case_answer a where a.id = $1",
    )
    .bind::<BigInt, _>(id)
    .get_result(conn)
    .await
    .optional()
}

/// Cases of what these sellers sold, the newest first.
pub async fn list_of_sellers(
    conn: &mut AsyncPgConnection,
    sellers: &[SellerId],
    filter: &CaseFilter,
    args: &PageArgs,
) -> QueryResult<Page<CaseRow>> {
    let mut query = Statement::new(concat!("select ", case_columns!(), " from delivery_case c where "));
    narrow(&mut query, sellers, filter);
    let (compare, direction) = if args.backwards { (">", "asc") } else { ("<", "desc") };
    let from = args.from.as_deref().and_then(|keys| CaseId::parse(keys.first()?).ok());
    if let Some(from) = from {
        query.push(&format!(" and c.id {compare} ")).push_bind::<SqlUuid, _>(from.0);
    }
    query.push(&format!(" order by c.id {direction} limit ")).push_bind::<BigInt, _>(args.size + 1);
    Ok(Page::cut(query.load(conn).await?, args))
}

/// How many there are of them; none above 10,000.
pub async fn count_of_sellers(
    conn: &mut AsyncPgConnection,
    sellers: &[SellerId],
    filter: &CaseFilter,
) -> QueryResult<Option<i64>> {
    let mut query = Statement::new("select 1 from delivery_case c where ");
    narrow(&mut query, sellers, filter);
    total::count(conn, query).await
}

fn narrow(query: &mut Statement<'static>, sellers: &[SellerId], filter: &CaseFilter) {
    query.push("c.seller_id = any(");
    query.push_bind::<Array<SqlUuid>, _>(sellers.iter().map(|s| s.0).collect::<Vec<_>>()).push(")");
    if !filter.states.is_empty() {
        let states: Vec<&'static str> = filter.states.iter().map(|state| state.as_str()).collect();
        query.push(" and c.state = any(").push_bind::<Array<Text>, _>(states).push(")");
    }
    if !filter.wishes.is_empty() {
        query.push(" and c.wish = any(").push_bind::<Array<Text>, _>(filter.wishes.clone()).push(")");
    }
}
