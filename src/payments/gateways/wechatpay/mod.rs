//! WeChat Pay, API v3: payment by QR code, phone page, official account or mini program, and app; notices are JSON,
//! signed by the platform and encrypted for the merchant. Facts from pay.weixin.qq.com/doc/v3 (signatures, callbacks,
//! transactions, refunds, bills) and the source of the official Go SDK.

mod bill;
mod certificates;
mod event;
mod keys;
mod refunds;
mod sealed;
mod start;
mod trade;
mod wire;

use std::collections::HashSet;

use chrono::FixedOffset;
use serde_json::Value;

use crate::base::secret::Secret;
use crate::infra::outbound::Outbound;
use crate::payments::gateways::calls::forwards;
use crate::payments::gateways::gateway::{
    Abilities, AccountKeys, ActionKind, Call, Evidence, Gateway, Identity, Notice, NoticeRefusal, RawNotice,
    Reply, Setting, StatementEntry, Verdict,
};
use crate::payments::gateways::rsa::PrivateKey;
use crate::payments::gateways::{beijing, json};
use certificates::CertificateStore;
use keys::{PlatformKey, Signed};

pub struct WechatPay {
    outbound: Outbound,
    /// Platform certificates that were fetched because an account's configuration did not have them.
    certificates: CertificateStore,
}

impl WechatPay {
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound, certificates: CertificateStore::default() }
    }

    /// The certificate of a serial number that is not configured. Only for a message that is fresh and no probe, and
    /// seldom: anybody can write a number that nobody knows.
    async fn missing_certificate(&self, call: &Call<'_>, raw: &RawNotice) -> Result<Evidence, NoticeRefusal> {
        let signed = Signed::of_notice(raw)?;
        signed.check_age(raw.now_unix)?;
        let mut evidence = Evidence::default();
        if keys::configured(call.keys, signed.serial).is_none()
            && let Some(pem) = self.certificate(call, signed.serial).await
        {
            evidence.certificates.insert(signed.serial.to_owned(), pem);
        }
        Ok(evidence)
    }
}

const SETTINGS: &[Setting] = &[
    Setting { name: "mchid", required: true, about: "the merchant's number" },
    Setting {
        name: "appid",
        required: true,
        about: "the official account, mini program or app that is bound to the merchant (`wx…`)",
    },
    Setting {
        name: "serial_no",
        required: true,
        about: "serial number of the merchant's own API certificate, in hexadecimal digits",
    },
    Setting {
        name: "h5_domain",
        required: false,
        about: "the host registered for payment in phone browsers",
    },
];

forwards! {
    WechatPay: gateway => gateway;
    evidence: WechatPay::missing_certificate,
    start: start::start,
    query: trade::query,
    close: trade::close,
    refund: refunds::refund,
    refund_query: refunds::refund_query,
    statement: bill::statement,
}

