//! The sequence of events without holes. Identity numbers of event rows become visible out of order, so nobody may
//! read by them; one sequencer at a time gives committed events a gapless number and seals them into the audit chain.
//!
//! Events without a number are found by an anti-join above a *floor*. The floor may only pass an id once no
//! transaction can still commit a lower one. A transaction takes its ids after it began, so: remember the highest id
//! seen; some seconds later remember which transactions exist; when all of those have ended, no id up to the
//! remembered one can still appear.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::base::outcome::Fault;
use crate::infra::db::Db;
use crate::infra::db::statement::Statement;

/// Notified once per numbered batch; the payload is the last number.
pub const CHANNEL: &str = "dispense_events";

/// Whoever numbers events holds this advisory lock.
const LOCK: i64 = 0x4449_5350_5345_5131;

/// Events numbered in one transaction at most.
const BATCH: i64 = 512;

/// What one step of the sequencer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another sequencer is at work.
    Busy,
    /// Numbered this many and found no more.
    Numbered(usize),
    /// Numbered a whole batch; there may be more.
    Full,
}

/// Numbers events. Any number may live; one works at a time.
#[derive(Debug)]
pub struct Sequencer {
    patience: Duration,
    candidate: Option<Candidate>,
}

/// An id that the floor may move to.
#[derive(Debug)]
struct Candidate {
    id: i64,
    seen: Instant,
    /// The first transaction number not yet given out when the id had been known for `patience`.
    horizon: Option<i64>,
}

impl Default for Sequencer {
    fn default() -> Self {
        Self::with_patience(Duration::from_secs(2))
    }
}

#[derive(QueryableByName)]
struct Head {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Binary)]
    hash: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    floor: i64,
}

/// An event as the chain sees it.
#[derive(QueryableByName)]
struct Unnumbered {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    canonical: String,
}

#[derive(QueryableByName)]
struct Yes {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// The text of an event that is hashed: a JSON array of its columns, which PostgreSQL prints in one way only.
pub const CANONICAL: &str = "jsonb_build_array(e.id, (extract(epoch from e.created_at) * 1000000)::bigint, \
    e.seller_id, e.kind, e.object_id, e.order_id, e.actor, e.body)::text";

/// `hash = SHA-256(previous hash | number | canonical text)`.
pub fn seal(previous: &[u8], seq: i64, canonical: &str) -> Vec<u8> {
    let mut digest = Sha256::new();
    digest.update(previous);
    digest.update(seq.to_be_bytes());
    digest.update(canonical.as_bytes());
    digest.finalize().to_vec()
}

impl Sequencer {
    /// `patience`: how long an id must have been seen before it is used for the floor. It covers the moment between
    /// taking an id and being known as a writing transaction.
    pub fn with_patience(patience: Duration) -> Self {
        Self { patience, candidate: None }
    }

    /// Numbers one batch in one transaction: the numbers, the seals, the head and the notification come together or
    /// not at all.
    pub async fn step(&mut self, db: &Db) -> Result<Step, Fault> {
        let mut tx = db.begin().await?;
        let free: Yes = Statement::new("select pg_try_advisory_xact_lock($1) as yes")
            .bind::<BigInt, _>(LOCK)
            .get_result(&mut *tx)
            .await?;
        if !free.yes {
            return Ok(Step::Busy);
        }
        let head: Head = Statement::new("select seq, hash, floor from event_head where id = 1 for update")
            .get_result(&mut *tx)
            .await?;
        let events = unnumbered(&mut tx, head.floor).await?;
        if !events.is_empty() {
            number(&mut tx, head.seq, head.hash, &events).await?;
            crate::fault_point!("sequence.numbered");
        }
        let highest = events.last().map(|event| event.id);
        self.raise_floor(&mut tx, head.floor, highest).await?;
        tx.commit().await?;
        Ok(if events.len() as i64 == BATCH { Step::Full } else { Step::Numbered(events.len()) })
    }

