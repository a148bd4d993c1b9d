//! SQL of blocks, and of the holds that they cause.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::country::Country;
use crate::base::ids::{BlockId, OrderId, UserId};
use crate::base::page::{Page, PageArgs};
use crate::infra::db::statement::Statement;
use crate::infra::db::total;
use crate::orders::blocks::BlockKind;
use crate::orders::store::NewOrder;

/// One block.
#[derive(Clone, Debug, QueryableByName)]
pub struct Block {
    #[diesel(sql_type = SqlUuid)]
    pub id: BlockId,
    #[diesel(sql_type = Text)]
    pub kind: BlockKind,
    #[diesel(sql_type = Text)]
    pub value: String,
    /// As staff recognises it.
    #[diesel(sql_type = Text)]
    pub shown: String,
    #[diesel(sql_type = Text)]
    pub reason: String,
    #[diesel(sql_type = Timestamptz)]
    pub added_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub removed_at: Option<DateTime<Utc>>,
}

pub(super) async fn lock(conn: &mut AsyncPgConnection) -> QueryResult<usize> {
    Statement::new("lock table block_entry in access exclusive mode").execute(conn).await
}

pub(super) async fn find(conn: &mut AsyncPgConnection, id: BlockId) -> QueryResult<Option<Block>> {
    let sql = "select * from block_entry where id = $1";
    Statement::new(sql).bind::<SqlUuid, _>(id.0).get_result(conn).await.optional()
}

pub(super) async fn find_active(
    conn: &mut AsyncPgConnection,
    kind: BlockKind,
    value: &str,
) -> QueryResult<Option<Block>> {
    let sql = "select * from block_entry where kind = $1 and value = $2 and removed_at is null";
    Statement::new(sql).bind::<Text, _>(kind).bind::<Text, _>(value).get_result(conn).await.optional()
}

const INSERT: &str = "insert into block_entry (id, kind, value, shown, reason, added_by)
  values ($1, $2, $3, $4, $5, $6) returning *";

/// `value`: what orders are compared with, and what staff is shown.
pub(super) async fn insert(
    conn: &mut AsyncPgConnection,
    id: BlockId,
    kind: BlockKind,
    value: (&str, &str),
    reason: &str,
    by: Option<UserId>,
) -> QueryResult<Block> {
    Statement::new(INSERT)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Text, _>(kind)
        .bind::<Text, _>(value.0)
        .bind::<Text, _>(value.1)
        .bind::<Text, _>(reason)
        .bind::<Nullable<SqlUuid>, _>(by.map(|user| user.0))
        .get_result(conn)
        .await
}

/// Says no when there is no such block, or it was removed.
pub(super) async fn advance_removed(conn: &mut AsyncPgConnection, id: BlockId) -> QueryResult<bool> {
    let sql = "update block_entry set removed_at = app_now() where id = $1 and removed_at is null";
    Ok(Statement::new(sql).bind::<SqlUuid, _>(id.0).execute(conn).await? == 1)
}

/// Holds the unpaid orders that a new block is about. Answers how many.
pub(super) async fn hold_unpaid(conn: &mut AsyncPgConnection, block: &Block) -> QueryResult<usize> {
    let (about, end) = match block.kind {
        BlockKind::Mailbox => ("o.mailbox = ", ""),
        BlockKind::Domain => ("split_part(o.mailbox, '@', 2) = ", ""),
        BlockKind::Client => ("o.client_key = ", ""),
        BlockKind::Country => ("o.id in (select c.order_id from order_country c where c.country = ", ")"),
    };
    let mut query =
        Statement::new("insert into hold (order_id, unit_id, cause, cause_id) select o.id, null, 'review', ");
    query.push_bind::<SqlUuid, _>(block.id.0);
    query.push(" from orders o where o.state in ('pending_payment', 'expired') and ").push(about);
    query.push_bind::<Text, _>(block.value.clone()).push(end).push(" on conflict do nothing");
    query.execute(conn).await
}

const HOLD: &str = "insert into hold (order_id, unit_id, cause, cause_id)
  select $1, null, 'review', b.id from block_entry b where b.removed_at is null and (b.kind, b.value) in
    (('mailbox', $2), ('domain', split_part($3, '@', 2)), ('client', $4), ('country', $5)) order by b.added_at limit 1";

/// Holds an order that is being placed by somebody who is blocked.
pub(in crate::orders) async fn hold_if_blocked(
    conn: &mut AsyncPgConnection,
    order: &NewOrder,
    country: Option<Country>,
) -> QueryResult<usize> {
    Statement::new(HOLD)
        .bind::<SqlUuid, _>(order.id.0)
        .bind::<Text, _>(&order.mailbox)
        .bind::<Text, _>(&order.mailbox)
        .bind::<Text, _>(order.client_key.as_deref().unwrap_or_default())
        .bind::<Text, _>(country.as_ref().map_or("", Country::as_str))
        .execute(conn)
        .await
}

/// Ends the review of a locked order. Says no when it is not under review.
pub async fn end_review(conn: &mut AsyncPgConnection, id: OrderId) -> QueryResult<bool> {
    let sql = "delete from hold where order_id = $1 and cause = 'review'";
    Ok(Statement::new(sql).bind::<SqlUuid, _>(id.0).execute(conn).await? > 0)
}

/// Sort values of a block.
pub fn block_keys(block: &Block) -> Vec<String> {
    vec![block.id.0.to_string()]
}

/// The blocks, the newest first; `all`: also those that were removed.
pub async fn list(conn: &mut AsyncPgConnection, all: bool, args: &PageArgs) -> QueryResult<Page<Block>> {
    let mut query = Statement::new("select * from block_entry b where ");
    query.push(listed(all));
    let place = args.from.as_deref().and_then(|keys| keys.first()?.parse::<uuid::Uuid>().ok());
    let (compare, direction) = if args.backwards { (">", "asc") } else { ("<", "desc") };
    if let Some(id) = place {
        query.push(&format!(" and b.id {compare} ")).push_bind::<SqlUuid, _>(id);
    }
    query.push(&format!(" order by b.id {direction} limit ")).push_bind::<BigInt, _>(args.size + 1);
    Ok(Page::cut(query.load(conn).await?, args))
}

/// How many there are; none above 10,000.
pub async fn count(conn: &mut AsyncPgConnection, all: bool) -> QueryResult<Option<i64>> {
    let mut query = Statement::new("select 1 from block_entry b where ");
    query.push(listed(all));
    total::count(conn, query).await
}

fn listed(all: bool) -> &'static str {
    if all { "true" } else { "b.removed_at is null" }
}
