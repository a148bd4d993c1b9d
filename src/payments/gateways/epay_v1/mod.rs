//! Epay, first generation: notices by GET (some forks: POST) signed by MD5 with a shared key, questions to `api.php`.
//! Its notices are hints: the platform is asked before anything is believed. Facts read in the platform's source.

mod api;
mod signature;

use chrono::FixedOffset;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::infra::outbound::Outbound;
use crate::payments::gateways::calls::forwards;
use crate::payments::gateways::epay::{self, account, orders};
use crate::payments::gateways::gateway::{
    Abilities, AccountKeys, ActionKind, Evidence, Gateway, Identity, Notice, NoticeRefusal, RawNotice, Reply,
    Setting, StatementEntry, Verdict,
};
use crate::payments::gateways::{beijing, secret};

pub struct EpayV1 {
    outbound: Outbound,
}

impl EpayV1 {
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound }
    }
}

forwards! {
    EpayV1: gateway => &gateway.outbound;
    start: api::start,
    query: api::query,
    close: api::close,
    refund: api::refund,
    refund_query: api::refund_query,
    statement: api::statement,
}

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
                account::PID,
                Setting {
                    name: "joint",
                    required: false,
                    about: "what joins text and key: `plain` nothing, `key` the words `&key=` of some forks",
                },
                account::TYPE,
            ]
        }
    }

    fn faults(&self, keys: &AccountKeys) -> Vec<(&'static str, String)> {
        let mut faults = secret::faults(&keys.secrets, |key| Some(Zeroizing::new(key.expose().into())));
        faults.extend(account::faults(
            keys,
            "is missing: the address of the platform, without which no notice can be confirmed",
        ));
        if keys.setting("joint").is_some_and(|joint| !matches!(joint, "plain" | "key")) {
            faults.push(("settings.joint", "must be `plain` or `key`".to_owned()));
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
        account::of_vectors(config, "key")
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
        let key = signature::verify(keys, &pairs)?;
        let (event_key, facts) = epay::notice(&pairs)?;
        Ok(Notice::new(&keys.id, event_key, key, facts))
    }

    fn reply(&self, verdict: Verdict) -> Reply {
        epay::reply(verdict)
    }

    fn calendar(&self) -> FixedOffset {
        beijing::calendar()
    }

    /// The platform's answer to `act=orders`, kept as it came.
    fn read_statement(&self, keys: &AccountKeys, file: &[u8]) -> Result<Vec<StatementEntry>, String> {
        orders::read(keys, file)
    }
}
