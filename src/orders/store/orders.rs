//! SQL of orders and lines that changes or locks.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Bool, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::base::country::Country;
use crate::base::ids::{ApiClientId, LineId, OrderId, ProductId, SellerId, UserId, VariantId};
use crate::goods::Terms;
use crate::infra::db::schema::{order_line, orders};
use crate::infra::db::statement::Statement;
use crate::orders::model::{Line, Order};
use crate::orders::state::OrderState;

pub async fn find(conn: &mut AsyncPgConnection, id: OrderId) -> QueryResult<Option<Order>> {
    orders::table.find(id).select(Order::as_select()).first(conn).await.optional()
}

pub async fn find_by_number(conn: &mut AsyncPgConnection, number: &str) -> QueryResult<Option<Order>> {
    orders::table.filter(orders::number.eq(number)).select(Order::as_select()).first(conn).await.optional()
}

/// The orders that have these numbers.
pub async fn list_by_numbers(conn: &mut AsyncPgConnection, numbers: &[&str]) -> QueryResult<Vec<Order>> {
    orders::table.filter(orders::number.eq_any(numbers)).select(Order::as_select()).load(conn).await
}

/// Locks an order: the first lock of whoever changes anything about it.
pub async fn lock(conn: &mut AsyncPgConnection, id: OrderId) -> QueryResult<Option<Order>> {
    orders::table.find(id).select(Order::as_select()).for_update().first(conn).await.optional()
}

/// Locks the orders that nobody else holds, in the order of their ids.
pub async fn lock_free(conn: &mut AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<Order>> {
    orders::table
        .filter(orders::id.eq_any(ids))
        .order(orders::id)
        .select(Order::as_select())
        .for_update()
        .skip_locked()
        .load(conn)
        .await
}

pub async fn list_lines(conn: &mut AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<Line>> {
    order_line::table
        .filter(order_line::order_id.eq_any(ids))
        .order((order_line::order_id, order_line::position))
        .select(Line::as_select())
        .load(conn)
        .await
}

/// An order to be written.
#[derive(Clone, Debug)]
pub struct NewOrder {
    pub id: OrderId,
    pub number: String,
    pub currency: String,
    pub subtotal_minor: i64,
    pub discount_minor: i64,
    pub total_minor: i64,
    pub user_id: Option<UserId>,
    pub email: String,
    pub email_normalised: String,
    pub mailbox: String,
    pub mailbox_proven: bool,
    pub client_key: Option<String>,
    pub device_key: Option<String>,
    pub limited: bool,
    pub locale: String,
    pub api_client_id: Option<ApiClientId>,
    pub reference: Option<String>,
    pub metadata: Value,
    /// Address of the shop's terms of sale.
    pub terms_version: Option<String>,
    /// Seconds it may be paid in.
    pub pay_within: i32,
}

const INSERT: &str =
    "insert into orders (id, number, currency, subtotal_minor, discount_minor, total_minor, user_id, email,
    email_normalised, mailbox, mailbox_proven, client_key, device_key, limited, locale, api_client_id, reference, metadata,
    terms_version, pay_by)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
    app_now() + make_interval(secs => $20))
  on conflict on constraint orders_number_key do nothing";

/// Writes an order. 0 when its number was given before: draw another.
pub async fn insert(conn: &mut AsyncPgConnection, new: &NewOrder) -> QueryResult<usize> {
    Statement::new(INSERT)
        .bind::<SqlUuid, _>(new.id.0)
        .bind::<Text, _>(new.number.as_str())
        .bind::<Text, _>(new.currency.as_str())
        .bind::<BigInt, _>(new.subtotal_minor)
        .bind::<BigInt, _>(new.discount_minor)
        .bind::<BigInt, _>(new.total_minor)
        .bind::<Nullable<SqlUuid>, _>(new.user_id.map(|u| u.0))
        .bind::<Text, _>(new.email.as_str())
        .bind::<Text, _>(new.email_normalised.as_str())
        .bind::<Text, _>(new.mailbox.as_str())
        .bind::<Bool, _>(new.mailbox_proven)
        .bind::<Nullable<Text>, _>(new.client_key.as_deref())
        .bind::<Nullable<Text>, _>(new.device_key.as_deref())
        .bind::<Bool, _>(new.limited)
        .bind::<Text, _>(new.locale.as_str())
        .bind::<Nullable<SqlUuid>, _>(new.api_client_id.map(|c| c.0))
        .bind::<Nullable<Text>, _>(new.reference.as_deref())
        .bind::<Jsonb, _>(new.metadata.clone())
        .bind::<Nullable<Text>, _>(new.terms_version.as_deref())
        .bind::<diesel::sql_types::Double, _>(f64::from(new.pay_within))
        .execute(conn)
        .await
}

