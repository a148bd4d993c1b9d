//! Rows of the catalogue.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};
use serde_json::Value;

use crate::base::ids::{ProductId, SellerId, VariantId};
use crate::catalogue::state::{ProductState, VariantState};
use crate::goods::Terms;
use crate::infra::db::schema::{product, variant};

crate::text_column!(ProductState, VariantState, StockDisplay, MailPolicy);

/// How much of the stock a variant shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockDisplay {
    /// The number, up to 1,000.
    Exact,
    /// That little is left.
    Low,
    /// In or out, nothing else.
    InOut,
}

impl StockDisplay {
    pub fn as_str(self) -> &'static str {
        match self {
            StockDisplay::Exact => "exact",
            StockDisplay::Low => "low",
            StockDisplay::InOut => "in_out",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [StockDisplay::Exact, StockDisplay::Low, StockDisplay::InOut].into_iter().find(|d| d.as_str() == text)
    }
}

/// What the mail of a delivery carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailPolicy {
    /// The key itself.
    Key,
    /// Only the way to it.
    Link,
}

impl MailPolicy {
    pub fn as_str(self) -> &'static str {
        match self {
            MailPolicy::Key => "key",
            MailPolicy::Link => "link",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [MailPolicy::Key, MailPolicy::Link].into_iter().find(|p| p.as_str() == text)
    }
}

#[derive(Clone, Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = product, check_for_backend(diesel::pg::Pg))]
pub struct Product {
    pub id: ProductId,
    pub seller_id: SellerId,
    pub slug: String,
    pub state: ProductState,
    /// The language its texts fall back to.
    pub default_locale: String,
    pub tags: Vec<String>,
    /// Why it was rejected.
    pub review_reason: Option<String>,
    /// Grows with each edit of the product itself.
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub on_sale_at: Option<DateTime<Utc>>,
    /// Grows with each edit of the product, its variants and their prices.
    pub updated_at: DateTime<Utc>,
    /// Why it is not sold at the moment, for buyers to read; none while it is sold as its state says.
    pub paused_because: Option<String>,
    pub paused_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = variant, check_for_backend(diesel::pg::Pg))]
pub struct Variant {
    pub id: VariantId,
    pub seller_id: SellerId,
    pub product_id: ProductId,
    pub position: i32,
    pub sku: Option<String>,
    /// Code of the kind of goods.
    pub kind: String,
    pub state: VariantState,
    pub stock_display: StockDisplay,
    pub low_stock_threshold: i32,
    pub min_quantity: i32,
    pub max_quantity: Option<i32>,
    pub limit_per_buyer: Option<i32>,
    pub partial_delivery: bool,
    pub mail_policy: MailPolicy,
    pub fold_case: bool,
    pub key_format: Option<Value>,
    pub bind_address: bool,
    pub restock_unseen: bool,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    /// What the next buyer is promised.
    pub terms: Terms,
    /// For how many minutes placing an order holds its keys; none: not at all.
    pub reservation_minutes: Option<i32>,
    /// At how many keys left an alert is given; none: never.
    pub low_stock_alert: Option<i32>,
    /// When its seller expects new stock; may have passed.
    pub restock_expected_at: Option<DateTime<Utc>>,
}

/// The texts of one object, in the wanted language and its fall-back.
#[derive(Clone, Debug, Default, PartialEq, Eq, QueryableByName)]
pub struct Texts {
    #[diesel(sql_type = Array<Text>)]
    text_locales: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    text_fields: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    text_values: Vec<String>,
}

impl Texts {
    /// The text of a field in the wanted language, else in any other that was loaded.
    pub fn get(&self, field: &str, locale: &str) -> Option<&str> {
        let all = || self.text_locales.iter().zip(&self.text_fields).zip(&self.text_values);
        let of_field = || all().filter(|((_, f), _)| f.as_str() == field);
        let exact = of_field().find(|((l, _), _)| l.as_str() == locale);
        exact.or_else(|| of_field().next()).map(|(_, value)| value.as_str())
    }
}

/// The prices of one variant that are valid now.
#[derive(Clone, Debug, Default, PartialEq, Eq, QueryableByName)]
pub struct Prices {
    #[diesel(sql_type = Array<Text>)]
    price_currencies: Vec<String>,
    #[diesel(sql_type = Array<Integer>)]
    price_quantities: Vec<i32>,
    #[diesel(sql_type = Array<BigInt>)]
    price_units: Vec<i64>,
    #[diesel(sql_type = Array<Nullable<Timestamptz>>)]
    price_ends: Vec<Option<DateTime<Utc>>>,
}

/// A step of a price: from this quantity on, each unit costs this much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    pub min_quantity: i32,
    /// Minor units of the currency.
    pub unit_minor: i64,
    pub valid_until: Option<DateTime<Utc>>,
}

impl Prices {
    /// The tiers of one currency, smallest quantity first.
    pub fn tiers(&self, currency: &str) -> Vec<Tier> {
        let rows = self
            .price_currencies
            .iter()
            .zip(&self.price_quantities)
            .zip(&self.price_units)
            .zip(&self.price_ends);
        let mut tiers: Vec<Tier> = rows
            .filter(|(((c, _), _), _)| c.as_str() == currency)
            .map(|(((_, min_quantity), unit_minor), valid_until)| Tier {
                min_quantity: *min_quantity,
                unit_minor: *unit_minor,
                valid_until: *valid_until,
            })
            .collect();
        tiers.sort_by_key(|t| t.min_quantity);
        tiers
    }

    pub fn currencies(&self) -> impl Iterator<Item = &str> {
        self.price_currencies.iter().map(String::as_str)
    }
}

/// The tier that a quantity reaches.
pub fn tier_at(tiers: &[Tier], quantity: i32) -> Option<Tier> {
    tiers.iter().copied().take_while(|t| t.min_quantity <= quantity).last()
}

/// The first tier that a quantity does not reach.
pub fn next_tier(tiers: &[Tier], quantity: i32) -> Option<Tier> {
    tiers.iter().copied().find(|t| t.min_quantity > quantity)
}
