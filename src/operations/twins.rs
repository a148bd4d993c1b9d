//! Staff decides about two keys of the same text.

use diesel_async::AsyncPgConnection;

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
use crate::vault::tasks::{KeyTextTwin, Twins};
use crate::vault::{ChangedKey, freeze};

/// What becomes of keys that were taken out of sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDecision {
    /// They are never sold.
    Void,
    /// They are sold all the same.
    Release,
}

/// Ends the task about two keys of one text. The key that is out of sale is voided or put back; when both were sold
/// before anybody looked, there is none and `ILLEGAL_TRANSITION` is answered: the buyer is helped by a refund, and the
/// task is ended by itself. Also `NOT_FOUND`, `TASK_TAKEN`, `REASON_REQUIRED`, `FORBIDDEN`.
pub async fn decide(
    kit: &Kit,
    actor: &Actor,
    id: TaskId,
    decision: KeyDecision,
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
    if !change(&mut tx, actor, &frozen, decision).await? {
        return Err(
            Refusal::new(ErrorCode::IllegalTransition, "neither of the two keys is out of sale").into()
        );
    }
    let task = store::find_task(&mut tx, task.id).await?.unwrap_or(task);
    tx.commit().await?;
    kit.bell.ring();
    Ok(task)
}

/// Does what was decided with those of the keys that are out of sale, in the caller's transaction. False: none of them is.
pub(super) async fn change(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    frozen: &[KeyId],
    decision: KeyDecision,
) -> Outcome<bool> {
    let changed = match decision {
        KeyDecision::Void => freeze::void(conn, frozen, &actor.label()).await?,
        KeyDecision::Release => freeze::thaw(conn, frozen, &actor.label()).await?,
    };
    if decision == KeyDecision::Release {
        let fill = |key: &ChangedKey| Fill { variant: key.variant_id }.job();
        jobs::add(conn, &changed.iter().map(fill).collect::<Vec<_>>()).await?;
    }
    Ok(!changed.is_empty())
}
