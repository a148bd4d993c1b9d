//! SQL of limits.

use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{OrderId, UserId, VariantId};
use crate::infra::db::statement::Statement;
use crate::orders::buyer::Buyer;

const LOCK: &str = "select pg_advisory_xact_lock(hashtextextended('buyer:' || key, 0)) \
    from unnest($1::text[]) as key";

/// Waits for the right to decide about these buyers, until the transaction's end. The keys are sorted.
pub async fn lock_buyers(conn: &mut AsyncPgConnection, keys: &[String]) -> QueryResult<()> {
    if keys.is_empty() {
        return Ok(());
    }
    Statement::new(LOCK).bind::<Array<Text>, _>(keys.to_vec()).execute(conn).await?;
    Ok(())
}

#[derive(QueryableByName)]
struct Tried {
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = Bool)]
    got: bool,
}

/// The same without waiting: the keys that somebody else holds.
pub(super) async fn try_lock_buyers(
    conn: &mut AsyncPgConnection,
    keys: &[String],
) -> QueryResult<Vec<String>> {
    let tried: Vec<Tried> = Statement::new(
        "select key, pg_try_advisory_xact_lock(hashtextextended('buyer:' || key, 0)) as got \
         from unnest($1::text[]) as key",
    )
    .bind::<Array<Text>, _>(keys.to_vec())
    .load(conn)
    .await?;
    Ok(tried.into_iter().filter(|t| !t.got).map(|t| t.key).collect())
}

/// How many orders there are that limits look at, each counted by an index of such orders alone. Zero where the buyer has
/// not shown what is counted by.
#[derive(QueryableByName)]
pub(super) struct Counts {
    /// Of the person or the proven mailbox.
    #[diesel(sql_type = BigInt)]
    pub own_unpaid: i64,
    #[diesel(sql_type = BigInt)]
    pub own_free: i64,
    /// Of guests who have proven nothing, from the network address.
    #[diesel(sql_type = BigInt)]
    pub client_unpaid: i64,
    #[diesel(sql_type = BigInt)]
    pub client_free: i64,
    /// Of those, by the same device, and for the same mailbox.
    #[diesel(sql_type = BigInt)]
    pub device_unpaid: i64,
    #[diesel(sql_type = BigInt)]
    pub address_unpaid: i64,
    /// Orders of nothing that guests who have proven nothing placed for the mailbox, wherever from.
    #[diesel(sql_type = BigInt)]
    pub address_free: i64,
}

const COUNTS: &str = "with w as (select $1::uuid as user_id, $2::text as proven, $3::text as client, $4::text as device,
      $5::text as mailbox),
    own_unpaid as (select o.id from w join orders o on o.user_id = w.user_id and o.state = 'pending_payment'
      union select o.id from w join orders o on o.mailbox_proven and o.mailbox = w.proven
        and o.state = 'pending_payment'),
    own_free as (select o.id from w join orders o on o.user_id = w.user_id and o.total_minor = 0
        and o.placed_at > app_now() - interval '1 day'
      union select o.id from w join orders o on o.mailbox_proven and o.mailbox = w.proven and o.total_minor = 0
        and o.placed_at > app_now() - interval '1 day'),
    unpaid as (select o.device_key = w.device as same_device, o.mailbox = w.mailbox as same_mailbox
      from w join orders o on o.client_key = w.client and o.state = 'pending_payment' and not o.mailbox_proven)
  select
    (select count(*) from own_unpaid) as own_unpaid,
    (select count(*) from own_free) as own_free,
    (select count(*) from unpaid) as client_unpaid,
    (select count(*) from unpaid where same_device) as device_unpaid,
    (select count(*) from unpaid where same_mailbox) as address_unpaid,
    (select count(*) from w join orders o on o.client_key = w.client and o.total_minor = 0
      and o.placed_at > app_now() - interval '1 day' and not o.mailbox_proven) as client_free,
    (select count(*) from w join orders o on o.mailbox = w.mailbox and o.total_minor = 0
      and o.placed_at > app_now() - interval '1 day' and not o.mailbox_proven) as address_free";

/// How many orders of a buyer are unpaid, and how many of nothing were placed within a day.
pub(super) async fn count_orders(conn: &mut AsyncPgConnection, buyer: &Buyer) -> QueryResult<Counts> {
    let unknown = |text: &Option<String>| text.clone().filter(|_| !buyer.proven);
    Statement::new(COUNTS)
        .bind::<Nullable<SqlUuid>, _>(buyer.user.map(|u| u.0))
        .bind::<Nullable<Text>, _>(Some(buyer.mailbox.clone()).filter(|_| buyer.proven))
        .bind::<Nullable<Text>, _>(unknown(&buyer.client))
        .bind::<Nullable<Text>, _>(unknown(&buyer.device))
        .bind::<Nullable<Text>, _>(unknown(&Some(buyer.mailbox.clone())))
        .get_result(conn)
        .await
}

/// How many pieces are held for unpaid orders. Zero where the buyer has not shown what is counted by.
#[derive(QueryableByName)]
pub(super) struct HeldCounts {
    /// Of the person or the proven mailbox.
    #[diesel(sql_type = BigInt)]
    pub own: i64,
    /// Of guests who have proven nothing, from the network address.
    #[diesel(sql_type = BigInt)]
    pub client: i64,
    /// Of those, for the same mailbox.
    #[diesel(sql_type = BigInt)]
    pub address: i64,
}

