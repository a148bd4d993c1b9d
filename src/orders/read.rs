//! Scoped questions about orders: who asks sees what is theirs.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use chrono::{DateTime, Utc};

use crate::base::ids::{LineId, OrderId, UnitId, UserId};
use crate::base::page::{Page, PageArgs};
use crate::infra::db::schema::{order_line, orders, unit};
use crate::infra::db::statement::Statement;
use crate::infra::db::total;
use crate::orders::hand_over::{HoldCause, Standing};
use crate::orders::holds;
use crate::orders::model::{Line, Order, Unit};
use crate::orders::staff;
use crate::orders::sync::{self, ChangedOrder};
use crate::orders::unit::Target;

/// A unit with what the delivery rule must know of it.
#[derive(Clone, Debug, QueryableByName)]
pub struct UnitStanding {
    #[diesel(embed)]
    pub unit: Unit,
    /// The order's money went to the buyer by a dispute.
    #[diesel(sql_type = Bool)]
    is_lost: bool,
    #[diesel(sql_type = Nullable<Text>)]
    hold: Option<String>,
}

impl UnitStanding {
    pub fn of(&self, order: &Order) -> Standing {
        let hold = self.hold.as_deref().and_then(HoldCause::parse);
        holds::standing(order, self.unit.state, self.is_lost, hold)
    }
}

macro_rules! standings {
    ($where:literal) => {
        concat!(
            "select u.*, \
               exists (select 1 from payment p where p.order_id = u.order_id and p.allocated and p.lost_minor > 0) as is_lost, \
               (select h.cause from hold h where h.order_id = u.order_id and (h.unit_id is null or h.unit_id = u.id) \
                 order by h.cause <> 'refund', h.cause limit 1) as hold \
             from unit u where ",
            $where
        )
    };
}

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

const STANDINGS: &str = standings!(
    "u.order_id = $1 and (u.line_id = $2 and u.superseded_by is null or u.id = any($3::uuid[])) \
       and u.unit_no > $4 order by u.line_id, u.unit_no limit $5 for update of u"
);

const STANDINGS_OF_ORDER: &str =
    standings!("u.order_id = $1 and u.superseded_by is null order by u.line_id, u.unit_no");

/// The units of an order; the caller holds the order's lock, so that they stay as they are.
pub async fn list_standings_of_order(
    conn: &mut AsyncPgConnection,
    order_id: OrderId,
) -> QueryResult<Vec<UnitStanding>> {
    Statement::new(STANDINGS_OF_ORDER).bind::<SqlUuid, _>(order_id.0).load(conn).await
}

/// Locks units of a target, in the order of their numbers, from after the given number on.
pub async fn list_standings(
    conn: &mut AsyncPgConnection,
    order_id: OrderId,
    target: &Target,
    after: i32,
    limit: i64,
) -> QueryResult<Vec<UnitStanding>> {
    let (line, units): (Option<LineId>, &[UnitId]) = match target {
        Target::Line(id) => (Some(*id), &[]),
        Target::Units(ids) => (None, ids),
    };
    Statement::new(STANDINGS)
        .bind::<SqlUuid, _>(order_id.0)
        .bind::<Nullable<SqlUuid>, _>(line.map(|l| l.0))
        .bind::<Array<SqlUuid>, _>(units.iter().map(|u| u.0).collect::<Vec<_>>())
        .bind::<Integer, _>(after)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
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
