//! What is sent to suppliers and what their answers mean. Pure: an answer is untrusted input.

use serde_json::{Map, Value, json};

use crate::base::money::{Currency, Money};
use crate::base::secret::Secret;
use crate::base::text;
use crate::suppliers::mapping::Mapping;
use crate::suppliers::model::Purchase;

/// Largest answer that is read, bytes.
pub const LARGEST_ANSWER: usize = 64 * 1024;

/// Longest text that is sold, characters.
const LONGEST_TEXT: usize = 10_000;

/// What is known of a purchase after a call or a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Delivered(Goods),
    /// Accepted; it delivers later.
    Pending {
        reference: Option<String>,
    },
    /// Nothing was bought. The reason is an open code.
    Refused {
        reason: String,
    },
    /// A question was answered: it knows nothing of the purchase.
    NotKnown,
    /// Nothing can have reached the supplier, or it was turned away unread.
    NotSent {
        why: String,
        retry_after: Option<u64>,
    },
    /// Whether it was accepted is not known.
    Unknown {
        why: String,
    },
}

/// What a supplier delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goods {
    /// Each cleaned; none of them may be fit to be sold.
    pub texts: Vec<Secret>,
    /// As it was stated; none when it was not.
    pub price: Option<StatedPrice>,
    pub reference: Option<String>,
    /// Whether it was said to be another purchase than the one asked about.
    pub of_another: bool,
    /// A text that cannot be shown was among them.
    pub spoilt: bool,
}

/// A price in a supplier's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatedPrice {
    Of(Money),
    /// No amount of that currency.
    Unreadable,
}

/// The body of a purchase.
pub fn order_body(mapping: &Mapping, purchase: &Purchase, callback_url: &str) -> Vec<u8> {
    let ceiling = Currency::parse(&purchase.currency)
        .map(|currency| Money::new(purchase.max_price_minor, currency).decimal())
        .unwrap_or_default();
    let mut body = Map::new();
    body.insert(mapping.request_id.clone(), json!(purchase.request_id));
    body.insert(mapping.product.clone(), json!(purchase.product));
    body.insert("quantity".into(), json!(1));
    body.insert(mapping.max_price.clone(), json!(ceiling));
    body.insert(mapping.currency.clone(), json!(purchase.currency));
    body.insert(mapping.callback_url.clone(), json!(callback_url));
    Value::Object(body).to_string().into_bytes()
}

/// What an answer with a body means. `asked` is the name of the purchase; a callback has been found by it.
pub fn read(mapping: &Mapping, asked: &str, currency: &str, body: &[u8]) -> Heard {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Heard::Unknown { why: "the answer is no JSON".into() };
    };
    let state = body.pointer(&mapping.answer_state).and_then(word);
    let has = |words: &[String]| state.as_ref().is_some_and(|state| words.contains(state));
    let reference = body.pointer(&mapping.answer_reference).and_then(word).filter(|r| r.len() <= 200);
    let of_another =
        body.pointer(&mapping.answer_request_id).and_then(word).is_some_and(|named| named != asked);
    if has(&mapping.delivered) {
        let (texts, spoilt) = texts(body.pointer(&mapping.answer_texts));
        let price = price(&body, mapping, currency);
        return Heard::Delivered(Goods { texts, price, reference, of_another, spoilt });
    }
    if of_another {
        return Heard::Unknown { why: "the answer is about another purchase".into() };
    }
    if has(&mapping.pending) {
        return Heard::Pending { reference };
    }
    if has(&mapping.refused) {
        let reason = body.pointer(&mapping.answer_reason).and_then(word);
        return Heard::Refused { reason: code(reason.as_deref()) };
    }
    Heard::Unknown { why: "the answer names no known state".into() }
}

/// The name of the purchase that a callback is about.
pub fn named(mapping: &Mapping, body: &[u8]) -> Option<String> {
    let body = serde_json::from_slice::<Value>(body).ok()?;
    body.pointer(&mapping.answer_request_id).and_then(word).filter(|name| name.len() <= 100)
}

/// A text, or a number as it is written.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn texts(value: Option<&Value>) -> (Vec<Secret>, bool) {
    let many = match value {
        Some(Value::Array(many)) => many.iter().collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(one) => vec![one],
    };
    let cleaned: Vec<Option<Secret>> = many
        .into_iter()
        .map(|one| text::clean(&word(one)?, "text", LONGEST_TEXT, true).ok().map(Secret::new))
        .collect();
    let spoilt = cleaned.iter().any(Option::is_none);
    (cleaned.into_iter().flatten().collect(), spoilt)
}

fn price(body: &Value, mapping: &Mapping, currency: &str) -> Option<StatedPrice> {
    let amount = body.pointer(&mapping.answer_price).filter(|value| !value.is_null())?;
    let stated = body.pointer(&mapping.answer_currency).and_then(word);
    let read = || {
        let wanted = Currency::parse(currency).ok()?;
        let stated = stated.map_or(Some(wanted), |code| Currency::parse(&code).ok())?;
        Money::parse(&word(amount)?, stated).ok()
    };
    Some(read().map_or(StatedPrice::Unreadable, StatedPrice::Of))
}

/// A reason as an open code of ours: what is none is `OTHER`.
pub fn code(reason: Option<&str>) -> String {
    let upper = reason.unwrap_or_default().trim().to_ascii_uppercase().replace(['-', ' '], "_");
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    match (1..=40).contains(&upper.len()) && upper.chars().all(plain) {
        true => upper,
        false => "OTHER".into(),
    }
}
