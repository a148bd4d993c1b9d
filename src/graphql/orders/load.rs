//! Orders with all that an order page shows, several at once in a fixed number of statements.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, SelectionField};
use chrono::{DateTime, Utc};

use crate::base::ids::{LineId, OrderId};
use crate::base::outcome::Fault;
use crate::base::page::{self, Page, PageArgs};
use crate::graphql::connection::{Connection, counted};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::orders::line::OrderLine;
use crate::graphql::orders::order::Order;
use crate::infra::db;
use crate::orders::access::{self, AccessLevel};
use crate::orders::gifts::GiftRow;
use crate::orders::staff::{self, OrderFilter};
use crate::orders::{self, store};
use crate::payments::{self, model, refunds};

/// An order with its lines, units, payments and refunds.
#[derive(Debug)]
pub struct Whole {
    pub order: orders::Order,
    pub access_level: AccessLevel,
    /// The parts of a bundle come after it.
    pub lines: Vec<WholeLine>,
    pub payments: Vec<model::Payment>,
    pub refunds: Vec<refunds::Refund>,
    /// Who gets the goods, when that is not the buyer.
    pub gift: Option<GiftRow>,
    /// Its last event before all of this was read; only where it was asked for.
    pub last: Option<LastEvent>,
}

/// The last event of an order.
#[derive(Clone, Debug)]
pub struct LastEvent {
    /// 0 before any is numbered.
    pub seq: i64,
    /// None when there is none, or it is older than events are kept.
    pub kind: Option<String>,
    pub at: Option<DateTime<Utc>>,
}

/// A line with its pieces and what of it was given back.
#[derive(Debug)]
pub struct WholeLine {
    pub line: orders::Line,
    pub units: Vec<orders::Unit>,
    /// Pieces that were replaced, the earliest of each number first.
    pub replaced: Vec<orders::Unit>,
    /// Minor units.
    pub refunded_minor: i64,
}

/// Orders whose visibility is settled already.
type Seen = Vec<(orders::Order, AccessLevel)>;

/// Reads orders together with their last events: the part of [`wholes`] that comes first.
async fn seen(
    conn: &mut db::Connection,
    ids: &[OrderId],
) -> Result<(Vec<orders::Order>, HashMap<OrderId, LastEvent>), Fault> {
    let (mut found, mut last) = (Vec::new(), HashMap::new());
    for seen in orders::sync::seen(conn, ids).await? {
        last.insert(seen.order.id, LastEvent { seq: seen.seq, kind: seen.last_kind, at: seen.last_at });
        found.push(seen.order);
    }
    Ok((found, last))
}

/// Orders with their last events. One with several levels of access is there for each of them.
pub async fn list_followed(
    conn: &mut db::Connection,
    wanted: &[(OrderId, AccessLevel)],
) -> Result<Vec<Arc<Whole>>, Fault> {
    let ids: Vec<OrderId> = wanted.iter().map(|(id, _)| *id).collect();
    let (orders, last) = seen(conn, &ids).await?;
    let mut all = Vec::new();
    for level in [AccessLevel::Status, AccessLevel::Recipient, AccessLevel::Buyer, AccessLevel::Staff] {
        let of_level = |order: &&orders::Order| wanted.contains(&(order.id, level));
        let rows = orders.iter().filter(of_level).map(|order| (order.clone(), level)).collect();
        all.extend(wholes(conn, rows, last.clone()).await?);
    }
    Ok(all)
}

