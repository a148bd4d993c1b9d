use async_graphql::{Context, InputObject, Object, SimpleObject};
use unicode_normalization::UnicodeNormalization;

use crate::base::error_code::ErrorCode;
use crate::base::money::Money;
use crate::base::outcome::{Failure, Outcome, Refusal};
use crate::base::secret::Secret;
use crate::base::text::Locale;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt, split};
use crate::graphql::orders::gift::GiftInput;
use crate::graphql::orders::load::load_one;
use crate::graphql::orders::order::Order;
use crate::graphql::orders::quote::{CartLine, Quote, lines};
use crate::graphql::payments::Payment;
use crate::graphql::payments::start::PaymentStartOptions;
use crate::graphql::scalars::{CurrencyCode, Decimal, LocaleTag};
use crate::graphql::user_error::{OrderPlaceError, PaymentError};
use crate::orders::access::AccessLevel;
use crate::orders::buyer::{Evidence, Proof};
use crate::orders::place::{PlaceOrder, is_repeat};
use crate::orders::quote::{self, Cart};
use crate::payments::attempts::checkout;
use crate::people::captcha::{self, Gate};
use crate::people::code;

/// A name and its value.
#[derive(InputObject)]
pub struct AttributeInput {
    /// The name.
    key: String,
    /// The value.
    value: String,
}

/// Input of `orderPlace`.
#[derive(InputObject)]
pub struct OrderPlaceInput {
    /// 16 to 255 random characters, made and kept on the device before sending. The same key gives the same order
    /// again: for a guest it is a secret like a token.
    idempotency_key: String,
    /// What is bought.
    lines: Vec<CartLine>,
    /// In which currency.
    currency: CurrencyCode,
    /// The token of the quote the buyer saw.
    quote_token: Option<String>,
    /// The total the buyer saw; another one is `PRICE_CHANGED` with the new quote.
    expected_total: Decimal,
    /// Where the goods are mailed; by default a signed-in person's own address.
    email: Option<String>,
    /// Who gets the goods, when that is not the buyer: they are mailed there, and the recipient alone sees them.
    gift: Option<GiftInput>,
    /// Proves to a guest's order that the address is the guest's: the code that `emailCodeRequest` mailed there. Needed
    /// for products with a limit per buyer and, unless the shop's captcha was passed, for free ones.
    email_code: Option<String>,
    /// The language of texts and mails; by default that of the request.
    locale: Option<LocaleTag>,
    /// The captcha's answer, when the shop asks for one.
    captcha_token: Option<String>,
    /// The caller's own name for the order: each is used once, `REFERENCE_TAKEN` after that. 1 to 100 bytes.
    reference: Option<String>,
    /// What the integrator notes on it; at most 20.
    metadata: Option<Vec<AttributeInput>>,
    /// Also starts the payment.
    start: Option<PaymentStartOptions>,
}

/// Payload of `orderPlace`.
#[derive(Default, SimpleObject)]
pub struct OrderPlacePayload {
    /// The order.
    order: Option<Order>,
    /// Opens the order without signing in; the same again for the same key.
    access_token: Option<String>,
    /// The started payment; null when none was asked for or needed.
    payment: Option<Payment>,
    /// What the cart costs now, when the order was refused.
    quote: Option<Quote>,
    /// The key was used before: this is what it made.
    replayed: bool,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<OrderPlaceError>,
    /// Why the payment was not started; the order exists all the same.
    payment_errors: Vec<PaymentError>,
}

/// Placing orders.
#[derive(Default)]
pub struct PlacingMutation;

