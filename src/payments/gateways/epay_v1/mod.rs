//! Epay, first generation: notices by GET (some forks: POST) signed by MD5 with a shared key, questions to `api.php`.
//! Its notices are hints: the platform is asked before anything is believed. Facts read in the platform's source.

mod api;
mod signature;

use async_trait::async_trait;
use chrono::{FixedOffset, NaiveDate};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::base::money::Currency;
use crate::base::secret::Secret;
use crate::infra::outbound::Outbound;
use crate::payments::gateways::gateway::{
    Abilities, AccountKeys, ActionKind, Call, Closing, Entry, Evidence, Gateway, Identity, NewPayment,
    NewRefund, Notice, NoticeRefusal, NumberThere, PaymentRef, Queried, RawNotice, RefundRef, Refunding,
    Reply, Setting, StartFailure, Started, Statement, Unit, Verdict,
};
use crate::payments::gateways::{amounts, beijing, epay, json, secret};

pub struct EpayV1 {
    outbound: Outbound,
}

impl EpayV1 {
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound }
    }
}

#[async_trait]
impl Gateway for EpayV1 {
    fn name(&self) -> &'static str {
        "epay_v1"
    }

    fn title(&self) -> &'static str {
        "Alipay, WeChat and more (Epay)"
    }

    fn settings(&self) -> &'static [Setting] {
        const {
            &[
                Setting { name: "pid", required: true, about: "the merchant's number at the platform" },
                Setting {
                    name: "joint",
                    required: false,
                    about: "what joins text and key: `plain` nothing, `key` the words `&key=` of some forks",
                },
                Setting {
                    name: "type",
                    required: false,
                    about: "the one way to pay (`alipay`, `wxpay`, …); default: the platform's page asks",
                },
            ]
        }
    }

    fn faults(&self, keys: &AccountKeys) -> Vec<(&'static str, String)> {
        let mut faults = secret::faults(&keys.secrets, |key| Some(Zeroizing::new(key.expose().into())));
        let mut fault = |key: &'static str, text: &str| faults.push((key, text.to_owned()));
        if keys.setting("pid").is_some_and(|pid| !pid.bytes().all(|b| b.is_ascii_digit())) {
            fault("settings.pid", "must be digits");
        }
        if keys.setting("joint").is_some_and(|joint| !matches!(joint, "plain" | "key")) {
            fault("settings.joint", "must be `plain` or `key`");
        }
        let word = |kind: &str| kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if keys.setting("type").is_some_and(|kind| !word(kind)) {
            fault("settings.type", "must be one of the platform's words, like `alipay`");
        }
        if keys.api_url.is_none() {
            fault(
                "api_url",
                "is missing: the address of the platform, without which no notice can be confirmed",
            );
        }
        faults
    }

    fn abilities(&self, keys: &AccountKeys) -> Abilities {
        let actions: &[ActionKind] = match keys.setting("type") {
            Some(_) => &[ActionKind::Redirect, ActionKind::Form, ActionKind::Qr],
            None => &[ActionKind::Redirect, ActionKind::Form],
        };
        Abilities {
            actions,
            start_repeatable: false,
            query: true,
            close: false,
            refund: true,
            refund_repeatable: false,
            sums_count_open: false,
            signs_with_secret: true,
            notice_is_proof: false,
            statement: true,
        }
    }

    fn vectors(&self, config: &Value) -> Result<(AccountKeys, Evidence), String> {
        let need = |key: &str| {
            let text = json::text(config, &[key]).map(str::to_owned);
            text.ok_or_else(|| format!("config.{key} is missing"))
        };
        let keys = AccountKeys {
            secrets: vec![Secret::new(need("key")?)],
            settings: [("pid".to_owned(), need("pid")?)].into(),
            ..AccountKeys::default()
        };
        Ok((keys, Evidence::default()))
    }

    fn unit(&self, currency: Currency) -> Option<Unit> {
        amounts::unit(self.name(), currency)
    }

    fn identity(&self, keys: &AccountKeys) -> Vec<Identity> {
        epay::identity(keys.setting("pid").unwrap_or_default())
    }

    async fn evidence(&self, _call: &Call<'_>, _raw: &RawNotice) -> Result<Evidence, NoticeRefusal> {
        Ok(Evidence::default())
    }

    fn authenticate(
        &self,
        keys: &AccountKeys,
        raw: &RawNotice,
        _evidence: &Evidence,
    ) -> Result<Notice, NoticeRefusal> {
        let pairs = epay::parameters(raw)?;
        let key = signature::verify(keys, &pairs)?;
        let (event_key, facts) = epay::notice(&pairs)?;
        Ok(Notice::new(&keys.id, event_key, key, facts))
    }

    fn reply(&self, verdict: Verdict) -> Reply {
        epay::reply(verdict)
    }

    async fn start(&self, call: &Call<'_>, payment: &NewPayment<'_>) -> Result<Started, StartFailure> {
        api::start(&self.outbound, call, payment).await
    }

    async fn query(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
        api::query(&self.outbound, call, payment).await
    }

    async fn number_of(&self, _call: &Call<'_>, _trade_no: &str) -> NumberThere {
        NumberThere::Unsupported
    }

    async fn capture(&self, _call: &Call<'_>, _payment: &PaymentRef<'_>) -> Queried {
        Queried::Unsupported
    }

    async fn close(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Closing {
        api::close(&self.outbound, call, payment).await
    }

    async fn refund(&self, call: &Call<'_>, refund: &NewRefund<'_>) -> Refunding {
        api::refund(&self.outbound, call, refund).await
    }

    async fn refund_query(&self, call: &Call<'_>, refund: &RefundRef<'_>) -> Refunding {
        api::refund_query(&self.outbound, call, refund).await
    }

    fn calendar(&self) -> FixedOffset {
        beijing::calendar()
    }

    async fn statement(&self, call: &Call<'_>, day: NaiveDate) -> Statement {
        api::statement(&self.outbound, call, day).await
    }

    /// The platform's answer to `act=orders`, kept as it came.
    fn read_statement(&self, keys: &AccountKeys, file: &[u8]) -> Result<Vec<Entry>, String> {
        let answer = json::parse(file).map_err(|error| format!("line {}: no JSON", error.line()))?;
        let orders = answer.get("data").and_then(Value::as_array).ok_or("there is no list `data`")?;
        epay::entries(orders, keys.setting("pid").unwrap_or_default(), None, 0)
    }
}
