use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::ids::VariantId;
use crate::base::money::Currency;
use crate::base::outcome::Refusal;
use crate::graphql::catalogue::types::{PriceTier, Variant};
use crate::graphql::codes::OrderPlaceErrorCode;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Answer;
use crate::graphql::loaders;
use crate::graphql::payments::types::PaymentMethod;
use crate::graphql::scalars::{CurrencyCode, DateTime, Money};
use crate::graphql::user_error::{FromRefusal, OrderPlaceError, message};
use crate::orders::quote;

/// One line of a cart.
#[derive(Clone, InputObject)]
pub struct CartLine {
    /// The client's own name for the line.
    pub key: String,
    /// What is bought.
    pub variant_id: ID,
    /// How many.
    pub quantity: i32,
}

/// Lines of a cart; an id that is none of a variant's is treated as that of a variant that does not exist.
pub fn lines(input: &[CartLine]) -> Vec<quote::CartLine> {
    let line = |line: &CartLine| quote::CartLine {
        key: line.key.chars().take(64).collect(),
        variant_id: VariantId::parse(&line.variant_id).unwrap_or(VariantId(uuid::Uuid::nil())),
        quantity: line.quantity,
    };
    input.iter().map(line).collect()
}

/// Input of `quote`.
#[derive(InputObject)]
pub struct QuoteInput {
    /// What is in the cart.
    pub lines: Vec<CartLine>,
    /// In which currency; by default the shop's own.
    pub currency: Option<CurrencyCode>,
    /// The address a guest wants to order with; by itself it reveals nothing about what was bought with it.
    pub email: Option<String>,
    /// Proves that the address is the guest's, so that limits count by it: the code that `emailCodeRequest` mailed there.
    pub email_code: Option<String>,
}

/// Something that prevents placing an order.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderProblem {
    /// What it is, for the client to act on: the codes of `orderPlace`.
    code: OrderPlaceErrorCode,
    /// Ready to show, in the request's language.
    message: String,
    /// The path into `input` that is meant.
    field: Option<Vec<String>>,
    /// The variant that is short or unknown.
    variant_id: Option<ID>,
    /// How many of it can be had.
    available: Option<i32>,
}

fn problems(ctx: &Context<'_>, refusals: &[Refusal]) -> Vec<OrderProblem> {
    let problem = |refusal: &Refusal| {
        let error = OrderPlaceError::from_refusal(refusal, message(refusal, ctx.locale()))?;
        let OrderPlaceError { code, message, field, variant_id, available, .. } = error;
        let variant_id = variant_id.filter(|_| refusal.variant_id.is_some_and(|v| !v.0.is_nil()));
        Some(OrderProblem { code, message, field, variant_id, available })
    };
    refusals.iter().filter_map(problem).collect()
}

/// What a cart costs now and what is wrong with it.
pub struct Quote(pub quote::Quote);

/// What a cart costs now and what is wrong with it, line by line. Never fails for a cart's content.
#[Object]
impl Quote {
    /// Identifies to `orderPlace` the prices that the buyer saw.
    async fn token(&self) -> &str {
        &self.0.token
    }

    /// When the token ends.
    async fn valid_until(&self) -> DateTime {
        self.0.valid_until.into()
    }

    /// The currency of all its amounts.
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency)
    }

    /// The lines of the cart, in their order.
    async fn lines(&self) -> Vec<QuoteLine> {
        let currency = self.0.currency;
        self.0.lines.iter().map(|line| QuoteLine { line: line.clone(), currency }).collect()
    }

    /// Before discounts.
    async fn subtotal(&self) -> Money {
        Money::of(self.0.total_minor, self.0.currency)
    }

    /// What is taken off.
    async fn discount(&self) -> Money {
        Money::of(0, self.0.currency)
    }

    /// What the order would cost: give it as `expectedTotal`.
    async fn total(&self) -> Money {
        Money::of(self.0.total_minor, self.0.currency)
    }

    /// What is wrong with the cart as a whole.
    async fn problems(&self, ctx: &Context<'_>) -> Vec<OrderProblem> {
        problems(ctx, &self.0.problems)
    }

    /// Whether it can be placed as it is.
    async fn can_place(&self) -> bool {
        self.0.can_place()
    }

    /// The ways to pay this amount.
    async fn payment_methods(&self, ctx: &Context<'_>) -> Answer<Vec<PaymentMethod>> {
        PaymentMethod::list(ctx, Some((self.0.total_minor, self.0.currency))).await
    }
}

/// A priced line of a cart.
pub struct QuoteLine {
    line: quote::QuoteLine,
    currency: Currency,
}

/// A priced line of a cart.
#[Object]
impl QuoteLine {
    /// The client's own name for the line.
    async fn key(&self) -> &str {
        &self.line.key
    }

    /// What is bought; null when there is no such thing on sale.
    async fn variant(&self, ctx: &Context<'_>) -> Answer<Option<Variant>> {
        match &self.line.offer {
            Some(offer) => loaders::variant(ctx, offer.variant.id).await,
            None => Ok(None),
        }
    }

    /// How many.
    async fn quantity(&self) -> i32 {
        self.line.quantity
    }

    /// What one costs; null when it is not sold in this currency.
    async fn unit(&self) -> Option<Money> {
        self.line.unit_minor.map(|minor| Money::of(minor, self.currency))
    }

    /// Before discounts.
    async fn subtotal(&self) -> Money {
        Money::of(self.line.total_minor, self.currency)
    }

    /// What is taken off.
    async fn discount(&self) -> Money {
        Money::of(0, self.currency)
    }

    /// What the line costs.
    async fn total(&self) -> Money {
        Money::of(self.line.total_minor, self.currency)
    }

    /// The next better price by number; null when there is none.
    async fn next_tier(&self) -> Option<PriceTier> {
        self.line.next_tier.map(|tier| PriceTier::new(tier, self.currency))
    }

    /// What is wrong with the line.
    async fn problems(&self, ctx: &Context<'_>) -> Vec<OrderProblem> {
        problems(ctx, &self.line.problems)
    }
}