impl Gateway for WechatPay {
    fn name(&self) -> &'static str {
        "wechatpay"
    }

    fn title(&self) -> &'static str {
        "WeChat Pay"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn faults(&self, keys: &AccountKeys) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut fault = |key, text: &str| faults.push((key, text.to_owned()));
        if keys.secrets.is_empty() {
            fault(
                "secrets",
                "needs the platform's public key or a platform certificate: without it no notice can be believed",
            );
        }
        let own = keys.api_key.as_ref().and_then(PrivateKey::parse);
        if own.is_none() {
            fault("api_key", "must be the private key of the merchant's API certificate (PEM)");
        }
        let mut serials = HashSet::new();
        for (index, secret) in keys.secrets.iter().enumerate() {
            let number = index + 1;
            match PlatformKey::parse(secret) {
                None => fault(
                    "secrets",
                    &format!(
                        "number {number} must be a platform certificate (PEM), or `PUB_KEY_ID_…:` and the platform's public key"
                    ),
                ),
                Some(platform) if own.as_ref().is_some_and(|own| platform.key.is_of(own)) => {
                    fault(
                        "secrets",
                        &format!(
                            "number {number} is the merchant's own certificate: the platform's is another one"
                        ),
                    );
                }
                Some(platform) if !serials.insert(platform.serial.clone()) => {
                    fault("secrets", &format!("number {number} has the same serial number as one before it"));
                }
                Some(_) => {}
            }
        }
        let named = keys.secrets.get(keys.signs_with).filter(|_| keys.signs_with > 0);
        if named.is_some_and(|secret| !secret.expose().trim().starts_with(keys::PUBLIC_KEY_ID)) {
            fault("signs_with", "must name a public key (`PUB_KEY_ID_…`): no call names a certificate");
        }
        if keys.decryption_key.as_ref().is_none_or(|key| key.expose().len() != sealed::KEY_LENGTH) {
            fault("decryption_key", "must be the APIv3 key: 32 characters");
        }
        if keys.other_decryption_keys.iter().any(|key| key.expose().len() != sealed::KEY_LENGTH) {
            fault("other_decryption_keys", "must be APIv3 keys: 32 characters each");
        }
        let all = |text: &str, allowed: fn(&u8) -> bool| text.bytes().all(|b| allowed(&b));
        let wrong = |name: &str, allowed| keys.setting(name).is_some_and(|text| !all(text, allowed));
        if wrong("mchid", u8::is_ascii_digit) {
            fault("settings.mchid", "must be digits alone");
        }
        if wrong("appid", u8::is_ascii_alphanumeric) {
            fault("settings.appid", "must be letters and digits alone");
        }
        if wrong("serial_no", u8::is_ascii_hexdigit) {
            fault("settings.serial_no", "must be hexadecimal digits alone");
        }
        if wrong("h5_domain", |b| b.is_ascii_alphanumeric() || b"-.".contains(b)) {
            fault("settings.h5_domain", "must be a host's name without scheme and path");
        }
        faults
    }

    fn abilities(&self, _keys: &AccountKeys) -> Abilities {
        let actions = &[ActionKind::Redirect, ActionKind::Qr, ActionKind::Sdk];
        Abilities {
            actions,
            start_repeatable: true,
            query: true,
            close: true,
            refund: true,
            refund_repeatable: true,
            sums_count_open: false,
            signs_with_secret: true,
            notice_is_proof: true,
            statement: true,
        }
    }

    fn vectors(&self, config: &Value) -> Result<(AccountKeys, Evidence), String> {
        let text = |key: &str| json::text(config, &[key]).ok_or_else(|| format!("config.{key} is missing"));
        let setting = |key: &str| Ok::<_, String>((key.to_owned(), text(key)?.to_owned()));
        let listed = |key: &str| -> Vec<(String, String)> {
            let list = config.get(key).and_then(Value::as_object).into_iter().flatten();
            list.filter_map(|(serial, pem)| Some((serial.clone(), pem.as_str()?.to_owned()))).collect()
        };
        let certificates = listed("platform_certificates").into_iter().map(|(_, pem)| pem);
        let public = listed("platform_public_keys").into_iter().map(|(id, pem)| format!("{id}:{pem}"));
        let keys = AccountKeys {
            secrets: certificates.chain(public).map(Secret::new).collect(),
            decryption_key: Some(Secret::new(text("api_v3_key")?)),
            settings: [setting("mchid")?, setting("appid")?].into(),
            ..AccountKeys::default()
        };
        Ok((keys, Evidence::default()))
    }

    fn identity(&self, keys: &AccountKeys) -> Vec<Identity> {
        event::identity(keys)
    }

    fn signed_headers(&self) -> &'static [&'static str] {
        &keys::HEADERS
    }

    fn authenticate(
        &self,
        keys: &AccountKeys,
        raw: &RawNotice,
        evidence: &Evidence,
    ) -> Result<Notice, NoticeRefusal> {
        let signed = Signed::of_notice(raw)?;
        let fetched = evidence.certificates.get(signed.serial);
        let (key, platform) = keys::configured(keys, signed.serial)
            .or_else(|| Some((keys.secrets.len(), keys::fetched(fetched?, signed.serial)?)))
            .ok_or(NoticeRefusal::signature("serial_unknown"))?;
        signed.check(&platform, &raw.body)?;
        signed.check_age(raw.now_unix)?;
        let (id, facts) = event::read(keys, &raw.body)?;
        Ok(Notice::new(&keys.id, id, key, facts))
    }

    /// The status alone counts: 2xx stops the repeats whatever the body says.
    fn reply(&self, verdict: Verdict) -> Reply {
        let (status, body) = match verdict {
            Verdict::Success => (200, r#"{"code":"SUCCESS","message":"OK"}"#),
            Verdict::TryLater => (503, r#"{"code":"FAIL","message":"try again later"}"#),
            Verdict::Refused => (400, r#"{"code":"FAIL","message":"refused"}"#),
        };
        Reply { status, content_type: "application/json", body }
    }

    fn calendar(&self) -> FixedOffset {
        beijing::calendar()
    }

    fn read_statement(&self, keys: &AccountKeys, file: &[u8]) -> Result<Vec<StatementEntry>, String> {
        bill::read(keys, file)
    }
}
