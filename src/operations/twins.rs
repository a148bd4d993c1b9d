//! Staff decides about two keys of the same text.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{KeyId, TaskId};
use crate::base::outcome::{Outcome, Refusal};
use crate::fulfilment::jobs::Fill;
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::effects::record::Record;
use crate::infra::effects::tasks::TaskKind;
use crate::infra::kit::Kit;
use crate::operations::store::{self, Task};
use crate::operations::tasks;
use crate::vault::freeze;
use crate::vault::tasks::{KeyTextTwin, Twins};

/// What becomes of the key that was taken out of sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TwinDecision {
    /// It is never sold.
    Void,
    /// It is sold although another one has its text.
    Release,
}

/// Ends the task about two keys of one text. The key that is out of sale is voided or put back; when both were sold
/// before anybody looked, there is none and `ILLEGAL_TRANSITION` is answered: the buyer is helped by a refund, and the
/// task is ended by itself. Also `NOT_FOUND`, `TASK_TAKEN`, `REASON_REQUIRED`, `FORBIDDEN`.
pub async fn decide(
    kit: &Kit,
    actor: &Actor,
    id: TaskId,
    decision: TwinDecision,
    note: &str,
) -> Outcome<Task> {
    let mut tx = kit.db.begin().await?;
    let task = tasks::resolve_within(&mut tx, actor, id, note).await?;
    let twins = Twins::read(&task.body).filter(|_| task.kind == KeyTextTwin::KIND);
    let Some(twins) = twins else {
        return Err(Refusal::new(ErrorCode::Invalid, "this task is not about two keys of one text")
            .at(["taskId"])
            .into());
    };
    let frozen: Vec<KeyId> = twins.frozen.into_iter().collect();
    let changed = match decision {
        TwinDecision::Void => freeze::void(&mut tx, &frozen, &actor.label()).await?,
        TwinDecision::Release => freeze::thaw(&mut tx, &frozen, &actor.label()).await?,
    };
    if changed.is_empty() {
        return Err(
            Refusal::new(ErrorCode::IllegalTransition, "neither of the two keys is out of sale").into()
        );
    }
    if decision == TwinDecision::Release {
        let fill = |key: &crate::vault::ChangedKey| Fill { variant: key.variant_id }.job();
        jobs::add(&tx, &changed.iter().map(fill).collect::<Vec<_>>()).await?;
    }
    let task = store::find_task(&mut tx, task.id).await?.unwrap_or(task);
    tx.commit().await?;
    kit.bell.ring();
    Ok(task)
}
