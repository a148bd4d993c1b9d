//! Scoped questions about orders: who asks sees what is theirs.

use diesel::prelude::*;
use diesel::sql_types::Uuid as SqlUuid;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use chrono::{DateTime, Utc};

use crate::base::ids::{LineId, OrderId, UserId};
use crate::base::page::{Page, PageArgs};
use crate::infra::db::schema::{order_line, orders, unit};
use crate::infra::db::statement::Statement;
use crate::infra::db::total;
use crate::orders::model::{Line, Order};
use crate::orders::staff;
use crate::orders::sync::{self, ChangedOrder};
use crate::orders::unit::Target;

/// The order that a target belongs to; several units of different orders belong to none.
pub async fn order_of(conn: &mut AsyncPgConnection, target: &Target) -> QueryResult<Option<OrderId>> {
    match target {
        Target::Line(id) => {
            order_line::table.find(*id).select(order_line::order_id).first(conn).await.optional()
        }
        Target::Units(ids) => {
            let found: Vec<OrderId> = unit::table
                .filter(unit::id.eq_any(ids))
                .select(unit::order_id)
                .distinct()
                .limit(2)
                .load(conn)
                .await?;
            Ok(found.as_slice().first().copied().filter(|_| found.len() == 1))
        }
    }
}

/// Whether anything was ordered with this address (under this number).
pub async fn has_orders(
    conn: &mut AsyncPgConnection,
    email: &str,
    number: Option<&str>,
) -> QueryResult<bool> {
    let mut query = orders::table.filter(orders::email_normalised.eq(email)).into_boxed();
    if let Some(number) = number {
        query = query.filter(orders::number.eq(number));
    }
    Ok(query.select(orders::id).first::<OrderId>(conn).await.optional()?.is_some())
}

/// Guests' orders of an address, the newest first.
pub async fn list_of_email(conn: &mut AsyncPgConnection, email: &str, limit: i64) -> QueryResult<Vec<Order>> {
    orders::table
        .filter(orders::email_normalised.eq(email))
        .filter(orders::user_id.is_null())
        .order((orders::placed_at.desc(), orders::id.desc()))
        .limit(limit)
        .select(Order::as_select())
        .load(conn)
        .await
}

/// Several orders by id, in no particular order.
pub async fn list_by_ids(conn: &mut AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<Order>> {
    orders::table.filter(orders::id.eq_any(ids)).select(Order::as_select()).load(conn).await
}

/// Several lines by id, in no particular order.
pub async fn list_lines_by_ids(conn: &mut AsyncPgConnection, ids: &[LineId]) -> QueryResult<Vec<Line>> {
    order_line::table.filter(order_line::id.eq_any(ids)).select(Line::as_select()).load(conn).await
}

/// A buyer's orders, the newest first.
pub async fn page_of_user(
    conn: &mut AsyncPgConnection,
    user: UserId,
    args: &PageArgs,
) -> QueryResult<Page<Order>> {
    let mut query = Statement::new("select o.* from orders o where o.user_id = ");
    query.push_bind::<SqlUuid, _>(user.0);
    staff::newest_first(&mut query, "o.placed_at", "o.id", args);
    Ok(Page::cut(query.load(conn).await?, args))
}

/// A buyer's orders that changed since a moment, what changed first first.
pub async fn changed_of_user(
    conn: &mut AsyncPgConnection,
    user: UserId,
    since: DateTime<Utc>,
    args: &PageArgs,
) -> QueryResult<Page<ChangedOrder>> {
    let own = |query: &mut Statement<'static>| {
        query.push(" and o.user_id = ").push_bind::<SqlUuid, _>(user.0);
    };
    sync::orders_since(conn, since, args, own).await
}

/// How many orders a buyer has, those that changed at `since` or later; none above 10,000.
pub async fn count_of_user(
    conn: &mut AsyncPgConnection,
    user: UserId,
    since: Option<DateTime<Utc>>,
) -> QueryResult<Option<i64>> {
    let mut query = match since {
        Some(since) => sync::changed_since(since),
        None => Statement::new("select 1 from orders o where true"),
    };
    query.push(" and o.user_id = ").push_bind::<SqlUuid, _>(user.0);
    total::count(conn, query).await
}
