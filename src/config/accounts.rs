use std::collections::BTreeMap;

use serde::Deserialize;

use crate::base::secret::Secret;
use crate::config::fee::Fee;
use crate::config::load::Faults;
use crate::config::shop::check_currencies;

/// `[[accounts]]`: one merchant identity at a gateway. What a gateway demands of its accounts is checked where the
/// gateway lives (`payments/gateways/`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Part of the notify URL (`/webhooks/{id}`); lower-case letters, digits, hyphen and underscore.
    pub id: String,
    /// Which gateway: `stripe`, `paypal`, `alipay`, `wechatpay`, `epay_v1`, `epay_v2`, `generic`.
    pub gateway: String,
    /// What buyers read; default: the gateway's own name.
    #[serde(default)]
    pub title: Option<String>,
    /// Currencies this account takes.
    pub currencies: Vec<String>,
    /// What notices are verified with: shared secrets, or the gateway's own public keys and certificates. All verify, so
    /// that they can be rotated with overlap.
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// Which of the secrets signs our own calls where a gateway shares one (Epay's first generation, the generic gateway),
    /// counted from 1; by default the first. What signs changes when the gateway changes over, what verifies before that.
    /// For WeChat Pay: which of the platform's public keys our calls ask answers to be signed by.
    #[serde(default)]
    pub signs_with: Option<usize>,
    /// What our calls to the gateway's API are made with (Stripe: `sk_…`, PayPal: the client secret, Alipay, WeChat
    /// Pay and Epay V2: our private key in PEM); the generic gateway and Epay V1 sign with one of the secrets.
    #[serde(default)]
    pub api_key: Option<Secret>,
    /// What notices are decrypted with (WeChat Pay: the APIv3 key).
    #[serde(default)]
    pub decryption_key: Option<Secret>,
    /// Others that are tried too while that key is changed: the one before, or the one to come.
    #[serde(default)]
    pub other_decryption_keys: Vec<Secret>,
    /// The gateway's own names for this merchant (`app_id`, `mchid`, …); which there are is listed in the gateway's
    /// documentation.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Base address of the gateway's API; default: the official host. The generic gateway without one only
    /// receives.
    #[serde(default)]
    pub api_url: Option<String>,
    /// A test account: the only kind that may run beside the simulator.
    #[serde(default)]
    pub sandbox: bool,
    /// Starts nothing any more; what was started before is still received, asked about and given back.
    #[serde(default)]
    pub retired: bool,
    #[serde(default)]
    pub policy: Policy,
}

/// When the gateway itself is asked before a notice is believed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Ask when money arrives for an expired order.
    pub confirm_expired: bool,
    /// Ask above this amount, minor units; 0 asks always.
    pub confirm_above: Option<i64>,
    /// Smallest and largest amount, minor units.
    pub minimum: Option<i64>,
    pub maximum: Option<i64>,
    /// What the gateway keeps by contract, per currency: statements are compared with it.
    pub fees: BTreeMap<String, Fee>,
}

impl Account {
    pub(super) fn check_all(accounts: &[Self], faults: &mut Faults) {
        for (index, account) in accounts.iter().enumerate() {
            account.check(faults);
            if accounts[..index].iter().any(|other| other.id == account.id) {
                faults.add(format!("accounts[{}].id", account.id), "another account has this id");
            }
        }
    }

    fn check(&self, faults: &mut Faults) {
        let at = |key: &str| format!("accounts[{}].{key}", self.id);
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if !(1..=40).contains(&self.id.len()) || !self.id.bytes().all(plain) {
            faults.add(at("id"), "has 1 to 40 lower-case letters, digits, hyphens and underscores");
        }
        if self.id == "free" {
            faults.add(at("id"), "is the program's own account for orders with a total of 0");
        }
        if self.currencies.is_empty() {
            faults.add(at("currencies"), "needs at least one");
        }
        if self.signs_with.is_some_and(|place| !(1..=self.secrets.len()).contains(&place)) {
            faults.add(at("signs_with"), "is no place in the list of secrets, counted from 1");
        }
        check_currencies(&at("currencies"), &self.currencies, faults);
        let web = |text: &str| url::Url::parse(text).is_ok_and(|u| ["http", "https"].contains(&u.scheme()));
        if self.api_url.as_deref().is_some_and(|u| !web(u)) {
            faults.add(at("api_url"), "takes an address of https");
        }
        for code in self.policy.fees.keys().filter(|code| !self.currencies.contains(code)) {
            faults
                .add(at("policy.fees"), format!("names {code}, which is not among the account's currencies"));
        }
        if let (Some(low), Some(high)) = (self.policy.minimum, self.policy.maximum)
            && low > high
        {
            faults.add(at("policy.minimum"), "is above policy.maximum");
        }
    }
}
