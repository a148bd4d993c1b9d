//! A list of products that is asked for: filter, sort, language, currency.

use chrono::{DateTime, Utc};

use crate::base::error_code::ErrorCode;
use crate::base::ids::{ProductId, SellerId};
use crate::base::money::Currency;
use crate::base::outcome::Refusal;
use crate::base::page;
use crate::base::text::Locale;
use crate::catalogue::view::ProductView;

/// What narrows a list. Empty parts narrow nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub ids: Option<Vec<ProductId>>,
    /// Sold as any of these kinds.
    pub kinds: Vec<String>,
    pub seller: Option<SellerId>,
    /// Has all of these tags.
    pub tags: Vec<String>,
    /// Has, or has not, something that can be had now.
    pub in_stock: Option<bool>,
    pub changed_since: Option<DateTime<Utc>>,
    /// Minor units of the list's currency, bounds included.
    pub price_min: Option<i64>,
    pub price_max: Option<i64>,
    /// Part of a name or summary, in any language.
    pub search: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Newest,
    Name,
    PriceLow,
    PriceHigh,
    /// The longest unchanged first: the order of a delta sync.
    Changed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub filter: Filter,
    pub sort: Sort,
    pub currency: Currency,
    pub locale: Locale,
    /// Also load descriptions, which are long.
    pub descriptions: bool,
    /// Also count stock. Without it nothing may be said of availability.
    pub stock: bool,
}

impl Listing {
    /// Names filter and sort, so that a cursor of another list is refused.
    pub fn name(&self) -> String {
        format!("products {:?} {:?} {} {}", self.filter, self.sort, self.currency, self.locale.as_str())
    }

    /// The cursor of a product of this list.
    pub fn cursor(&self, view: &ProductView) -> String {
        page::encode(&self.name(), &[view.sort_key.clone(), view.product.id.to_string()])
    }

    /// The sort value and id behind a cursor.
    pub(super) fn place(from: &[String]) -> Result<(String, ProductId), Refusal> {
        let refused = || Refusal::new(ErrorCode::InvalidCursor, "this cursor belongs to another list");
        let [key, id] = from else { return Err(refused()) };
        Ok((key.clone(), ProductId::parse(id).map_err(|_| refused())?))
    }

    pub(super) fn descends(&self) -> bool {
        matches!(self.sort, Sort::Newest | Sort::PriceHigh)
    }
}
