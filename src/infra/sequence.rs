//! The sequence of events without holes. Identity numbers of event rows become visible out of order, so nobody may
//! read by them; one sequencer at a time gives committed events a gapless number and seals them into the audit chain.
//!
//! An event row keeps the number of the transaction that wrote it, and `event_head.numbered` the snapshot in which every
//! visible event has its sequence number. What is visible now and was not visible then is new: its transaction began after
//! that snapshot or was in progress in it. Two ranges of an index find it, however long the history is and however old the
//! oldest open transaction. Where nothing is new, nothing is written.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::base::ids::OrderId;
use crate::base::outcome::Fault;
use crate::infra::db::Db;
use crate::infra::db::statement::Statement;
use crate::infra::effects::events::Event;

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
    /// There is more than one batch takes: to be called again at once.
    More,
}

#[derive(QueryableByName)]
struct Head {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Binary)]
    hash: Vec<u8>,
    #[diesel(sql_type = Text)]
    numbered: String,
    #[diesel(sql_type = Nullable<Text>)]
    backlog: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    backlog_after: Option<i64>,
}

const HEAD: &str = "select seq, hash, numbered, backlog, backlog_after from event_head where id = 1";

/// A snapshot of PostgreSQL as text (`pg_snapshot`): transactions from `end` on had not begun, those of `open` had not
/// ended.
struct Snapshot {
    end: i64,
    open: Vec<i64>,
}

impl Snapshot {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (_, end, open) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        let open: Result<Vec<i64>, _> = open.split(',').filter(|id| !id.is_empty()).map(str::parse).collect();
        Some(Self { end, open: open.ok()? })
    }
}

fn snapshot(text: &str) -> Result<Snapshot, Fault> {
    Snapshot::parse(text).ok_or_else(|| Fault::bug(format!("no snapshot: {text}")))
}

/// An event as the chain sees it.
#[derive(QueryableByName)]
struct Unnumbered {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    canonical: String,
}

/// A row of what is new, or the moment alone.
#[derive(QueryableByName)]
struct Fresh {
    #[diesel(sql_type = Text)]
    now: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    id: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    canonical: Option<String>,
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

/// Numbers one batch in one transaction: the numbers, the seals, the head and the notification come together or not at
/// all. An error when the database is a restored dump whose rows are ahead of this cluster's transactions.
pub async fn step(db: &Db) -> Result<Step, Fault> {
    let mut tx = db.begin().await?;
    let free: Yes = Statement::new("select pg_try_advisory_xact_lock($1) as yes")
        .bind::<BigInt, _>(LOCK)
        .get_result(&mut *tx)
        .await?;
    if !free.yes {
        return Ok(Step::Busy);
    }
    let head: Head = Statement::new(HEAD).get_result(&mut *tx).await?;
    let (events, next) = match (&head.backlog, head.backlog_after) {
        (Some(backlog), Some(after)) => from_backlog(&mut tx, &head.numbered, backlog, after).await?,
        _ => fresh(&mut tx, &head.numbered).await?,
    };
    let count = events.len();
    if let Some(next) = &next {
        write(&mut tx, &head, &events, next).await?;
        crate::fault_point!("sequence.numbered");
    }
    tx.commit().await?;
    Ok(if next.is_some_and(|next| next.is_more) { Step::More } else { Step::Numbered(count) })
}

/// How far the sequence has come after a batch.
struct NextRow {
    numbered: String,
    backlog: Option<(String, i64)>,
    is_more: bool,
}

const FRESH: &str = "\
    with s as materialized (select pg_current_snapshot() as now)
    select s.now::text as now, f.id, f.canonical from s left join lateral (
      (select e.id, {canonical} as canonical from event e where e.xid >= $1 order by e.xid limit $2)
      union all
      (select e.id, {canonical} from event e where e.xid = any($3) order by e.xid limit $4)) f on true";

/// What is new, when one batch takes it; else the beginning of a backlog.
async fn fresh(
    conn: &mut AsyncPgConnection,
    numbered: &str,
) -> Result<(Vec<Unnumbered>, Option<NextRow>), Fault> {
    static SQL: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| FRESH.replace("{canonical}", CANONICAL));
    let before = snapshot(numbered)?;
    let rows: Vec<Fresh> = Statement::new(&SQL)
        .bind::<BigInt, _>(before.end)
        .bind::<BigInt, _>(BATCH)
        .bind::<Array<BigInt>, _>(&before.open)
        .bind::<BigInt, _>(BATCH)
        .load(conn)
        .await?;
    let Some(now) = rows.as_slice().first().map(|row| row.now.clone()) else {
        return Err(Fault::bug("no snapshot"));
    };
    if snapshot(&now)?.end < before.end {
        return Err(Fault::setup("the database is a restored dump: run `dispense restored`"));
    }
    let event = |row: Fresh| Some(Unnumbered { id: row.id?, canonical: row.canonical? });
    let mut events: Vec<Unnumbered> = rows.into_iter().filter_map(event).collect();
    if events.is_empty() {
        return Ok((events, None));
    }
    if events.len() as i64 >= BATCH {
        let first = "select coalesce(min(id), 0) as number from event where xid >= $1 or xid = any($2)";
        let first: Number = Statement::new(first)
            .bind::<BigInt, _>(before.end)
            .bind::<Array<BigInt>, _>(&before.open)
            .get_result(conn)
            .await?;
        let backlog = Some((now, first.number - 1));
        return Ok((Vec::new(), Some(NextRow { numbered: numbered.to_owned(), backlog, is_more: true })));
    }
    // What one transaction wrote after another had committed has the higher ids.
    events.sort_by_key(|event| event.id);
    Ok((events, Some(NextRow { numbered: now, backlog: None, is_more: false })))
}

