//! All SQL of fulfilment.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::{KeyId, LineId, OrderId, SellerId, UnitId, VariantId};
use crate::goods::{self, Given, LineGiven, Terms, Wanted};
use crate::infra::db::statement::Statement;
use crate::infra::effects::Effects;
use crate::infra::stock_lock;
use crate::orders::holds::unit_is_held;
use crate::orders::unit::{UnitChange, UnitState};

/// A paid line with its units that have no goods yet.
#[derive(Clone, Debug, QueryableByName)]
pub struct PaidLine {
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// Minor units.
    #[diesel(sql_type = BigInt)]
    pub total_minor: i64,
    #[diesel(sql_type = Bool)]
    pub partial_delivery: bool,
    /// As they were when it was bought.
    #[diesel(sql_type = Jsonb)]
    pub terms: Terms,
    /// As the seller offers the variant now.
    #[diesel(sql_type = Jsonb)]
    pub offered: Terms,
    /// Keys were held for it when it was placed.
    #[diesel(sql_type = Bool)]
    pub reserved: bool,
    #[diesel(sql_type = Bool)]
    pub bind_address: bool,
    /// A person looks at its order first: it gets nothing before.
    #[diesel(sql_type = Bool)]
    pub in_review: bool,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub waiting_since: Option<DateTime<Utc>>,
    #[diesel(sql_type = Array<SqlUuid>)]
    pub unit_ids: Vec<Uuid>,
    /// Those of the units that take the place of others.
    #[diesel(sql_type = Array<SqlUuid>)]
    pub replacing: Vec<Uuid>,
}

/// The columns of a [`PaidLine`], of a line `l`, its units `u` and its variant `v`.
macro_rules! paid_line {
    // Of an order that is paid at this moment: it may be under review, and nothing of it was replaced yet.
    (now) => {
        paid_line!(
            "exists (select 1 from hold h where h.order_id = l.order_id and h.cause = 'review')",
            "'{}'::uuid[]"
        )
    };
    // Of one that was paid before.
    (before) => {
        paid_line!(
            "false",
            "coalesce(array_agg(u.id order by u.unit_no)
               filter (where exists (select 1 from unit old where old.superseded_by = u.id)), '{}')"
        )
    };
    ($in_review:literal, $replacing:literal) => {
        concat!(
            "l.id as line_id, l.order_id, l.seller_id, l.variant_id, l.kind, l.total_minor, l.partial_delivery, l.terms,
             v.terms as offered, l.reserved_until is not null as reserved, v.bind_address, ",
            $in_review,
            " as in_review, min(u.waiting_since) as waiting_since, array_agg(u.id order by u.unit_no) as unit_ids, ",
            $replacing,
            " as replacing "
        )
    };
}

/// What a line got: units with goods, units that now wait, and for what.
#[derive(Clone, Debug)]
pub struct HandedLine {
    pub line: PaidLine,
    pub assigned: Vec<UnitId>,
    pub awaiting_stock: Vec<UnitId>,
    pub awaiting_supplier: Vec<UnitId>,
    pub awaiting_person: Vec<UnitId>,
    pub cancelled: Vec<UnitId>,
    /// Keys of the vault among the goods.
    pub keys: Vec<KeyId>,
}

impl PaidLine {
    pub fn wanted(&self) -> Wanted {
        Wanted {
            line_id: self.line_id,
            order_id: self.order_id,
            seller_id: self.seller_id,
            variant_id: self.variant_id,
            reserved: self.reserved,
            units: self.unit_ids.iter().map(|unit| UnitId(*unit)).collect(),
            partial_delivery: self.partial_delivery,
            terms: self.terms.clone(),
            offered: self.offered.clone(),
            bind_address: self.bind_address,
        }
    }
}

impl HandedLine {
    pub fn new(line: &PaidLine, given: LineGiven) -> Self {
        let units = || line.unit_ids.iter().map(|id| UnitId(*id)).zip(&given.units);
        let all = |wanted| units().filter(|(_, given)| **given == wanted).map(|(unit, _)| unit).collect();
        Self {
            assigned: all(Given::Assigned),
            awaiting_stock: all(Given::AwaitStock),
            awaiting_supplier: all(Given::AwaitSupplier),
            awaiting_person: all(Given::AwaitPerson),
            cancelled: all(Given::Cancelled),
            line: line.clone(),
            keys: given.keys,
        }
    }

    /// A line whose order is under review: its units stay as they are.
    pub fn untouched(line: &PaidLine) -> Self {
        let given = LineGiven { units: Vec::new(), keys: Vec::new() };
        Self::new(line, given)
    }

    /// Each unit with what happens to it.
    pub fn changes(&self) -> impl Iterator<Item = (UnitId, UnitChange)> {
        [
            (&self.assigned, UnitChange::Assign),
            (&self.awaiting_stock, UnitChange::AwaitStock),
            (&self.awaiting_supplier, UnitChange::AwaitSupplier),
            (&self.awaiting_person, UnitChange::AwaitPerson),
            (&self.cancelled, UnitChange::Cancel),
        ]
        .into_iter()
        .flat_map(|(units, change)| units.iter().map(move |unit| (*unit, change)))
    }