#[Object]
impl PlacingMutation {
    /// Mails a guest a code that proves the address: `emailCode` of `orderPlace` and `quote`. It works for half an hour,
    /// more than once.
    async fn email_code_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address.")] input: EmailCodeRequestInput,
    ) -> Answer<EmailCodeRequestPayload> {
        let (backend, caller) = (ctx.backend(), ctx.caller());
        let done = async {
            captcha::demand(backend, caller, Gate::EmailCodeRequest, input.captcha_token.as_deref()).await?;
            code::request_proof(backend, caller, &input.email, ctx.locale()).await
        };
        Ok(match split(done.await)? {
            Ok(()) => EmailCodeRequestPayload::default(),
            Err(refusal) => EmailCodeRequestPayload { user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// Places an order and, when asked to, starts its payment: everything or nothing, and the same again for the same
    /// key.
    async fn order_place(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order.")] input: OrderPlaceInput,
    ) -> Answer<OrderPlacePayload> {
        let locale = input.locale.as_ref().map_or(ctx.locale(), |l| Locale::choose(&l.0));
        let currency = input.currency.0;
        let mut cart = Cart { lines: lines(&input.lines), currency, locale, proven: None };
        let expected = match Money::parse(&input.expected_total.0, currency) {
            Ok(money) => money.minor,
            Err(error) => {
                let refusal = Refusal::new(ErrorCode::Invalid, error.to_string()).at(["expectedTotal"]);
                return refused(ctx, refusal, &cart).await;
            }
        };
        let place = PlaceOrder {
            idempotency_key: input.idempotency_key,
            lines: cart.lines.clone(),
            currency,
            locale,
            expected_total: expected,
            quote_token: input.quote_token,
            email: input.email,
            gift: input.gift.map(Into::into),
            reference: input.reference.map(|text| text.trim().nfc().collect()),
            metadata: input.metadata.unwrap_or_default().into_iter().map(|a| (a.key, a.value)).collect(),
        };
        let start =
            match input.start.map(|start| start.read(Some(ctx.caller().address.to_string()))).transpose() {
                Ok(start) => start,
                Err(refusal) => return refused(ctx, of_start(refusal), &cart).await,
            };
        let evidence = Evidence {
            email: place.email.clone(),
            email_code: input.email_code.map(Secret::new),
            captcha: input.captcha_token,
        };
        let proof = match split(prove(ctx, &place, &mut cart, &evidence).await)? {
            Ok(proof) => proof,
            Err(refusal) => return refused(ctx, refusal, &cart).await,
        };
        let done = checkout::checkout(&ctx.backend().payments, ctx.actor(), &proof, place, start).await;
        let done = match split(done)? {
            Ok(done) => done,
            Err(refusal) => return refused(ctx, refusal, &cart).await,
        };
        let payment_errors = match done.payment_refusal {
            Some(refusal) => ctx.user_errors(of_start(refusal))?,
            None => Vec::new(),
        };
        Ok(OrderPlacePayload {
            order: load_one(ctx, done.placed.order, AccessLevel::Buyer).await?,
            access_token: Some(done.placed.access_token.expose().to_owned()),
            payment: done.payment.map(|row| Payment { row, whole: true }),
            quote: None,
            replayed: done.placed.replayed,
            user_errors: Vec::new(),
            payment_errors,
        })
    }
}

/// A refusal of what is `options` to `paymentStart` and `start` here.
fn of_start(mut refusal: Refusal) -> Refusal {
    if let Some(first) = refusal.field.first_mut().filter(|first| *first == "options") {
        *first = "start".into();
    }
    refusal
}

/// What the caller has shown; the cart is priced for who that is. A repeat shows nothing again: its captcha was spent the
/// first time. The captcha comes last, so that a cart that cannot be placed costs none.
async fn prove(
    ctx: &Context<'_>,
    place: &PlaceOrder,
    cart: &mut Cart,
    evidence: &Evidence,
) -> Outcome<Proof> {
    let (backend, actor, caller) = (ctx.backend(), ctx.actor(), ctx.caller());
    // An API client is a machine that the shop knows.
    let asked = backend.config.captcha.is_on() && actor.person.is_none() && actor.api_client.is_none();
    let shows = asked || evidence.email_code.is_some();
    if shows && is_repeat(backend, actor, &place.idempotency_key).await? {
        return Ok(Proof::default());
    }
    let proof = Proof::of_code(backend, caller, evidence).await?;
    cart.proven = proof.email.clone();
    if !asked || proof.email.is_some() {
        return Ok(proof);
    }
    let quote = quote::quote(backend, actor, cart).await?;
    if let Some(refusal) = quote.refusals().into_iter().next() {
        return Err(refusal.into());
    }
    proof.with_captcha(backend, caller, evidence, quote.total_minor == 0).await
}

/// Input of `emailCodeRequest`.
#[derive(InputObject)]
pub struct EmailCodeRequestInput {
    /// The address a guest wants to order with.
    email: String,
    /// The captcha's answer, when the shop asks for one.
    captcha_token: Option<String>,
}

/// Payload of `emailCodeRequest`. Answers alike for every address.
#[derive(Default, SimpleObject)]
pub struct EmailCodeRequestPayload {
    /// Why it was refused; empty when it was done.
    user_errors: Vec<OrderPlaceError>,
}

/// The refusal, with the cart as it would be priced now and everything that is wrong with it.
async fn refused(ctx: &Context<'_>, refusal: Refusal, cart: &Cart) -> Answer<OrderPlacePayload> {
    let quote = match quote::quote(ctx.backend(), ctx.actor(), cart).await {
        Ok(quote) => Some(quote),
        Err(Failure::Refused(_)) => None,
        Err(fault) => return Err(fault).or_top(),
    };
    let of_cart = quote.as_ref().map(quote::Quote::refusals).unwrap_or_default();
    let refusals = if of_cart.iter().any(|r| r.code == refusal.code) { of_cart } else { vec![refusal] };
    let mut user_errors = Vec::new();
    for refusal in refusals {
        user_errors.extend(ctx.user_errors::<OrderPlaceError>(refusal)?);
    }
    for error in &mut user_errors {
        error.variant_id = error.variant_id.take().filter(|id| id.as_str() != NOBODY);
    }
    Ok(OrderPlacePayload { quote: quote.map(Quote), user_errors, ..OrderPlacePayload::default() })
}

/// Replaces ids that cannot be read.
const NOBODY: &str = "var_00000000000000000000000000";
