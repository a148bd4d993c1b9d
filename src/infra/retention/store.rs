//! SQL of what leaves by age.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::infra::db::statement::Statement;

#[derive(QueryableByName)]
struct Gone {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct Dropped {
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
}

#[derive(QueryableByName)]
struct Oldest {
    #[diesel(sql_type = Nullable<Timestamptz>)]
    oldest: Option<DateTime<Utc>>,
}

// Once an hour is enough for whoever looks.
const NOTE: &str = "insert into retention_rule as r (name, days) select * from unnest($1::text[], $2::int[])
  on conflict (name) do update set days = excluded.days, swept_at = app_now()
    where r.days <> excluded.days or r.swept_at < app_now() - interval '1 hour'";

/// Writes down for how long what is kept, for `dispense check`.
pub(super) async fn note_rules(
    conn: &mut AsyncPgConnection,
    rules: &[(&'static str, i32)],
) -> QueryResult<usize> {
    Statement::new(NOTE)
        .bind::<Array<Text>, _>(rules.iter().map(|rule| rule.0).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(rules.iter().map(|rule| rule.1).collect::<Vec<_>>())
        .execute(conn)
        .await
}

/// Deletes a batch by a rule's statement.
pub(super) async fn delete(
    conn: &mut AsyncPgConnection,
    sql: &'static str,
    days: i32,
    most: i64,
) -> QueryResult<usize> {
    let gone: Gone =
        Statement::new(sql).bind::<Integer, _>(days).bind::<BigInt, _>(most).get_result(conn).await?;
    Ok(usize::try_from(gone.count).unwrap_or_default())
}

pub(super) async fn find_oldest(
    conn: &mut AsyncPgConnection,
    sql: &'static str,
) -> QueryResult<Option<DateTime<Utc>>> {
    let row: Vec<Oldest> = Statement::new(sql).load(conn).await?;
    Ok(row.into_iter().next().and_then(|row| row.oldest))
}

/// Drops the oldest partition that ended so many days ago; its name.
pub(super) async fn drop_old_partition(
    conn: &mut AsyncPgConnection,
    table: &'static str,
    days: i32,
) -> QueryResult<Option<String>> {
    let row: Dropped =
        Statement::new("select drop_old_partition($1, app_now() - make_interval(days => $2)) as name")
            .bind::<Text, _>(table)
            .bind::<Integer, _>(days)
            .get_result(conn)
            .await?;
    Ok(row.name)
}

/// Deletes a batch of rows from the DEFAULT partition.
pub(super) async fn delete_from_default(
    conn: &mut AsyncPgConnection,
    table: &'static str,
    days: i32,
    most: i64,
) -> QueryResult<usize> {
    let gone: Gone = Statement::new(
        "select delete_from_default($1, app_now() - make_interval(days => $2), $3::int)::bigint as count",
    )
    .bind::<Text, _>(table)
    .bind::<Integer, _>(days)
    .bind::<Integer, _>(i32::try_from(most).unwrap_or(i32::MAX))
    .get_result(conn)
    .await?;
    Ok(usize::try_from(gone.count).unwrap_or_default())
}
