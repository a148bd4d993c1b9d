//! SQL of replacements.

use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{LineId, UnitId, UserId};
use crate::infra::db::statement::Statement;
use crate::orders::model::Unit;

const INSERT: &str = "insert into replacement (unit_id, successor_id, seller_id, line_id, unit_no, cause, overridden, made_by) \
     values ($1, $2, $3, $4, $5, $6, $7, $8)";

pub(super) async fn insert(
    conn: &mut AsyncPgConnection,
    unit: &Unit,
    successor: UnitId,
    (cause, overridden): (&str, bool),
    made_by: Option<UserId>,
) -> QueryResult<usize> {
    Statement::new(INSERT)
        .bind::<SqlUuid, _>(unit.id.0)
        .bind::<SqlUuid, _>(successor.0)
        .bind::<SqlUuid, _>(unit.seller_id.0)
        .bind::<SqlUuid, _>(unit.line_id.0)
        .bind::<Integer, _>(unit.unit_no)
        .bind::<Text, _>(cause)
        .bind::<Bool, _>(overridden)
        .bind::<Nullable<SqlUuid>, _>(made_by.map(|user| user.0))
        .execute(conn)
        .await
}

#[derive(QueryableByName)]
struct TimesReplaced {
    #[diesel(sql_type = BigInt)]
    times: i64,
}

/// How often a piece was replaced under warranty without staff letting it pass.
pub(super) async fn count(conn: &mut AsyncPgConnection, line: LineId, unit_no: i32) -> QueryResult<i64> {
    let made: TimesReplaced = Statement::new(
        "select count(*) as times from replacement \
         where line_id = $1 and unit_no = $2 and cause = 'warranty' and not overridden",
    )
    .bind::<SqlUuid, _>(line.0)
    .bind::<Integer, _>(unit_no)
    .get_result(conn)
    .await?;
    Ok(made.times)
}
