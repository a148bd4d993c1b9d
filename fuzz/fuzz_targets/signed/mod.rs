//! What the targets share: cutting the input up, signing, and what must hold for whatever is believed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispense::base::secret::Secret;
use dispense::payments::gateways::gateway::{AccountKeys, Meaning, Notice, RawNotice};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub const NOW: i64 = 1_800_000_000;

/// The first line as text, and the rest.
#[allow(dead_code)]
pub fn split(input: &[u8]) -> (String, &[u8]) {
    let end = input.iter().position(|b| *b == b'\n').unwrap_or(input.len());
    let rest = input.get(end + 1..).unwrap_or_default();
    (String::from_utf8_lossy(&input[..end]).into_owned(), rest)
}

pub fn keys(secret: &str) -> AccountKeys {
    AccountKeys {
        id: "fuzz".into(),
        secrets: vec![Secret::new(secret)],
        sandbox: true,
        ..AccountKeys::default()
    }
}

#[allow(dead_code)]
pub fn notice(headers: Vec<(String, String)>, body: &[u8]) -> RawNotice {
    RawNotice { method: "POST".into(), query: String::new(), headers, body: body.to_vec(), now_unix: NOW }
}

#[allow(dead_code)]
pub fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// The digest that a header with this `t` would need.
#[allow(dead_code)]
pub fn stripe_mac(secret: &str, header: &str, body: &[u8]) -> String {
    let t = header.split(',').find_map(|part| part.trim().strip_prefix("t=")).unwrap_or_default();
    hex::encode(mac(secret.as_bytes(), &[t.as_bytes(), b".", body]))
}

/// A pair of keys that signs for the other side, of the tests' throw-away keys.
#[allow(dead_code)]
pub fn rsa_pair() -> aws_lc_rs::signature::RsaKeyPair {
    let pem = include_str!("../../../tests/keys/paypal/leaf.key");
    let der: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
    let der = STANDARD.decode(der).expect("base64");
    aws_lc_rs::signature::RsaKeyPair::from_pkcs8(&der).expect("a private key")
}

/// The public half of a pair: base64 without lines.
#[allow(dead_code)]
pub fn rsa_public(pair: &aws_lc_rs::signature::RsaKeyPair) -> String {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::signature::KeyPair;
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("the public half");
    STANDARD.encode(der.as_ref())
}

/// RSA-SHA256 in base64.
#[allow(dead_code)]
pub fn rsa(pair: &aws_lc_rs::signature::RsaKeyPair, message: &[u8]) -> String {
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = aws_lc_rs::rand::SystemRandom::new();
    pair.sign(&aws_lc_rs::signature::RSA_PKCS1_SHA256, &random, message, &mut signature).expect("signs");
    STANDARD.encode(signature)
}

/// The text that Epay signs of a query, and the query as a notice by GET.
#[allow(dead_code)]
pub fn epay_text(query: &str) -> String {
    let trimmed = |text: &str| text.trim_matches([' ', '\t', '\n', '\r', '\0', '\x0b']).is_empty();
    let mut pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .filter(|(name, value)| !trimmed(value) && name != "sign" && name != "sign_type")
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

#[allow(dead_code)]
pub fn by_get(query: String) -> RawNotice {
    RawNotice { method: "GET".into(), query, headers: Vec::new(), body: Vec::new(), now_unix: NOW }
}

/// What settling relies on.
pub fn check(notice: &Notice) {
    assert!(!notice.event_key().is_empty() && notice.verified_by() == 1);
    if notice.meaning == Meaning::Paid {
        assert!(notice.trade_no.is_some() && notice.currency.is_some());
        assert!(notice.amount_minor.is_some_and(|amount| amount >= 0));
    }
    if matches!(notice.meaning, Meaning::Refunded | Meaning::PartiallyRefunded) {
        assert!(notice.refunded_minor.is_some_and(|amount| amount >= 0) && notice.trade_no.is_some());
    }
}
