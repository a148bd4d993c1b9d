//! Orders and lines by the time they last changed.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{LineId, OrderId, UserId};
use crate::base::page::{Page, PageArgs};
use crate::infra::db::statement::Statement;
use crate::infra::db::{settled, total};
use crate::orders::model::{Line, Order};

/// When an order last changed. Every change writes an event; its own columns are read for events that were deleted by age.
macro_rules! order_changed {
    () => {
        "greatest(o.placed_at, o.paid_at, o.delivered_at, o.cancelled_at, o.closed_at, \
           (select max(e.created_at) from event e where e.order_id = o.id), \
           (select max(greatest(u.assigned_at, u.waiting_since, u.revealed_at, u.revoked_at)) from unit u \
            where u.order_id = o.id))"
    };
}

/// When a line last changed: with its order, and with the files one gets by it.
macro_rules! line_changed {
    () => {
        concat!(
            "greatest(",
            order_changed!(),
            ", (select max(greatest(v.published_at, v.yanked_at)) from (select l.id union all \
                  select part.id from order_line part where part.parent_line_id = l.id) own \
                join download_grant g on g.line_id = own.id join file_version v on v.file_id = g.file_id))"
        )
    };
}

/// An order and when it last changed.
#[derive(Clone, Debug, QueryableByName)]
pub struct ChangedOrder {
    #[diesel(embed)]
    pub order: Order,
    #[diesel(sql_type = Timestamptz)]
    pub changed_at: DateTime<Utc>,
}

/// A line and when it last changed.
#[derive(Clone, Debug, QueryableByName)]
pub struct ChangedLine {
    #[diesel(embed)]
    pub line: Line,
    #[diesel(sql_type = Timestamptz)]
    pub changed_at: DateTime<Utc>,
}

/// Sort values of a row with a time and an id.
pub fn keys(at: DateTime<Utc>, id: uuid::Uuid) -> Vec<String> {
    vec![at.timestamp_micros().to_string(), id.to_string()]
}

/// The time and id behind a cursor.
pub fn place(args: &PageArgs) -> Option<(DateTime<Utc>, uuid::Uuid)> {
    let from = args.from.as_ref()?;
    let at = DateTime::from_timestamp_micros(from.iter().next()?.parse().ok()?)?;
    Some((at, from.get(1)?.parse().ok()?))
}

/// Ends a statement over `x` (with `changed_at` and `id`) as a page: what changed last first, or from `since` on what
/// changed first first, up to what is settled.
async fn page_of_changes(
    conn: &mut AsyncPgConnection,
    query: &mut Statement<'static>,
    since: Option<DateTime<Utc>>,
    args: &PageArgs,
) -> QueryResult<()> {
    if let Some(since) = since {
        let until = settled::until(conn).await?;
        query.push(" and x.changed_at >= ").push_bind::<Timestamptz, _>(since);
        query.push(" and x.changed_at < ").push_bind::<Timestamptz, _>(until);
    }
    let ascends = since.is_some() != args.backwards;
    let (compare, direction) = if ascends { (">", "asc") } else { ("<", "desc") };
    if let Some((at, id)) = place(args) {
        query.push(&format!(" and (x.changed_at, x.id) {compare} (")).push_bind::<Timestamptz, _>(at);
        query.push(", ").push_bind::<SqlUuid, _>(id).push(")");
    }
    query.push(&format!(" order by x.changed_at {direction}, x.id {direction} limit "));
    query.push_bind::<BigInt, _>(args.size + 1);
    Ok(())
}

/// Orders that changed at `since` or later, what changed first first. `narrow` adds what else they are narrowed to, as
/// conditions on `o`.
pub async fn orders_since(
    conn: &mut AsyncPgConnection,
    since: DateTime<Utc>,
    args: &PageArgs,
    narrow: impl FnOnce(&mut Statement<'static>) + Send,
) -> QueryResult<Page<ChangedOrder>> {
    let mut query = Statement::new(concat!(
        "select x.* from (select o.*, ",
        order_changed!(),
        " as changed_at from orders o where true"
    ));
    narrow(&mut query);
    query.push(") x where true");
    page_of_changes(conn, &mut query, Some(since), args).await?;
    Ok(Page::cut(query.load(conn).await?, args))
}

/// A statement over the orders `o` that changed at `since` or later, to be narrowed and counted.
pub fn changed_since(since: DateTime<Utc>) -> Statement<'static> {
    let mut query = Statement::new(concat!("select 1 from orders o where ", order_changed!(), " >= "));
    query.push_bind::<Timestamptz, _>(since);
    query
}

/// What a library is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct LibraryFilter {
    pub search: Option<String>,
    pub kinds: Option<Vec<String>>,
    pub changed_since: Option<DateTime<Utc>>,
}

