//! The platform's certificates change every few years and are fetched by the merchant: `GET /v3/certificates`, each
//! encrypted with the APIv3 key. The answer is signed like any other, perhaps by a certificate that is in it; then
//! what makes that one genuine is that only the platform and the merchant know the APIv3 key.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::DateTime;
use serde_json::Value;

use super::keys::{self, PUBLIC_KEY_ID, PlatformKey, Signed};
use super::{WechatPay, sealed, wire};
use crate::infra::outbound::{HttpAnswer, Method};
use crate::payments::gateways::gateway::Call;
use crate::payments::gateways::json;

/// Seconds between two fetches of an account, whatever came of the first.
const GAP: u64 = 300;

/// What was fetched, by account.
#[derive(Default)]
pub(super) struct CertificateStore(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Fetched>>>>);

#[derive(Default)]
struct Fetched {
    /// PEM by serial number.
    certificates: BTreeMap<String, String>,
    asked_at: Option<i64>,
}

impl WechatPay {
    /// The certificate with this serial number, fetched if need be and the last fetch is long enough ago. Public keys
    /// cannot be fetched.
    pub(super) async fn certificate(&self, call: &Call<'_>, serial: &str) -> Option<String> {
        let serial_like = (1..=64).contains(&serial.len()) && serial.bytes().all(|b| b.is_ascii_hexdigit());
        if serial.starts_with(PUBLIC_KEY_ID) || !serial_like {
            return None;
        }
        let place = {
            let mut certificates = self.certificates.0.lock().unwrap_or_else(PoisonError::into_inner);
            certificates.entry(call.keys.id.clone()).or_default().clone()
        };
        let mut fetched = place.lock().await;
        let known = |fetched: &Fetched| fetched.certificates.get(serial).cloned();
        let recent = fetched.asked_at.is_some_and(|at| at.abs_diff(call.now_unix) < GAP);
        if let Some(pem) = known(&fetched) {
            return Some(pem);
        }
        if recent {
            return None;
        }
        fetched.asked_at = Some(call.now_unix);
        match self.download(call).await {
            Ok(certificates) => fetched.certificates = certificates,
            Err(why) => {
                tracing::warn!(account = call.keys.id, why, "the platform's certificates were not fetched")
            }
        }
        known(&fetched)
    }

    async fn download(&self, call: &Call<'_>) -> Result<BTreeMap<String, String>, String> {
        let answer = wire::send(&self.outbound, call, Method::Get, "/v3/certificates", None)
            .await
            .map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(format!("status {}", answer.status));
        }
        let certificates = opened(call, &answer.body)?;
        check(call, &answer, &certificates)?;
        Ok(certificates)
    }
}

/// The certificates of the list that are valid now.
fn opened(call: &Call<'_>, body: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let list = json::parse(body).map_err(|_| "the list is no JSON".to_owned())?;
    let entries = list.get("data").and_then(Value::as_array).ok_or("the list has no data")?;
    let mut certificates = BTreeMap::new();
    for entry in entries {
        let serial = json::text(entry, &["serial_no"]).ok_or("an entry has no serial number")?;
        let sealed = entry.get("encrypt_certificate").ok_or("an entry has no certificate")?;
        let plain = sealed::open(call.keys, sealed)?;
        let pem = String::from_utf8(plain).map_err(|_| "a certificate is no text".to_owned())?;
        keys::fetched(&pem, serial)
            .ok_or("a certificate does not have the serial number it is listed with")?;
        let moment = |key| {
            let text = json::text(entry, &[key])?;
            DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp())
        };
        let begun = moment("effective_time").is_none_or(|at| at <= call.now_unix);
        if begun && moment("expire_time").is_some_and(|at| at > call.now_unix) {
            certificates.insert(serial.to_owned(), pem);
        }
    }
    Ok(certificates)
}

/// The list's own signature.
fn check(call: &Call<'_>, answer: &HttpAnswer, listed: &BTreeMap<String, String>) -> Result<(), String> {
    let refused = |refusal: crate::payments::gateways::gateway::NoticeRefusal| refusal.reason.to_owned();
    let signed = Signed::of_answer(answer).ok_or("the list is not signed")?.map_err(refused)?;
    let configured = keys::configured(call.keys, signed.serial).map(|(_, platform)| platform);
    let from_list = || -> Option<PlatformKey> { keys::fetched(listed.get(signed.serial)?, signed.serial) };
    let platform = configured.or_else(from_list).ok_or("the list is signed by nobody known")?;
    signed.check(&platform, &answer.body).and_then(|()| signed.check_age(call.now_unix)).map_err(refused)
}
