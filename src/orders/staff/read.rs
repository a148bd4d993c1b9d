//! Lists for staff and sellers.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{ApiClientId, LineId, OrderId, SellerId, UnitId};
use crate::base::page::{Page, PageArgs};
use crate::base::text::Email;
use crate::infra::db::statement::Statement;
use crate::infra::db::total;
use crate::orders::model::Order;
use crate::orders::state::OrderState;
use crate::orders::sync::{self, ChangedOrder, place};

/// What a list of orders is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// An order's number, the beginning of an address, or whatever else `found` was found by.
    pub search: Option<String>,
    /// Orders that the search found elsewhere, by a gateway's number of their trade.
    pub found: Vec<OrderId>,
    pub states: Vec<OrderState>,
    /// Which API client placed them, and what it calls one.
    pub api_client: Option<ApiClientId>,
    pub reference: Option<String>,
    pub changed_since: Option<DateTime<Utc>>,
}

/// Ends a list sorted by a time and an id, the newest first.
pub(in crate::orders) fn newest_first(query: &mut Statement<'static>, at: &str, id: &str, args: &PageArgs) {
    let (compare, direction) = if args.backwards { (">", "asc") } else { ("<", "desc") };
    if let Some((from, from_id)) = place(args) {
        query.push(&format!(" and ({at}, {id}) {compare} (")).push_bind::<Timestamptz, _>(from);
        query.push(", ").push_bind::<SqlUuid, _>(from_id).push(")");
    }
    query.push(&format!(" order by {at} {direction}, {id} {direction} limit "));
    query.push_bind::<BigInt, _>(args.size + 1);
}

/// Everybody's orders, the newest first. For staff.
pub async fn list_orders(
    conn: &mut AsyncPgConnection,
    filter: &OrderFilter,
    args: &PageArgs,
) -> QueryResult<Page<Order>> {
    let mut query = Statement::new("select o.* from orders o where true");
    narrow(&mut query, filter);
    newest_first(&mut query, "o.placed_at", "o.id", args);
    Ok(Page::cut(query.load(conn).await?, args))
}

/// Everybody's orders that changed since a moment, what changed first first. For staff.
pub async fn list_changed_orders(
    conn: &mut AsyncPgConnection,
    filter: &OrderFilter,
    since: DateTime<Utc>,
    args: &PageArgs,
) -> QueryResult<Page<ChangedOrder>> {
    let narrowed = |query: &mut Statement<'static>| {
        narrow(query, filter);
        touched(query, since);
    };
    sync::orders_since(conn, since, args, narrowed).await
}

/// How many such orders there are, those that changed since a moment; none above 10,000.
pub async fn count_orders(conn: &mut AsyncPgConnection, filter: &OrderFilter) -> QueryResult<Option<i64>> {
    let mut query = match filter.changed_since {
        Some(since) => {
            let mut query = sync::changed_since(since);
            touched(&mut query, since);
            query
        }
        None => Statement::new("select 1 from orders o where true"),
    };
    narrow(&mut query, filter);
    total::count(conn, query).await
}

fn narrow(query: &mut Statement<'static>, filter: &OrderFilter) {
    if let Some(search) = filter.search.as_deref().map(str::trim).filter(|s| !s.is_empty()) {
        // Each way by its own index.
        query.push(" and o.id in (select id from orders where number = upper(");
        query.push_bind::<Text, _>(search.to_owned());
        // A whole address is found however its domain is written.
        let address =
            Email::parse(search).map_or_else(|_| search.to_lowercase(), |e| e.normalised().to_owned());
        query.push(") union all select id from orders where email_normalised ^@ ");
        query.push_bind::<Text, _>(address).push(" union all select unnest(");
        query.push_bind::<Array<SqlUuid>, _>(filter.found.clone()).push("::uuid[]))");
    }
    if let Some(client) = filter.api_client {
        query.push(" and o.api_client_id = ").push_bind::<SqlUuid, _>(client);
    }
    if let Some(reference) = &filter.reference {
        query.push(" and o.reference = ").push_bind::<Text, _>(reference.clone());
    }
    if !filter.states.is_empty() {
        // In the statement itself: only so does an index of rare states serve it.
        let states: Vec<String> = filter.states.iter().map(|s| format!("'{}'", s.as_str())).collect();
        query.push(&format!(" and o.state in ({})", states.join(", ")));
    }
}

/// Only orders that something happened to since, found without looking at each one's whole story.
fn touched(query: &mut Statement<'static>, since: DateTime<Utc>) {
    query.push(" and (greatest(o.placed_at, o.paid_at, o.delivered_at, o.cancelled_at, o.closed_at) >= ");
    query.push_bind::<Timestamptz, _>(since);
    query.push(
        " or o.id in (select e.order_id from event e where e.order_id is not null and e.created_at >= ",
    );
    query.push_bind::<Timestamptz, _>(since).push("))");
}

/// A line in a seller's list.
#[derive(Clone, Debug, QueryableByName)]
pub struct SoldLine {
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
}

/// Paid lines of these sellers, those placed last first; a bundle is one. Their ids are in the order of their placing.
pub async fn lines_of_sellers(
    conn: &mut AsyncPgConnection,
    sellers: &[SellerId],
    args: &PageArgs,
) -> QueryResult<Page<SoldLine>> {
    let mut query = Statement::new("select l.id as line_id, o.id as order_id");
    sold_by(&mut query, sellers);
    let (compare, direction) = if args.backwards { (">", "asc") } else { ("<", "desc") };
    let from = args.from.as_deref().and_then(|keys| LineId::parse(keys.iter().next()?).ok());
    if let Some(from) = from {
        query.push(&format!(" and l.id {compare} ")).push_bind::<SqlUuid, _>(from);
    }
    query.push(&format!(" order by l.id {direction} limit ")).push_bind::<BigInt, _>(args.size + 1);
    Ok(Page::cut(query.load(conn).await?, args))
}

/// How many lines of these sellers are paid; none above 10,000.
pub async fn count_lines_of_sellers(
    conn: &mut AsyncPgConnection,
    sellers: &[SellerId],
) -> QueryResult<Option<i64>> {
    let mut query = Statement::new("select 1");
    sold_by(&mut query, sellers);
    total::count(conn, query).await
}

fn sold_by(query: &mut Statement<'static>, sellers: &[SellerId]) {
    query.push(
        " from order_line l join orders o on o.id = l.order_id where l.parent_line_id is null and o.paid_at is not null \
           and l.seller_id = any(",
    );
    query.push_bind::<Array<SqlUuid>, _>(sellers.iter().map(|s| s.0).collect::<Vec<_>>()).push(")");
}

#[derive(QueryableByName)]
struct Of {
    #[diesel(sql_type = SqlUuid)]
    order_id: OrderId,
}

/// The order a line is part of.
pub async fn order_of_line(conn: &mut AsyncPgConnection, id: LineId) -> QueryResult<Option<OrderId>> {
    let rows: Vec<Of> = Statement::new("select order_id from order_line where id = $1")
        .bind::<SqlUuid, _>(id.0)
        .load(conn)
        .await?;
    Ok(rows.into_iter().next().map(|row| row.order_id))
}

/// The order a piece is part of.
pub async fn order_of_unit(conn: &mut AsyncPgConnection, id: UnitId) -> QueryResult<Option<OrderId>> {
    let rows: Vec<Of> =
        Statement::new("select order_id from unit where id = $1").bind::<SqlUuid, _>(id.0).load(conn).await?;
    Ok(rows.into_iter().next().map(|row| row.order_id))
}
