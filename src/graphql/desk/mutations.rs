use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::base::error_code::ErrorCode;
use crate::base::ids::{TaskId, UnitId};
use crate::base::outcome::{Failure, Outcome, Refusal};
use crate::graphql::context::ContextExt;
use crate::graphql::desk::types::Task;
use crate::graphql::error::{Answer, OutcomeExt, split};
use crate::graphql::id;
use crate::graphql::user_error::StaffError;
use crate::operations;

/// Tasks or deliveries at once.
const MOST: usize = 100;

/// Input of `taskTake`.
#[derive(InputObject)]
pub struct TaskTakeInput {
    /// Which tasks; at most 100.
    task_ids: Vec<ID>,
}

/// Input of `taskRelease`.
#[derive(InputObject)]
pub struct TaskReleaseInput {
    /// Which task.
    task_id: ID,
}

/// Input of `taskResolve`.
#[derive(InputObject)]
pub struct TaskResolveInput {
    /// Which task.
    task_id: ID,
    /// What was done.
    note: String,
}

/// What became of one task.
#[derive(SimpleObject)]
pub struct TaskResult {
    /// Which one.
    task_id: ID,
    /// The task as it is now.
    task: Option<Task>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StaffError>,
}

/// Payload of `taskTake`.
#[derive(Default, SimpleObject)]
pub struct TaskTakePayload {
    /// One result per id, in their order.
    results: Vec<TaskResult>,
    /// Why nothing was done at all.
    user_errors: Vec<StaffError>,
}

/// Payload of `taskRelease`, `taskResolve` and `keyTwinDecide`.
#[derive(Default, SimpleObject)]
pub struct TaskPayload {
    /// The task as it is now.
    task: Option<Task>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StaffError>,
}

/// Input of `deliveryRetry`.
#[derive(InputObject)]
pub struct DeliveryRetryInput {
    /// Which deliveries; at most 100.
    delivery_ids: Vec<ID>,
}

/// What became of one delivery.
#[derive(SimpleObject)]
pub struct DeliveryRetryResult {
    /// Which one.
    delivery_id: ID,
    /// Whether it will be tried again.
    queued: bool,
    /// Why it will not.
    user_errors: Vec<StaffError>,
}

/// Payload of `deliveryRetry`.
#[derive(Default, SimpleObject)]
pub struct DeliveryRetryPayload {
    /// One result per id, in their order.
    results: Vec<DeliveryRetryResult>,
    /// Why nothing was done at all.
    user_errors: Vec<StaffError>,
}

/// What becomes of a key that was taken out of sale because another one has its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "operations::KeyDecision")]
pub enum KeyTwinDecision {
    /// It is never sold.
    Void,
    /// It is sold although another one has its text.
    Release,
}

/// Input of `keyTwinDecide`.
#[derive(InputObject)]
pub struct KeyTwinDecideInput {
    /// Which task, of kind `key_text_twin`.
    task_id: ID,
    /// What becomes of the key that is out of sale.
    decision: KeyTwinDecision,
    /// Why.
    note: String,
}

/// Input of `quarantineDecide`.
#[derive(InputObject)]
pub struct QuarantineDecideInput {
    /// Which task, of kind `purchase_quarantined`.
    task_id: ID,
    /// What becomes of the goods: released, they are stock of their variant.
    decision: KeyTwinDecision,
    /// Why.
    note: String,
}

/// What staff does by hand.
#[derive(Default)]
pub struct DeskMutation;

fn read(task: &ID) -> Result<TaskId, Refusal> {
    id::read(task, "taskId", TaskId::parse)
}

async fn payload(ctx: &Context<'_>, done: Outcome<operations::Task>) -> Answer<TaskPayload> {
    Ok(match split(done)? {
        Ok(task) => TaskPayload { task: Some(Task(task)), user_errors: Vec::new() },
        Err(refusal) => TaskPayload { task: None, user_errors: ctx.user_errors(refusal)? },
    })
}

