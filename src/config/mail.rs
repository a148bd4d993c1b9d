use serde::Deserialize;

use crate::base::secret::Secret;

/// `[mail]`: empty url means `.eml` files in the data folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// `smtps://user:password@host:465` (TLS from the start) or `smtp://user:password@host:587` (STARTTLS
    /// demanded). `smtp://…?tls=none` turns TLS off and is meant for a relay on the same machine.
    pub url: Option<Secret>,
    /// The sender, as in `Shop <shop@example.com>`.
    pub from: String,
    pub timeout_seconds: u64,
}

impl Default for Mail {
    fn default() -> Self {
        Self { url: None, from: "Dispense <shop@localhost>".into(), timeout_seconds: 60 }
    }
}
