use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::base::error_code::ErrorCode;
use crate::base::ids::{LineId, OrderId, PaymentId, RefundId, UnitId};
use crate::base::money::{Currency, Money};
use crate::base::outcome::{Outcome, Refusal};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::orders::{self, Order};
use crate::graphql::payments::types::Refund;
use crate::graphql::scalars::Decimal;
use crate::graphql::user_error::StaffError;
use crate::payments::refunds::request::{self, RefundOf, RefundRequest};
use crate::payments::refunds::{conclude, retry};
use crate::payments::{self, refunds};

/// Input of `orderRefund`: pieces by name, a line, an amount, or with none of these everything that is left.
#[derive(InputObject)]
pub struct OrderRefundInput {
    /// 16 to 255 random characters, made and kept before sending.
    idempotency_key: String,
    /// Which order.
    order_id: ID,
    /// The deliveries that are taken back; at most 500.
    units: Option<Vec<ID>>,
    /// Instead of `units`: the line that is taken back, as far as it was not before; a bundle with all its parts.
    line_id: Option<ID>,
    /// How much; by default what the named deliveries cost.
    amount: Option<Decimal>,
    /// Why; the buyer reads it.
    reason: Option<String>,
}

/// Input of `paymentRefund`, for money that pays for nothing.
#[derive(InputObject)]
pub struct PaymentRefundInput {
    /// 16 to 255 random characters, made and kept before sending.
    idempotency_key: String,
    /// Which payment.
    payment_id: ID,
    /// How much; by default everything that is left.
    amount: Option<Decimal>,
    /// Why.
    reason: Option<String>,
}

/// Input of `refundRetry`.
#[derive(InputObject)]
pub struct RefundRetryInput {
    /// 16 to 255 random characters, made and kept before sending.
    idempotency_key: String,
    /// Which refund.
    refund_id: ID,
}

/// How a refund ended.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum RefundOutcome {
    /// The buyer has the money.
    Succeeded,
    /// The shop still has the money.
    Failed,
}

/// Input of `refundConclude`.
#[derive(InputObject)]
pub struct RefundConcludeInput {
    /// Which refund.
    refund_id: ID,
    /// How it ended.
    outcome: RefundOutcome,
    /// By what you know it.
    reason: String,
}

/// Payload of `orderRefund`, `paymentRefund`, `refundRetry` and `refundConclude`.
#[derive(Default, SimpleObject)]
pub struct RefundPayload {
    /// The refund, on its way.
    refund: Option<Refund>,
    /// The order as it is now.
    order: Option<Order>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StaffError>,
}

/// Giving money back.
#[derive(Default)]
pub struct RefundMutation;

fn minor(amount: Option<Decimal>, currency: Currency) -> Result<Option<i64>, Refusal> {
    match amount {
        Some(Decimal(text)) => Money::parse(&text, currency)
            .map(|money| Some(money.minor))
            .map_err(|e| Refusal::new(ErrorCode::Invalid, e.to_string()).at(["amount"])),
        None => Ok(None),
    }
}

async fn payload(ctx: &Context<'_>, done: Outcome<refunds::Refund>) -> Answer<RefundPayload> {
    Ok(match split(done)? {
        Ok(refund) => RefundPayload {
            order: orders::find(ctx, refund.order_id, None).await?,
            refund: Some(refund.into()),
            user_errors: Vec::new(),
        },
        Err(refusal) => RefundPayload { user_errors: ctx.user_errors(refusal)?, ..RefundPayload::default() },
    })
}

#[Object]
impl RefundMutation {
    /// For staff: gives money of an order back. Named deliveries, or those of a line, are taken back with it; an amount alone
    /// takes nothing.
    async fn order_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is given back.")] input: OrderRefundInput,
    ) -> Answer<RefundPayload> {
        ctx.staff()?;
        let done = async {
            let order = id::read(&input.order_id, "orderId", OrderId::parse)?;
            let units = input.units.unwrap_or_default();
            if units.len() > 500 {
                return Err(Refusal::new(ErrorCode::Invalid, "at most 500 deliveries at once")
                    .at(["units"])
                    .into());
            }
            let line =
                input.line_id.as_ref().map(|line| id::read(line, "lineId", LineId::parse)).transpose()?;
            if line.is_some() && !units.is_empty() {
                return Err(Refusal::new(ErrorCode::Invalid, "name deliveries or a line, not both")
                    .at(["lineId"])
                    .into());
            }
            let units: Result<Vec<UnitId>, Refusal> =
                units.iter().map(|unit| id::read(unit, "units", UnitId::parse)).collect();
            let missing = || Refusal::new(ErrorCode::NotFound, "there is no such order").at(["orderId"]);
            let currency = {
                let mut conn = ctx.backend().db.conn().await?;
                crate::orders::store::find(&mut conn, order).await?.ok_or_else(missing)?.currency
            };
            let wish = RefundRequest {
                idempotency_key: input.idempotency_key,
                of: line.map_or(RefundOf::Order(order), |line| RefundOf::Line(order, line)),
                units: units?,
                amount_minor: minor(input.amount, currency)?,
                reason: input.reason,
            };
            request::request(&ctx.backend().payments, ctx.actor(), wish).await
        };
        payload(ctx, done.await).await
    }

    /// For staff: tries a refund again. One that is open is sent or asked about now; one that failed is asked for anew,
    /// as another refund of the same pieces and amount.
    async fn refund_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which refund.")] input: RefundRetryInput,
    ) -> Answer<RefundPayload> {
        ctx.staff()?;
        let done = async {
            let id = id::read(&input.refund_id, "refundId", RefundId::parse)?;
            retry::retry(&ctx.backend().payments, ctx.actor(), input.idempotency_key, id).await
        };
        payload(ctx, done.await).await
    }

    /// For staff: records how a refund ended that its gateway leaves open. Repeating it with another outcome is refused.
    async fn refund_conclude(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which refund and how it ended.")] input: RefundConcludeInput,
    ) -> Answer<RefundPayload> {
        ctx.staff()?;
        let done = async {
            let id = id::read(&input.refund_id, "refundId", RefundId::parse)?;
            let succeeded = input.outcome == RefundOutcome::Succeeded;
            conclude::conclude(&ctx.backend().payments, ctx.actor(), id, succeeded, &input.reason).await
        };
        payload(ctx, done.await).await
    }

    /// For staff: gives a payment back that pays for nothing, as a second one for the same order.
    async fn payment_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is given back.")] input: PaymentRefundInput,
    ) -> Answer<RefundPayload> {
        ctx.staff()?;
        let done = async {
            let id = id::read(&input.payment_id, "paymentId", PaymentId::parse)?;
            let missing = || Refusal::new(ErrorCode::NotFound, "there is no such payment").at(["paymentId"]);
            let payment = {
                let mut conn = ctx.backend().db.conn().await?;
                payments::attempts::store::find(&mut conn, id).await?.ok_or_else(missing)?
            };
            let currency = payment.received_currency.unwrap_or(payment.expected_currency);
            let wish = RefundRequest {
                idempotency_key: input.idempotency_key,
                of: RefundOf::Payment(id),
                units: Vec::new(),
                amount_minor: minor(input.amount, currency)?,
                reason: input.reason,
            };
            request::request(&ctx.backend().payments, ctx.actor(), wish).await
        };
        payload(ctx, done.await).await
    }
}
