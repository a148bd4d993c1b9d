//! Which units a refund of a whole line is about.

use diesel_async::AsyncPgConnection;

use crate::base::error_code::ErrorCode;
use crate::base::ids::{LineId, OrderId, UnitId};
use crate::base::outcome::{Outcome, Refusal};
use crate::orders::store as orders;
use crate::orders::unit::UnitState;
use crate::payments::consequences::already_refunded;
use crate::payments::refunds::store as refunds;

/// The units of a line of a locked order that no refund has taken or names; of a bundle those of its parts. `NOT_FOUND`,
/// `ALREADY_REFUNDED` when there are none.
pub(super) async fn units(
    conn: &mut AsyncPgConnection,
    order: OrderId,
    line: LineId,
) -> Outcome<Vec<UnitId>> {
    let missing = || Refusal::new(ErrorCode::NotFound, "this line is not of this order").at(["lineId"]);
    let lines = orders::list_lines(conn, &[order]).await?;
    lines.iter().find(|own| own.id == line).ok_or_else(missing)?;
    let with_parts: Vec<LineId> = lines
        .iter()
        .filter(|own| own.id == line || own.parent_line_id == Some(line))
        .map(|own| own.id)
        .collect();
    let here: Vec<UnitId> = orders::list_units(conn, &[order])
        .await?
        .into_iter()
        .filter(|unit| with_parts.contains(&unit.line_id))
        .filter(|unit| !matches!(unit.state, UnitState::Revoked | UnitState::Cancelled))
        .map(|unit| unit.id)
        .collect();
    let named = refunds::list_named_of(conn, &here).await?;
    let left: Vec<UnitId> = here.into_iter().filter(|unit| !named.contains(unit)).collect();
    match left.is_empty() {
        true => Err(already_refunded().into()),
        false => Ok(left),
    }
}
