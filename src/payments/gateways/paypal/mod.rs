//! PayPal: orders over HTTPS, captured by us once the buyer has agreed; notices are webhook events, signed by PayPal's
//! certificate or, with `verify = "api"`, verified by a question to PayPal. Facts from developer.paypal.com (webhooks
//! integration, Orders v2, Payments v2, Transaction Search v1) and the source of the official SDK.

mod activity;
mod address;
mod api;
mod certificate;
mod currencies;
mod disputes;
mod event;
mod refunds;
mod signature;
mod statement;
mod token;

use chrono::{FixedOffset, Offset, Utc};
use serde_json::Value;

use crate::infra::outbound::Outbound;
use crate::payments::gateways::calls::forwards;
use crate::payments::gateways::gateway::{
    Abilities, AccountKeys, ActionKind, Call, Evidence, Gateway, Identity, Notice, NoticeRefusal, RawNotice,
    Reply, Setting, StatementEntry, Verdict,
};
use crate::payments::gateways::json;
use signature::Transmission;

/// What the simulator on PayPal's developer pages signs with: anybody can have that.
const SIMULATORS: &str = "WEBHOOK_ID";

pub struct PayPal {
    outbound: Outbound,
    tokens: token::PayPalTokens,
    certificates: certificate::Cache,
}

impl PayPal {
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound, tokens: token::PayPalTokens::default(), certificates: certificate::Cache::default() }
    }

    /// PayPal's own confirmation that it sent exactly these bytes.
    async fn ask(
        &self,
        call: &Call<'_>,
        raw: &RawNotice,
        transmission: &Transmission<'_>,
    ) -> Result<Evidence, NoticeRefusal> {
        // It goes into the question as it is: more than one object would add fields to the question.
        let object = json::parse(&raw.body).is_ok_and(|value| value.is_object());
        let event = std::str::from_utf8(&raw.body).ok().filter(|_| object);
        let event = event.ok_or(NoticeRefusal::format("not_json"))?;
        let fields = transmission.question(webhook_id(call.keys)?);
        match api::verify(self, call, fields, event).await {
            Ok(true) => {
                let proof = transmission.proof(webhook_id(call.keys)?, &raw.body);
                let mut evidence = Evidence::default();
                evidence.certificates.insert(proof, "SUCCESS".to_owned());
                Ok(evidence)
            }
            Ok(false) => Err(NoticeRefusal::signature("sign_mismatch")),
            Err(_) => Err(NoticeRefusal::signature("verification_unavailable")),
        }
    }

    async fn proof(&self, call: &Call<'_>, raw: &RawNotice) -> Result<Evidence, NoticeRefusal> {
        let transmission = Transmission::read(call.keys, raw)?;
        if by_api(call.keys) {
            return self.ask(call, raw, &transmission).await;
        }
        let address = transmission.certificate;
        certificate::fetch(&self.certificates, &self.outbound, call, address, raw.now_unix).await
    }
}

fn by_api(keys: &AccountKeys) -> bool {
    keys.setting("verify") == Some("api")
}

fn webhook_id(keys: &AccountKeys) -> Result<&str, NoticeRefusal> {
    let id = keys.setting("webhook_id").filter(|id| !id.is_empty() && *id != SIMULATORS);
    id.ok_or(NoticeRefusal::signature("no_webhook_id"))
}

forwards! {
    PayPal: gateway => gateway;
    evidence: PayPal::proof,
    start: api::start,
    query: api::query,
    number_of: api::number_of,
    capture: api::capture,
    close: api::close,
    refund: refunds::refund,
    refund_query: refunds::refund_query,
    disputes: disputes::of_payment,
    statement: statement::fetch,
}