/// Keeps the country that an order is placed from.
pub async fn insert_country(
    conn: &mut AsyncPgConnection,
    order: OrderId,
    country: Country,
) -> QueryResult<usize> {
    Statement::new("insert into order_country (order_id, country) values ($1, $2)")
        .bind::<SqlUuid, _>(order.0)
        .bind::<Text, _>(country.as_str())
        .execute(conn)
        .await
}

/// Takes a caller's reference for an order; its primary key refuses the second.
pub async fn insert_reference(
    conn: &mut AsyncPgConnection,
    scope: &str,
    reference: &str,
    order: OrderId,
) -> QueryResult<usize> {
    Statement::new("insert into order_reference (scope, reference, order_id) values ($1, $2, $3)")
        .bind::<Text, _>(scope)
        .bind::<Text, _>(reference)
        .bind::<SqlUuid, _>(order.0)
        .execute(conn)
        .await
}

/// A line to be written, with its snapshots.
#[derive(Clone, Debug)]
pub struct NewLine {
    pub id: LineId,
    pub seller_id: SellerId,
    pub position: i32,
    /// Which line of the cart it is of.
    pub cart_index: usize,
    pub product_id: ProductId,
    pub variant_id: VariantId,
    pub title: String,
    pub variant_title: String,
    pub kind: String,
    pub quantity: i32,
    pub partial_delivery: bool,
    pub mail_policy: String,
    pub terms: Terms,
    pub limit_per_buyer: Option<i32>,
    pub unit_minor: i64,
    pub discount_minor: i64,
    pub total_minor: i64,
    pub reserved_until: Option<DateTime<Utc>>,
    /// Of a part: the bundle that it is a part of.
    pub part: Option<NewPart>,
    /// Of a bundle: how many lines its parts are.
    pub part_count: Option<i32>,
}

/// Which bundle a line is a part of.
#[derive(Clone, Copy, Debug)]
pub struct NewPart {
    pub bundle: LineId,
    /// Pieces of it in one bundle.
    pub quantity: i32,
}

const INSERT_LINES: &str = "insert into order_line (id, seller_id, order_id, position, product_id, variant_id, title,
    variant_title, kind, quantity, partial_delivery, mail_policy, terms, limit_per_buyer, unit_minor, discount_minor,
    total_minor, currency, locale, reserved_until, parent_line_id, part_quantity, part_count)
  select l.id, l.seller_id, o.id, l.position, l.product_id, l.variant_id, l.title, l.variant_title, l.kind, l.quantity,
    l.partial_delivery, l.mail_policy, l.terms, l.limit_per_buyer, l.unit_minor, l.discount_minor, l.total_minor,
    o.currency, o.locale, l.reserved_until, l.parent_line_id, l.part_quantity, l.part_count
  from orders o, unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[],
    $9::int[], $10::bool[], $11::text[], $12::jsonb[], $13::int[], $14::bigint[], $15::bigint[], $16::bigint[],
    $17::timestamptz[], $18::uuid[], $19::int[], $20::int[]) as l (id, seller_id, position,
    product_id, variant_id, title, variant_title, kind, quantity, partial_delivery, mail_policy, terms,
    limit_per_buyer, unit_minor, discount_minor, total_minor, reserved_until, parent_line_id, part_quantity, part_count)
  where o.id = $21";

