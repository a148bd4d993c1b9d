//! Epay, second generation: RSA-SHA256 both ways with a time in every message, refunds under a number of ours. Facts
//! read in the platform's source and its merchant SDK.

mod api;
mod signature;

use chrono::FixedOffset;
use serde_json::Value;

use crate::base::secret::Secret;
use crate::infra::outbound::Outbound;
use crate::payments::gateways::beijing;
use crate::payments::gateways::calls::forwards;
use crate::payments::gateways::epay::{self, account, orders};
use crate::payments::gateways::gateway::{
    Abilities, AccountKeys, ActionKind, Evidence, Gateway, Identity, Notice, NoticeRefusal, RawNotice, Reply,
    Setting, StatementEntry, Verdict,
};
use crate::payments::gateways::rsa::{PrivateKey, PublicKey};

pub struct EpayV2 {
    outbound: Outbound,
}

impl EpayV2 {
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound }
    }
}

forwards! {
    EpayV2: gateway => &gateway.outbound;
    start: api::start,
    query: api::query,
    close: api::close,
    refund: api::refund,
    refund_query: api::refund_query,
    statement: api::statement,
}

impl Gateway for EpayV2 {
    fn name(&self) -> &'static str {
        "epay_v2"
    }

    fn title(&self) -> &'static str {
        "Alipay, WeChat and more (Epay)"
    }

    fn settings(&self) -> &'static [Setting] {
        const { &[account::PID, account::TYPE] }
    }

    fn faults(&self, keys: &AccountKeys) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut fault = |key: &'static str, text: &str| faults.push((key, text.to_owned()));
        let usable = |key: &Secret| PublicKey::parse(key.expose()).is_some();
        if keys.secrets.is_empty() || !keys.secrets.iter().all(usable) {
            fault("secrets", "must be the platform's public keys (PEM, or base64 as its console shows them)");
        }
        let ours = keys.api_key.as_ref().and_then(PrivateKey::parse);
        if ours.is_none() {
            fault("api_key", "must be the merchant's private key (PEM or base64)");
        }
        // The most frequent mistake: with our own public key nothing of the platform's is ever believed.
        let own = |key: &Secret| {
            let public = PublicKey::parse(key.expose());
            ours.as_ref().is_some_and(|ours| public.is_some_and(|public| public.is_of(ours)))
        };
        if keys.secrets.iter().any(own) {
            fault("secrets", "must be the platform's keys, not the merchant's own");
        }
        faults.extend(account::faults(keys, "is missing: the address of the platform"));
        faults
    }

    fn abilities(&self, keys: &AccountKeys) -> Abilities {
        let actions: &[ActionKind] = match keys.setting("type") {
            Some(_) => &[ActionKind::Redirect, ActionKind::Qr],
            None => &[ActionKind::Redirect, ActionKind::Form],
        };
        Abilities {
            actions,
            start_repeatable: false,
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
        account::of_vectors(config, "platform_public_key_pem")
    }

    fn identity(&self, keys: &AccountKeys) -> Vec<Identity> {
        epay::identity(account::pid(keys))
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
        let pairs = epay::parameters(raw)?;
        let key = signature::verify(keys, &pairs, raw.now_unix)?;
        let (event_key, facts) = epay::notice(&pairs)?;
        Ok(Notice::new(&keys.id, event_key, key, facts))
    }

    fn reply(&self, verdict: Verdict) -> Reply {
        epay::reply(verdict)
    }

    fn calendar(&self) -> FixedOffset {
        beijing::calendar()
    }

    /// The platform's answer to `api/merchant/orders`, kept as it came.
    fn read_statement(&self, keys: &AccountKeys, file: &[u8]) -> Result<Vec<StatementEntry>, String> {
        orders::read(keys, file)
    }
}
