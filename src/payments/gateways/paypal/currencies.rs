//! PayPal's amounts: decimal texts with a currency's decimals there, which `gateways/amounts.rs` lists.

use serde_json::Value;

use crate::base::money::{Currency, Money, parse_minor};
use crate::payments::gateways::gateway::from_gateway_units;
use crate::payments::gateways::{amounts, json};

/// An amount as PayPal writes it; none when it cannot.
pub(super) fn text(money: Money) -> Option<String> {
    let unit = amounts::unit("paypal", money.currency)?;
    let units = unit.units(money).filter(|units| *units >= 0)?;
    Some(match unit.exponent {
        0 => units.to_string(),
        _ => format!("{}.{:02}", units / 100, units % 100),
    })
}

/// `{"currency_code", "value"}` in our minor units. The error is a stable code.
pub(super) fn money(object: &Value) -> Result<Money, &'static str> {
    let currency = json::text(object, &["currency_code"]).ok_or("currency_missing")?;
    let currency = Currency::parse(currency).map_err(|_| "currency_malformed")?;
    let value = json::text(object, &["value"]).ok_or("amount_missing")?;
    minor(value, currency).map(|minor| Money::new(minor, currency))
}

/// Decimals of a currency there. One without a row cannot have been asked for; its own decimals count, and the payment
/// will be found to be of the wrong currency.
pub(super) fn decimals(currency: Currency) -> u32 {
    amounts::unit("paypal", currency).map_or_else(|| currency.exponent(), |unit| unit.exponent)
}

/// A plain decimal text in our minor units.
pub(super) fn minor(value: &str, currency: Currency) -> Result<i64, &'static str> {
    let exponent = decimals(currency);
    let units = parse_minor(value, exponent).map_err(|_| "amount_malformed")?;
    from_gateway_units(units, currency, exponent).ok_or("amount_inexpressible")
}
