use async_graphql::{Enum, ID, InputObject, OneofObject};

use crate::base::error_code::ErrorCode;
use crate::base::ids::{ProductId, SellerId};
use crate::base::money::{Currency, Money};
use crate::base::outcome::Refusal;
use crate::catalogue::product_list::{Filter, Sort};
use crate::graphql::scalars::{DateTime, Decimal};

/// What narrows a list of products. What is left out narrows nothing.
#[derive(Default, InputObject)]
pub struct ProductFilter {
    /// Has all of these tags; at most 20.
    tags: Option<Vec<String>>,
    /// Sold by this one.
    seller: Option<ID>,
    /// Sold as any of these kinds; at most 20.
    kinds: Option<Vec<String>>,
    /// Costs at least this much, in the list's currency.
    price_min: Option<Decimal>,
    /// Costs at most this much, in the list's currency.
    price_max: Option<Decimal>,
    /// Has, or has not, something that can be had now.
    in_stock: Option<bool>,
    /// One of these; at most 100.
    ids: Option<Vec<ID>>,
    /// Changed at this moment or later. Products that are not sold any more are then in the list too, so that a
    /// client learns what to drop.
    changed_since: Option<DateTime>,
}

/// The order of a list of products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ProductSort {
    /// The newest first.
    Newest,
    /// By name.
    Name,
    /// The cheapest first.
    PriceLow,
    /// The dearest first.
    PriceHigh,
}

/// Which product: by exactly one of these.
#[derive(OneofObject)]
pub enum ProductBy {
    /// By its id.
    Id(ID),
    /// By its part of the web address.
    Slug(String),
}

fn few<T>(list: Option<Vec<T>>, most: usize, field: &str) -> Result<Vec<T>, Refusal> {
    let list = list.unwrap_or_default();
    if list.len() > most {
        return Err(
            Refusal::new(ErrorCode::BadRequest, format!("`{field}` has at most {most} entries")).at([field])
        );
    }
    Ok(list)
}

impl ProductFilter {
    /// # Errors
    /// `BAD_REQUEST` for lists that are too long and amounts that do not fit the currency.
    pub fn read(self, search: Option<String>, currency: Currency) -> Result<Filter, Refusal> {
        let amount = |amount: Option<Decimal>, field: &str| match amount {
            Some(Decimal(text)) => Money::parse(&text, currency)
                .map(|m| Some(m.minor))
                .map_err(|e| Refusal::new(ErrorCode::BadRequest, e.to_string()).at([field])),
            None => Ok(None),
        };
        let ids = match self.ids {
            // An id of something else is the id of no product.
            Some(ids) => {
                Some(few(Some(ids), 100, "ids")?.iter().filter_map(|id| ProductId::parse(id).ok()).collect())
            }
            None => None,
        };
        let seller = self.seller.map(|id| SellerId::parse(&id).unwrap_or(SellerId(uuid::Uuid::nil())));
        if search.as_ref().is_some_and(|s| s.chars().count() > 100) {
            return Err(
                Refusal::new(ErrorCode::BadRequest, "`search` has at most 100 characters").at(["search"])
            );
        }
        Ok(Filter {
            ids,
            kinds: few(self.kinds, 20, "kinds")?,
            seller,
            tags: few(self.tags, 20, "tags")?,
            in_stock: self.in_stock,
            changed_since: self.changed_since.map(|d| d.0),
            price_min: amount(self.price_min, "priceMin")?,
            price_max: amount(self.price_max, "priceMax")?,
            search: search.map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()),
        })
    }
}

/// The order of a list: the asked one, else that of a delta sync where one is asked for, else the newest first.
pub fn sort(asked: Option<ProductSort>, filter: &Filter) -> Sort {
    match asked {
        Some(ProductSort::Newest) => Sort::Newest,
        Some(ProductSort::Name) => Sort::Name,
        Some(ProductSort::PriceLow) => Sort::PriceLow,
        Some(ProductSort::PriceHigh) => Sort::PriceHigh,
        None if filter.changed_since.is_some() => Sort::Changed,
        None => Sort::Newest,
    }
}
