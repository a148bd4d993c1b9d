use serde::Deserialize;

use crate::base::secret::Secret;
use crate::config::load::Faults;
use crate::config::shop::check_currencies;

/// The gateways this program speaks; their rules about an account's currencies are checked where they live.
pub const GATEWAYS: &[&str] = &["stripe", "generic"];

/// Shorter notification secrets can be guessed.
const SHORTEST_SECRET: usize = 24;

/// `[[accounts]]`: one merchant identity at a gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Stands in the notify URL (`/webhooks/{id}`); lower-case letters, digits, hyphen and underscore.
    pub id: String,
    /// Which gateway: `stripe`, `generic`.
    pub gateway: String,
    /// What buyers read; default: the gateway's own name.
    #[serde(default)]
    pub title: Option<String>,
    /// Currencies this account takes.
    pub currencies: Vec<String>,
    /// Notification secrets: the first signs, all verify, so that they can be rotated with overlap.
    pub secrets: Vec<Secret>,
    /// Key for calls to the gateway's own API (Stripe: `sk_…`); the generic gateway signs with its first secret.
    #[serde(default)]
    pub api_key: Option<Secret>,
    /// Base address of the gateway's API; default: the official host. The generic gateway without one only
    /// receives.
    #[serde(default)]
    pub api_url: Option<String>,
    /// A test account: the only kind that may stand beside the simulator.
    #[serde(default)]
    pub sandbox: bool,
    #[serde(default)]
    pub policy: Policy,
}

/// When the gateway itself is asked before a notice is believed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Ask when money arrives for an expired order.
    pub confirm_expired: bool,
    /// Ask above this amount, minor units.
    pub confirm_above: Option<i64>,
    /// Smallest and largest amount, minor units.
    pub minimum: Option<i64>,
    pub maximum: Option<i64>,
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
        if !GATEWAYS.contains(&self.gateway.as_str()) {
            let known = GATEWAYS.join(", ");
            faults.add(
                at("gateway"),
                format!("`{}` is no gateway this program speaks ({known})", self.gateway),
            );
        }
        if self.currencies.is_empty() {
            faults.add(at("currencies"), "needs at least one");
        }
        check_currencies(&at("currencies"), &self.currencies, faults);
        if self.secrets.is_empty() {
            faults.add(at("secrets"), "needs at least one: without it anybody could say that money came");
        }
        for secret in &self.secrets {
            if let Some(complaint) = weakness(secret, &self.gateway) {
                faults.add(at("secrets"), complaint);
            }
        }
        if self.gateway == "stripe" && self.api_key.is_none() {
            faults.add(at("api_key"), "is missing: without it no payment can be started or asked about");
        }
        let web = |text: &str| url::Url::parse(text).is_ok_and(|u| ["http", "https"].contains(&u.scheme()));
        if self.api_url.as_deref().is_some_and(|u| !web(u)) {
            faults.add(at("api_url"), "takes an address of https");
        }
        if let (Some(low), Some(high)) = (self.policy.minimum, self.policy.maximum)
            && low > high
        {
            faults.add(at("policy.minimum"), "is above policy.maximum");
        }
    }
}

/// What is weak about a notification secret. The generic gateway's key is what the base64 behind `whsec_` says
/// (Standard Webhooks: 24 to 64 bytes); Stripe takes the whole text.
fn weakness(secret: &Secret, gateway: &str) -> Option<&'static str> {
    use base64::Engine;
    let text = secret.expose();
    let encoded = text.strip_prefix("whsec_").filter(|_| gateway == "generic");
    let bytes = match encoded.map(|part| base64::engine::general_purpose::STANDARD.decode(part)) {
        Some(Err(_)) => return Some("has something behind whsec_ that is not base64"),
        Some(Ok(bytes)) => bytes,
        None => text.as_bytes().to_vec(),
    };
    let different = bytes.iter().collect::<std::collections::HashSet<_>>().len();
    match () {
        () if text.trim().is_empty() => Some("has an empty one"),
        () if text.trim() != text => Some("has one with spaces or line breaks around it"),
        () if bytes.len() < SHORTEST_SECRET => Some("has one of less than 24 bytes"),
        () if different < 8 => Some("has a weak one: its characters are not random"),
        () => None,
    }
}