const WAITING: &str = "\
    select e.id, {canonical} as canonical from event e
     where e.id > $1 and not pg_visible_in_snapshot(e.xid::text::xid8, $2::text::pg_snapshot)
       and pg_visible_in_snapshot(e.xid::text::xid8, $3::text::pg_snapshot)
     order by e.id limit $4";

/// The next batch of a backlog, by id.
async fn from_backlog(
    conn: &mut AsyncPgConnection,
    numbered: &str,
    backlog: &str,
    after: i64,
) -> Result<(Vec<Unnumbered>, Option<NextRow>), Fault> {
    static SQL: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| WAITING.replace("{canonical}", CANONICAL));
    let events: Vec<Unnumbered> = Statement::new(&SQL)
        .bind::<BigInt, _>(after)
        .bind::<Text, _>(numbered)
        .bind::<Text, _>(backlog)
        .bind::<BigInt, _>(BATCH)
        .load(conn)
        .await?;
    let last = events.last().map(|event| event.id).filter(|_| events.len() as i64 == BATCH);
    let next = match last {
        Some(last) => NextRow {
            numbered: numbered.to_owned(),
            backlog: Some((backlog.to_owned(), last)),
            is_more: true,
        },
        // What came meanwhile is looked for next.
        None => NextRow { numbered: backlog.to_owned(), backlog: None, is_more: true },
    };
    Ok((events, Some(next)))
}

