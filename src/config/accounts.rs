use serde::Deserialize;

use crate::base::secret::Secret;

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
