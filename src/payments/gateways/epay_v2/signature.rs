//! RSA-SHA256 both ways: the platform signs notices and answers with its key, we sign requests with ours. Every message
//! carries the time of its signature, which is checked after it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::payments::gateways::gateway::{AccountKeys, NoticeRefusal};
use crate::payments::gateways::rsa::{PrivateKey, PublicKey};
use crate::payments::gateways::{epay, form};

/// How far a timestamp may be from now, seconds; exactly so much still passes.
const TOLERANCE: i64 = 300;

/// Adds who asks, when, and our signature to the fields of a request.
pub(super) fn signed(
    keys: &AccountKeys,
    now: i64,
    fields: &[(&str, &str)],
) -> Result<Vec<(String, String)>, &'static str> {
    let key = keys.api_key.as_ref().and_then(PrivateKey::parse).ok_or("no usable private key")?;
    let (pid, now) = (keys.setting("pid").unwrap_or_default(), now.to_string());
    let mut all = vec![("pid", pid), ("timestamp", now.as_str())];
    all.extend(fields);
    let sign = key.sign(epay::signed_text(all.iter().copied()).as_bytes()).ok_or("could not sign")?;
    all.extend([("sign", sign.as_str()), ("sign_type", "RSA")]);
    Ok(all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Which of the platform's keys signed a notice, counted from 0.
pub(super) fn verify(
    keys: &AccountKeys,
    pairs: &[(String, String)],
    now: i64,
) -> Result<usize, NoticeRefusal> {
    let value = |name: &str| form::value(pairs, name);
    check(keys, epay::borrowed(pairs), value("sign_type"), value("sign"), value("timestamp"), now)
}

/// Whether the platform signed an answer. Lists and objects in it are not part of what is signed.
pub(super) fn verify_answer(keys: &AccountKeys, answer: &Value, now: i64) -> Result<(), NoticeRefusal> {
    let object = answer.as_object().ok_or(NoticeRefusal::format("not_an_object"))?;
    let texts: BTreeMap<&str, String> =
        object.iter().filter_map(|(name, value)| Some((name.as_str(), as_php_text(value)?))).collect();
    let pairs = texts.iter().map(|(name, value)| (*name, value.as_str()));
    let value = |name: &str| texts.get(name).map(String::as_str);
    check(keys, pairs, value("sign_type"), value("sign"), value("timestamp"), now).map(|_| ())
}

/// What PHP makes of a value when it is joined to a text; none for what is left out.
fn as_php_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("1".into()),
        Value::Bool(false) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn check<'a>(
    keys: &AccountKeys,
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
    kind: Option<&str>,
    sign: Option<&str>,
    timestamp: Option<&str>,
    now: i64,
) -> Result<usize, NoticeRefusal> {
    if kind.is_some_and(|kind| kind != "RSA") {
        return Err(NoticeRefusal::signature("sign_type_not_allowed"));
    }
    let sign = sign.filter(|sign| !sign.is_empty()).ok_or(NoticeRefusal::signature("sign_missing"))?;
    let text = epay::signed_text(pairs);
    let fits = |key: &PublicKey| key.verifies(text.as_bytes(), sign);
    let found = keys.secrets.iter().position(|key| PublicKey::parse(key.expose()).as_ref().is_some_and(fits));
    let found = found.ok_or(NoticeRefusal::signature("sign_mismatch"))?;
    let digits = |text: &&str| (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let at = timestamp.filter(digits).and_then(|text| text.parse::<i64>().ok());
    let at = at.ok_or(NoticeRefusal::format("timestamp_malformed"))?;
    match now.saturating_sub(at) {
        age if age > TOLERANCE => Err(NoticeRefusal::replay("timestamp_too_old")),
        age if age < -TOLERANCE => Err(NoticeRefusal::replay("timestamp_in_the_future")),
        _ => Ok(found),
    }
}
