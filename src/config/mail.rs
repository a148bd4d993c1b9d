use serde::Deserialize;

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;
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
    /// Whether the server takes addresses whose local part is beyond ASCII (SMTPUTF8, RFC 6531). Domains beyond ASCII
    /// need nothing: mail goes to their ASCII form.
    pub smtputf8: bool,
    /// Mails are signed for this domain (DKIM, RFC 6376), by a key whose public half is in DNS under the selector. All
    /// three or none.
    pub dkim_domain: Option<String>,
    pub dkim_selector: Option<String>,
    /// PEM: RSA of 2048 bits and more, or Ed25519 (RFC 8463).
    pub dkim_key: Option<Secret>,
    /// What signs the notices of bounces (`POST /mail/events`); each is believed. Without any it is not served.
    pub event_secrets: Vec<Secret>,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            url: None,
            from: "Dispense <shop@localhost>".into(),
            timeout_seconds: 60,
            smtputf8: false,
            dkim_domain: None,
            dkim_selector: None,
            dkim_key: None,
            event_secrets: Vec::new(),
        }
    }
}

impl Mail {
    /// Refuses an address that no mail can be sent to: better at checkout than after the payment.
    pub fn takes(&self, email: &Email) -> Result<(), Refusal> {
        if self.smtputf8 || !email.needs_smtputf8() {
            return Ok(());
        }
        let text = "this shop cannot send mail to an address with such letters before the @";
        Err(Refusal::new(ErrorCode::EmailInvalid, text).at(["email"]))
    }

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
        let given = [
            ("mail.dkim_domain", self.dkim_domain.is_some()),
            ("mail.dkim_selector", self.dkim_selector.is_some()),
            ("mail.dkim_key", self.dkim_key.is_some()),
        ];
        if given.iter().any(|(_, given)| *given) {
            for (key, _) in given.iter().filter(|(_, given)| !given) {
                faults.add(*key, "is missing: mails are signed by a domain, a selector and a key");
            }
        }
        for (key, name) in
            [("mail.dkim_domain", &self.dkim_domain), ("mail.dkim_selector", &self.dkim_selector)]
        {
            if name.as_deref().is_some_and(|name| !is_dns_name(name)) {
                faults.add(key, "takes a name as in DNS: letters, digits, hyphens, dots");
            }
        }
    }
}

fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}
