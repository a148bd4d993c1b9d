//! Cases: what buyers report of pieces, until who sells them, or staff, has answered. The buyer reads the answers on the order
//! page, and by mail.

pub mod answer;
pub mod model;
pub mod read;
pub mod state;
mod store;
pub mod sweep;

use diesel_async::AsyncPgConnection;

use crate::base::ids::UnitId;
use crate::base::outcome::Outcome;
use crate::infra::effects::tasks::{self, TaskKind};
use crate::orders::tasks::DeliveryReported;

pub use model::{AnswerRow, CaseRow};
pub use state::{CaseAction, CaseState};
pub(super) use store::{NewCase, insert};

/// Closes what was reported of a piece that is replaced, in the transaction that replaces it.
pub(super) async fn end_of_replaced(conn: &mut AsyncPgConnection, unit: UnitId, actor: &str) -> Outcome<()> {
    store::advance_of_replaced(conn, unit).await?;
    tasks::resolve(conn, &[DeliveryReported::over(unit)], actor).await?;
    Ok(())
}
