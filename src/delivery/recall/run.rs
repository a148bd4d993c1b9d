//! The job of a recall: it sees to one piece after the other.

use std::time::Duration;

use tokio::time::Instant;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{RecallId, RefundId, UnitId};
use crate::base::outcome::{Failure, Fault, Outcome, Refusal};
use crate::delivery::events::{AdvancedRecall, EndedRecall, RecallEvent};
use crate::delivery::jobs::HandleRecall;
use crate::delivery::recall::model::{PieceOutcome, RecallAction, RecallRow};
use crate::delivery::recall::store::Handled;
use crate::delivery::recall::{read, store};
use crate::delivery::replace::{self, Why};
use crate::delivery::tasks::{NotHandled, RecallNotHandled};
use crate::infra::db::one;
use crate::infra::effects::Effects;
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::effects::tasks::TaskKind;
use crate::infra::kit::Kit;
use crate::orders::UnitState;
use crate::orders::hand_over::may_hand_over;
use crate::payments::kit::PaymentKit;
use crate::payments::refunds::request::{self, RefundOf, RefundRequest};

/// Pieces handled before the job looks whether it is to stop.
const AT_ONCE: usize = 50;

/// How long those who follow a recall wait for what it has done.
const REPORTED_AFTER: Duration = Duration::from_secs(1);

/// Faults after which a piece is put before a person.
const MOST_TRIES: i64 = 5;

/// Job `delivery.recall`: handles some pieces; whether there are more. Two that run at once do it together.
pub async fn run(kit: &PaymentKit, id: RecallId) -> Outcome<bool> {
    let recall = read::find(&mut *kit.db.conn().await?, id).await?;
    let recall = recall.ok_or_else(|| Fault::bug("a job of no recall"))?;
    let mut faults = 0;
    let mut reported = Instant::now();
    for _ in 0..AT_ONCE {
        let next = store::next_open(&mut *kit.db.conn().await?, id).await?;
        let Some(unit) = next else {
            finish(kit, id).await?;
            return Ok(false);
        };
        match handle(kit, &recall, unit).await {
            Ok(Some(refund)) => request::send(kit, refund).await,
            Ok(None) => {}
            Err(Failure::Refused(no)) => put_off(kit, id, unit, &no).await?,
            Err(Failure::Fault(fault)) => {
                tracing::error!(%fault, recall = %id, %unit, "a piece of a recall could not be handled");
                store::advance_tried(&mut *kit.db.conn().await?, id, unit, MOST_TRIES).await?;
                faults += 1;
                if faults >= MOST_TRIES {
                    return Err(fault.into());
                }
            }
        }
        crate::fault_point!("recall.handled");
        if reported.elapsed() >= REPORTED_AFTER {
            report(kit, &recall).await?;
            reported = Instant::now();
        }
    }
    report(kit, &recall).await?;
    Ok(true)
}

/// How far it has come, for those who follow it. Beside the pieces' transactions: a report that a kill swallows is no loss,
/// for whoever looks counts the pieces.
async fn report(kit: &Kit, recall: &RecallRow) -> Outcome<()> {
    let mut tx = kit.db.begin().await?;
    let open = store::count_open(&mut tx, recall.id).await?;
    let body = AdvancedRecall { recall: recall.id, open };
    let event = RecallEvent::Advanced(recall.batch_id, body).by("system").of_seller(recall.seller_id);
    events::append(&tx, &[event]).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}

/// Handles one piece in one transaction, which marks it. A refund is sent when it is committed.
async fn handle(kit: &PaymentKit, recall: &RecallRow, unit: UnitId) -> Outcome<Option<RefundId>> {
    let actor = Actor::system();
    let mut tx = kit.db.begin().await?;
    let piece = replace::lock(&mut tx, unit).await?;
    let piece = piece.ok_or_else(|| Fault::bug("a recall of no piece"))?;
    if store::lock_open(&mut tx, recall.id, unit).await?.is_none() {
        return Ok(None);
    }
    let id = (recall.id, unit);
    let over = match piece.standing.unit.state {
        UnitState::Replaced => Some(ErrorCode::Replaced),
        UnitState::Revoked | UnitState::Cancelled => Some(ErrorCode::Revoked),
        _ => None,
    };
    let mut refund = None;
    if let Some(code) = over {
        let handled = Handled { code: Some(code.as_str()), ..Handled::default() };
        one(store::advance(&mut tx, id, PieceOutcome::Skipped, &handled).await?, "piece")?;
    } else if recall.action == RecallAction::Replace {
        let successor = UnitId(kit.clock.uuid());
        replace::make(&mut tx, kit, &actor, &piece, successor, (Why::Recall, recall.requested_by)).await?;
        let handled = Handled { successor: Some(successor), ..Handled::default() };
        one(store::advance(&mut tx, id, PieceOutcome::Replaced, &handled).await?, "piece")?;
    } else {
        may_hand_over(&piece.standing.of(&piece.order))?;
        let wish = RefundRequest {
            idempotency_key: format!("recall:{unit}"),
            of: RefundOf::Order(piece.order.id),
            units: vec![unit],
            amount_minor: None,
            reason: Some(recall.reason.clone()),
        };
        let made = request::record(&mut tx, kit, &actor, &wish).await?;
        let handled = Handled { refund: Some(made), ..Handled::default() };
        one(store::advance(&mut tx, id, PieceOutcome::Refunded, &handled).await?, "piece")?;
        refund = Some(made);
    }
    crate::fault_point!("recall.piece");
    tx.commit().await?;
    Ok(refund)
}

/// What is refused is a person's: a payment that is disputed, a gateway that takes no refunds.
async fn put_off(kit: &Kit, id: RecallId, unit: UnitId, no: &Refusal) -> Outcome<()> {
    tracing::warn!(code = %no.code, recall = %id, %unit, "a piece of a recall is left to a person");
    let handled = Handled { code: Some(no.code.as_str()), ..Handled::default() };
    store::advance(&mut *kit.db.conn().await?, (id, unit), PieceOutcome::Failed, &handled).await?;
    Ok(())
}

/// Ends a recall all of whose pieces were handled.
async fn finish(kit: &Kit, id: RecallId) -> Outcome<()> {
    let mut tx = kit.db.begin().await?;
    if store::advance_finished(&mut tx, id).await? == 0 {
        return Ok(());
    }
    let recall = read::find(&mut tx, id).await?.ok_or_else(|| Fault::bug("a recall is gone"))?;
    let mut effects = Effects::default();
    let body = EndedRecall {
        recall: id,
        replaced: recall.replaced + recall.waiting,
        refunded: recall.refunded,
        skipped: recall.skipped,
        failed: recall.failed,
    };
    let event = RecallEvent::Ended(recall.batch_id, body).by("system").of_seller(recall.seller_id);
    effects.events.push(event);
    if recall.failed > 0 {
        let body = NotHandled { batch: recall.batch_id, failed: recall.failed };
        effects.tasks.push(RecallNotHandled::open(id, body));
    }
    effects.write(&tx, &kit.clock).await?;
    crate::fault_point!("recall.ended");
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}

/// Sweep: queues the work on recalls that go on and have no job. Returns how many.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let mut tx = kit.db.begin().await?;
    let forgotten = store::list_forgotten(&mut tx, HandleRecall::KIND).await?;
    let again: Vec<_> = forgotten.iter().map(|recall| HandleRecall { recall: *recall }.job()).collect();
    let added = jobs::add(&tx, &again).await?;
    tx.commit().await?;
    Ok(added)
}
