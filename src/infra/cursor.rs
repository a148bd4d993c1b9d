//! How far each consumer has come in the sequence of events. A consumer claims its cursor, does its work and moves the
//! cursor in one transaction, so that each event has its consequences once.

use diesel::sql_types::{BigInt, Text};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::infra::db::statement::Statement;

#[derive(QueryableByName)]
struct Position {
    #[diesel(sql_type = BigInt)]
    seq: i64,
}

/// The last event that this consumer has dealt with, locked; none when there is nothing new, or another process is at it.
/// A migration adds the row of a new consumer.
pub async fn claim(conn: &mut AsyncPgConnection, consumer: &str) -> QueryResult<Option<i64>> {
    let rows: Vec<Position> = Statement::new(
        "select seq from event_cursor where consumer = $1 and seq < (select seq from event_head where id = 1) \
         for update skip locked",
    )
    .bind::<Text, _>(consumer)
    .load(conn)
    .await?;
    Ok(rows.into_iter().next().map(|row| row.seq))
}

/// The same, whether anything is new or not; whoever is at it is waited for.
pub async fn lock(conn: &mut AsyncPgConnection, consumer: &str) -> QueryResult<i64> {
    let row: Position = Statement::new("select seq from event_cursor where consumer = $1 for update")
        .bind::<Text, _>(consumer)
        .get_result(conn)
        .await?;
    Ok(row.seq)
}

/// Moves a claimed cursor.
pub async fn advance(conn: &mut AsyncPgConnection, consumer: &str, seq: i64) -> QueryResult<usize> {
    Statement::new("update event_cursor set seq = $1, moved_at = app_now() where consumer = $2")
        .bind::<BigInt, _>(seq)
        .bind::<Text, _>(consumer)
        .execute(conn)
        .await
}