pub async fn insert_lines(
    conn: &mut AsyncPgConnection,
    order: OrderId,
    lines: &[NewLine],
) -> QueryResult<usize> {
    let all = || lines.iter();
    Statement::new(INSERT_LINES)
        .bind::<Array<SqlUuid>, _>(all().map(|l| l.id.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(all().map(|l| l.seller_id.0).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(all().map(|l| l.position).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(all().map(|l| l.product_id.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(all().map(|l| l.variant_id.0).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(|l| l.title.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(|l| l.variant_title.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(|l| l.kind.as_str()).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(all().map(|l| l.quantity).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(all().map(|l| l.partial_delivery).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(|l| l.mail_policy.as_str()).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(all().map(|l| &l.terms).collect::<Vec<_>>())
        .bind::<Array<Nullable<Integer>>, _>(all().map(|l| l.limit_per_buyer).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(all().map(|l| l.unit_minor).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(all().map(|l| l.discount_minor).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(all().map(|l| l.total_minor).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(all().map(|l| l.reserved_until).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(all().map(|l| Some(l.part?.bundle.0)).collect::<Vec<_>>())
        .bind::<Array<Nullable<Integer>>, _>(all().map(|l| Some(l.part?.quantity)).collect::<Vec<_>>())
        .bind::<Array<Nullable<Integer>>, _>(all().map(|l| l.part_count).collect::<Vec<_>>())
        .bind::<SqlUuid, _>(order.0)
        .execute(conn)
        .await
}

const ADVANCE: &str = "update orders set state = w.after,
    cancelled_at = case when w.after = 'cancelled' then app_now() end,
    closed_at = case when w.after = 'closed' then app_now() end
  from (select $1::uuid as id, $2::text as before, $3::text as after) w where orders.id = w.id and orders.state = w.before";

/// Moves an order from the state it was locked in.
pub async fn advance(
    conn: &mut AsyncPgConnection,
    id: OrderId,
    before: OrderState,
    after: OrderState,
) -> QueryResult<usize> {
    Statement::new(ADVANCE)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Text, _>(before.as_str())
        .bind::<Text, _>(after.as_str())
        .execute(conn)
        .await
}

const FINISHED: &str = "\
    with due as materialized (
      select id, paid_at from orders
       where state = 'paid' and coalesce(closing_from, paid_at) <= app_now() - make_interval(secs => $1)
       order by coalesce(closing_from, paid_at), id limit $2 for update skip locked)
    select due.id, due.paid_at,
           exists (select 1 from unit u where u.order_id = due.id and u.superseded_by is null
             and u.state in ('unassigned', 'awaiting_stock', 'awaiting_supplier', 'awaiting_person')) as waits,
           coalesce((select max((l.terms ->> 'warranty_days')::int) from order_line l
             where l.order_id = due.id), 0) as warranty_days
      from due order by due.id";

/// A paid order whose usual time is over.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Finished {
    #[diesel(sql_type = SqlUuid)]
    pub id: OrderId,
    #[diesel(sql_type = Timestamptz)]
    pub paid_at: DateTime<Utc>,
    /// Something of it has not been delivered.
    #[diesel(sql_type = Bool)]
    pub waits: bool,
    /// The longest of its lines'.
    #[diesel(sql_type = Integer)]
    pub warranty_days: i32,
}

/// Locks paid orders whose turn to be closed has come, those first that have been due for longest.
pub async fn lock_finished(
    conn: &mut AsyncPgConnection,
    open_for: TimeDelta,
    limit: i64,
) -> QueryResult<Vec<Finished>> {
    let seconds = open_for.num_seconds() as f64;
    Statement::new(FINISHED).bind::<Double, _>(seconds).bind::<BigInt, _>(limit).load(conn).await
}

/// Has a locked order looked at again the usual time after `from`.
pub async fn put_off_closing(
    conn: &mut AsyncPgConnection,
    id: OrderId,
    from: DateTime<Utc>,
) -> QueryResult<usize> {
    Statement::new("update orders set closing_from = $1 where id = $2")
        .bind::<Timestamptz, _>(from)
        .bind::<SqlUuid, _>(id.0)
        .execute(conn)
        .await
}

const PAY: &str = "update orders set state = 'paid', paid_at = app_now(),
    delivered_at = case when id = any($1::uuid[]) then app_now() end
  where id = any($2::uuid[]) and state in ('pending_payment', 'expired')";

/// Pays the orders, and notes the time for those that were delivered at once.
pub async fn advance_to_paid(
    mut conn: &AsyncPgConnection,
    ids: &[OrderId],
    delivered: &[OrderId],
) -> QueryResult<usize> {
    if ids.is_empty() {
        return Ok(0);
    }
    Statement::new(PAY)
        .bind::<Array<SqlUuid>, _>(delivered.iter().map(|i| i.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|i| i.0).collect::<Vec<_>>())
        .execute(&mut conn)
        .await
}

const DELIVERED: &str =
    "update orders set delivered_at = app_now() where id = any($1::uuid[]) and delivered_at is null
  and not exists (select 1 from unit u where u.order_id = orders.id and u.superseded_by is null
    and u.state in ('unassigned', 'awaiting_stock', 'awaiting_supplier', 'awaiting_person'))";

/// Notes the time for orders all of whose units have been delivered.
pub async fn advance_delivered(conn: &mut AsyncPgConnection, ids: &[OrderId]) -> QueryResult<usize> {
    if ids.is_empty() {
        return Ok(0);
    }
    Statement::new(DELIVERED)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|i| i.0).collect::<Vec<_>>())
        .execute(conn)
        .await
}

const CLAIM_OVERDUE: &str = "with due as (
    select id from orders where state = 'pending_payment' and coalesce(next_expiry_at, pay_by) <= app_now()
      and pay_by < app_now()
    order by coalesce(next_expiry_at, pay_by), id limit $1 for update skip locked)
  update orders o set expiry_tries = o.expiry_tries + 1,
    next_expiry_at = app_now() + least(interval '30 seconds' * power(2, least(o.expiry_tries, 10)), interval '1 hour')
  from due where o.id = due.id returning o.id";

/// Orders whose time to pay is over and whose next try to expire is due, the longest due first. Each gets its next try
/// at once, after a gap that grows to an hour: one that cannot expire never comes before the others.
pub async fn claim_overdue(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<Vec<OrderId>> {
    let rows: Vec<ClaimedOrder> = Statement::new(CLAIM_OVERDUE).bind::<BigInt, _>(limit).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct ClaimedOrder {
    #[diesel(sql_type = SqlUuid)]
    id: OrderId,
}

/// Orders of nothing that were placed and not settled, because the program was stopped in between. In an order of
/// chance: those that cannot be settled do not come before the others for ever.
pub async fn list_unsettled_free(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<Vec<OrderId>> {
    orders::table
        .filter(orders::state.eq(OrderState::PendingPayment))
        .filter(orders::total_minor.eq(0))
        .order(diesel::dsl::sql::<diesel::sql_types::Double>("random()"))
        .limit(limit)
        .select(orders::id)
        .load(conn)
        .await
}

const CLAIM: &str = "update orders set user_id = $1 where id = $2 and user_id is null";

/// Gives a guest's order to an account.
pub async fn advance_owner(conn: &mut AsyncPgConnection, id: OrderId, user: UserId) -> QueryResult<usize> {
    Statement::new(CLAIM).bind::<SqlUuid, _>(user.0).bind::<SqlUuid, _>(id.0).execute(conn).await
}

const RAISE: &str =
    "update orders set access_generation = access_generation + 1 where id = $1 and access_generation = $2";

/// Ends every token and link of the order's present access generation.
pub async fn advance_generation(
    conn: &mut AsyncPgConnection,
    id: OrderId,
    before: i32,
) -> QueryResult<usize> {
    Statement::new(RAISE).bind::<SqlUuid, _>(id.0).bind::<Integer, _>(before).execute(conn).await
}

/// Corrects the address of an order.
pub async fn advance_email(
    conn: &mut AsyncPgConnection,
    id: OrderId,
    typed: &str,
    normalised: &str,
) -> QueryResult<usize> {
    Statement::new("update orders set email = $1, email_normalised = $2 where id = $3")
        .bind::<Text, _>(typed)
        .bind::<Text, _>(normalised)
        .bind::<SqlUuid, _>(id.0)
        .execute(conn)
        .await
}

/// When the next resend of an order's mail is due, by what was sent: the last time, and how many within an hour.
#[derive(QueryableByName)]
pub struct Resends {
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last: Option<DateTime<Utc>>,
    #[diesel(sql_type = BigInt)]
    pub within_hour: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub oldest_within_hour: Option<DateTime<Utc>>,
}

pub async fn count_resends(conn: &mut AsyncPgConnection, id: OrderId) -> QueryResult<Resends> {
    Statement::new(
        "select max(created_at) as last, count(*) filter (where created_at > app_now() - interval '1 hour') as within_hour,
           min(created_at) filter (where created_at > app_now() - interval '1 hour') as oldest_within_hour
         from message where order_id = $1 and kind = 'order_resend'",
    )
    .bind::<SqlUuid, _>(id.0)
    .get_result(conn)
    .await
}
