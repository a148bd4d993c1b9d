//! Holds: while money goes back, or its way is disputed, nothing of an order (or of one unit) leaves. Payments set and
//! lift them in the transaction that moves the refund or dispute; every door asks for them through
//! [`may_hand_over`](crate::base::hand_over::may_hand_over).

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

pub use crate::base::hand_over::HoldCause as Cause;
use crate::base::hand_over::{Piece, Standing};
use crate::base::ids::{OrderId, UnitId};
use crate::infra::db::statement::Statement;
use crate::orders::model::Order;
use crate::orders::unit::UnitState;

/// One reason to keep doors shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// None: the whole order.
    pub unit_id: Option<UnitId>,
    pub cause: Cause,
    /// The refund, the dispute, or the payment whose money is gone.
    pub cause_id: Uuid,
}

const DROP: &str = "delete from hold h where h.order_id = $1 and not exists (
    select 1 from unnest($2::uuid[], $3::text[], $4::uuid[]) as w (unit_id, cause, cause_id)
     where w.cause = h.cause and w.cause_id = h.cause_id and w.unit_id is not distinct from h.unit_id)";

const SET: &str = "insert into hold (order_id, unit_id, cause, cause_id)
  select $1, w.unit_id, w.cause, w.cause_id from unnest($2::uuid[], $3::text[], $4::uuid[]) as w (unit_id, cause, cause_id)
  on conflict do nothing";

/// Makes the holds of a locked order these and no others. Says whether one was lifted.
pub async fn replace(
    conn: &mut AsyncPgConnection,
    order_id: OrderId,
    wanted: &[Hold],
) -> diesel::QueryResult<bool> {
    let of = |sql| {
        Statement::new(sql)
            .bind::<SqlUuid, _>(order_id.0)
            .bind::<Array<Nullable<SqlUuid>>, _>(
                wanted.iter().map(|h| h.unit_id.map(|u| u.0)).collect::<Vec<_>>(),
            )
            .bind::<Array<Text>, _>(wanted.iter().map(|h| h.cause.as_str()).collect::<Vec<_>>())
            .bind::<Array<SqlUuid>, _>(wanted.iter().map(|h| h.cause_id).collect::<Vec<_>>())
    };
    let lifted = of(DROP).execute(conn).await?;
    if !wanted.is_empty() {
        of(SET).execute(conn).await?;
    }
    Ok(lifted > 0)
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Whether anything of an order is held.
pub async fn is_held(conn: &mut AsyncPgConnection, order_id: OrderId) -> diesel::QueryResult<bool> {
    let count: Count = Statement::new("select count(*) as n from hold where order_id = $1")
        .bind::<SqlUuid, _>(order_id.0)
        .get_result(conn)
        .await?;
    Ok(count.n > 0)
}

/// How a unit looks to the rule. `is_lost`: the order's money went to the buyer by a dispute.
pub fn standing(order: &Order, unit: UnitState, is_lost: bool, hold: Option<Cause>) -> Standing {
    let piece = match unit {
        UnitState::Assigned | UnitState::Revealed => Piece::Delivered,
        UnitState::Replaced => Piece::Replaced,
        UnitState::Revoked if is_lost => Piece::Revoked,
        UnitState::Revoked => Piece::Refunded,
        UnitState::Cancelled => Piece::Cancelled,
        UnitState::Unassigned
        | UnitState::AwaitingStock
        | UnitState::AwaitingSupplier
        | UnitState::AwaitingPerson => Piece::Waiting,
    };
    Standing { paid: order.state.is_paid(), piece, hold }
}
