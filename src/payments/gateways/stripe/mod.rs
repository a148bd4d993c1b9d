//! Stripe: Checkout sessions over HTTPS; notices are events of one endpoint, signed by `Stripe-Signature`.
//! Facts from docs.stripe.com (webhooks/signature, api/checkout/sessions, api/refunds, currencies) and the source of
//! the official SDKs.

mod api;
mod disputes;
mod event;
mod refunds;
mod signature;
mod statement;

use chrono::{FixedOffset, Offset, Utc};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::base::secret::Secret;
use crate::infra::outbound::Outbound;
use crate::payments::gateways::calls::forwards;
use crate::payments::gateways::gateway::{
    Abilities, AccountKeys, ActionKind, Evidence, Gateway, Identity, Notice, NoticeRefusal, RawNotice, Reply,
    Setting, StatementEntry, Verdict,
};
use crate::payments::gateways::{json, secret};

pub struct Stripe {
    outbound: Outbound,
}

impl Stripe {
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound }
    }
}

forwards! {
    Stripe: gateway => &gateway.outbound;
    start: api::start,
    query: api::query,
    number_of: api::number_of,
    close: api::close,
    refund: refunds::refund,
    refund_query: refunds::refund_query,
    disputes: disputes::of_payment,
    statement: statement::fetch,
}

impl Gateway for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn title(&self) -> &'static str {
        "Card and more (Stripe)"
    }

    fn settings(&self) -> &'static [Setting] {
        &[]
    }

    fn faults(&self, keys: &AccountKeys) -> Vec<(&'static str, String)> {
        let mut faults = secret::faults(&keys.secrets, |secret| Some(Zeroizing::new(secret.expose().into())));
        for (index, secret) in keys.secrets.iter().enumerate() {
            let text = secret.expose();
            if !text.starts_with("whsec_") || text.contains(char::is_whitespace) {
                let text = format!("number {} must be an endpoint's signing secret (`whsec_…`)", index + 1);
                faults.push(("secrets", text));
            }
        }
        let mode = if keys.sandbox { "test" } else { "live" };
        let fits =
            |key: &str| key.starts_with(&format!("sk_{mode}_")) || key.starts_with(&format!("rk_{mode}_"));
        if !keys.api_key.as_ref().is_some_and(|key| fits(key.expose())) {
            let text = format!("must be a secret key of {mode} mode (`sk_{mode}_…` or `rk_{mode}_…`)");
            faults.push(("api_key", text));
        }
        faults
    }

    fn abilities(&self, _keys: &AccountKeys) -> Abilities {
        let actions = &[ActionKind::Redirect];
        Abilities {
            actions,
            start_repeatable: true,
            query: true,
            close: true,
            refund: true,
            refund_repeatable: true,
            sums_count_open: true,
            signs_with_secret: false,
            notice_is_proof: true,
            statement: true,
        }
    }

    fn vectors(&self, config: &Value) -> Result<(AccountKeys, Evidence), String> {
        let secret = json::text(config, &["webhook_secret"]).ok_or("config.webhook_secret is missing")?;
        let live = config.get("livemode").and_then(Value::as_bool).ok_or("config.livemode is missing")?;
        let keys =
            AccountKeys { secrets: vec![Secret::new(secret)], sandbox: !live, ..AccountKeys::default() };
        Ok((keys, Evidence::default()))
    }

    /// The mode, and that the event is not one of a connected account.
    fn identity(&self, keys: &AccountKeys) -> Vec<Identity> {
        event::identity(!keys.sandbox, "")
    }

    fn signed_headers(&self) -> &'static [&'static str] {
        &[signature::HEADER]
    }

    fn authenticate(
        &self,
        keys: &AccountKeys,
        raw: &RawNotice,
        _evidence: &Evidence,
    ) -> Result<Notice, NoticeRefusal> {
        let secret = signature::verify(&keys.secrets, raw)?;
        let (id, facts) = event::read(&raw.body)?;
        Ok(Notice::new(&keys.id, id, secret, facts))
    }

    /// Any 2xx is success; everything else is sent again.
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
        statement::read(file)
    }
}
