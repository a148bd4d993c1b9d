use poem::http::{HeaderMap, header};

use crate::base::secret::Secret;

/// The token of `Authorization: Bearer …` (RFC 6750, 2.1). Of several such headers, or of another scheme, none is
/// believed: the empty token then fails like any other that is wrong.
pub fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let first = values.next()?;
    if values.next().is_some() {
        return Some(Secret::new(""));
    }
    let token = first.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    Some(Secret::new(token.unwrap_or_default()))
}
