//! Staff decides about what a supplier delivered that was not sold.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{SupplierPurchaseId, TaskId};
use crate::base::outcome::{Outcome, Refusal};
use crate::infra::effects::tasks::TaskKind;
use crate::infra::kit::Kit;
use crate::operations::store::{self, Task};
use crate::operations::tasks;
use crate::operations::twins::{self, KeyDecision};
use crate::suppliers::read;
use crate::suppliers::tasks::PurchaseQuarantined;

/// Ends the task about a purchase whose goods were kept out of sale: they are voided, or become stock of their variant.
/// `NOT_FOUND`, `INVALID` for other tasks, `ILLEGAL_TRANSITION` when nothing of it is out of sale (end the task by
/// `taskResolve`), `TASK_TAKEN`, `REASON_REQUIRED`, `FORBIDDEN`.
pub async fn decide_quarantined(
    kit: &Kit,
    actor: &Actor,
    id: TaskId,
    decision: KeyDecision,
    note: &str,
) -> Outcome<Task> {
    let mut tx = kit.db.begin().await?;
    let task = tasks::resolve_within(&mut tx, actor, id, note).await?;
    let purchase = task.subject.parse().ok().map(SupplierPurchaseId);
    let Some(purchase) = purchase.filter(|_| task.kind == PurchaseQuarantined::KIND) else {
        let text = "this task is not about goods that are kept out of sale";
        return Err(Refusal::new(ErrorCode::Invalid, text).at(["taskId"]).into());
    };
    let keys = read::list_quarantined(&mut tx, purchase).await?;
    if !twins::change(&mut tx, actor, &keys, decision).await? {
        return Err(Refusal::new(ErrorCode::IllegalTransition, "nothing of it is out of sale").into());
    }
    let task = store::find_task(&mut tx, task.id).await?.unwrap_or(task);
    tx.commit().await?;
    kit.bell.ring();
    Ok(task)
}
