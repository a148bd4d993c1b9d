//! Signatures of the simulated gateways, and the check of what the shop signs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::base::clock::random;

fn hmac(key: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    parts.iter().for_each(|part| hmac.update(part));
    Some(hmac)
}

/// The value of `Stripe-Signature`.
pub(super) fn stripe_header(secret: &str, at: i64, body: &str) -> String {
    let at = at.to_string();
    let digest = hmac(secret.as_bytes(), &[at.as_bytes(), b".", body.as_bytes()]);
    let hex = digest.map(|d| hex::encode(d.finalize().into_bytes())).unwrap_or_default();
    format!("t={at},v1={hex}")
}

fn key(secret: &str) -> Vec<u8> {
    STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap_or_default()
}

/// The value of `webhook-signature`.
pub(super) fn webhook_header(secret: &str, id: &str, at: i64, body: &[u8]) -> String {
    let head = format!("{id}.{at}.");
    let digest = hmac(&key(secret), &[head.as_bytes(), body]);
    format!("v1,{}", digest.map(|d| STANDARD.encode(d.finalize().into_bytes())).unwrap_or_default())
}

/// Whether a request of the shop is signed with this secret and fresh.
pub(super) fn webhook_fits(secret: &str, id: &str, at: &str, signature: &str, body: &[u8], now: i64) -> bool {
    let Ok(at_number) = at.parse::<i64>() else { return false };
    let head = format!("{id}.{at}.");
    // A sender that is changing its secret sends a signature of each.
    let mut given = signature.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
    let fits = |given: Vec<u8>| {
        hmac(&key(secret), &[head.as_bytes(), body]).is_some_and(|d| d.verify_slice(&given).is_ok())
    };
    given.any(fits) && (now - at_number).abs() <= 300
}

/// An id as gateways make them: the prefix and 24 hexadecimal digits.
pub(super) fn fresh_id(prefix: &str) -> String {
    format!("{prefix}{}", hex::encode(random::<12>()))
}
