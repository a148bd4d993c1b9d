//! The generic signed gateway: notices as Standard Webhooks (`webhook-id`, `webhook-timestamp`,
//! `webhook-signature`), and a small API of our own beside it whose requests and answers are signed the same way.
//! An account without `api_url` only receives.

mod api;
mod event;
mod signature;

use chrono::{FixedOffset, Offset, Utc};
use serde_json::Value;

use crate::base::secret::Secret;
use crate::infra::outbound::Outbound;
use crate::payments::gateways::calls::forwards;
use crate::payments::gateways::gateway::{
    Abilities, AccountKeys, ActionKind, Evidence, Gateway, Identity, Notice, NoticeRefusal, RawNotice, Reply,
    Setting, StatementEntry, Verdict,
};
use crate::payments::gateways::{json, secret};

pub struct Generic {
    outbound: Outbound,
}

impl Generic {
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound }
    }
}

forwards! {
    Generic: gateway => &gateway.outbound;
    start: api::start,
    query: api::query,
    close: api::close,
    refund: api::refund,
    refund_query: api::refund_query,
}

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

    /// The secret alone says for whom a notice is.
    fn identity(&self, _keys: &AccountKeys) -> Vec<Identity> {
        Vec::new()
    }

    fn signed_headers(&self) -> &'static [&'static str] {
        &signature::HEADERS
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

    fn calendar(&self) -> FixedOffset {
        Utc.fix()
    }

    fn read_statement(&self, _keys: &AccountKeys, _file: &[u8]) -> Result<Vec<StatementEntry>, String> {
        Err("this gateway gives out no statements".into())
    }
}
