use crate::base::clock::Clock;
use poem::http::{HeaderMap, HeaderName};

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id a proxy or client gave, when it is one that can be in a log line; else a new one.
pub fn choose(headers: &HeaderMap, clock: &Clock) -> String {
    let sane = |text: &str| {
        (8..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    match headers.get(REQUEST_ID).and_then(|v| v.to_str().ok()) {
        Some(given) if sane(given) => given.to_owned(),
        _ => clock.uuid().simple().to_string(),
    }
}
