//! Alipay's open platform: trades by QR code, web page, phone page and app; notices are forms signed by RSA2.
//! Facts from opendocs.alipay.com (asynchronous notification, alipay.trade.*, alipay.data.dataservice.bill.*) and the
//! source of the official SDKs `alipay-sdk` (npm) and `alipay-sdk-python`.

mod bill;
mod event;
mod refunds;
mod start;
mod trade;
mod wire;

use chrono::FixedOffset;
use serde_json::Value;

use crate::base::secret::Secret;
use crate::infra::outbound::Outbound;
use crate::payments::gateways::calls::forwards;
use crate::payments::gateways::gateway::{
    Abilities, AccountKeys, ActionKind, Evidence, Gateway, Identity, Notice, NoticeRefusal, RawNotice, Reply,
    Setting, StatementEntry, Verdict,
};
use crate::payments::gateways::rsa::{PrivateKey, PublicKey};
use crate::payments::gateways::{beijing, json};

pub struct Alipay {
    outbound: Outbound,
}

impl Alipay {
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound }
    }
}

const SETTINGS: &[Setting] = &[
    Setting {
        name: "app_id",
        required: true,
        about: "the application's APPID from the open platform's console",
    },
    Setting {
        name: "seller_id",
        required: true,
        about: "the merchant's number (PID, `2088…`) that takes the money",
    },
    Setting {
        name: "app_cert_sn",
        required: false,
        about: "serial number of the application's certificate, in certificate mode alone",
    },
    Setting {
        name: "alipay_root_cert_sn",
        required: false,
        about: "serial numbers of Alipay's root certificates, in certificate mode alone",
    },
];

forwards! {
    Alipay: gateway => &gateway.outbound;
    start: start::start,
    query: trade::query,
    close: trade::close,
    refund: refunds::refund,
    refund_query: refunds::refund_query,
    statement: bill::statement,
}

impl Gateway for Alipay {
    fn name(&self) -> &'static str {
        "alipay"
    }

    fn title(&self) -> &'static str {
        "Alipay"
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
                "needs at least one of Alipay's public keys: without it no notice can be believed",
            );
        }
        let own = keys.api_key.as_ref().and_then(PrivateKey::parse);
        if own.is_none() {
            fault("api_key", "must be the application's private RSA key (PEM or bare base64)");
        }
        for (index, secret) in keys.secrets.iter().enumerate() {
            let number = index + 1;
            match PublicKey::parse(secret.expose()) {
                None => fault(
                    "secrets",
                    &format!(
                        "number {number} must be a public RSA key of Alipay's or its certificate, 2048 bits or more"
                    ),
                ),
                Some(key) if own.as_ref().is_some_and(|own| key.is_of(own)) => fault(
                    "secrets",
                    &format!(
                        "number {number} is the application's own public key: Alipay's is another one, shown beside it"
                    ),
                ),
                Some(_) => {}
            }
        }
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if keys.setting("app_id").is_some_and(|id| !digits(id)) {
            fault("settings.app_id", "must be digits alone");
        }
        if keys.setting("seller_id").is_some_and(|id| !digits(id)) {
            fault("settings.seller_id", "must be digits alone: the merchant's number, not an address");
        }
        if keys.setting("app_cert_sn").is_some() != keys.setting("alipay_root_cert_sn").is_some() {
            fault("settings.app_cert_sn", "and alipay_root_cert_sn belong together: give both or none");
        }
        faults
    }

    fn abilities(&self, _keys: &AccountKeys) -> Abilities {
        let actions = &[ActionKind::Redirect, ActionKind::Qr, ActionKind::Form, ActionKind::Sdk];
        Abilities {
            actions,
            start_repeatable: true,
            query: true,
            close: true,
            refund: true,
            refund_repeatable: true,
            sums_count_open: false,
            signs_with_secret: false,
            notice_is_proof: true,
            statement: true,
        }
    }

    fn vectors(&self, config: &Value) -> Result<(AccountKeys, Evidence), String> {
        let text = |key: &str| json::text(config, &[key]).ok_or_else(|| format!("config.{key} is missing"));
        let setting = |key: &str| Ok::<_, String>((key.to_owned(), text(key)?.to_owned()));
        let keys = AccountKeys {
            secrets: vec![Secret::new(text("alipay_public_key_pem")?)],
            settings: [setting("app_id")?, setting("seller_id")?].into(),
            ..AccountKeys::default()
        };
        Ok((keys, Evidence::default()))
    }

    fn identity(&self, keys: &AccountKeys) -> Vec<Identity> {
        event::identity(keys)
    }

    fn signed_headers(&self) -> &'static [&'static str] {
        &[]
    }

    fn authenticate(
        &self,
        keys: &AccountKeys,
        raw: &RawNotice,
        _evidence: &Evidence,
    ) -> Result<Notice, NoticeRefusal> {
        event::read(keys, &raw.body)
    }

    /// Only the seven letters `success` stop the repeats.
    fn reply(&self, verdict: Verdict) -> Reply {
        let (status, body) = match verdict {
            Verdict::Success => (200, "success"),
            Verdict::TryLater => (503, "failure"),
            Verdict::Refused => (400, "failure"),
        };
        Reply { status, content_type: "text/plain; charset=utf-8", body }
    }

    fn calendar(&self) -> FixedOffset {
        beijing::calendar()
    }

    fn read_statement(&self, keys: &AccountKeys, file: &[u8]) -> Result<Vec<StatementEntry>, String> {
        bill::read(keys, file)
    }
}
