//! Currencies that PayPal takes, and their decimals there (developer.paypal.com, currency codes): HUF, JPY and TWD have
//! none. Amounts are decimal texts.

use serde_json::Value;

use crate::base::money::{Currency, Money, parse_minor};
use crate::payments::gateway::{from_gateway_units, to_gateway_units};
use crate::payments::gateways::json;

#[rustfmt::skip]
const TWO: [&str; 21] = [
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "ILS", "MXN", "MYR", "NOK", "NZD", "PHP",
    "PLN", "SEK", "SGD", "THB", "USD",
];
const NONE: [&str; 3] = ["HUF", "JPY", "TWD"];

pub(super) fn exponent(currency: Currency) -> Option<u32> {
    let code = currency.as_str();
    match code {
        _ if TWO.contains(&code) => Some(2),
        _ if NONE.contains(&code) => Some(0),
        _ => None,
    }
}

/// An amount as PayPal writes it; none when it cannot.
pub(super) fn text(money: Money) -> Option<String> {
    let exponent = exponent(money.currency)?;
    let units = to_gateway_units(money, exponent).filter(|units| *units >= 0)?;
    Some(match exponent {
        0 => units.to_string(),
        _ => format!("{}.{:02}", units / 100, units % 100),
    })
}

/// `{"currency_code", "value"}` in our minor units. The error is a stable word.
pub(super) fn money(object: &Value) -> Result<Money, &'static str> {
    let currency = json::text(object, &["currency_code"]).ok_or("currency_missing")?;
    let currency = Currency::parse(currency).map_err(|_| "currency_malformed")?;
    let value = json::text(object, &["value"]).ok_or("amount_missing")?;
    minor(value, currency).map(|minor| Money::new(minor, currency))
}

/// Decimals of a currency there. One without a row cannot have been asked for; its own decimals count, and the payment
/// will be found to be of the wrong currency.
pub(super) fn decimals(currency: Currency) -> u32 {
    exponent(currency).unwrap_or_else(|| currency.exponent())
}

/// A plain decimal text in our minor units.
pub(super) fn minor(value: &str, currency: Currency) -> Result<i64, &'static str> {
    let exponent = decimals(currency);
    let units = parse_minor(value, exponent).map_err(|_| "amount_malformed")?;
    from_gateway_units(units, currency, exponent).ok_or("amount_inexpressible")
}