/// Adds a library's lines as `x` (a bundle is one), with the time of their last change only where it is wanted.
fn lines(query: &mut Statement<'static>, user: UserId, filter: &LibraryFilter) {
    query.push(" from orders o join order_line l on l.order_id = o.id where l.parent_line_id is null and o.state in ('paid', 'closed') and o.user_id = ");
    query.push_bind::<SqlUuid, _>(user.0);
    // A bundle is found by what is in it, too.
    let any = " and exists (select 1 from order_line x where (x.id = l.id or x.parent_line_id = l.id) and ";
    if let Some(search) = &filter.search {
        query.push(any).push("strpos(lower(x.title || ' ' || x.variant_title), lower(");
        query.push_bind::<Text, _>(search.clone()).push(")) > 0)");
    }
    if let Some(kinds) = &filter.kinds {
        query.push(any).push("x.kind = any(").push_bind::<Array<Text>, _>(kinds.clone()).push("))");
    }
}

const LIBRARY: &str = concat!("select x.* from (select l.*, ", line_changed!(), " as changed_at");

/// Everything a buyer bought and paid, line by line (L6): what changed last first; with `changed_since` what changed
/// first first.
pub async fn library(
    conn: &mut AsyncPgConnection,
    user: UserId,
    filter: &LibraryFilter,
    args: &PageArgs,
) -> QueryResult<Page<ChangedLine>> {
    let mut query = Statement::new(LIBRARY);
    lines(&mut query, user, filter);
    query.push(") x where true");
    page_of_changes(conn, &mut query, filter.changed_since, args).await?;
    Ok(Page::cut(query.load(conn).await?, args))
}

/// How many lines a library has; none above 10,000.
pub async fn count_library(
    conn: &mut AsyncPgConnection,
    user: UserId,
    filter: &LibraryFilter,
) -> QueryResult<Option<i64>> {
    let Some(since) = filter.changed_since else {
        let mut query = Statement::new("select 1");
        lines(&mut query, user, filter);
        return total::count(conn, query).await;
    };
    let mut query = Statement::new(LIBRARY);
    lines(&mut query, user, filter);
    query.push(") x where x.changed_at >= ").push_bind::<Timestamptz, _>(since);
    total::count(conn, query).await
}

#[derive(QueryableByName)]
struct Change {
    #[diesel(sql_type = SqlUuid)]
    id: uuid::Uuid,
    #[diesel(sql_type = Timestamptz)]
    changed_at: DateTime<Utc>,
}

/// When these orders last changed.
pub async fn changes_of_orders(
    conn: &mut AsyncPgConnection,
    ids: &[OrderId],
) -> QueryResult<Vec<(OrderId, DateTime<Utc>)>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let rows: Vec<Change> = Statement::new(concat!(
        "select o.id, ",
        order_changed!(),
        " as changed_at from orders o where o.id = any($1::uuid[])"
    ))
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (OrderId(row.id), row.changed_at)).collect())
}

/// When these lines last changed.
pub async fn changes_of_lines(
    conn: &mut AsyncPgConnection,
    ids: &[LineId],
) -> QueryResult<Vec<(LineId, DateTime<Utc>)>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let rows: Vec<Change> = Statement::new(concat!(
        "select l.id, ",
        line_changed!(),
        " as changed_at from order_line l join orders o on o.id = l.order_id where l.id = any($1::uuid[])"
    ))
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (LineId(row.id), row.changed_at)).collect())
}

/// An order, and up to which event of the sequence it is current.
#[derive(Clone, Debug, QueryableByName)]
pub struct SeenOrder {
    #[diesel(embed)]
    pub order: Order,
    /// The number of its last event, 0 before any is numbered.
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    /// What that was; none when there is none, or it is older than events are kept.
    #[diesel(sql_type = Nullable<Text>)]
    pub last_kind: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_at: Option<DateTime<Utc>>,
}

const SEEN: &str = "select o.*, coalesce(c.seq, 0) as seq, e.kind as last_kind, e.created_at as last_at
  from orders o
  cross join lateral (select max(s.seq) as seq from event x join event_seq s on s.event_id = x.id
                       where x.order_id = o.id) c
  left join event_seq q on q.seq = c.seq
  left join event e on e.id = q.event_id
  where o.id = any($1::uuid[])";

/// These orders with the number of their last event, both of one moment. What belongs to them is read afterwards: whoever
/// goes on from the number may see a state twice and misses none.
pub async fn seen(conn: &mut AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<SeenOrder>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    Statement::new(SEEN).bind::<Array<SqlUuid>, _>(ids).load(conn).await
}