    async fn raise_floor(
        &mut self,
        conn: &mut AsyncPgConnection,
        floor: i64,
        highest: Option<i64>,
    ) -> QueryResult<()> {
        let Some(candidate) = &mut self.candidate else {
            self.candidate =
                highest.map(|id| Candidate { id: id.max(floor), seen: Instant::now(), horizon: None });
            return Ok(());
        };
        let Some(horizon) = candidate.horizon else {
            if candidate.seen.elapsed() >= self.patience {
                let xmax = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as number";
                let row: Number = Statement::new(xmax).get_result(conn).await?;
                candidate.horizon = Some(row.number);
            }
            return Ok(());
        };
        let ended: Yes =
            Statement::new("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= $1 as yes")
                .bind::<BigInt, _>(horizon)
                .get_result(conn)
                .await?;
        if ended.yes {
            // A snapshot younger than the look above sees all that those transactions wrote. What is not numbered
            // yet keeps the floor where it is.
            let moved = Statement::new(
                "update event_head set floor = $1 where id = 1 and floor < $2 and not exists ( \
                   select 1 from event e where e.id > event_head.floor and e.id <= $3 \
                     and not exists (select 1 from event_seq s where s.event_id = e.id))",
            )
            .bind::<BigInt, _>(candidate.id)
            .bind::<BigInt, _>(candidate.id)
            .bind::<BigInt, _>(candidate.id)
            .execute(conn)
            .await?;
            if moved == 1 || candidate.id <= floor {
                self.candidate = None;
            }
        }
        Ok(())
    }
}

async fn unnumbered(conn: &mut AsyncPgConnection, floor: i64) -> QueryResult<Vec<Unnumbered>> {
    sql_query(format!(
        "select e.id, {CANONICAL} as canonical from event e \
         where e.id > $1 and not exists (select 1 from event_seq s where s.event_id = e.id) order by e.id limit $2"
    ))
    .bind::<BigInt, _>(floor)
    .bind::<BigInt, _>(BATCH)
    .load(conn)
    .await
}

async fn number(
    conn: &mut AsyncPgConnection,
    seq: i64,
    hash: Vec<u8>,
    events: &[Unnumbered],
) -> QueryResult<()> {
    let (mut seq, mut hash) = (seq, hash);
    let (mut numbers, mut previous, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for event in events {
        seq += 1;
        let next = seal(&hash, seq, &event.canonical);
        numbers.push(seq);
        previous.push(std::mem::replace(&mut hash, next.clone()));
        hashes.push(next);
    }
    Statement::new(
        "insert into event_seq (seq, event_id, prev_hash, hash) \
         select * from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])",
    )
    .bind::<Array<BigInt>, _>(numbers)
    .bind::<Array<BigInt>, _>(events.iter().map(|e| e.id).collect::<Vec<_>>())
    .bind::<Array<Binary>, _>(previous)
    .bind::<Array<Binary>, _>(hashes)
    .execute(conn)
    .await?;
    Statement::new("update event_head set seq = $1, hash = $2 where id = 1")
        .bind::<BigInt, _>(seq)
        .bind::<Binary, _>(hash)
        .execute(conn)
        .await?;
    Statement::new("select pg_notify($1, $2)")
        .bind::<Text, _>(CHANNEL)
        .bind::<Text, _>(seq.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

/// Hears of numbered batches on this connection, which must be a dedicated one.
pub async fn listen(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    conn.batch_execute(&format!("listen {CHANNEL}")).await
}

/// The last number given.
pub async fn head(conn: &mut AsyncPgConnection) -> QueryResult<i64> {
    let row: Number =
        Statement::new("select seq as number from event_head where id = 1").get_result(conn).await?;
    Ok(row.number)
}

/// A numbered event. The fact itself is gone (`kind` is null) when it is older than events are kept.
#[derive(Clone, Debug, QueryableByName)]
pub struct Numbered {
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub seller_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    pub kind: Option<String>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub object_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub order_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub body: Option<Value>,
}

/// The events numbered above `after`, at most `limit`, in order.
pub async fn after(conn: &mut AsyncPgConnection, after: i64, limit: i64) -> QueryResult<Vec<Numbered>> {
    Statement::new(
        "select s.seq, s.event_id as id, e.created_at as at, e.seller_id, e.kind, e.object_id, e.order_id, e.body \
         from (select seq, event_id from event_seq where seq > $1 order by seq limit $2) s \
         left join event e on e.id = s.event_id order by s.seq",
    )
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
}

/// The last event whose consequences were queued, locked; none while another worker is at it.
pub async fn claim_reacted(conn: &mut AsyncPgConnection) -> QueryResult<Option<i64>> {
    let rows: Vec<Number> = Statement::new(
        "select reacted as number from event_head where id = 1 and reacted < seq for update skip locked",
    )
    .load(conn)
    .await?;
    Ok(rows.into_iter().next().map(|row| row.number))
}

/// Records that the consequences of all events up to `seq` are queued.
pub async fn advance_reacted(conn: &mut AsyncPgConnection, seq: i64) -> QueryResult<usize> {
    Statement::new("update event_head set reacted = $1 where id = 1")
        .bind::<BigInt, _>(seq)
        .execute(conn)
        .await
}
