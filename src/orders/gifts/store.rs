//! SQL of gifts.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::OrderId;
use crate::base::text::Email;
use crate::infra::db::schema::order_gift;
use crate::infra::db::statement::Statement;
use crate::orders::gifts::GiftTo;

/// Who gets the goods of an order.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = order_gift, check_for_backend(diesel::pg::Pg))]
pub struct GiftRow {
    pub order_id: OrderId,
    pub name: String,
    pub giver: Option<String>,
    pub email: String,
    pub email_normalised: String,
    pub message: Option<String>,
    pub created_at: DateTime<Utc>,
}

pub async fn insert(conn: &mut AsyncPgConnection, order: OrderId, to: &GiftTo) -> QueryResult<usize> {
    Statement::new(
        "insert into order_gift (order_id, name, giver, email, email_normalised, mailbox, message) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind::<SqlUuid, _>(order.0)
    .bind::<Text, _>(&to.name)
    .bind::<Nullable<Text>, _>(to.giver.as_deref())
    .bind::<Text, _>(to.email.typed())
    .bind::<Text, _>(to.email.normalised())
    .bind::<Text, _>(to.email.mailbox())
    .bind::<Nullable<Text>, _>(to.message.as_deref())
    .execute(conn)
    .await
}

pub async fn find(conn: &mut AsyncPgConnection, order: OrderId) -> QueryResult<Option<GiftRow>> {
    order_gift::table.find(order).select(GiftRow::as_select()).first(conn).await.optional()
}

pub async fn list(conn: &mut AsyncPgConnection, orders: &[OrderId]) -> QueryResult<Vec<GiftRow>> {
    order_gift::table
        .filter(order_gift::order_id.eq_any(orders))
        .select(GiftRow::as_select())
        .load(conn)
        .await
}

/// Another address of the same recipient.
pub async fn advance_address(
    conn: &mut AsyncPgConnection,
    order: OrderId,
    email: &Email,
) -> QueryResult<usize> {
    Statement::new(
        "update order_gift set email = $1, email_normalised = $2, mailbox = $3 where order_id = $4",
    )
    .bind::<Text, _>(email.typed())
    .bind::<Text, _>(email.normalised())
    .bind::<Text, _>(email.mailbox())
    .bind::<SqlUuid, _>(order.0)
    .execute(conn)
    .await
}

#[derive(QueryableByName)]
struct FreeGifts {
    #[diesel(sql_type = BigInt)]
    gifts: i64,
}

/// Gifts of nothing for a mailbox within a day.
pub(super) async fn count_free(conn: &mut AsyncPgConnection, mailbox: &str) -> QueryResult<i64> {
    let row: FreeGifts = Statement::new(
        "select count(*) as gifts from order_gift g join orders o on o.id = g.order_id \
         where g.mailbox = $1 and g.created_at > app_now() - interval '1 day' and o.total_minor = 0",
    )
    .bind::<Text, _>(mailbox)
    .get_result(conn)
    .await?;
    Ok(row.gifts)
}