const HELD: &str = "with w as (select $1::uuid as user_id, $2::text as proven, $3::text as client, $4::text as mailbox),
    own as (select o.id from w join orders o on o.user_id = w.user_id and o.state = 'pending_payment'
      union select o.id from w join orders o on o.mailbox_proven and o.mailbox = w.proven and o.state = 'pending_payment'),
    guests as (select o.id, o.mailbox = w.mailbox as same_mailbox
      from w join orders o on o.client_key = w.client and o.state = 'pending_payment' and not o.mailbox_proven)
  select
    (select coalesce(sum(l.quantity), 0) from own join order_line l on l.order_id = own.id
      where l.reserved_until > app_now())::bigint as own,
    g.client, g.address
  from (select coalesce(sum(l.quantity), 0)::bigint as client,
      coalesce(sum(l.quantity) filter (where g.same_mailbox), 0)::bigint as address
    from guests g join order_line l on l.order_id = g.id where l.reserved_until > app_now()) g";

/// How many pieces are held for a buyer, by what their lines say.
pub(super) async fn count_held(conn: &mut AsyncPgConnection, buyer: &Buyer) -> QueryResult<HeldCounts> {
    let unknown = |text: Option<String>| text.filter(|_| !buyer.proven);
    Statement::new(HELD)
        .bind::<Nullable<SqlUuid>, _>(buyer.user.map(|u| u.0))
        .bind::<Nullable<Text>, _>(Some(buyer.mailbox.clone()).filter(|_| buyer.proven))
        .bind::<Nullable<Text>, _>(unknown(buyer.client.clone()))
        .bind::<Nullable<Text>, _>(unknown(Some(buyer.mailbox.clone())))
        .get_result(conn)
        .await
}

#[derive(QueryableByName)]
struct Bought {
    #[diesel(sql_type = SqlUuid)]
    variant_id: VariantId,
    #[diesel(sql_type = BigInt)]
    quantity: i64,
}

/// How many bundles of their line `l` their buyer still has: the line has no units, and a bundle counts as long as anything
/// of it was not taken back.
macro_rules! bundles_kept {
    () => {
        "(select coalesce(max((kept.pieces + part.part_quantity - 1) / part.part_quantity), 0) from order_line part \
           cross join lateral (select count(*) as pieces from unit u where u.line_id = part.id \
             and u.superseded_by is null and u.state not in ('revoked', 'cancelled')) kept \
          where part.parent_line_id = l.id)"
    };
}

// An order of nothing counts from when it is placed: it is settled at once.
const BOUGHT: &str = concat!(
    "with w as (select $1::uuid as user_id, $2::text as mailbox, $3::uuid[] as variants),
    own as (select b.id from (select o.id, o.state, o.total_minor from w join orders o on o.user_id = w.user_id
      union select o.id, o.state, o.total_minor from w join orders o on o.mailbox_proven and o.mailbox = w.mailbox) b
      where b.state in ('paid', 'closed') or (b.state = 'pending_payment' and b.total_minor = 0))
  select c.variant_id, sum(c.pieces)::bigint as quantity from (
      select u.variant_id, count(*) as pieces from w cross join own join unit u on u.order_id = own.id
        where u.variant_id = any(w.variants) and u.superseded_by is null and u.state not in ('revoked', 'cancelled')
        group by u.variant_id
      union all select l.variant_id, ",
    bundles_kept!(),
    " from w cross join own join order_line l on l.order_id = own.id and l.part_count is not null
        where l.variant_id = any(w.variants)) c
  group by c.variant_id"
);

/// How many pieces of these variants a known buyer has paid for and was not given the money back.
pub async fn count_bought(
    conn: &mut AsyncPgConnection,
    user: Option<UserId>,
    proven_mailbox: Option<&str>,
    variants: &[VariantId],
) -> QueryResult<Vec<(VariantId, i64)>> {
    let rows: Vec<Bought> = Statement::new(BOUGHT)
        .bind::<Nullable<SqlUuid>, _>(user.map(|u| u.0))
        .bind::<Nullable<Text>, _>(proven_mailbox)
        .bind::<Array<SqlUuid>, _>(variants.iter().map(|v| v.0).collect::<Vec<_>>())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|r| (r.variant_id, r.quantity)).collect())
}

#[derive(QueryableByName)]
struct Over {
    #[diesel(sql_type = SqlUuid)]
    order_id: OrderId,
}

const OVER: &str = concat!(
    "with wanted as (select l.order_id, l.variant_id, sum(l.quantity) as quantity, min(l.limit_per_buyer) as most
      from order_line l where l.order_id = any($1::uuid[]) and l.limit_per_buyer is not null
      group by l.order_id, l.variant_id)
  select distinct wanted.order_id from wanted join orders o on o.id = wanted.order_id
    cross join lateral (select coalesce(sum((select count(*) from unit u where u.order_id = b.id
          and u.variant_id = wanted.variant_id and u.superseded_by is null and u.state not in ('revoked', 'cancelled'))
        + (select coalesce(sum(",
    bundles_kept!(),
    "), 0) from order_line l
          where l.order_id = b.id and l.variant_id = wanted.variant_id and l.part_count is not null)), 0) as pieces
      from (select b.id, b.state from orders b where b.user_id = o.user_id
          union select b.id, b.state from orders b where b.mailbox_proven and o.mailbox_proven and b.mailbox = o.mailbox) b
      where b.state in ('paid', 'closed') and b.id <> o.id) had
  where wanted.quantity + had.pieces > wanted.most"
);

/// Which of these orders, once paid, would give their buyer more pieces than the limit allows.
pub(super) async fn list_over(conn: &mut AsyncPgConnection, orders: &[OrderId]) -> QueryResult<Vec<OrderId>> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Over> = Statement::new(OVER)
        .bind::<Array<SqlUuid>, _>(orders.iter().map(|o| o.0).collect::<Vec<_>>())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}
