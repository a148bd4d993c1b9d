//! The generic signed gateway: notices as Standard Webhooks (`webhook-id`, `webhook-timestamp`,
//! `webhook-signature`), and a small API of our own beside it whose requests and answers are signed the same way.
//! An account without `api_url` only receives.

mod api;
mod event;
mod signature;

use async_trait::async_trait;
use chrono::{FixedOffset, NaiveDate, Offset, Utc};
use serde_json::Value;

use crate::base::money::Currency;
use crate::base::secret::Secret;
use crate::infra::outbound::Outbound;
use crate::payments::gateways::gateway::{
    Abilities, AccountKeys, ActionKind, Call, Closing, Entry, Evidence, Gateway, Identity, NewPayment,
    NewRefund, Notice, NoticeRefusal, NumberThere, PaymentRef, Queried, RawNotice, RefundRef, Refunding,
    Reply, Setting, StartFailure, Started, Statement, Unit, Verdict,
};
use crate::payments::gateways::{amounts, json, secret};

pub struct Generic {
    outbound: Outbound,
}

impl Generic {
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound }
    }
}

#[async_trait]
impl Gateway for Generic {
    fn name(&self) -> &'static str {
        "generic"
    }

    fn title(&self) -> &'static str {
        "Online payment"
    }

    fn settings(&self) -> &'static [Setting] {
        &[]
    }

    fn faults(&self, keys: &AccountKeys) -> Vec<(&'static str, String)> {
        let mut faults = secret::faults(&keys.secrets, signature::key_bytes);
        for (index, secret) in keys.secrets.iter().enumerate() {
            if signature::key_bytes(secret).is_none() {
                let text = format!("number {} must be `whsec_` and 24 to 64 bytes in base64", index + 1);
                faults.push(("secrets", text));
            }
        }
        faults
    }

    fn abilities(&self, keys: &AccountKeys) -> Abilities {
        let api = keys.api_url.is_some();
        let actions: &[ActionKind] = if api { &[ActionKind::Redirect, ActionKind::Qr] } else { &[] };
        Abilities {
            actions,
            start_repeatable: true,
            query: api,
            close: api,
            refund: api,
            refund_repeatable: true,
            sums_count_open: false,
            signs_with_secret: true,
            notice_is_proof: true,
            statement: false,
        }
    }

    fn vectors(&self, config: &Value) -> Result<(AccountKeys, Evidence), String> {
        let secret = json::text(config, &["secret"]).ok_or("config.secret is missing")?;
        let keys = AccountKeys { secrets: vec![Secret::new(secret)], ..AccountKeys::default() };
        Ok((keys, Evidence::default()))
    }

    fn unit(&self, currency: Currency) -> Option<Unit> {
        amounts::unit(self.name(), currency)
    }

    /// The secret alone says for whom a notice is.
    fn identity(&self, _keys: &AccountKeys) -> Vec<Identity> {
        Vec::new()
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
        let signed = signature::verify(&keys.secrets, raw)?;
        Ok(Notice::new(&keys.id, signed.id.to_owned(), signed.secret, event::read(&raw.body)?))
    }

    /// Any 2xx is success. Never 410, which would switch the endpoint off at the sender.
    fn reply(&self, verdict: Verdict) -> Reply {
        let (status, body) = match verdict {
            Verdict::Success => (200, r#"{"status":"ok"}"#),
            Verdict::TryLater => (503, r#"{"status":"try again later"}"#),
            Verdict::Refused => (400, r#"{"status":"refused"}"#),
        };
        Reply { status, content_type: "application/json", body }
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
        Utc.fix()
    }

    async fn statement(&self, _call: &Call<'_>, _day: NaiveDate) -> Statement {
        Statement::Unsupported
    }

    fn read_statement(&self, _keys: &AccountKeys, _file: &[u8]) -> Result<Vec<Entry>, String> {
        Err("this gateway gives out no statements".into())
    }
}
