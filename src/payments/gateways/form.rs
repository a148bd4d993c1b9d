//! Forms and queries as gateways sign them: every name once, decoded once, nothing trimmed.

use std::collections::HashSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in an encoded form: RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Names and values in the order received, empty values kept. The error is a stable code: signers and frameworks
/// disagree about repeated names and names with brackets, so neither is taken.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<(String, String)>, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "form_not_utf8")?;
    let mut seen = HashSet::new();
    let mut pairs = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        if name.contains(['[', ']']) {
            return Err("form_name_with_bracket");
        }
        if !seen.insert(name.clone()) {
            return Err("form_name_repeated");
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn decoded(text: &str) -> Result<String, &'static str> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(|text| text.into_owned()).map_err(|_| "form_not_utf8")
}

/// The value of a name.
pub(super) fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

/// `name=value` joined by `&`, sorted by the bytes of the names, nothing encoded: what is signed. `keep` says which.
pub(super) fn sorted<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    keep: impl Fn(&str, &str) -> bool,
) -> String {
    let mut kept: Vec<(&str, &str)> = pairs.into_iter().filter(|(name, value)| keep(name, value)).collect();
    kept.sort_unstable();
    kept.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// One name or value, as it is in a query or a path.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// As a query or the body of a form.
pub(super) fn encoded<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let parts = pairs.into_iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    parts.collect::<Vec<_>>().join("&")
}