/// Reads what belongs to these orders: six statements whatever their number.
async fn wholes(
    conn: &mut db::Connection,
    orders: Seen,
    mut last: HashMap<OrderId, LastEvent>,
) -> Result<Vec<Arc<Whole>>, Fault> {
    let ids: Vec<OrderId> = orders.iter().map(|(order, _)| order.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut lines: HashMap<OrderId, Vec<WholeLine>> = HashMap::new();
    let mut units: HashMap<LineId, Vec<orders::Unit>> = HashMap::new();
    for unit in store::list_all_units(conn, &ids).await? {
        units.entry(unit.line_id).or_default().push(unit);
    }
    let refunded: HashMap<LineId, i64> =
        payments::read::list_refunded_lines(conn, &ids).await?.into_iter().collect();
    for line in store::list_lines(conn, &ids).await? {
        let (replaced, units) = units
            .remove(&line.id)
            .unwrap_or_default()
            .into_iter()
            .partition(|unit: &orders::Unit| unit.superseded_by.is_some());
        let refunded_minor = refunded.get(&line.id).copied().unwrap_or_default();
        lines.entry(line.order_id).or_default().push(WholeLine { line, units, replaced, refunded_minor });
    }
    let mut payments: HashMap<OrderId, Vec<model::Payment>> = HashMap::new();
    for payment in payments::read::list_payments(conn, &ids).await? {
        payments.entry(payment.order_id).or_default().push(payment);
    }
    let mut refunds: HashMap<OrderId, Vec<refunds::Refund>> = HashMap::new();
    for refund in payments::read::list_refunds(conn, &ids).await? {
        refunds.entry(refund.order_id).or_default().push(refund);
    }
    let mut gifts: HashMap<OrderId, GiftRow> = HashMap::new();
    for gift in orders::gifts::list(conn, &ids).await? {
        gifts.insert(gift.order_id, gift);
    }
    let whole = |(order, access_level): (orders::Order, AccessLevel)| {
        let id = order.id;
        Arc::new(Whole {
            order,
            access_level,
            lines: lines.remove(&id).unwrap_or_default(),
            payments: payments.remove(&id).unwrap_or_default(),
            refunds: refunds.remove(&id).unwrap_or_default(),
            gift: gifts.remove(&id),
            last: last.remove(&id),
        })
    };
    Ok(orders.into_iter().map(whole).collect())
}

/// Orders with what is asked of them: where that is how to follow them, they are read again together with their last events.
pub async fn load(ctx: &Context<'_>, orders: Seen) -> Answer<Vec<Order>> {
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    Ok(as_asked(&mut conn, ctx, orders).await.or_top()?.into_iter().map(Order).collect())
}

async fn as_asked(
    conn: &mut db::Connection,
    ctx: &Context<'_>,
    mut orders: Seen,
) -> Result<Vec<Arc<Whole>>, Fault> {
    let mut last = HashMap::new();
    if asks_live(ctx.field()) {
        let ids: Vec<OrderId> = orders.iter().map(|(order, _)| order.id).collect();
        let (again, events) = seen(conn, &ids).await?;
        last = events;
        for order in again {
            if let Some(old) = orders.iter_mut().find(|(old, _)| old.id == order.id) {
                old.0 = order;
            }
        }
    }
    wholes(conn, orders, last).await
}

/// Whether a field called `live` is asked for anywhere below.
fn asks_live(field: SelectionField<'_>) -> bool {
    field.selection_set().any(|field| field.name() == "live" || asks_live(field))
}

/// A page of a list of orders, each with the time it is sorted by.
pub async fn connection(
    ctx: &Context<'_>,
    list: &str,
    page: Page<(DateTime<Utc>, orders::Order)>,
    access_level: AccessLevel,
) -> Answer<Connection<Order>> {
    let cursor = |(at, order): &(DateTime<Utc>, orders::Order)| {
        page::encode(list, &orders::sync::keys(*at, order.id.0))
    };
    let cursors: Vec<String> = page.rows.iter().map(cursor).collect();
    let (has_next, has_previous) = (page.has_next, page.has_previous);
    let rows = page.rows.into_iter().map(|(_, order)| (order, access_level)).collect();
    let rows = cursors.into_iter().zip(load(ctx, rows).await?).collect();
    Ok(Connection::new(Page { rows, has_next, has_previous }))
}

/// A page of the orders that a filter leaves: the newest first, or in the order of their changes.
pub async fn filtered(
    ctx: &Context<'_>,
    list: &str,
    filter: OrderFilter,
    args: &PageArgs,
    access_level: AccessLevel,
) -> Answer<Connection<Order>> {
    let page = {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        match filter.changed_since {
            Some(since) => staff::list_changed_orders(&mut conn, &filter, since, args)
                .await
                .or_top()?
                .map(|row| (row.changed_at, row.order)),
            None => staff::list_orders(&mut conn, &filter, args)
                .await
                .or_top()?
                .map(|order| (order.placed_at, order)),
        }
    };
    let page = connection(ctx, list, page, access_level).await?;
    let total = counted(ctx.backend(), move |conn| {
        let filter = filter.clone();
        Box::pin(async move { Ok(staff::count_orders(conn, &filter).await?) })
    });
    Ok(page.with_total(total))
}

/// One such order.
pub async fn load_one(
    ctx: &Context<'_>,
    order: orders::Order,
    access_level: AccessLevel,
) -> Answer<Option<Order>> {
    Ok(load(ctx, vec![(order, access_level)]).await?.pop())
}

/// An order by its id, as far as the caller with this token may see.
pub async fn find(ctx: &Context<'_>, id: OrderId, token: Option<&str>) -> Answer<Option<Order>> {
    let found = {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        store::find(&mut conn, id).await.or_top()?
    };
    visible(ctx, found, token).await
}

/// The order, when more than its state may be seen; any other one looks exactly like a missing one. A watch ticket
/// has `orderStatus` for itself.
pub async fn visible(
    ctx: &Context<'_>,
    found: Option<orders::Order>,
    token: Option<&str>,
) -> Answer<Option<Order>> {
    let Some(order) = found else { return Ok(None) };
    match access::access_level(ctx.backend(), ctx.actor(), &order, token) {
        Some(access_level) if access_level >= AccessLevel::Buyer => load_one(ctx, order, access_level).await,
        Some(_) | None => Ok(None),
    }
}

/// Lines of a list, in its order, each with its whole order.
pub async fn line_page(
    ctx: &Context<'_>,
    lines: Vec<(OrderId, LineId)>,
    access_level: AccessLevel,
) -> Answer<Vec<OrderLine>> {
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    let mut ids: Vec<OrderId> = lines.iter().map(|l| l.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = orders::read::list_by_ids(&mut conn, &ids).await.or_top()?;
    let rows = rows.into_iter().map(|order| (order, access_level)).collect();
    let wholes = as_asked(&mut conn, ctx, rows).await.or_top()?;
    let line = |(order, line): (OrderId, LineId)| {
        let whole = wholes.iter().find(|w| w.order.id == order)?;
        let at = whole.lines.iter().position(|l| l.line.id == line)?;
        Some(OrderLine { whole: whole.clone(), at })
    };
    Ok(lines.into_iter().filter_map(line).collect())
}
