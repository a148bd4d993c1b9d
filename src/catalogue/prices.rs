//! Prices of a variant: rows of a currency, a least quantity and a period.

use chrono::{DateTime, Utc};

use crate::base::error_code::ErrorCode;
use crate::base::money::{Currency, Money};
use crate::base::outcome::Refusal;

/// One price. A variant's prices are given together and replace those before.
#[derive(Clone, Debug)]
pub struct PriceInput {
    pub currency: String,
    /// From this quantity on; 1 is the plain price.
    pub min_quantity: i32,
    /// What one unit costs: plain decimal digits.
    pub unit: String,
    pub valid_from: Option<DateTime<Utc>>,
    pub valid_to: Option<DateTime<Utc>>,
}

impl PriceInput {
    pub fn plain(currency: &str, unit: &str) -> Self {
        Self::tier(currency, 1, unit)
    }

    pub fn tier(currency: &str, min_quantity: i32, unit: &str) -> Self {
        Self { currency: currency.into(), min_quantity, unit: unit.into(), valid_from: None, valid_to: None }
    }
}

/// A price that was checked.
#[derive(Clone, Debug)]
pub(super) struct Price {
    pub currency: Currency,
    pub min_quantity: i32,
    pub unit_minor: i64,
    pub valid_from: Option<DateTime<Utc>>,
    pub valid_to: Option<DateTime<Utc>>,
}

impl Price {
    fn overlaps(&self, other: &Price) -> bool {
        let before = |end: Option<DateTime<Utc>>, start: Option<DateTime<Utc>>| matches!((end, start), (Some(end), Some(start)) if end <= start);
        !before(self.valid_to, other.valid_from) && !before(other.valid_to, self.valid_from)
    }
}

/// Prices a variant may have at most, over all currencies, tiers and periods.
const MOST: usize = 200;

/// `CURRENCY_NOT_SUPPORTED` for what the shop does not sell in; `PRICE_INVALID` for amounts that the currency cannot
/// have, periods that overlap, tiers that grow dearer, and currencies without a plain price.
pub(super) fn check(inputs: &[PriceInput], sold_in: &[String]) -> Result<Vec<Price>, Refusal> {
    let mut prices: Vec<Price> = Vec::with_capacity(inputs.len());
    if inputs.len() > MOST {
        return Err(Refusal::new(ErrorCode::PriceInvalid, format!("a variant has at most {MOST} prices"))
            .at(["prices"]));
    }
    for (index, input) in inputs.iter().enumerate() {
        let path = |field: &str| vec!["prices".to_owned(), index.to_string(), field.to_owned()];
        let refuse =
            |field: &str, text: &str| Err(Refusal::new(ErrorCode::PriceInvalid, text).at(path(field)));
        let currency =
            Currency::parse(&input.currency).ok().filter(|c| sold_in.iter().any(|s| s == c.as_str()));
        let Some(currency) = currency else {
            let text = format!("the shop does not sell in `{}`", input.currency);
            return Err(Refusal::new(ErrorCode::CurrencyNotSupported, text).at(path("currency")));
        };
        let unit_minor = match Money::parse(&input.unit, currency) {
            Ok(money) => money.minor,
            Err(error) => return refuse("unit", &error.to_string()),
        };
        if input.min_quantity < 1 {
            return refuse("minQuantity", "a tier starts at 1 or more");
        }
        if matches!((input.valid_from, input.valid_to), (Some(from), Some(to)) if from >= to) {
            return refuse("validTo", "the price would end before it starts");
        }
        let price = Price {
            currency,
            min_quantity: input.min_quantity,
            unit_minor,
            valid_from: input.valid_from,
            valid_to: input.valid_to,
        };
        for other in prices.iter().filter(|o| o.currency == currency && o.overlaps(&price)) {
            if other.min_quantity == price.min_quantity {
                return refuse("minQuantity", "two prices for the same quantity at the same time");
            }
            let (small, large) =
                if other.min_quantity < price.min_quantity { (other, &price) } else { (&price, other) };
            if large.unit_minor > small.unit_minor {
                return refuse("unit", "more units must not cost more each");
            }
        }
        prices.push(price);
    }
    for price in &prices {
        if !prices.iter().any(|p| p.currency == price.currency && p.min_quantity == 1) {
            let text = format!("{} has tiers but no price for a single unit", price.currency);
            return Err(Refusal::new(ErrorCode::PriceInvalid, text).at(["prices"]));
        }
    }
    Ok(prices)
}