    /// Nothing of it waits.
    pub fn is_complete(&self) -> bool {
        !self.line.in_review
            && self.awaiting_stock.is_empty()
            && self.awaiting_supplier.is_empty()
            && self.awaiting_person.is_empty()
    }
}

/// What was delivered in a transaction, and what follows from it on the side of the goods.
#[derive(Clone, Debug, Default)]
pub struct Handed {
    pub lines: Vec<HandedLine>,
    pub effects: Effects,
}

const LINES: &str = concat!(
    "select ",
    paid_line!(now),
    "from order_line l join unit u on u.line_id = l.id and u.superseded_by is null and u.state = 'unassigned'
    join variant v on v.id = l.variant_id
  where l.order_id = any($1::uuid[]) group by l.id, v.id order by l.order_id, l.position"
);

/// The lines of paid orders whose units have nothing yet.
pub async fn list_unassigned(mut conn: &AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<PaidLine>> {
    Statement::new(LINES)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|i| i.0).collect::<Vec<_>>())
        .load(&mut conn)
        .await
}

/// The first lines of a variant's queue, by the index that has them in their order. The state is a part of the text: the index of queues has it in its
/// condition.
macro_rules! waiting {
    ($state:literal) => {
        concat!(
            "with w as (select $1::uuid as variant_id, $2::bigint as most),
  first as materialized (select u.line_id from unit u join orders o on o.id = u.order_id
    where u.variant_id = (select variant_id from w) and u.state = ",
            $state,
            " and u.superseded_by is null and o.state in ('paid', 'closed') and not ",
            unit_is_held!(),
            " group by u.paid_at, u.order_id, u.line_id order by u.paid_at, u.order_id, u.line_id
    limit (select most from w))
  select ",
            paid_line!(before),
            "from (select distinct line_id from first) f join order_line l on l.id = f.line_id
    join unit u on u.line_id = l.id join orders o on o.id = l.order_id join variant v on v.id = l.variant_id
  where u.superseded_by is null and u.state = ",
            $state,
            " and not ",
            unit_is_held!(),
            " group by l.id, v.id, o.paid_at, o.id order by o.paid_at, o.id, l.position"
        )
    };
}

const AWAITING_STOCK: &str = waiting!("'awaiting_stock'");
const AWAITING_PERSON: &str = waiting!("'awaiting_person'");

/// A queue of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    AwaitingStock,
    AwaitingPerson,
}

impl Queue {
    pub fn state(self) -> UnitState {
        match self {
            Self::AwaitingStock => UnitState::AwaitingStock,
            Self::AwaitingPerson => UnitState::AwaitingPerson,
        }
    }
}

/// The first lines of a queue, the earliest paid first, each with its units that wait. Units on hold are left out: nothing is
/// assigned while its money goes back.
pub async fn list_waiting(
    conn: &mut AsyncPgConnection,
    variant_id: VariantId,
    queue: Queue,
    limit: i64,
) -> QueryResult<Vec<PaidLine>> {
    let sql = match queue {
        Queue::AwaitingStock => AWAITING_STOCK,
        Queue::AwaitingPerson => AWAITING_PERSON,
    };
    Statement::new(sql).bind::<SqlUuid, _>(variant_id).bind::<BigInt, _>(limit).load(conn).await
}

const OF_UNITS: &str = concat!(
    "select ",
    paid_line!(before),
    "from unit u join order_line l on l.id = u.line_id join variant v on v.id = l.variant_id
  where u.id = any($1) and u.state = $2 and u.superseded_by is null group by l.id, v.id"
);

/// The lines of these units, with those of them that are in this state.
pub async fn list_lines_of_units(
    conn: &mut AsyncPgConnection,
    units: &[UnitId],
    state: UnitState,
) -> QueryResult<Vec<PaidLine>> {
    Statement::new(OF_UNITS)
        .bind::<Array<SqlUuid>, _>(units.iter().map(|unit| unit.0).collect::<Vec<_>>())
        .bind::<Text, _>(state.as_str())
        .load(conn)
        .await
}

/// Only one transaction at a time brings a variant's stock and its waiting lines together.
pub async fn lock_variant(conn: &mut AsyncPgConnection, variant_id: VariantId) -> QueryResult<()> {
    stock_lock::take(conn, variant_id).await
}

#[derive(QueryableByName)]
struct NeglectedRow {
    #[diesel(sql_type = SqlUuid)]
    variant_id: VariantId,
}

const NEGLECTED: &str = concat!(
    "select distinct u.variant_id from unit u join variant v on v.id = u.variant_id
  where u.state in ('awaiting_stock', 'awaiting_person') and u.superseded_by is null and not ",
    unit_is_held!(),
    " and "
);

/// Variants of which something can be given beside waiting lines.
pub async fn list_neglected(conn: &mut AsyncPgConnection) -> QueryResult<Vec<VariantId>> {
    let mut query = Statement::new(NEGLECTED);
    query.push(&goods::ready("v", "1"));
    let rows: Vec<NeglectedRow> = query.load(conn).await?;
    Ok(rows.into_iter().map(|r| r.variant_id).collect())
}

