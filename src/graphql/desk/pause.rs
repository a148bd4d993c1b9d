use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::outcome::Outcome;
use crate::catalogue::pause::reason_of;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::payments::types::METHOD_PREFIX;
use crate::graphql::payments::types::PaymentMethod;
use crate::graphql::shop::types::Shop;
use crate::graphql::user_error::StaffError;
use crate::operations;
use crate::payments::accounts::pause;

/// Input of `shopPause`.
#[derive(InputObject)]
pub struct ShopPauseInput {
    /// Why, for buyers to read; at most 500 characters.
    reason: String,
}

/// Payload of `shopPause` and `shopResume`.
#[derive(Default, SimpleObject)]
pub struct ShopPausePayload {
    /// The shop as it is now.
    shop: Option<Shop>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StaffError>,
}

/// Input of `paymentMethodPause`.
#[derive(InputObject)]
pub struct PaymentMethodPauseInput {
    /// Which way to pay.
    payment_method_id: ID,
    /// Why, for buyers to read; at most 500 characters.
    reason: String,
}

/// Input of `paymentMethodResume`.
#[derive(InputObject)]
pub struct PaymentMethodResumeInput {
    /// Which way to pay.
    payment_method_id: ID,
}

/// Payload of `paymentMethodPause` and `paymentMethodResume`.
#[derive(Default, SimpleObject)]
pub struct PaymentMethodPausePayload {
    /// The way to pay as it is now; null for one at which nothing can be started anyway.
    payment_method: Option<PaymentMethod>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StaffError>,
}

/// Pausing sales.
#[derive(Default)]
pub struct PauseMutation;

/// The account of a way to pay; none is called as a foreign id gives it.
fn account(id: &ID) -> &str {
    id.strip_prefix(METHOD_PREFIX).unwrap_or_default()
}

#[Object]
impl PauseMutation {
    /// For staff: sells nothing for now, saying why. No order is placed and no payment is started; payments that were begun
    /// are settled, and what is paid is delivered. A repeat with the same reason changes nothing.
    async fn shop_pause(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Why.")] input: ShopPauseInput,
    ) -> Answer<ShopPausePayload> {
        ctx.staff()?;
        let done = async {
            let because = reason_of(&input.reason)?;
            operations::pause::pause(ctx.backend(), ctx.actor(), &because).await
        };
        shop(ctx, done.await)
    }

    /// For staff: sells again. A shop that is not paused is left as it is.
    async fn shop_resume(&self, ctx: &Context<'_>) -> Answer<ShopPausePayload> {
        ctx.staff()?;
        shop(ctx, operations::pause::resume(ctx.backend(), ctx.actor()).await)
    }

    /// For staff: starts no payment this way for now, saying why. Payments that were begun are settled, refunds go their way.
    /// A repeat with the same reason changes nothing.
    async fn payment_method_pause(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which way to pay, and why.")] input: PaymentMethodPauseInput,
    ) -> Answer<PaymentMethodPausePayload> {
        ctx.staff()?;
        let done = async {
            let because = reason_of(&input.reason)?;
            let id = account(&input.payment_method_id);
            pause::pause(&ctx.backend().payments, ctx.actor(), id, &because).await
        };
        method(ctx, done.await, account(&input.payment_method_id)).await
    }

    /// For staff: starts payments this way again. A way that is not paused is left as it is.
    async fn payment_method_resume(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which way to pay.")] input: PaymentMethodResumeInput,
    ) -> Answer<PaymentMethodPausePayload> {
        ctx.staff()?;
        let id = account(&input.payment_method_id);
        method(ctx, pause::resume(&ctx.backend().payments, ctx.actor(), id).await, id).await
    }
}

fn shop(ctx: &Context<'_>, done: Outcome<()>) -> Answer<ShopPausePayload> {
    Ok(match split(done)? {
        Ok(()) => ShopPausePayload { shop: Some(Shop), user_errors: Vec::new() },
        Err(refusal) => ShopPausePayload { shop: None, user_errors: ctx.user_errors(refusal)? },
    })
}

async fn method(ctx: &Context<'_>, done: Outcome<()>, account: &str) -> Answer<PaymentMethodPausePayload> {
    Ok(match split(done)? {
        Ok(()) => PaymentMethodPausePayload {
            payment_method: PaymentMethod::find(ctx, account).await?,
            user_errors: Vec::new(),
        },
        Err(refusal) => {
            PaymentMethodPausePayload { payment_method: None, user_errors: ctx.user_errors(refusal)? }
        }
    })
}
