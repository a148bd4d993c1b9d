use serde::Deserialize;
use url::Url;

use crate::base::secret::Secret;
use crate::config::load::Faults;
use crate::config::outbound::Outbound;

/// `[captcha]`: how a client proves that a person sits there. Off without a verify URL.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Captcha {
    /// Whose it is, for the page that shows it (`turnstile`, `hcaptcha`, `recaptcha`).
    pub provider: String,
    /// The public key that a page shows it with.
    pub site_key: Option<String>,
    /// Where an answer is verified: a form with `secret` and `response`, answered by JSON with `success`.
    pub verify_url: Option<String>,
    pub secret: Option<Secret>,
    /// How long the verification may take, milliseconds.
    pub timeout_ms: u64,
    /// Lets everybody through while the verification cannot be reached. Off: nobody.
    pub fail_open: bool,
    /// Mutations that ask for it.
    pub asked_by: Vec<String>,
}

/// What `asked_by` may name.
pub const CAPTCHA_GATES: [&str; 7] = [
    "orderPlace",
    "orderAccessRequest",
    "emailCodeRequest",
    "userRegister",
    "emailConfirmationResend",
    "passwordResetRequest",
    "sessionCreate",
];

impl Default for Captcha {
    fn default() -> Self {
        Self {
            provider: "turnstile".into(),
            site_key: None,
            verify_url: None,
            secret: None,
            timeout_ms: 3_000,
            fail_open: false,
            asked_by: CAPTCHA_GATES.map(String::from).to_vec(),
        }
    }
}

impl Captcha {
    pub fn is_on(&self) -> bool {
        self.verify_url.is_some()
    }

    /// `outbound`: what may be called at all.
    pub(super) fn check(&self, outbound: &Outbound, faults: &mut Faults) {
        let given = [self.verify_url.is_some(), self.site_key.is_some(), self.secret.is_some()];
        if given.contains(&true) && given.contains(&false) {
            faults.add("captcha", "needs verify_url, site_key and secret together");
        }
        let web = |text: &str| {
            Url::parse(text).is_ok_and(|u| ["http", "https"].contains(&u.scheme()) && u.has_host())
        };
        if self.verify_url.as_deref().is_some_and(|url| !web(url)) {
            faults.add("captcha.verify_url", "takes an address such as https://captcha.example/siteverify");
        }
        // What would not be called is reported at start-up, not found out by the first buyer.
        if let Some(url) =
            self.verify_url.as_deref().filter(|url| web(url)).and_then(|url| Url::parse(url).ok())
        {
            let port = url.port_or_known_default().unwrap_or_default();
            if url.scheme() == "http" && !outbound.plain_http {
                faults.add("captcha.verify_url", "is plain http, which needs outbound.plain_http");
            }
            if !outbound.ports.contains(&port) {
                faults.add(
                    "captcha.verify_url",
                    format!("has port {port}, which outbound.ports does not list"),
                );
            }
            if !url.username().is_empty() || url.password().is_some() {
                faults.add("captcha.verify_url", "names a user, and is not called so");
            }
        }
        for name in self.asked_by.iter().filter(|n| !CAPTCHA_GATES.contains(&n.as_str())) {
            faults.add("captcha.asked_by", format!("`{name}` is none of {}", CAPTCHA_GATES.join(", ")));
        }
    }
}
