//! Notices signed by the tests themselves, with a library the product's verifier does not use.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispense::payments::gateways::gateway::RawNotice;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// `whsec_` and 32 equal bytes in base64.
pub fn webhook_secret(fill: u8) -> String {
    let bytes: Vec<u8> = (0..32).map(|place: u8| fill.wrapping_mul(31) ^ place.wrapping_mul(73)).collect();
    format!("whsec_{}", STANDARD.encode(bytes))
}

/// A Standard Webhooks message of `body`.
pub fn webhook(secret: &str, id: &str, at: i64, body: &str) -> RawNotice {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signature = STANDARD.encode(mac(&key, format!("{id}.{at}.{body}").as_bytes()));
    notice(
        at,
        body,
        &[
            ("content-type", "application/json"),
            ("webhook-id", id),
            ("webhook-timestamp", &at.to_string()),
            ("webhook-signature", &format!("v1,{signature}")),
        ],
    )
}

/// A Stripe event.
pub fn stripe(secret: &str, at: i64, body: &str) -> RawNotice {
    let signature = hex::encode(mac(secret.as_bytes(), format!("{at}.{body}").as_bytes()));
    notice(
        at,
        body,
        &[("content-type", "application/json"), ("stripe-signature", &format!("t={at},v1={signature}"))],
    )
}

fn notice(at: i64, body: &str, headers: &[(&str, &str)]) -> RawNotice {
    RawNotice {
        method: "POST".into(),
        query: String::new(),
        headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        body: body.as_bytes().to_vec(),
        now_unix: at,
    }
}
