use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::ids::{CaseId, UnitId};
use crate::delivery::cases::answer::{self, AnswerRequest};
use crate::delivery::replace::{self, ReplaceRequest};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::orders::cases::{CaseAction, ReportedCase, load_cases};
use crate::graphql::orders::delivery::Delivery;
use crate::graphql::orders::line::OrderLine;
use crate::graphql::orders::load::line_page;
use crate::graphql::user_error::DeliveryError;
use crate::orders::access::AccessLevel;

/// Input of `deliveryReplace`.
#[derive(InputObject)]
pub struct DeliveryReplaceInput {
    /// 16 to 255 random characters, made and kept before sending.
    idempotency_key: String,
    /// The delivery that does not work.
    delivery_id: ID,
    /// Why, for the shop's records; at most 500 characters.
    reason: String,
    /// Of staff alone: whether it is replaced although its warranty is over or it was replaced as often as it may be. By
    /// default it is not.
    override_limits: Option<bool>,
}

/// Payload of `deliveryReplace`.
#[derive(Default, SimpleObject)]
pub struct DeliveryReplacePayload {
    /// The line as it is now.
    line: Option<OrderLine>,
    /// What took the delivery's place: `PENDING` where there is nothing to give yet.
    delivery: Option<Delivery>,
    /// Whether an earlier call with the same key did it.
    replayed: bool,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<DeliveryError>,
}

/// Input of `caseAnswer`.
#[derive(InputObject)]
pub struct CaseAnswerInput {
    /// 16 to 255 random characters, made and kept before sending.
    idempotency_key: String,
    /// Which case.
    case_id: ID,
    /// What is done.
    action: CaseAction,
    /// What the buyer reads; at most 4,000 characters.
    text: String,
    /// Of staff alone, with `REPLACE`: as `DeliveryReplaceInput.overrideLimits`.
    override_limits: Option<bool>,
}

/// Payload of `caseAnswer`.
#[derive(Default, SimpleObject)]
pub struct CaseAnswerPayload {
    /// The case as it is now.
    case: Option<ReportedCase>,
    /// Whether an earlier call with the same key answered it.
    replayed: bool,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<DeliveryError>,
}

/// What is done about deliveries that do not work.
#[derive(Default)]
pub struct WarrantyMutation;

#[Object]
impl WarrantyMutation {
    /// For those who sell it and for staff: replaces a delivery that does not work. The old one is not valid any more; the
    /// buyer is mailed the new one, or that it is on its way. Files are published anew instead.
    async fn delivery_replace(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which delivery, and why.")] input: DeliveryReplaceInput,
    ) -> Answer<DeliveryReplacePayload> {
        ctx.person()?;
        let done = async {
            let wish = ReplaceRequest {
                idempotency_key: input.idempotency_key,
                unit_id: id::read(&input.delivery_id, "deliveryId", UnitId::parse)?,
                reason: input.reason,
                override_limits: input.override_limits.unwrap_or(false),
            };
            replace::replace(ctx.backend(), ctx.actor(), wish).await
        };
        let made = match split(done.await)? {
            Ok(made) => made,
            Err(refusal) => {
                let user_errors = ctx.user_errors(refusal)?;
                return Ok(DeliveryReplacePayload { user_errors, ..DeliveryReplacePayload::default() });
            }
        };
        let line =
            line_page(ctx, vec![(made.order_id, made.line_id)], AccessLevel::of_who_sells(ctx.actor()))
                .await?
                .pop();
        let delivery = line.as_ref().and_then(|line| line.delivery(made.successor));
        Ok(DeliveryReplacePayload { delivery, line, replayed: made.replayed, user_errors: Vec::new() })
    }

    /// For those who sell the delivery and for staff: answers what its buyer reported, and does what the answer says. The buyer
    /// is mailed, and reads it on the order page.
    async fn case_answer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which case, and the answer.")] input: CaseAnswerInput,
    ) -> Answer<CaseAnswerPayload> {
        ctx.person()?;
        let done = async {
            let wish = AnswerRequest {
                idempotency_key: input.idempotency_key,
                case_id: id::read(&input.case_id, "caseId", CaseId::parse)?,
                action: input.action.into(),
                text: input.text,
                override_limits: input.override_limits.unwrap_or(false),
            };
            answer::answer(&ctx.backend().payments, ctx.actor(), wish).await
        };
        Ok(match split(done.await)? {
            Ok(answered) => CaseAnswerPayload {
                case: load_cases(ctx, vec![answered.case], AccessLevel::of_who_sells(ctx.actor()))
                    .await?
                    .pop(),
                replayed: answered.replayed,
                user_errors: Vec::new(),
            },
            Err(refusal) => {
                CaseAnswerPayload { user_errors: ctx.user_errors(refusal)?, ..CaseAnswerPayload::default() }
            }
        })
    }
}
