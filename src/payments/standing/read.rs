//! SQL of units with their holds and what became of their money.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{LineId, OrderId, UnitId};
use crate::infra::db::statement::Statement;
use crate::orders::hand_over::{HoldCause, Standing};
use crate::orders::holds;
use crate::orders::model::{Order, Unit};
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
    /// Its number within what was asked for. Within a bundle: its own within a part, and the parts in their order.
    #[diesel(sql_type = Integer)]
    pub number: i32,
}

impl UnitStanding {
    pub fn of(&self, order: &Order) -> Standing {
        let hold = self.hold.as_deref().and_then(HoldCause::parse);
        holds::standing(order, self.unit.state, self.is_lost, hold)
    }
}

macro_rules! standings {
    ($number:literal, $where:literal) => {
        concat!(
            "select u.*, ",
            $number,
            " as number, \
               exists (select 1 from payment p where p.order_id = u.order_id and p.allocated and p.lost_minor > 0) as is_lost, \
               (select h.cause from hold h where h.order_id = u.order_id and (h.unit_id is null or h.unit_id = u.id) \
                 order by h.cause <> 'refund', h.cause limit 1) as hold \
             from unit u ",
            $where
        )
    };
}

// A line has at most a thousand units, and its parts come right after a bundle.
const STANDINGS: &str = standings!(
    "(l.position - coalesce(asked.position, l.position)) * 10000 + u.unit_no",
    "join order_line l on l.id = u.line_id left join order_line asked on asked.id = $1 \
     where u.order_id = $2 and ((l.id = asked.id or l.parent_line_id = asked.id) and u.superseded_by is null \
         or u.id = any($3::uuid[])) \
       and (l.position - coalesce(asked.position, l.position)) * 10000 + u.unit_no > $4 \
     order by l.position, u.unit_no limit $5 for update of u"
);

const STANDINGS_OF_ORDER: &str = standings!(
    "u.unit_no",
    "where u.order_id = $1 and u.superseded_by is null order by u.line_id, u.unit_no"
);

/// The units of an order; the caller holds the order's lock, so that they stay as they are.
pub async fn list_standings_of_order(
    conn: &mut AsyncPgConnection,
    order_id: OrderId,
) -> QueryResult<Vec<UnitStanding>> {
    Statement::new(STANDINGS_OF_ORDER).bind::<SqlUuid, _>(order_id.0).load(conn).await
}

/// Locks units of a target, in the order of their numbers, from after the given number on. The units of a bundle are those of
/// its parts.
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
        .bind::<Nullable<SqlUuid>, _>(line.map(|l| l.0))
        .bind::<SqlUuid, _>(order_id.0)
        .bind::<Array<SqlUuid>, _>(units.iter().map(|u| u.0).collect::<Vec<_>>())
        .bind::<Integer, _>(after)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}
