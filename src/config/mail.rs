use serde::Deserialize;

use crate::base::secret::Secret;
use crate::base::text::Email;
use crate::config::load::Faults;

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

impl Mail {
    pub(super) fn check(&self, faults: &mut Faults) {
        let server = |url: &Secret| {
            let Ok(url) = url::Url::parse(url.expose()) else { return false };
            ["smtp", "smtps"].contains(&url.scheme()) && url.has_host()
        };
        if self.url.as_ref().is_some_and(|url| !server(url)) {
            faults.add("mail.url", "takes an address such as smtps://user:password@host:465");
        }
        let address = match self.from.split_once('<') {
            Some((_, rest)) => rest.trim().strip_suffix('>').unwrap_or_default(),
            None => &self.from,
        };
        if Email::parse(address).is_err() || self.from.chars().any(char::is_control) {
            faults.add("mail.from", "takes a sender such as `Shop <shop@example.com>`");
        }
    }
}
