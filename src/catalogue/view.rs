//! Products and variants as they are shown: rows, texts, prices and stock together.

use chrono::{DateTime, Utc};

use crate::base::error_code::ErrorCode;
use crate::base::money::{Currency, Money};
use crate::base::text::Locale;
use crate::catalogue::availability::{self, Availability, Counted};
use crate::catalogue::bundles::BundlePart;
use crate::catalogue::model::{Prices, Product, Texts, Tier, Variant, tier_at};
use crate::catalogue::state::{ProductState, VariantState};
use crate::goods::{self, Available, Promise, Supply};
use crate::sellers::SellerProfile;

/// A product with its variants, in the reader's language.
#[derive(Clone, Debug)]
pub struct ProductView {
    pub product: Product,
    pub seller: SellerProfile,
    pub texts: Texts,
    pub variants: Vec<VariantView>,
    pub locale: Locale,
    /// Sort value of the list it was read from.
    pub sort_key: String,
}

/// A variant with what is said about it.
#[derive(Clone, Debug)]
pub struct VariantView {
    pub variant: Variant,
    pub texts: Texts,
    pub prices: Prices,
    /// When the next price begins or ends, if one does.
    pub prices_until: Option<DateTime<Utc>>,
    pub product: ProductFacts,
    pub locale: Locale,
    /// What can be had, counted as far as the variant shows; none when nobody asked.
    pub available: Option<Available>,
    /// Of a bundle: what it consists of, in its order.
    pub parts: Vec<BundlePart>,
}

/// What a variant repeats of its product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductFacts {
    pub slug: String,
    pub state: ProductState,
    /// In the reader's language.
    pub name: String,
    /// Why it is not sold at the moment.
    pub paused: Option<String>,
}

impl ProductFacts {
    /// It is on sale and not paused.
    pub fn on_sale(&self) -> bool {
        self.state == ProductState::OnSale && self.paused.is_none()
    }
}

impl ProductView {
    pub fn name(&self) -> &str {
        self.texts.get("name", self.locale.as_str()).unwrap_or(&self.product.slug)
    }

    pub fn summary(&self) -> Option<&str> {
        self.texts.get("summary", self.locale.as_str())
    }

    /// Markdown.
    pub fn description(&self) -> Option<&str> {
        self.texts.get("description", self.locale.as_str())
    }

    pub fn on_sale(&self) -> bool {
        self.product.state == ProductState::OnSale && self.product.paused_because.is_none()
    }

    /// The least that one unit of any active variant costs at its least quantity.
    pub fn price_from(&self, currency: Currency) -> Option<Money> {
        let active = self.variants.iter().filter(|v| v.variant.state == VariantState::Active);
        let least = active
            .filter_map(|v| v.unit_price(currency, v.variant.min_quantity))
            .map(|t| t.unit_minor)
            .min()?;
        Some(Money::new(least, currency))
    }

    pub fn availability(&self) -> Availability {
        let active = self.variants.iter().filter(|v| v.variant.state == VariantState::Active);
        let all: Vec<Availability> = active.map(VariantView::availability).collect();
        availability::of_product(&all, self.locale)
    }
}

impl VariantView {
    pub fn name(&self) -> &str {
        self.texts.get("name", self.locale.as_str()).unwrap_or(&self.product.name)
    }

    pub fn on_sale(&self) -> bool {
        self.product.on_sale() && self.variant.state == VariantState::Active
    }

    /// Smallest quantity first.
    pub fn tiers(&self, currency: Currency) -> Vec<Tier> {
        self.prices.tiers(currency.as_str())
    }

    /// What one unit costs when this many are bought.
    pub fn unit_price(&self, currency: Currency, quantity: i32) -> Option<Tier> {
        tier_at(&self.tiers(currency), quantity)
    }

    pub fn availability(&self) -> Availability {
        if self.on_sale() && self.parts.iter().any(|part| !part.on_sale) {
            return availability::lacks_part(self.locale);
        }
        let on_demand = |kind: &str| matches!(goods::supply(kind), Some(Supply::Person | Supply::Supplier));
        let counted = Counted {
            available: self.available,
            on_demand: on_demand(&self.variant.kind) || self.parts.iter().any(|part| on_demand(&part.kind)),
            on_sale: self.on_sale(),
        };
        if let Some(because) = &self.product.paused {
            return availability::paused(because);
        }
        let v = &self.variant;
        let (display, low, least) = (v.stock_display, v.low_stock_threshold, v.min_quantity);
        let shown = availability::of_variant(counted, display, low, least, self.locale);
        let expected = v.restock_expected_at.filter(|_| shown.reason == Some(ErrorCode::OutOfStock));
        Availability { restock_expected_at: expected, ..shown }
    }

    /// What the buyer is promised; none for kinds that this program does not know.
    pub fn promise(&self) -> Option<Promise> {
        let promise = |kind: &str| goods::find(kind).map(|kind| kind.promise(self.locale));
        match goods::supply(&self.variant.kind)? {
            Supply::Parts => {
                let parts: Option<Vec<Promise>> = self.parts.iter().map(|part| promise(&part.kind)).collect();
                Some(goods::promise_of(self.locale, &parts?))
            }
            _ => promise(&self.variant.kind),
        }
    }
}
