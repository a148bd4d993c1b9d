//! `PAYPAL-TRANSMISSION-SIG`: RSA-SHA256 over `transmission id|time|our webhook id|CRC-32 of the raw body`, the last as
//! an unsigned decimal. The webhook id is never in the message: it binds it to our own subscription (source of the
//! official SDK; developer.paypal.com, webhooks integration).

use sha2::{Digest, Sha256};

use super::address;
use crate::payments::gateways::gateway::{AccountKeys, NoticeRefusal, RawNotice};

/// The only algorithm; the header is compared with it and chooses nothing.
const ALGORITHM: &str = "SHA256withRSA";

/// The headers that sign a notice.
pub(super) const HEADERS: [&str; 5] = [
    "paypal-auth-algo",
    "paypal-transmission-id",
    "paypal-transmission-time",
    "paypal-transmission-sig",
    "paypal-cert-url",
];

/// What the headers say.
pub(super) struct Transmission<'a> {
    pub id: &'a str,
    pub time: &'a str,
    pub signature: &'a str,
    pub certificate: &'a str,
}

impl<'a> Transmission<'a> {
    /// Every header once, the algorithm as it must be, the certificate's address allowed.
    pub fn read(keys: &AccountKeys, raw: &'a RawNotice) -> Result<Self, NoticeRefusal> {
        let need = |name: &str| {
            let value = raw.header(name)?.filter(|text| !text.is_empty() && text.len() <= 1_000);
            value.ok_or(NoticeRefusal::signature("header_missing"))
        };
        if need("paypal-auth-algo")? != ALGORITHM {
            return Err(NoticeRefusal::signature("algorithm_not_allowed"));
        }
        let transmission = Self {
            id: need("paypal-transmission-id")?,
            time: need("paypal-transmission-time")?,
            signature: need("paypal-transmission-sig")?,
            certificate: need("paypal-cert-url")?,
        };
        if transmission.id.contains('|') || transmission.time.contains('|') {
            return Err(NoticeRefusal::signature("bad_header"));
        }
        if !address::allowed(keys, transmission.certificate) {
            return Err(NoticeRefusal::signature("cert_url_not_allowed"));
        }
        Ok(transmission)
    }

    /// What is signed.
    pub fn message(&self, webhook_id: &str, body: &[u8]) -> String {
        format!("{}|{}|{webhook_id}|{}", self.id, self.time, crc32fast::hash(body))
    }

    /// The name under which the evidence says that PayPal itself called exactly these bytes its own.
    pub fn proof(&self, webhook_id: &str, body: &[u8]) -> String {
        let mut digest = Sha256::new();
        let parts = [self.id, self.time, self.signature, self.certificate, webhook_id].map(str::as_bytes);
        for part in parts.into_iter().chain([body]) {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        format!("verified:{}", hex::encode(digest.finalize()))
    }

    /// The fields of a question to `verify-webhook-signature` without the event, as JSON text.
    pub fn question(&self, webhook_id: &str) -> serde_json::Map<String, serde_json::Value> {
        let fields = [
            ("auth_algo", ALGORITHM),
            ("cert_url", self.certificate),
            ("transmission_id", self.id),
            ("transmission_sig", self.signature),
            ("transmission_time", self.time),
            ("webhook_id", webhook_id),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
    }
}
