//! A person says how a refund ended that its gateway leaves open: WeChat Pay's ABNORMAL that was paid back by other
//! means, a refund of which nobody there knows.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::RefundId;
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::base::text;
use crate::infra::effects::events::{self, Event};
use crate::orders::store as orders;
use crate::payments::events::{Concluded, RefundEvent};
use crate::payments::kit::PaymentKit;
use crate::payments::refunds::hear::{self, Heard};
use crate::payments::refunds::model::Refund;
use crate::payments::refunds::state::RefundChange;
use crate::payments::refunds::store as refunds;
use crate::payments::{case, consequences};

/// Ends an open refund as succeeded or failed, with all that follows. Refusals: `FORBIDDEN`, `NOT_FOUND`,
/// `REASON_REQUIRED`, `ILLEGAL_TRANSITION` for one that has ended.
pub async fn conclude(
    kit: &PaymentKit,
    actor: &Actor,
    id: RefundId,
    succeeded: bool,
    reason: &str,
) -> Outcome<Refund> {
    if !actor.is_staff() {
        return Err(Refusal::new(ErrorCode::Forbidden, "refunds are for staff").into());
    }
    text::reason(reason, "reason", 2_000, "say by what you know it")?;
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such refund").at(["refundId"]);
    let mut tx = kit.db.begin().await?;
    let seen = refunds::find(&mut tx, id).await?.ok_or_else(missing)?;
    let order = orders::lock(&mut tx, seen.order_id).await?;
    let order = order.ok_or_else(|| Fault::bug("a refund without its order"))?;
    let mut case = case::load_one(&tx, kit, &order).await?;
    let index = case.payments.iter().position(|t| t.row.id == seen.payment_id);
    let index = index.ok_or_else(|| Fault::bug("a refund without its payment"))?;
    if !case.refunds.iter().any(|r| r.row.id == id && r.row.state.is_open()) {
        return Err(Refusal::new(ErrorCode::IllegalTransition, "this refund has ended")
            .at(["refundId"])
            .into());
    }
    let heard = Heard {
        refund_id: Some(id),
        gateway_refund_id: None,
        amount_minor: None,
        change: if succeeded { RefundChange::Succeed } else { RefundChange::Fail },
        said_at: kit.clock.now(),
        made_at: None,
        failure_code: Some("decided_by_staff"),
        needs_person: false,
    };
    hear::one_refund(&mut case, index, &heard);
    case.rebalance(index);
    consequences::write_alone(&mut tx, kit, &case, &order).await?;
    // What a person wrote may name somebody: the chain keeps that it was decided.
    let event = RefundEvent::Concluded(id, Concluded { succeeded }).by(actor.label()).of_order(seen.order_id);
    events::append(&tx, &[event]).await?;
    let now = refunds::find(&mut tx, id).await?.ok_or_else(missing)?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(now)
}