async fn write(
    conn: &mut AsyncPgConnection,
    head: &Head,
    events: &[Unnumbered],
    next: &NextRow,
) -> QueryResult<()> {
    let (mut seq, mut hash) = (head.seq, head.hash.clone());
    let (mut numbers, mut previous, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for event in events {
        seq += 1;
        let next = seal(&hash, seq, &event.canonical);
        numbers.push(seq);
        previous.push(std::mem::replace(&mut hash, next.clone()));
        hashes.push(next);
    }
    if !events.is_empty() {
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
        Statement::new("select pg_notify($1, $2)")
            .bind::<Text, _>(CHANNEL)
            .bind::<Text, _>(seq.to_string())
            .execute(conn)
            .await?;
    }
    Statement::new(
        "update event_head set seq = $1, hash = $2, numbered = $3, backlog = $4, backlog_after = $5 where id = 1",
    )
    .bind::<BigInt, _>(seq)
    .bind::<Binary, _>(hash)
    .bind::<Text, _>(&next.numbered)
    .bind::<Nullable<Text>, _>(next.backlog.as_ref().map(|b| &b.0))
    .bind::<Nullable<BigInt>, _>(next.backlog.as_ref().map(|b| b.1))
    .execute(conn)
    .await?;
    Ok(())
}

/// To be called when a backup was restored: a dump's rows carry transaction numbers of another cluster. Whether they
/// did.
pub async fn restart(conn: &mut AsyncPgConnection) -> QueryResult<bool> {
    let row: Yes = Statement::new("select restart_sequence() as yes").get_result(conn).await?;
    Ok(row.yes)
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

impl Numbered {
    /// The event as its feature declared it; none for those of other features.
    pub fn read<E: Event>(&self) -> Option<E> {
        E::read(self.kind.as_deref()?, self.object_id?, self.body.as_ref()?)
    }
}

/// What a numbered event is about, without what it says.
#[derive(Clone, Debug, QueryableByName)]
pub struct Trace {
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    /// None when the event is older than events are kept.
    #[diesel(sql_type = Nullable<Text>)]
    pub kind: Option<String>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub object_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub order_id: Option<Uuid>,
}

/// What the events numbered above `after` are about, at most `limit`, in order.
pub async fn traces(conn: &mut AsyncPgConnection, after: i64, limit: i64) -> QueryResult<Vec<Trace>> {
    Statement::new(
        "select s.seq, e.kind, e.object_id, e.order_id \
         from (select seq, event_id from event_seq where seq > $1 order by seq limit $2) s \
         left join event e on e.id = s.event_id order by s.seq",
    )
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
}

/// The last thing that happened to an object.
#[derive(Clone, Debug, QueryableByName)]
pub struct LastEvent {
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    /// Something happened since that has no number yet.
    #[diesel(sql_type = Bool)]
    pub more: bool,
}

/// The last numbered event of an object that is no order; none when there is none, or it is older than events are kept.
pub async fn last_of(conn: &mut AsyncPgConnection, object: Uuid) -> QueryResult<Option<LastEvent>> {
    Statement::new(
        "select s.seq, e.kind, e.created_at as at, exists (select 1 from event n \
           where n.object_id = e.object_id and n.order_id is null and n.id > e.id) as more \
         from event e join event_seq s on s.event_id = e.id \
         where e.object_id = $1 and e.order_id is null order by e.id desc limit 1",
    )
    .bind::<SqlUuid, _>(object)
    .get_result(conn)
    .await
    .optional()
}

/// Whether something happened to an order since its event of this number that has no number yet.
pub async fn has_more(conn: &mut AsyncPgConnection, order: OrderId, seq: i64) -> QueryResult<bool> {
    let row: Yes = Statement::new(
        "select exists (select 1 from event e where e.order_id = $1 \
           and e.id > coalesce((select event_id from event_seq where seq = $2), 0)) as yes",
    )
    .bind::<SqlUuid, _>(order)
    .bind::<BigInt, _>(seq)
    .get_result(conn)
    .await?;
    Ok(row.yes)
}

/// The events numbered above `after` whose kind begins with one of `prefixes`, in order, at most `limit`. Of what is
/// further back than `window` numbers nothing is looked at.
pub async fn of_kinds(
    conn: &mut AsyncPgConnection,
    after: i64,
    window: i64,
    prefixes: &[&str],
    limit: i64,
) -> QueryResult<Vec<Numbered>> {
    Statement::new(
        "select s.seq, s.event_id as id, e.created_at as at, e.seller_id, e.kind, e.object_id, e.order_id, e.body \
         from event_seq s join event e on e.id = s.event_id \
         where s.seq > greatest($1, (select seq from event_head where id = 1) - $2) and e.kind ^@ any($3) \
         order by s.seq limit $4",
    )
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(window)
    .bind::<Array<Text>, _>(prefixes.to_vec())
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await
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
