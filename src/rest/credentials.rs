//! What a client proves itself with, as the requests' headers carry it.

use poem::http::{HeaderMap, header};

use crate::base::caller::MOST_ORDER_TOKENS;
use crate::base::secret::Secret;

/// The token of `Authorization: Bearer …` (RFC 6750, 2.1). Of several such headers, or of another scheme, none is
/// believed: the empty token then fails like any other that is wrong.
pub fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let first = values.next()?;
    if values.next().is_some() {
        return Some(Secret::new(""));
    }
    Some(first.to_str().map_or_else(|_| Secret::new(""), bearer_of))
}

/// The token of a value of that header.
pub fn bearer_of(text: &str) -> Secret {
    let token = text
        .split_once(' ')
        .and_then(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()));
    Secret::new(token.unwrap_or_default())
}

/// Opens orders to whoever holds their tokens, beside `Authorization`.
pub const ORDER_TOKEN: &str = "dispense-order-token";

/// The tokens of `Dispense-Order-Token`: the header may come several times and hold several, separated by commas.
pub fn order_tokens(headers: &HeaderMap) -> Vec<Secret> {
    order_tokens_of(headers.get_all(ORDER_TOKEN).iter().filter_map(|value| value.to_str().ok()))
}

/// The tokens of values of that header. What is longer than any token, and what is too many, is passed over.
pub fn order_tokens_of<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Secret> {
    let tokens = values.flat_map(|value| value.split(',')).map(str::trim);
    tokens.filter(|t| (1..=200).contains(&t.len())).take(MOST_ORDER_TOKENS).map(Secret::new).collect()
}
