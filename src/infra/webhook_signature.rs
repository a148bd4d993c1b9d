//! Standard Webhooks, symmetric form: HMAC-SHA256 over `id.timestamp.body`, key = the base64 part of the secret.
//! Stricter than some libraries on purpose: the timestamp is plain digits, the id has no dot.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::base::secret::Secret;

/// How far a timestamp may be in the past or the future, seconds; exactly so much still passes.
const TOLERANCE: i64 = 300;

pub const ID: &str = "webhook-id";
pub const TIMESTAMP: &str = "webhook-timestamp";
pub const SIGNATURE: &str = "webhook-signature";

/// Why a signature is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// An id or a timestamp that is none.
    BadHeader,
    /// No signature of the symmetric form among them.
    NoSignature,
    Mismatch,
    TooOld,
    InTheFuture,
}

/// The key inside `whsec_…`: 24 to 64 bytes.
pub fn key_bytes(secret: &Secret) -> Option<Zeroizing<Vec<u8>>> {
    let key = Zeroizing::new(STANDARD.decode(secret.expose().strip_prefix("whsec_")?).ok()?);
    (24..=64).contains(&key.len()).then_some(key)
}

/// A new secret of 32 random bytes.
pub fn new_secret() -> Secret {
    let key: [u8; 32] = crate::base::clock::random();
    Secret::new(format!("whsec_{}", STANDARD.encode(key)))
}

/// A message with the headers that sign it.
#[derive(Clone, Copy)]
pub struct SignedMessage<'a> {
    pub id: &'a str,
    pub timestamp: &'a str,
    pub signatures: &'a str,
    pub body: &'a [u8],
}

/// Which of the secrets signed it, counted from 0.
pub fn verify(
    secrets: &[Secret],
    message: SignedMessage<'_>,
    now_unix: i64,
) -> Result<usize, SignatureError> {
    let SignedMessage { id, timestamp, signatures, body } = message;
    let plain = |s: &str| !s.is_empty() && s.len() <= 15 && s.bytes().all(|b| b.is_ascii_digit());
    if id.is_empty() || id.len() > 255 || id.contains('.') || !plain(timestamp) {
        return Err(SignatureError::BadHeader);
    }
    let at: i64 = timestamp.parse().map_err(|_| SignatureError::BadHeader)?;
    let given: Vec<Vec<u8>> = signatures
        .split(' ')
        .filter_map(|part| STANDARD.decode(part.strip_prefix("v1,")?).ok())
        .filter(|mac| mac.len() == 32)
        .collect();
    if given.is_empty() {
        return Err(SignatureError::NoSignature);
    }
    let mut secret = None;
    for (index, candidate) in secrets.iter().enumerate() {
        let Some(key) = key_bytes(candidate) else { continue };
        let mac = mac(&key, id, timestamp, body);
        if secret.is_none() && given.iter().any(|g| verify_slices_are_equal(g, mac.as_ref()).is_ok()) {
            secret = Some(index);
        }
    }
    let secret = secret.ok_or(SignatureError::Mismatch)?;
    if now_unix.saturating_sub(at) > TOLERANCE {
        return Err(SignatureError::TooOld);
    }
    if at.saturating_sub(now_unix) > TOLERANCE {
        return Err(SignatureError::InTheFuture);
    }
    Ok(secret)
}

/// The three headers of a message of ours. While a secret is changed there are several, and the message carries the
/// signature of each: a receiver takes any that fits (Standard Webhooks, zero downtime secret rotation), so it may change
/// over at any moment. None when a secret is no secret.
pub fn sign<'a>(
    secrets: impl Iterator<Item = &'a Secret>,
    id: &str,
    now_unix: i64,
    body: &[u8],
) -> Option<[(String, String); 3]> {
    let timestamp = now_unix.to_string();
    let mut signatures = Vec::new();
    for secret in secrets {
        let mac = mac(&key_bytes(secret)?, id, &timestamp, body);
        signatures.push(format!("v1,{}", STANDARD.encode(mac.as_ref())));
    }
    Some([
        (ID.into(), id.to_owned()),
        (SIGNATURE.into(), signatures.join(" ")),
        (TIMESTAMP.into(), timestamp),
    ])
}

fn mac(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    context.sign()
}
