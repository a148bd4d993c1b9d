//! SQL of keys that are held.

use std::sync::LazyLock;

use diesel::sql_types::{Array, BigInt, Bool, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{KeyId, LineId, SellerId, VariantId};
use crate::infra::db::statement::Statement;
use crate::vault::reserved::HeldLine;
use crate::vault::state::{KeyChange, KeyMove, KeyState};

static RESERVE: LazyLock<String> = LazyLock::new(|| {
    const RESERVED: KeyMove = KeyMove::new(KeyState::Available, KeyChange::Reserve);
    format!(
        "update vault_key k set state = '{}', reserved_line_id = m.line_id, reserved_until = m.until
           from (select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as t(key_id, line_id, until)) m
          where k.id = m.key_id and k.state = '{}'",
        RESERVED.to, RESERVED.from
    )
});

pub(super) async fn advance_to_reserved(
    conn: &mut AsyncPgConnection,
    held: &[HeldLine],
) -> QueryResult<usize> {
    let keys = || held.iter().flat_map(|line| line.keys.iter().map(move |key| (key, line.hold)));
    Statement::new(&RESERVE)
        .bind::<Array<SqlUuid>, _>(keys().map(|(key, _)| *key).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(keys().map(|(_, hold)| hold.line_id).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(keys().map(|(_, hold)| hold.until).collect::<Vec<_>>())
        .execute(conn)
        .await
}

/// A key that is held for a line.
#[derive(QueryableByName)]
pub(super) struct OwnKey {
    #[diesel(sql_type = SqlUuid)]
    pub id: KeyId,
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = Bool)]
    pub sellable: bool,
}

const OWN: &str = "\
    select k.id, k.reserved_line_id as line_id, k.expires_at > app_now() as sellable from vault_key k
     where k.reserved_line_id = any($1) and k.state = 'reserved' order by k.expires_at, k.pos for update";

pub(super) async fn lock_own(mut conn: &AsyncPgConnection, lines: Vec<LineId>) -> QueryResult<Vec<OwnKey>> {
    Statement::new(OWN).bind::<Array<SqlUuid>, _>(lines).load(&mut conn).await
}

/// A key that is on sale again, and whose it was.
#[derive(QueryableByName)]
pub(super) struct Freed {
    #[diesel(sql_type = SqlUuid)]
    pub id: KeyId,
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
}

/// Releases the keys that `which` finds, a condition with an order and a lock.
fn releases(which: &str) -> String {
    const RELEASED: KeyMove = KeyMove::new(KeyState::Reserved, KeyChange::Release);
    let KeyMove { from, to } = RELEASED;
    format!(
        "with s as materialized (
           select k.id, k.reserved_line_id as line_id from vault_key k where k.state = '{from}' and {which})
         update vault_key k set state = '{to}', reserved_line_id = null, reserved_until = null
           from s where k.id = s.id and k.state = '{from}'
         returning k.id, s.line_id, k.variant_id, k.seller_id"
    )
}

static RELEASE_LINES: LazyLock<String> =
    LazyLock::new(|| releases("k.reserved_line_id = any($1) order by k.expires_at, k.pos for update"));

pub(super) async fn release_lines(
    conn: &mut AsyncPgConnection,
    lines: Vec<LineId>,
) -> QueryResult<Vec<Freed>> {
    Statement::new(&RELEASE_LINES).bind::<Array<SqlUuid>, _>(lines).load(conn).await
}

static RELEASE_KEYS: LazyLock<String> =
    LazyLock::new(|| releases("k.id = any($1) order by k.expires_at, k.pos for update"));

pub(super) async fn advance_to_released(
    mut conn: &AsyncPgConnection,
    keys: Vec<KeyId>,
) -> QueryResult<usize> {
    let rows: Vec<Freed> =
        Statement::new(&RELEASE_KEYS).bind::<Array<SqlUuid>, _>(keys).load(&mut conn).await?;
    Ok(rows.len())
}

static RELEASE_LAPSED: LazyLock<String> = LazyLock::new(|| {
    releases("k.reserved_until <= app_now() order by k.reserved_until limit $1 for update skip locked")
});

pub(super) async fn release_lapsed(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<Vec<Freed>> {
    Statement::new(&RELEASE_LAPSED).bind::<BigInt, _>(limit).load(conn).await
}
