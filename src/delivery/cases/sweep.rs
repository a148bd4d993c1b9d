//! What nobody answers is put before the shop's staff.

use crate::base::ids::CaseId;
use crate::base::outcome::Outcome;
use crate::delivery::cases::model::CaseRow;
use crate::delivery::cases::store;
use crate::infra::effects::tasks::{self, NewTask, TaskKind};
use crate::infra::kit::Kit;
use crate::orders::tasks::{DeliveryReported, Problem};

/// Cases that one step looks at.
const AT_ONCE: i64 = 100;

/// Sweep: opens a task about each case that has waited for its answer as long as the shop allows. Returns how many. Staff that
/// has ended such a task is not asked about the same case again.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let days = i32::try_from(kit.config.shop.case_answer_days).unwrap_or(i32::MAX);
    let mut tx = kit.db.begin().await?;
    let due = store::list_unanswered(&mut tx, DeliveryReported::KIND, days, AT_ONCE).await?;
    let ids: Vec<CaseId> = due.iter().map(|case| case.id).collect();
    let open = store::lock_open(&mut tx, &ids).await?;
    let opened = tasks::open(&tx, &kit.clock, &open.into_iter().map(task).collect::<Vec<_>>()).await?;
    tx.commit().await?;
    Ok(opened)
}

fn task(case: CaseRow) -> NewTask {
    let body = Problem { problem: case.problem, wish: case.wish, text: case.text };
    DeliveryReported::open(case.unit_id, body).of_order(case.order_id).of_line(case.line_id)
}
