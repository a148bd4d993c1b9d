use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::base::ids::{SellerId, VariantId};
use crate::base::money::{self, Currency};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::scalars::{CurrencyCode, DateTime, Money, Url};
use crate::suppliers::{self, PricedOffer, breaker, call, mapping, read};

/// Whether anything is bought at a supplier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "suppliers::SupplierState")]
pub enum SupplierState {
    /// Pieces are bought there.
    Active,
    /// Nothing is bought there; what is on its way is still taken.
    Paused,
}

/// A connection to a supplier, whose API makes goods for money.
pub struct Supplier(pub suppliers::Supplier);

/// A connection to a supplier, whose API makes goods for money.
#[Object]
impl Supplier {
    /// The connection's id.
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// What its seller calls it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Where purchases are sent.
    async fn url(&self) -> Url {
        Url(self.0.url.clone())
    }

    /// Where one asks what became of a purchase: contains `{request_id}`. Null: it cannot be asked.
    async fn status_url(&self) -> Option<&str> {
        self.0.status_url.as_deref()
    }

    /// Where the supplier sends late answers, signed by the connection's secret.
    async fn callback_url(&self, ctx: &Context<'_>) -> Url {
        Url(call::callback_url(ctx.backend(), &self.0))
    }

    /// Of all prices that are agreed with it.
    async fn currency(&self) -> Answer<CurrencyCode> {
        Ok(CurrencyCode(currency(&self.0.currency)?))
    }

    /// Seconds that a call may take.
    async fn timeout_seconds(&self) -> i32 {
        self.0.timeout_seconds
    }

    /// How the fields of its requests and answers are called.
    async fn mapping(&self) -> SupplierMapping {
        self.0.mapping.clone().into()
    }

    /// Whether anything is bought there.
    async fn state(&self) -> SupplierState {
        self.0.state.into()
    }

    /// Open code: why the shop itself paused it.
    async fn paused_for(&self) -> Option<&str> {
        self.0.paused_for.as_deref()
    }

    /// Whether its calls fail in a row, so that nothing is sent for a while.
    async fn down(&self, ctx: &Context<'_>) -> bool {
        !breaker::is_closed(&self.0, ctx.backend().clock.now())
    }

    /// When the next call tries again, while it is down.
    async fn down_until(&self, ctx: &Context<'_>) -> Option<DateTime> {
        let now = ctx.backend().clock.now();
        self.0.open_until.filter(|until| *until > now).map(Into::into)
    }

    /// Until when the secret before the present one counts too.
    async fn old_secret_until(&self, ctx: &Context<'_>) -> Option<DateTime> {
        let now = ctx.backend().clock.now();
        self.0.old_secret_until.filter(|until| *until > now).map(Into::into)
    }

    /// Grows with each edit.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }
}

/// How the fields of a supplier's requests and answers are called.
#[derive(SimpleObject)]
pub struct SupplierMapping {
    /// Name of the purchase's id in the request.
    request_id: String,
    /// Name of the product in the request.
    product: String,
    /// Name of the highest price in the request.
    max_price: String,
    /// Name of the currency in the request.
    currency: String,
    /// Name of the callback's address in the request.
    callback_url: String,
    /// JSON pointer to the purchase's id in the answer.
    answer_request_id: String,
    /// JSON pointer to the state in the answer.
    answer_state: String,
    /// JSON pointer to the text that is sold, or to a list of one, in the answer.
    answer_texts: String,
    /// JSON pointer to the price in the answer.
    answer_price: String,
    /// JSON pointer to the currency in the answer.
    answer_currency: String,
    /// JSON pointer to the supplier's own number of the purchase in the answer.
    answer_reference: String,
    /// JSON pointer to the reason of a refusal in the answer.
    answer_reason: String,
    /// Words for the state of a purchase that is delivered.
    delivered: Vec<String>,
    /// Words for the state of a purchase that is delivered later.
    pending: Vec<String>,
    /// Words for the state of a purchase that is refused.
    refused: Vec<String>,
}

impl From<mapping::Mapping> for SupplierMapping {
    fn from(mapping: mapping::Mapping) -> Self {
        Self {
            request_id: mapping.request_id,
            product: mapping.product,
            max_price: mapping.max_price,
            currency: mapping.currency,
            callback_url: mapping.callback_url,
            answer_request_id: mapping.answer_request_id,
            answer_state: mapping.answer_state,
            answer_texts: mapping.answer_texts,
            answer_price: mapping.answer_price,
            answer_currency: mapping.answer_currency,
            answer_reference: mapping.answer_reference,
            answer_reason: mapping.answer_reason,
            delivered: mapping.delivered,
            pending: mapping.pending,
            refused: mapping.refused,
        }
    }
}

/// One of the places where a variant is bought.
#[derive(SimpleObject)]
pub struct SupplierOffer {
    /// The supplier's id.
    supplier_id: ID,
    /// What the supplier calls it.
    product: String,
    /// The most that is paid for a piece.
    max_price: Money,
}

impl SupplierOffer {
    pub fn of(offer: &PricedOffer) -> Answer<Self> {
        Ok(Self {
            supplier_id: offer.supplier_id.into(),
            product: offer.product.clone(),
            max_price: Money::of(offer.max_price_minor, currency(&offer.currency)?),
        })
    }
}

fn currency(code: &str) -> Answer<Currency> {
    let broken = |error: money::MoneyError| {
        crate::graphql::error::fault(crate::base::outcome::Fault::bug(error.to_string()))
    };
    Currency::parse(code).map_err(broken)
}

/// The connections of these sellers.
pub async fn list(ctx: &Context<'_>, sellers: &[SellerId]) -> Answer<Vec<Supplier>> {
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    let rows = read::list(&mut conn, sellers).await.or_top()?;
    Ok(rows.into_iter().map(Supplier).collect())
}

/// Where a variant is bought that one of these sellers sells.
pub async fn offers(ctx: &Context<'_>, sellers: &[SellerId], id: VariantId) -> Answer<Vec<SupplierOffer>> {
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    let rows = read::list_offers(&conn, &[id], false).await.or_top()?;
    let own = read::list(&mut conn, sellers).await.or_top()?;
    let own = rows.iter().filter(|offer| own.iter().any(|supplier| supplier.id == offer.supplier_id));
    own.map(SupplierOffer::of).collect()
}
