use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::catalogue::availability;
use crate::catalogue::model::Tier;
use crate::catalogue::state as states;
use crate::catalogue::view::{ProductView, VariantView};
use crate::graphql::catalogue::goods::Goods;
use crate::graphql::connection::Listed;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Answer;
use crate::graphql::loaders;
use crate::graphql::scalars::{CurrencyCode, DateTime, Markdown, Money};
use crate::graphql::shop::types::{SalesPause, default_currency};

/// A product with its variants.
#[derive(Clone, Debug)]
pub struct Product(pub Arc<ProductView>);

impl Listed for Product {
    const NAME: &'static str = "Product";
}

/// How far a product has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "states::ProductState")]
pub enum ProductState {
    /// Being written.
    Draft,
    /// Submitted, waits for a review.
    InReview,
    /// Rejected by the review; `review.reason` is the reason.
    Rejected,
    /// Can be bought.
    OnSale,
    /// Not sold any more.
    Retired,
}

/// The result of a review.
#[derive(Clone, Debug, SimpleObject)]
pub struct Review {
    /// The state of the product.
    pub state: ProductState,
    /// Why it was rejected.
    pub reason: Option<String>,
}

/// Who sells.
#[derive(Clone, Debug, SimpleObject)]
pub struct SellerProfile {
    /// The seller's id.
    #[graphql(owned)]
    pub id: ID,
    /// Part of web addresses.
    pub slug: String,
    /// What the seller is called.
    pub name: String,
}

/// How much there is of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "availability::StockLevel")]
pub enum StockLevel {
    /// Enough.
    InStock,
    /// Little is left.
    Low,
    /// Nothing is left.
    OutOfStock,
    /// Made when it is bought.
    OnDemand,
}

/// Whether something can be had now.
#[derive(Clone, Debug, SimpleObject)]
pub struct Availability {
    /// How much there is.
    pub level: StockLevel,
    /// How many; null unless the seller shows it.
    pub quantity: Option<i32>,
    /// Whether it can be bought now.
    pub can_buy: bool,
    /// Why not, as an open code.
    pub reason: Option<String>,
    /// Ready to show.
    pub text: String,
    /// Of what is out of stock: when its seller expects more; null when that is unknown, or has passed.
    pub restock_expected_at: Option<DateTime>,
}

impl Availability {
    fn of(ctx: &Context<'_>, it: availability::Availability) -> Self {
        let now = ctx.backend().clock.now();
        Self {
            level: it.level.into(),
            quantity: it.quantity.and_then(|q| i32::try_from(q).ok()),
            can_buy: it.can_buy,
            reason: it.reason.map(|code| code.to_string()),
            text: it.text,
            restock_expected_at: it.restock_expected_at.filter(|at| *at > now).map(Into::into),
        }
    }
}

/// A product: what it is called, its variants, prices and stock.
#[Object]
impl Product {
    /// The product's id.
    pub async fn id(&self) -> ID {
        self.0.product.id.into()
    }

    /// Part of web addresses, unique in the shop.
    async fn slug(&self) -> &str {
        &self.0.product.slug
    }

    /// What it is called, in the request's language where there is one.
    async fn name(&self) -> &str {
        self.0.name()
    }

    /// A sentence or two.
    async fn summary(&self) -> Option<&str> {
        self.0.summary()
    }

    /// The whole description.
    async fn description(&self) -> Option<Markdown> {
        self.0.description().map(|text| Markdown(text.to_owned()))
    }

    /// Words to find it by.
    async fn tags(&self) -> &[String] {
        &self.0.product.tags
    }

    /// Who sells it.
    async fn seller(&self) -> SellerProfile {
        SellerProfile {
            id: self.0.product.seller_id.into(),
            slug: self.0.seller.seller_slug.clone(),
            name: self.0.seller.seller_name.clone(),
        }
    }

    /// Its editions, at most 100.
    async fn variants(&self) -> Vec<Variant> {
        (0..self.0.variants.len()).map(|at| Variant::of(&self.0, at)).collect()
    }

    /// The least that one unit of any variant costs; null when it is not sold in that currency.
    async fn price_from(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "By default the shop's own.")] currency: Option<CurrencyCode>,
    ) -> Option<Money> {
        let currency = currency.map_or_else(|| default_currency(ctx.backend()), |c| c.0);
        self.0.price_from(currency).map(Into::into)
    }

    /// Whether any variant can be had now.
    async fn availability(&self, ctx: &Context<'_>) -> Availability {
        Availability::of(ctx, self.0.availability())
    }

    /// Whether it is for sale at all.
    async fn on_sale(&self) -> bool {
        self.0.on_sale()
    }

    /// Why it is not sold for now; null while it is sold as `onSale` says.
    async fn pause(&self) -> Option<SalesPause> {
        let product = &self.0.product;
        SalesPause::of(product.paused_because.as_ref(), product.paused_at)
    }

    /// When it, its variants or their prices last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.product.updated_at.into()
    }

    /// Grows with each edit; `productUpdate` asks for it.
    async fn version(&self) -> i32 {
        self.0.product.version
    }

    /// How far it has come; null unless the caller sells it or is staff.
    async fn state(&self, ctx: &Context<'_>) -> Option<ProductState> {
        self.inside(ctx).then(|| self.0.product.state.into())
    }

    /// The result of the review; null unless the caller sells it or is staff.
    async fn review(&self, ctx: &Context<'_>) -> Option<Review> {
        let product = &self.0.product;
        self.inside(ctx)
            .then(|| Review { state: product.state.into(), reason: product.review_reason.clone() })
    }
}

