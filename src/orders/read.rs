//! Scoped questions about orders: who asks sees what is theirs.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use chrono::{DateTime, Utc};

use crate::base::hand_over::{HoldCause, Standing};
use crate::base::ids::{LineId, OrderId, UnitId, UserId};
use crate::base::page::{Page, PageArgs};
use crate::infra::db::schema::{order_line, orders, unit};
use crate::infra::db::statement::Statement;
use crate::orders::holds;
use crate::orders::model::{Line, Order, Unit};
use crate::orders::reveal::Target;

/// A unit with what the rule of the doors must know of it.
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
    let from = args.from.as_ref().and_then(|keys| {
        let at: DateTime<Utc> = keys.as_slice().first()?.parse().ok()?;
        let id: uuid::Uuid = keys.get(1)?.parse().ok()?;
        Some((at, OrderId(id)))
    });
    let mut query = orders::table.filter(orders::user_id.eq(user)).select(Order::as_select()).into_boxed();
    if args.backwards {
        query = query.order((orders::placed_at.asc(), orders::id.asc()));
        if let Some((at, id)) = from {
            query =
                query.filter(orders::placed_at.gt(at).or(orders::placed_at.eq(at).and(orders::id.gt(id))));
        }
    } else {
        query = query.order((orders::placed_at.desc(), orders::id.desc()));
        if let Some((at, id)) = from {
            query =
                query.filter(orders::placed_at.lt(at).or(orders::placed_at.eq(at).and(orders::id.lt(id))));
        }
    }
    let rows = query.limit(args.size + 1).load(conn).await?;
    Ok(Page::cut(rows, args))
}

/// Sort values of an order in its buyer's list.
pub fn order_keys(order: &Order) -> Vec<String> {
    vec![order.placed_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true), order.id.0.to_string()]
}

/// A paid line of a buyer's library with the time it last changed.
#[derive(Clone, Debug, QueryableByName)]
pub struct LibraryLine {
    #[diesel(embed)]
    pub line: Line,
    #[diesel(sql_type = Timestamptz)]
    pub changed_at: DateTime<Utc>,
}

const LIBRARY: &str = "with w as (select $1::uuid as user_id, $2::timestamptz as since, $3::text as search,
    $4::text[] as kinds, $5::timestamptz as from_at, $6::uuid as from_id, $7::bool as ascending)
  select x.* from w cross join lateral (
    select l.*, greatest(o.paid_at, max(u.assigned_at), max(u.revealed_at), max(u.revoked_at), max(u.waiting_since))
      as changed_at
    from orders o join order_line l on l.order_id = o.id
      left join unit u on u.line_id = l.id and u.superseded_by is null
    where o.user_id = w.user_id and o.state in ('paid', 'closed') group by l.id, o.paid_at) x
  where (w.since is null or x.changed_at > w.since)
    and (w.search is null or strpos(lower(x.title || ' ' || x.variant_title), lower(w.search)) > 0)
    and (w.kinds is null or x.kind = any(w.kinds))
    and (w.from_at is null or case when w.ascending then (x.changed_at, x.id) > (w.from_at, w.from_id)
      else (x.changed_at, x.id) < (w.from_at, w.from_id) end)
  order by case when w.ascending then x.changed_at end, case when w.ascending then x.id end, x.changed_at desc, x.id desc
  limit $8";

/// What a library is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct LibraryFilter {
    pub search: Option<String>,
    pub kinds: Option<Vec<String>>,
    pub changed_since: Option<DateTime<Utc>>,
}

/// Everything a buyer bought and paid, line by line, what changed last first (L6).
pub async fn page_of_library(
    conn: &mut AsyncPgConnection,
    user: UserId,
    filter: &LibraryFilter,
    args: &PageArgs,
) -> QueryResult<Page<LibraryLine>> {
    let key = |index: usize| args.from.as_ref().and_then(|keys| keys.get(index).cloned());
    let rows: Vec<LibraryLine> = Statement::new(LIBRARY)
        .bind::<SqlUuid, _>(user.0)
        .bind::<Nullable<Timestamptz>, _>(filter.changed_since)
        .bind::<Nullable<Text>, _>(filter.search.clone())
        .bind::<Nullable<Array<Text>>, _>(filter.kinds.clone())
        .bind::<Nullable<Timestamptz>, _>(key(0).and_then(|at| at.parse::<DateTime<Utc>>().ok()))
        .bind::<Nullable<SqlUuid>, _>(key(1).and_then(|id| id.parse::<uuid::Uuid>().ok()))
        .bind::<Bool, _>(args.backwards)
        .bind::<BigInt, _>(args.size + 1)
        .load(conn)
        .await?;
    Ok(Page::cut(rows, args))
}

/// Sort values of a line in its buyer's library.
pub fn library_keys(line: &LibraryLine) -> Vec<String> {
    vec![line.changed_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true), line.line.id.0.to_string()]
}