#[Object]
impl DeskMutation {
    /// For staff: takes tasks, so that nobody else begins them.
    async fn task_take(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which tasks.")] input: TaskTakeInput,
    ) -> Answer<TaskTakePayload> {
        ctx.staff()?;
        if input.task_ids.len() > MOST {
            let refusal =
                Refusal::new(ErrorCode::Invalid, format!("at most {MOST} tasks at once")).at(["taskIds"]);
            return Ok(TaskTakePayload { results: Vec::new(), user_errors: ctx.user_errors(refusal)? });
        }
        let mut results = Vec::new();
        for (index, task_id) in input.task_ids.into_iter().enumerate() {
            // Which of the tasks is meant.
            let here = |refusal: Refusal| match refusal.field.is_empty() {
                true => refusal,
                false => refusal.at(["taskIds".to_owned(), index.to_string()]),
            };
            let done = async {
                match operations::take(ctx.backend(), ctx.actor(), read(&task_id).map_err(here)?).await {
                    Err(Failure::Refused(refusal)) => Err(here(*refusal).into()),
                    done => done,
                }
            };
            let TaskPayload { task, user_errors } = payload(ctx, done.await).await?;
            results.push(TaskResult { task_id, task, user_errors });
        }
        Ok(TaskTakePayload { results, user_errors: Vec::new() })
    }

    /// For staff: gives a task back to everybody.
    async fn task_release(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which task.")] input: TaskReleaseInput,
    ) -> Answer<TaskPayload> {
        ctx.staff()?;
        let done = async { operations::release(ctx.backend(), ctx.actor(), read(&input.task_id)?).await };
        payload(ctx, done.await).await
    }

    /// For staff: ends a task.
    async fn task_resolve(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which task, and what was done.")] input: TaskResolveInput,
    ) -> Answer<TaskPayload> {
        ctx.staff()?;
        let done = async {
            operations::resolve(ctx.backend(), ctx.actor(), read(&input.task_id)?, &input.note).await
        };
        payload(ctx, done.await).await
    }

    /// For staff: decides about two keys of the same text, and ends the task about them. Refused with
    /// `ILLEGAL_TRANSITION` when both were sold: end such a task by `taskResolve`.
    async fn key_twin_decide(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which task, and the decision.")] input: KeyTwinDecideInput,
    ) -> Answer<TaskPayload> {
        ctx.staff()?;
        let decision = input.decision.into();
        let done = async {
            operations::decide(ctx.backend(), ctx.actor(), read(&input.task_id)?, decision, &input.note).await
        };
        payload(ctx, done.await).await
    }

    /// For staff: decides about what a supplier delivered that was not sold, and ends the task about it. Refused with
    /// `ILLEGAL_TRANSITION` when nothing of it is in the vault: end such a task by `taskResolve`.
    async fn quarantine_decide(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which task, and the decision.")] input: QuarantineDecideInput,
    ) -> Answer<TaskPayload> {
        ctx.staff()?;
        let decision = input.decision.into();
        let done = async {
            let task = read(&input.task_id)?;
            operations::decide_quarantined(ctx.backend(), ctx.actor(), task, decision, &input.note).await
        };
        payload(ctx, done.await).await
    }

    /// For staff: has waiting deliveries tried again.
    async fn delivery_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which deliveries.")] input: DeliveryRetryInput,
    ) -> Answer<DeliveryRetryPayload> {
        ctx.staff()?;
        let nobody = UnitId(uuid::Uuid::nil());
        let ids: Vec<UnitId> =
            input.delivery_ids.iter().map(|d| UnitId::parse(d).unwrap_or(nobody)).collect();
        let tried = match operations::retry(ctx.backend(), ctx.actor(), &ids).await {
            Ok(tried) => tried,
            Err(Failure::Refused(refusal)) => {
                return Ok(DeliveryRetryPayload {
                    results: Vec::new(),
                    user_errors: ctx.user_errors(*refusal)?,
                });
            }
            Err(fault) => return Err(fault).or_top(),
        };
        let mut results = Vec::new();
        for (delivery_id, tried) in input.delivery_ids.into_iter().zip(tried) {
            let (queued, user_errors) = match tried {
                Ok(_) => (true, Vec::new()),
                Err(refusal) => (false, ctx.user_errors(refusal)?),
            };
            results.push(DeliveryRetryResult { delivery_id, queued, user_errors });
        }
        Ok(DeliveryRetryPayload { results, user_errors: Vec::new() })
    }
}
