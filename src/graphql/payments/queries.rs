use async_graphql::{Context, Object};

use crate::graphql::error::Answer;
use crate::graphql::payments::types::PaymentMethod;
use crate::graphql::scalars::CurrencyCode;

/// Ways to pay.
#[derive(Default)]
pub struct PaymentQuery;

#[Object]
impl PaymentQuery {
    /// The ways to pay; limits by amount are fields of a quote's and an order's.
    async fn payment_methods(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those that take this currency.")] currency: Option<CurrencyCode>,
    ) -> Answer<Vec<PaymentMethod>> {
        let mut methods = PaymentMethod::list(ctx, None).await?;
        if let Some(currency) = currency {
            methods.retain(|method| method.currencies.contains(&currency));
        }
        Ok(methods)
    }
}
