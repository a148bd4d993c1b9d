//! A refund that did not come to its end is tried again by staff.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::RefundId;
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::payments::kit::PaymentKit;
use crate::payments::refunds::model::Refund;
use crate::payments::refunds::request::{self, RefundOf, RefundRequest};
use crate::payments::refunds::state::RefundState;
use crate::payments::refunds::store as refunds;
use crate::payments::refunds::work;

/// Sends an open refund, or asks about it, now. One that failed is asked for anew, for the same pieces and amount and
/// under an id of its own: its gateway answers the old id with the old no. Refusals: `FORBIDDEN`, `NOT_FOUND`,
/// `ILLEGAL_TRANSITION` for one that succeeded, and those of a new refund.
pub async fn retry(kit: &PaymentKit, actor: &Actor, key: String, id: RefundId) -> Outcome<Refund> {
    if !actor.is_staff() {
        return Err(Refusal::new(ErrorCode::Forbidden, "refunds are for staff").into());
    }
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such refund").at(["refundId"]);
    let (refund, units) = {
        let mut conn = kit.db.conn().await?;
        let refund = refunds::find(&mut conn, id).await?.ok_or_else(missing)?;
        (refund, refunds::list_units(&mut conn, id).await?)
    };
    match refund.state {
        RefundState::Succeeded => {
            Err(Refusal::new(ErrorCode::IllegalTransition, "this refund was made").at(["refundId"]).into())
        }
        RefundState::Failed => {
            let wish = RefundRequest {
                idempotency_key: key,
                of: RefundOf::Payment(refund.payment_id),
                units,
                amount_minor: Some(refund.amount_minor),
                reason: refund.reason,
            };
            request::request(kit, actor, wish).await
        }
        RefundState::Requested | RefundState::Pending | RefundState::Unknown => {
            work::work(kit, id).await?;
            let now = refunds::find(&mut *kit.db.conn().await?, id).await?;
            Ok(now.ok_or_else(|| Fault::bug("a refund is gone"))?)
        }
    }
}
