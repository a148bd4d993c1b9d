//! Staff has deliveries tried again that wait.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{UnitId, VariantId};
use crate::base::outcome::{Failure, Outcome, Refusal};
use crate::fulfilment::jobs::Fill;
use crate::fulfilment::supplier;
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::kit::Kit;
use crate::operations::store::{self, Waiting};
use crate::orders::UnitState;

/// Pieces tried again at once.
const MOST: usize = 100;

/// Queues another try for each waiting piece; one result per id, in their order. `FORBIDDEN`, `INVALID`; for single
/// pieces `NOT_FOUND`, `ALREADY_DELIVERED`, `ILLEGAL_TRANSITION`.
pub async fn retry(kit: &Kit, actor: &Actor, ids: &[UnitId]) -> Outcome<Vec<Result<UnitId, Refusal>>> {
    if !actor.is_staff() {
        return Err(Refusal::new(ErrorCode::Forbidden, "this is for staff").into());
    }
    if ids.is_empty() || ids.len() > MOST {
        let text = format!("name 1 to {MOST} deliveries");
        return Err(Refusal::new(ErrorCode::Invalid, text).at(["deliveryIds"]).into());
    }
    let mut tx = kit.db.begin().await?;
    let found = store::list_waiting(&mut tx, ids).await?;
    let mut variants: Vec<VariantId> = Vec::new();
    let mut results = Vec::with_capacity(ids.len());
    for id in ids {
        let result = judge(&found, *id).map(|unit| {
            if !unit.is_bought() {
                variants.push(unit.variant_id);
            }
            *id
        });
        results.push(result);
    }
    variants.sort_unstable();
    variants.dedup();
    let job = |variant: &VariantId| Fill { variant: *variant }.job();
    jobs::add(&tx, &variants.iter().map(job).collect::<Vec<_>>()).await?;
    tx.commit().await?;
    kit.bell.ring();
    for unit in found.iter().filter(|unit| unit.is_bought()) {
        for result in results.iter_mut().filter(|result| result.as_ref() == Ok(&unit.id)) {
            match supplier::retry(kit, unit.id).await {
                Ok(()) => {}
                Err(Failure::Refused(refusal)) => *result = Err(*refusal),
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok(results)
}

/// Whether a piece may be tried again.
fn judge(found: &[Waiting], id: UnitId) -> Result<&Waiting, Refusal> {
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such delivery");
    let unit = found.iter().find(|unit| unit.id == id).ok_or_else(missing)?;
    let waits = matches!(
        unit.state,
        UnitState::AwaitingStock | UnitState::AwaitingPerson | UnitState::AwaitingSupplier
    );
    match unit.state {
        _ if waits && unit.held => Err(Refusal::new(
            ErrorCode::IllegalTransition,
            "this delivery is held by a refund, a dispute or a payment that is gone: end that first",
        )),
        _ if waits && unit.is_bought() => Ok(unit),
        UnitState::AwaitingStock => Ok(unit),
        UnitState::AwaitingPerson if unit.ready => Ok(unit),
        UnitState::AwaitingPerson => Err(Refusal::new(
            ErrorCode::IllegalTransition,
            "there is nothing to deliver yet: publish a version of the file, bring keys in, or deliver it by hand",
        )),
        state if state.is_delivered() => {
            Err(Refusal::new(ErrorCode::AlreadyDelivered, "this delivery was made already"))
        }
        _ => Err(Refusal::new(ErrorCode::IllegalTransition, "this delivery does not wait for goods")),
    }
}
