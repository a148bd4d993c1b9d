use async_graphql::{Context, Object};

use crate::base::ids::{OrderId, PaymentId};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::orders;
use crate::graphql::payments::start::{PaymentCheckInput, PaymentStartInput, PaymentStartPayload};
use crate::graphql::payments::types::Payment;
use crate::orders::access::AccessLevel;
use crate::payments::attempts::check_now;
use crate::payments::attempts::start::{self, Start};

/// Paying.
#[derive(Default)]
pub struct PaymentMutation;

#[Object]
impl PaymentMutation {
    /// Starts a payment for an unpaid order, or gives the one that is still valid for the same way to pay.
    async fn payment_start(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How it is to be paid.")] input: PaymentStartInput,
    ) -> Answer<PaymentStartPayload> {
        let token = input.access_token.clone();
        let done = async {
            let wish = Start {
                idempotency_key: input.idempotency_key,
                order_id: id::read(&input.order_id, "orderId", OrderId::parse)?,
                access_token: input.access_token,
                options: input.options.read(Some(ctx.caller().address.to_string()))?,
            };
            start::start(&ctx.backend().payments, ctx.actor(), wish).await
        };
        match split(done.await)? {
            Ok(attempt) => payload(ctx, attempt.payment, token.as_deref(), attempt.replayed).await,
            Err(refusal) => Ok(PaymentStartPayload {
                user_errors: ctx.user_errors(refusal)?,
                ..PaymentStartPayload::default()
            }),
        }
    }

    /// "I have paid": asks the gateway now. Limited by `Payment.canCheckAt`.
    async fn payment_check(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which payment.")] input: PaymentCheckInput,
    ) -> Answer<PaymentStartPayload> {
        let token = input.access_token.as_deref();
        let done = async {
            let payment = id::read(&input.payment_id, "paymentId", PaymentId::parse)?;
            check_now::check_now(&ctx.backend().payments, ctx.actor(), payment, token).await
        };
        match split(done.await)? {
            Ok(payment) => payload(ctx, payment, token, false).await,
            Err(refusal) => Ok(PaymentStartPayload {
                user_errors: ctx.user_errors(refusal)?,
                ..PaymentStartPayload::default()
            }),
        }
    }
}

async fn payload(
    ctx: &Context<'_>,
    row: crate::payments::Payment,
    token: Option<&str>,
    replayed: bool,
) -> Answer<PaymentStartPayload> {
    let order = orders::find(ctx, row.order_id, token).await?;
    let whole = order.as_ref().is_some_and(|order| order.0.access_level >= AccessLevel::Buyer);
    Ok(PaymentStartPayload {
        payment: Some(Payment { row, whole }),
        order,
        replayed,
        user_errors: Vec::new(),
    })
}
