//! The chain as it is stored in the database.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Binary, Nullable, Text, Timestamptz};
use diesel::{OptionalExtension, QueryResult, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::infra::sequence::CANONICAL;

/// A seal with the event it seals, in the form that was hashed; none when the event is gone.
#[derive(QueryableByName)]
pub struct Seal {
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    #[diesel(sql_type = BigInt)]
    pub event_id: i64,
    #[diesel(sql_type = Binary)]
    pub prev_hash: Vec<u8>,
    #[diesel(sql_type = Binary)]
    pub hash: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    pub sealed_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Text>)]
    pub canonical: Option<String>,
}

/// What a mark is compared with.
#[derive(QueryableByName)]
pub struct SealMark {
    #[diesel(sql_type = Binary)]
    pub hash: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    pub sealed_at: DateTime<Utc>,
}

pub async fn find_seal(conn: &mut AsyncPgConnection, seq: i64) -> QueryResult<Option<SealMark>> {
    sql_query("select hash, sealed_at from event_seq where seq = $1")
        .bind::<BigInt, _>(seq)
        .get_result(conn)
        .await
        .optional()
}

pub async fn list_seals(conn: &mut AsyncPgConnection, after: i64, limit: i64) -> QueryResult<Vec<Seal>> {
    sql_query(format!(
        "select s.seq, s.event_id, s.prev_hash, s.hash, s.sealed_at, \
           case when e.id is not null then {CANONICAL} end as canonical \
         from (select * from event_seq where seq > $1 order by seq limit $2) s \
         left join event e on e.id = s.event_id order by s.seq"
    ))
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
}

#[derive(QueryableByName)]
pub struct ChainHead {
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    #[diesel(sql_type = Binary)]
    pub hash: Vec<u8>,
}

pub async fn get_head(conn: &mut AsyncPgConnection) -> QueryResult<ChainHead> {
    sql_query("select seq, hash from event_head where id = 1").get_result(conn).await
}

#[derive(QueryableByName)]
pub struct Horizon {
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub gone_before: Option<DateTime<Utc>>,
}

/// Events from before this moment may have left; none while none has.
pub async fn find_horizon(conn: &mut AsyncPgConnection) -> QueryResult<Option<DateTime<Utc>>> {
    let row: Horizon = sql_query(
        "select nullif(gone_before, '-infinity') as gone_before from retention_horizon where name = 'event'",
    )
    .get_result(conn)
    .await?;
    Ok(row.gone_before)
}

#[derive(QueryableByName)]
pub struct EventId {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
}

/// An event that has no seal although the sequence has passed its transaction: it was put in later. With `from` among those
/// of that time and after it.
pub async fn find_unsealed(
    conn: &mut AsyncPgConnection,
    from: Option<DateTime<Utc>>,
) -> QueryResult<Option<i64>> {
    let row: Option<EventId> = sql_query(
        "select e.id from event e \
         where e.created_at >= coalesce($1, '-infinity'::timestamptz) \
         and pg_visible_in_snapshot(e.xid::text::xid8, (select numbered::pg_snapshot from event_head)) \
         and not exists (select 1 from event_seq s where s.event_id = e.id) order by e.id limit 1",
    )
    .bind::<Nullable<Timestamptz>, _>(from)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| row.id))
}
