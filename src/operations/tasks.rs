//! Staff takes tasks, gives them back, and ends them.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{TaskId, UserId};
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text;
use crate::infra::db::one;
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::tasks::{self, Ended, OfTask, TaskEvent};
use crate::infra::kit::Kit;
use crate::operations::state::{TaskChange, TaskState};
use crate::operations::store::{self, Task};

/// Takes a task, so that nobody else begins it. `TASK_TAKEN`, `NOT_FOUND`, `FORBIDDEN`, `ILLEGAL_TRANSITION`.
pub async fn take(kit: &Kit, actor: &Actor, id: TaskId) -> Outcome<Task> {
    change(kit, actor, id, TaskChange::Take).await
}

/// Gives a task back to everybody.
pub async fn release(kit: &Kit, actor: &Actor, id: TaskId) -> Outcome<Task> {
    change(kit, actor, id, TaskChange::Release).await
}

/// Ends a task, saying what was done. `REASON_REQUIRED`.
pub async fn resolve(kit: &Kit, actor: &Actor, id: TaskId, note: &str) -> Outcome<Task> {
    let mut tx = kit.db.begin().await?;
    let task = resolve_within(&mut tx, actor, id, note).await?;
    tx.commit().await?;
    Ok(task)
}

/// The same in the caller's transaction, which does what was decided.
pub(super) async fn resolve_within(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: TaskId,
    note: &str,
) -> Outcome<Task> {
    let note = text::reason(note, "note", 2_000, "say what was done")?;
    change_within(conn, actor, id, TaskChange::Resolve, Some(note)).await
}

async fn change(kit: &Kit, actor: &Actor, id: TaskId, change: TaskChange) -> Outcome<Task> {
    let mut tx = kit.db.begin().await?;
    let task = change_within(&mut tx, actor, id, change, None).await?;
    tx.commit().await?;
    Ok(task)
}

async fn change_within(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: TaskId,
    change: TaskChange,
    note: Option<String>,
) -> Outcome<Task> {
    let user = match actor.user_id() {
        Some(user) if actor.is_staff() => user,
        _ => return Err(Refusal::new(ErrorCode::Forbidden, "tasks are for staff").into()),
    };
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such task").at(["taskId"]);
    let task = store::lock_task(conn, id).await?.ok_or_else(missing)?;
    if task.taken_by.is_some_and(|holder| holder != user) && task.state == TaskState::Taken {
        return Err(Refusal::new(ErrorCode::TaskTaken, "somebody else works on this").into());
    }
    let after = task
        .state
        .after(change)
        .map_err(|_| Refusal::new(ErrorCode::IllegalTransition, "this task has ended already"))?;
    if after == task.state {
        return Ok(task);
    }
    let holder: Option<UserId> = (after != TaskState::Open).then_some(user);
    one(tasks::advance(conn, id, task.state.as_str(), after.as_str(), holder).await?, "task")?;
    // What a person wrote may name somebody: the chain keeps only that something was written.
    let (task_kind, noted) = (task.kind.clone(), note.is_some());
    let event = match change {
        TaskChange::Take => TaskEvent::Taken(id, OfTask { task_kind }),
        TaskChange::Release => TaskEvent::Released(id, OfTask { task_kind }),
        TaskChange::Resolve => TaskEvent::Resolved(id, Ended { task_kind, noted }),
    };
    events::append(conn, &[event.by(actor.label()).of_order(task.order_id)]).await?;
    Ok(store::lock_task(conn, id).await?.ok_or_else(missing)?)
}