const WAITING_OF: &str = "select distinct u.variant_id from unit u where u.order_id = $1
    and u.state in ('awaiting_stock', 'awaiting_person') and u.superseded_by is null";

/// Variants whose goods units of this order wait for, or that are left to a person.
pub async fn list_waiting_variants(conn: &mut AsyncPgConnection, id: OrderId) -> QueryResult<Vec<VariantId>> {
    let rows: Vec<NeglectedRow> = Statement::new(WAITING_OF).bind::<SqlUuid, _>(id.0).load(conn).await?;
    Ok(rows.into_iter().map(|r| r.variant_id).collect())
}

/// A unit that may have to be taken back.
#[derive(Clone, Debug, QueryableByName)]
pub struct HeldUnit {
    #[diesel(sql_type = SqlUuid)]
    pub id: UnitId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = Text)]
    pub state: UnitState,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// As the seller offers the variant now.
    #[diesel(sql_type = Jsonb)]
    pub offered: Terms,
    /// Whether goods of it that nobody has seen may be sold again.
    #[diesel(sql_type = Bool)]
    pub restock_unseen: bool,
}

const HELD: &str =
    "select u.id, u.seller_id, u.line_id, u.state, u.variant_id, v.kind, v.terms as offered, v.restock_unseen
  from unit u join variant v on v.id = u.variant_id
  where u.order_id = $1 and u.superseded_by is null and ($2 or u.id = any($3::uuid[]))
  order by u.line_id, u.unit_no for update of u";

/// Locks units of an order: the named ones, or all.
pub async fn lock_units(
    conn: &mut AsyncPgConnection,
    order_id: OrderId,
    named: Option<&[UnitId]>,
) -> QueryResult<Vec<HeldUnit>> {
    Statement::new(HELD)
        .bind::<SqlUuid, _>(order_id)
        .bind::<Bool, _>(named.is_none())
        .bind::<Array<SqlUuid>, _>(named.unwrap_or_default().iter().map(|u| u.0).collect::<Vec<_>>())
        .load(conn)
        .await
}

#[derive(QueryableByName)]
struct Awaited {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Those of these lines of which a unit waits for a person.
pub async fn list_awaiting_person(
    conn: &mut AsyncPgConnection,
    lines: &[LineId],
) -> QueryResult<HashSet<LineId>> {
    let rows: Vec<Awaited> = Statement::new(
        "select distinct u.line_id as id from unit u where u.line_id = any($1::uuid[]) and u.state = 'awaiting_person'
           and u.superseded_by is null",
    )
    .bind::<Array<SqlUuid>, _>(lines.iter().map(|line| line.0).collect::<Vec<_>>())
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| LineId(row.id)).collect())
}

/// Whether any unit of a variant waits for stock.
pub async fn is_awaiting_stock(conn: &mut AsyncPgConnection, variant_id: VariantId) -> QueryResult<bool> {
    let rows: Vec<Awaited> = Statement::new(
        "select u.id from unit u where u.variant_id = $1 and u.state = 'awaiting_stock' and u.superseded_by is null limit 1",
    )
    .bind::<SqlUuid, _>(variant_id.0)
    .load(conn)
    .await?;
    Ok(!rows.is_empty())
}

/// Whether a paid unit of the variant waits for a person, for want of a file perhaps.
pub async fn is_awaiting_person(conn: &mut AsyncPgConnection, variant_id: VariantId) -> QueryResult<bool> {
    let rows: Vec<Awaited> = Statement::new(
        "select u.id from unit u where u.variant_id = $1 and u.state = 'awaiting_person' and u.superseded_by is null limit 1",
    )
    .bind::<SqlUuid, _>(variant_id.0)
    .load(conn)
    .await?;
    Ok(!rows.is_empty())
}

const LINES_OVER: &str = "select l.id from order_line l
  where l.order_id = $1 and l.reserved_until is not null and not exists (select 1 from unit u
    where u.line_id = l.id and u.superseded_by is null
      and u.state in ('unassigned', 'awaiting_stock', 'awaiting_supplier', 'awaiting_person'))";

/// Lines of an order for which keys were held and of which nothing waits any more.
pub async fn list_lines_over(conn: &mut AsyncPgConnection, order: OrderId) -> QueryResult<Vec<LineId>> {
    let rows: Vec<Awaited> = Statement::new(LINES_OVER).bind::<SqlUuid, _>(order.0).load(conn).await?;
    Ok(rows.into_iter().map(|row| LineId(row.id)).collect())
}

/// Whether a piece of an order has nothing and waits for nothing.
pub async fn has_unassigned(conn: &mut AsyncPgConnection, order: OrderId) -> QueryResult<bool> {
    let rows: Vec<Awaited> = Statement::new(
        "select u.id from unit u where u.order_id = $1 and u.state = 'unassigned' and u.superseded_by is null limit 1",
    )
    .bind::<SqlUuid, _>(order.0)
    .load(conn)
    .await?;
    Ok(!rows.is_empty())
}
