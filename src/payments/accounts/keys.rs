//! What an account proves itself with, and what it verifies others with.

use std::collections::BTreeMap;

use crate::base::secret::Secret;

/// What an account needs to prove itself to its gateway and to check the gateway's messages.
#[derive(Clone, Debug, Default)]
pub struct AccountKeys {
    /// The account's id, as in the notify URL.
    pub id: String,
    /// What notices are verified with: shared secrets, or the gateway's own public keys and certificates. All verify.
    pub secrets: Vec<Secret>,
    /// Place of the shared secret that signs our calls, or of the public key that shall sign their answers, counted from 0.
    pub signs_with: usize,
    /// What calls are made with: a bearer key, or our private key.
    pub api_key: Option<Secret>,
    /// What notices are decrypted with.
    pub decryption_key: Option<Secret>,
    /// Others that are tried too while that key is changed.
    pub other_decryption_keys: Vec<Secret>,
    /// The gateway's own names for this merchant; which there are says [`Gateway::settings`].
    pub settings: BTreeMap<String, String>,
    /// Base address of the API without a slash at the end; none: the official host, or for the generic gateway
    /// no API at all.
    pub api_url: Option<String>,
    /// A test account. Gateways that distinguish live from test demand the matching mode.
    pub sandbox: bool,
}

impl AccountKeys {
    /// The shared secret that signs our calls.
    pub fn signing_secret(&self) -> Option<&Secret> {
        self.secrets.get(self.signs_with)
    }

    /// Everything that may open what was sealed for us, the present key first.
    pub fn decryption_keys(&self) -> impl Iterator<Item = &Secret> {
        self.decryption_key.iter().chain(&self.other_decryption_keys)
    }

    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }
}