impl Product {
    fn inside(&self, ctx: &Context<'_>) -> bool {
        ctx.actor().is_staff() || ctx.actor().sells_for(self.0.product.seller_id)
    }
}

/// An edition of a product.
#[derive(Clone, Debug)]
pub struct Variant {
    pub view: Arc<VariantView>,
    /// The product it was read with, if any.
    product: Option<Arc<ProductView>>,
}

impl Variant {
    fn of(product: &Arc<ProductView>, at: usize) -> Self {
        Self { view: Arc::new(product.variants[at].clone()), product: Some(product.clone()) }
    }

    pub fn alone(view: Arc<VariantView>) -> Self {
        Self { view, product: None }
    }
}

/// What one unit costs.
#[derive(Clone, Debug, SimpleObject)]
pub struct Price {
    /// At the least quantity that is sold.
    pub unit: Money,
    /// Cheaper by the number, smallest quantity first; at most 20.
    pub tiers: Vec<PriceTier>,
    /// When this price ends; null when it has no end.
    pub valid_until: Option<DateTime>,
}

/// From this quantity on, each unit costs this much.
#[derive(Clone, Debug, SimpleObject)]
pub struct PriceTier {
    /// From how many.
    pub min_quantity: i32,
    /// What each costs.
    pub unit: Money,
}

impl PriceTier {
    pub fn new(tier: Tier, currency: crate::base::money::Currency) -> Self {
        Self { min_quantity: tier.min_quantity, unit: Money::of(tier.unit_minor, currency) }
    }
}

/// An edition of a product: what is delivered, what it costs, how many there are.
#[Object]
impl Variant {
    /// The variant's id.
    pub async fn id(&self) -> ID {
        self.view.variant.id.into()
    }

    /// The seller's own number for it.
    async fn sku(&self) -> Option<&str> {
        self.view.variant.sku.as_deref()
    }

    /// What it is called, in the request's language where there is one.
    async fn name(&self) -> &str {
        self.view.name()
    }

    /// The product it is an edition of.
    async fn product(&self, ctx: &Context<'_>) -> Answer<Product> {
        if let Some(product) = &self.product {
            return Ok(Product(product.clone()));
        }
        loaders::product(ctx, self.view.variant.product_id).await?.ok_or_else(|| {
            crate::graphql::error::fault(crate::base::outcome::Fault::bug(
                "a visible variant without its product",
            ))
        })
    }

    /// What is delivered.
    async fn goods(&self) -> Goods {
        Goods::of(&self.view)
    }

    /// Whether it can be had now.
    async fn availability(&self, ctx: &Context<'_>) -> Availability {
        Availability::of(ctx, self.view.availability())
    }

    /// What it costs; null when it is not sold in that currency.
    async fn price(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "By default the shop's own.")] currency: Option<CurrencyCode>,
    ) -> Option<Price> {
        let currency = currency.map_or_else(|| default_currency(ctx.backend()), |c| c.0);
        let unit = self.view.unit_price(currency, self.view.variant.min_quantity)?;
        let tiers =
            self.view.tiers(currency).into_iter().map(|tier| PriceTier::new(tier, currency)).collect();
        Some(Price {
            unit: Money::of(unit.unit_minor, currency),
            tiers,
            valid_until: unit.valid_until.map(Into::into),
        })
    }

    /// How many are bought at least.
    async fn min_quantity(&self) -> i32 {
        self.view.variant.min_quantity
    }

    /// How many are bought at once at most; null when there is no such limit.
    async fn max_quantity(&self) -> Option<i32> {
        self.view.variant.max_quantity
    }

    /// How many one buyer gets in all; null when there is no such limit.
    async fn limit_per_buyer(&self) -> Option<i32> {
        self.view.variant.limit_per_buyer
    }

    /// At how many keys left an alert is given; null for never, and unless the caller sells it or is staff.
    async fn low_stock_alert(&self, ctx: &Context<'_>) -> Option<i32> {
        let variant = &self.view.variant;
        let inside = ctx.actor().is_staff() || ctx.actor().sells_for(variant.seller_id);
        variant.low_stock_alert.filter(|_| inside)
    }

    /// For how many minutes placing an order holds its keys; null: not at all.
    async fn reservation_minutes(&self) -> Option<i32> {
        self.view.variant.reservation_minutes
    }

    /// Whether it is sold; false for retired variants, which only their seller and staff see.
    async fn active(&self) -> bool {
        self.view.variant.state == states::VariantState::Active
    }

    /// Grows with each edit; `variantUpdate` asks for it.
    async fn version(&self) -> i32 {
        self.view.variant.version
    }
}
