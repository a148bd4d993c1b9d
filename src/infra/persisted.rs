//! Documents that clients ask for by the SHA-256 of their exact text (automatic persisted queries). Anybody may bring
//! one, so the room is bounded three times: by rows and bytes in all, by a quarter of both for what only one network has
//! used, and by a fiftieth of both for what one network has brought. What was used longest ago goes first, within its own
//! share: a stranger pushes out strangers' documents, never those that others use.

use std::net::IpAddr;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Bytea, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::config::RingKey;
use crate::infra::db::statement::Statement;
use crate::infra::sign;

/// Bytes of the largest document that is kept; the largest screen has a tenth of it.
pub const LARGEST: usize = 32 * 1024;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    pub rows: i64,
    /// Of all documents' text together.
    pub bytes: i64,
}

impl Quota {
    fn part(self, of: i64, parts: i64) -> Self {
        Self { rows: (self.rows * of / parts).max(1), bytes: (self.bytes * of / parts).max(1) }
    }
}

/// Who brought or used a document: the network of an address, wide enough that one household does not count as several,
/// keyed, so that the row does not say where somebody was.
pub fn source(key: &RingKey, address: IpAddr) -> Vec<u8> {
    let network = match address.to_canonical() {
        IpAddr::V4(v4) => v4.octets()[..2].to_vec(),
        IpAddr::V6(v6) => v6.octets()[..4].to_vec(),
    };
    sign::mac(key, "persisted-query", &[&network])[..16].to_vec()
}

#[derive(QueryableByName)]
struct FoundDocument {
    #[diesel(sql_type = Text)]
    query: String,
    #[diesel(sql_type = Bool)]
    shares: bool,
    #[diesel(sql_type = Bool)]
    stale: bool,
}

const FIND: &str = "select p.query,
    not p.shared and (p.source <> w.source or p.created_at < app_now() - interval '1 hour') as shares,
    p.last_used_at < app_now() - interval '10 minutes' as stale
  from (select $1::bytea as hash, $2::bytea as source) w join persisted_query p on p.hash = w.hash";

const USED: &str = "update persisted_query set last_used_at = app_now(), shared = shared or w.shares
  from (select $1::bytea as hash, $2::bool as shares) w where persisted_query.hash = w.hash";

/// The document of a hash. Its use is recorded, to ten minutes, and so is that others use it too.
pub async fn find(conn: &mut AsyncPgConnection, hash: &[u8], source: &[u8]) -> QueryResult<Option<String>> {
    let found: Option<FoundDocument> = Statement::new(FIND)
        .bind::<Bytea, _>(hash)
        .bind::<Bytea, _>(source)
        .get_result(conn)
        .await
        .optional()?;
    let Some(found) = found else { return Ok(None) };
    if found.shares || found.stale {
        Statement::new(USED).bind::<Bytea, _>(hash).bind::<Bool, _>(found.shares).execute(conn).await?;
    }
    Ok(Some(found.query))
}

const INSERT: &str =
    "insert into persisted_query (hash, query, source) values ($1, $2, $3) on conflict do nothing";

/// What one network has brought and nobody else uses, beyond its part; what others use counts and stays.
const TRIM_SOURCE: &str = "delete from persisted_query where hash in (
    select hash from (
      select hash, shared, row_number() over own as place, sum(octet_length(query)) over own as bytes
      from persisted_query where source = $1
      window own as (order by shared desc, last_used_at desc, hash)) held
    where not shared and (place > $2 or bytes > $3))";

const TRIM: &str = "delete from persisted_query where hash in (
    select hash from (
      select hash, row_number() over used as place, sum(octet_length(query)) over used as bytes
      from persisted_query where shared = $1 window used as (order by last_used_at desc, hash)) held
    where place > $2 or bytes > $3)";

/// Keeps a document under its hash, which the caller has verified, and drops what has no room. Runs in the caller's
/// transaction: one at a time in the whole database, so that the bounds hold.
pub async fn keep(
    conn: &mut AsyncPgConnection,
    hash: &[u8],
    query: &str,
    source: &[u8],
    room: Quota,
) -> QueryResult<()> {
    Statement::new("select pg_advisory_xact_lock(hashtextextended('persisted_query', 0))")
        .execute(conn)
        .await?;
    let added = Statement::new(INSERT)
        .bind::<Bytea, _>(hash)
        .bind::<Text, _>(query)
        .bind::<Bytea, _>(source)
        .execute(conn)
        .await?;
    if added == 0 {
        return Ok(());
    }
    let own = room.part(1, 50);
    Statement::new(TRIM_SOURCE)
        .bind::<Bytea, _>(source)
        .bind::<BigInt, _>(own.rows)
        .bind::<BigInt, _>(own.bytes)
        .execute(conn)
        .await?;
    for (shared, part) in [(false, room.part(1, 4)), (true, room.part(3, 4))] {
        Statement::new(TRIM)
            .bind::<Bool, _>(shared)
            .bind::<BigInt, _>(part.rows)
            .bind::<BigInt, _>(part.bytes)
            .execute(conn)
            .await?;
    }
    Ok(())
}
