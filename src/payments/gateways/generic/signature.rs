//! Standard Webhooks, symmetric form: HMAC-SHA256 over `id.timestamp.body`, key = the base64 part of the secret.
//! Stricter than some libraries on purpose: the timestamp is plain digits, the id has no dot.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::base::secret::Secret;
use crate::payments::gateways::gateway::AccountKeys;
use crate::payments::gateways::notice::{NoticeRefusal, RawNotice};

/// How far a timestamp may be in the past or the future, seconds; exactly so much still passes.
const TOLERANCE: i64 = 300;

/// What a verified message was signed as.
pub(super) struct Signed<'a> {
    pub id: &'a str,
    /// Which secret, counted from 0.
    pub secret: usize,
}

/// The key inside `whsec_…`: 24 to 64 bytes.
pub(super) fn key_bytes(secret: &Secret) -> Option<Zeroizing<Vec<u8>>> {
    let key = Zeroizing::new(STANDARD.decode(secret.expose().strip_prefix("whsec_")?).ok()?);
    (24..=64).contains(&key.len()).then_some(key)
}

pub(super) fn verify<'a>(secrets: &[Secret], raw: &'a RawNotice) -> Result<Signed<'a>, NoticeRefusal> {
    let need = |name: &str| raw.header(name)?.ok_or(NoticeRefusal::signature("header_missing"));
    let (id, timestamp, signatures) =
        (need("webhook-id")?, need("webhook-timestamp")?, need("webhook-signature")?);
    verify_parts(secrets, id, timestamp, signatures, &raw.body, raw.now_unix)
}

/// The same for an answer of the API.
pub(super) fn verify_parts<'a>(
    secrets: &[Secret],
    id: &'a str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now_unix: i64,
) -> Result<Signed<'a>, NoticeRefusal> {
    let plain = |s: &str| !s.is_empty() && s.len() <= 15 && s.bytes().all(|b| b.is_ascii_digit());
    if id.is_empty() || id.len() > 255 || id.contains('.') || !plain(timestamp) {
        return Err(NoticeRefusal::signature("bad_header"));
    }
    let at: i64 = timestamp.parse().map_err(|_| NoticeRefusal::signature("bad_header"))?;
    let given: Vec<Vec<u8>> = signatures
        .split(' ')
        .filter_map(|part| STANDARD.decode(part.strip_prefix("v1,")?).ok())
        .filter(|mac| mac.len() == 32)
        .collect();
    if given.is_empty() {
        return Err(NoticeRefusal::signature("no_v1_signature"));
    }
    let mut secret = None;
    for (index, candidate) in secrets.iter().enumerate() {
        let Some(key) = key_bytes(candidate) else { continue };
        let mac = mac(&key, id, timestamp, body);
        if secret.is_none() && given.iter().any(|g| verify_slices_are_equal(g, mac.as_ref()).is_ok()) {
            secret = Some(index);
        }
    }
    let secret = secret.ok_or(NoticeRefusal::signature("sign_mismatch"))?;
    if now_unix.saturating_sub(at) > TOLERANCE {
        return Err(NoticeRefusal::replay("timestamp_too_old"));
    }
    if at.saturating_sub(now_unix) > TOLERANCE {
        return Err(NoticeRefusal::replay("timestamp_in_the_future"));
    }
    Ok(Signed { id, secret })
}

/// The three headers of a message of ours. While a secret is changed there are several, and the message carries the
/// signature of each, that of `signs_with` first: a receiver takes any that fits (Standard Webhooks, zero downtime secret
/// rotation), so it may change over at any moment.
pub(super) fn sign(
    keys: &AccountKeys,
    id: &str,
    now_unix: i64,
    body: &[u8],
) -> Option<[(String, String); 3]> {
    let timestamp = now_unix.to_string();
    let first = keys.signing_secret()?;
    let others = keys.secrets.iter().enumerate().filter(|(place, _)| *place != keys.signs_with);
    let mut signatures = Vec::new();
    for secret in std::iter::once(first).chain(others.map(|(_, secret)| secret)) {
        let mac = mac(&key_bytes(secret)?, id, &timestamp, body);
        signatures.push(format!("v1,{}", STANDARD.encode(mac.as_ref())));
    }
    Some([
        ("webhook-id".into(), id.to_owned()),
        ("webhook-signature".into(), signatures.join(" ")),
        ("webhook-timestamp".into(), timestamp),
    ])
}

fn mac(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    context.sign()
}