impl Gateway for PayPal {
    fn name(&self) -> &'static str {
        "paypal"
    }

    fn title(&self) -> &'static str {
        "PayPal"
    }

    fn settings(&self) -> &'static [Setting] {
        const {
            &[
                Setting { name: "client_id", required: true, about: "the client id of the REST app" },
                Setting {
                    name: "webhook_id",
                    required: true,
                    about: "the id of the webhook as the app's page shows it",
                },
                Setting {
                    name: "merchant_id",
                    required: true,
                    about: "the merchant id of the business account",
                },
                Setting {
                    name: "verify",
                    required: false,
                    about: "`self` checks signatures here, `api` asks PayPal about each notice; default: self",
                },
                Setting {
                    name: "trust_root",
                    required: false,
                    about: "a certificate in PEM used in place of the public roots, for sandbox accounts alone",
                },
            ]
        }
    }

    fn faults(&self, keys: &AccountKeys) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut fault = |key: &'static str, text: &str| faults.push((key, text.to_owned()));
        if !keys.secrets.is_empty() {
            fault("secrets", "must be empty: PayPal signs with its certificate");
        }
        let secret = keys.api_key.as_ref().map_or("", |key| key.expose());
        if secret.trim().is_empty() || secret.contains(char::is_whitespace) {
            fault("api_key", "must be the client secret of the REST app");
        }
        for (name, key) in [
            ("client_id", "settings.client_id"),
            ("webhook_id", "settings.webhook_id"),
            ("merchant_id", "settings.merchant_id"),
        ] {
            if keys.setting(name).is_some_and(|id| !id.trim().is_empty() && !event::is_id(id)) {
                fault(key, "must be letters, digits, `-` and `_`");
            }
        }
        if keys.setting("webhook_id") == Some(SIMULATORS) {
            fault(
                "settings.webhook_id",
                "must not be the word of PayPal's webhook simulator, which anybody can have signed",
            );
        }
        if keys.setting("verify").is_some_and(|way| !matches!(way, "self" | "api")) {
            fault("settings.verify", "must be `self` or `api`");
        }
        match keys.setting("trust_root") {
            Some(_) if !keys.sandbox => fault("settings.trust_root", "is for sandbox accounts alone"),
            Some(pem) if !certificate::is_root(pem) => {
                fault("settings.trust_root", "must be a certificate in PEM")
            }
            _ => {}
        }
        faults
    }

    fn abilities(&self, _keys: &AccountKeys) -> Abilities {
        let actions = &[ActionKind::Redirect, ActionKind::Sdk];
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

    /// The file's root and certificates are what would have been fetched.
    fn vectors(&self, config: &Value) -> Result<(AccountKeys, Evidence), String> {
        let need = |key: &str| {
            let text = json::text(config, &[key]).map(str::to_owned);
            text.ok_or_else(|| format!("config.{key} is missing"))
        };
        let settings = [("webhook_id", need("webhook_id")?), ("merchant_id", need("payee_merchant_id")?)];
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let keys = AccountKeys { settings, ..AccountKeys::default() };
        let certificates = config.get("certs_by_url").and_then(Value::as_object);
        let certificates = certificates.ok_or("config.certs_by_url is missing")?;
        let texts =
            certificates.iter().filter_map(|(url, pem)| Some((url.clone(), pem.as_str()?.to_owned())));
        let mut evidence = Evidence { certificates: texts.collect() };
        evidence.certificates.insert(certificate::TRUST_ROOT.to_owned(), need("trust_root_pem")?);
        Ok((keys, evidence))
    }

    fn identity(&self, keys: &AccountKeys) -> Vec<Identity> {
        event::identity(keys.setting("merchant_id").unwrap_or_default())
    }

    fn signed_headers(&self) -> &'static [&'static str] {
        &signature::HEADERS
    }

    fn authenticate(
        &self,
        keys: &AccountKeys,
        raw: &RawNotice,
        evidence: &Evidence,
    ) -> Result<Notice, NoticeRefusal> {
        let transmission = Transmission::read(keys, raw)?;
        let webhook_id = webhook_id(keys)?;
        let genuine = if by_api(keys) {
            evidence.certificates.contains_key(&transmission.proof(webhook_id, &raw.body))
        } else {
            let key = certificate::key(evidence, transmission.certificate, raw.now_unix)?;
            let message = transmission.message(webhook_id, &raw.body);
            key.verifies(message.as_bytes(), transmission.signature)
        };
        if !genuine {
            return Err(NoticeRefusal::signature("sign_mismatch"));
        }
        let (id, facts) = event::read(&raw.body, keys.setting("merchant_id").unwrap_or_default())?;
        Ok(Notice::new(&keys.id, id, 0, facts))
    }

    /// Any 2xx is success; everything else is sent again for three days.
    fn reply(&self, verdict: Verdict) -> Reply {
        let (status, body) = match verdict {
            Verdict::Success => (200, r#"{"received":true}"#),
            Verdict::TryLater => (503, r#"{"received":false,"reason":"try again later"}"#),
            Verdict::Refused => (400, r#"{"received":false,"reason":"refused"}"#),
        };
        Reply { status, content_type: "application/json", body }
    }

    fn calendar(&self) -> FixedOffset {
        Utc.fix()
    }

    fn read_statement(&self, _keys: &AccountKeys, file: &[u8]) -> Result<Vec<StatementEntry>, String> {
        activity::read(file)
    }
}
