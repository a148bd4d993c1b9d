//! Keyed tokens and derived codes (HMAC-SHA-256 by aws-lc-rs), each under a domain of its own, so that a token of one
//! kind can never pass for another.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::RingKey;

/// HMAC over the length-prefixed domain and parts.
pub fn mac(key: &RingKey, domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.bytes.expose());
    let mut context = hmac::Context::with_key(&key);
    for part in std::iter::once(&domain.as_bytes()).chain(parts) {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// Why a signed token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Not of the token's form at all.
    Malformed,
    /// A key id nobody knows, or a signature that does not fit.
    Forged,
}

/// `v1.<key id>.<payload>.<mac>`, signed with the ring's first key.
pub fn token(ring: &[RingKey], domain: &str, payload: &[u8]) -> String {
    let Some(key) = ring.first() else { return String::new() };
    let mac = mac(key, domain, &[key.id.as_bytes(), payload]);
    format!("v1.{}.{}.{}", key.id, URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(mac))
}

/// The payload of a token that any key of the ring signed for this domain.
pub fn open_token(ring: &[RingKey], domain: &str, token: &str) -> Result<Vec<u8>, TokenError> {
    let parts: Vec<&str> = token.split('.').collect();
    let &[version, id, payload, signature] = parts.as_slice() else { return Err(TokenError::Malformed) };
    if version != "v1" || token.len() > 1024 {
        return Err(TokenError::Malformed);
    }
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| TokenError::Malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
    let key = ring.iter().find(|k| k.id == id).ok_or(TokenError::Forged)?;
    let expected = mac(key, domain, &[key.id.as_bytes(), &payload]);
    if !equal(&expected, &signature) {
        return Err(TokenError::Forged);
    }
    Ok(payload)
}

/// Compares in constant time.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    a.len() == b.len() && bool::from(a.ct_eq(b))
}
