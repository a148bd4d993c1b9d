//! What staff did to a buyer's order, and why.

use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{OrderId, UnitId, UserId};
use crate::infra::db::statement::Statement;

/// An act that needs a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The secrets of units were shown: a row for each.
    DeliveryShown,
    AddressCorrected,
    /// By staff or by who sells it.
    DeliveryReplaced,
}

impl Act {
    fn as_str(self) -> &'static str {
        match self {
            Act::DeliveryShown => "delivery_shown",
            Act::AddressCorrected => "address_corrected",
            Act::DeliveryReplaced => "delivery_replaced",
        }
    }
}

/// Records an act about an order, or one about each of these units of it.
pub async fn insert_acts(
    conn: &mut AsyncPgConnection,
    act: Act,
    order: OrderId,
    units: &[UnitId],
    user: UserId,
    reason: &str,
) -> QueryResult<usize> {
    let units: Vec<Option<uuid::Uuid>> =
        if units.is_empty() { vec![None] } else { units.iter().map(|u| Some(u.0)).collect() };
    Statement::new(
        "insert into staff_act (kind, order_id, unit_id, user_id, reason) \
         select $1, $2, unit_id, $3, $4 from unnest($5::uuid[]) as unit_id",
    )
    .bind::<Text, _>(act.as_str())
    .bind::<SqlUuid, _>(order.0)
    .bind::<SqlUuid, _>(user.0)
    .bind::<Text, _>(reason)
    .bind::<Array<Nullable<SqlUuid>>, _>(units)
    .execute(conn)
    .await
}

#[derive(QueryableByName)]
struct Shown {
    #[diesel(sql_type = BigInt)]
    times: i64,
}

/// How often secrets of an order were shown to staff.
pub async fn count_shown(conn: &mut AsyncPgConnection, order: OrderId) -> QueryResult<i64> {
    let shown: Shown = Statement::new(
        "select count(*) as times from staff_act where order_id = $1 and kind = 'delivery_shown'",
    )
    .bind::<SqlUuid, _>(order.0)
    .get_result(conn)
    .await?;
    Ok(shown.times)
}
