//! Who an order counts for: a signed-in person, the reader of a mailbox, or somebody at a network address of whom
//! nothing is known.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::caller::Caller;
use crate::base::country::Country;
use crate::base::error_code::ErrorCode;
use crate::base::ids::UserId;
use crate::base::outcome::Outcome;
use crate::base::secret::Secret;
use crate::base::text::Email;
use crate::infra::kit::Kit;
use crate::orders::visits::Visit;
use crate::people::captcha::{self, Gate};
use crate::people::{self, code, throttle};

/// What whoever orders has shown.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// A guest's address, proven by a code that was mailed to it.
    pub email: Option<Email>,
    /// The shop's captcha was passed.
    pub captcha: bool,
    /// Keyed digests of the client's network address and device; `None` for the program itself.
    pub client: Option<String>,
    pub device: Option<String>,
    pub country: Option<Country>,
    /// From where it was shown.
    pub visit: Option<Visit>,
}

/// What a client sends to prove something.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub email: Option<String>,
    pub email_code: Option<Secret>,
    pub captcha: Option<String>,
}

impl Proof {
    /// Judges a mailed code. `EMAIL_CODE_WRONG`, `EMAIL_REQUIRED`, `EMAIL_INVALID`.
    pub async fn of_code(kit: &Kit, caller: &Caller, evidence: &Evidence) -> Outcome<Self> {
        let mut proof = Self {
            client: Some(throttle::client_key(kit, caller)),
            device: Some(throttle::device_key(kit, caller)),
            country: caller.country,
            visit: Some(Visit::of(caller)),
            ..Self::default()
        };
        if let Some(typed) = &evidence.email_code {
            let email = evidence.email.as_deref().filter(|text| !text.trim().is_empty());
            let missing = || {
                crate::base::outcome::Refusal::new(ErrorCode::EmailRequired, "a code belongs to an address")
            };
            let email = Email::parse(email.ok_or_else(|| missing().at(["email"]))?)?;
            code::prove(kit, caller, &email, typed).await?;
            proof.email = Some(email);
        }
        Ok(proof)
    }

    /// Adds what the captcha's answer says: a guest whose address is not proven is asked for it where the settings say so,
    /// and for free goods in every shop that has one. `CAPTCHA_REQUIRED`.
    pub async fn with_captcha(
        self,
        kit: &Kit,
        caller: &Caller,
        evidence: &Evidence,
        free: bool,
    ) -> Outcome<Self> {
        if !free && !captcha::asks(kit, Gate::OrderPlace) {
            return Ok(self);
        }
        captcha::pass(kit, caller, evidence.captcha.as_deref()).await?;
        Ok(Self { captcha: true, ..self })
    }
}

/// Who an order counts for.
#[derive(Clone, Debug)]
pub struct Buyer {
    pub user: Option<UserId>,
    /// The mailbox as limits see it.
    pub mailbox: String,
    /// Whether its reader signed in with it or typed a mailed code.
    pub proven: bool,
    /// Whether the address that the goods are mailed to is the buyer's own.
    pub owns_address: bool,
    pub captcha: bool,
    pub client: Option<String>,
    pub device: Option<String>,
    pub country: Option<Country>,
    /// From where the order is placed; none for an API client, whose own server that is.
    pub visit: Option<Visit>,
}

impl Buyer {
    /// Who orders goods that are mailed to `email`.
    pub async fn of(
        conn: &mut AsyncPgConnection,
        actor: &Actor,
        email: &Email,
        proof: &Proof,
    ) -> Outcome<Self> {
        let own = own_address(conn, actor).await?;
        let proves = |address: &Option<Email>| {
            address.as_ref().is_some_and(|own| own.normalised() == email.normalised())
        };
        let owns_address = proves(&own) || proves(&proof.email);
        let proven = own.is_some() || proves(&proof.email);
        Ok(Self {
            user: actor.user_id(),
            mailbox: own.as_ref().unwrap_or(email).mailbox(),
            proven,
            owns_address,
            captcha: proof.captcha,
            client: proof.client.clone(),
            device: proof.device.clone(),
            country: proof.country,
            visit: proof.visit.clone().filter(|_| actor.api_client.is_none()),
        })
    }

    /// By what its limits are locked, so that orders of one buyer are decided one after the other.
    pub fn keys(&self) -> Vec<String> {
        match (self.proven, &self.client) {
            (true, _) => keys(self.user, Some(&self.mailbox)),
            (false, Some(client)) => vec![format!("client:{client}")],
            (false, None) => Vec::new(),
        }
    }
}

/// The keys of a known buyer, sorted.
pub fn keys(user: Option<UserId>, proven_mailbox: Option<&str>) -> Vec<String> {
    let mailbox = proven_mailbox.map(|mailbox| format!("mailbox:{mailbox}"));
    mailbox.into_iter().chain(user.map(|user| format!("user:{}", user.0))).collect()
}

/// A signed-in person's confirmed address.
pub async fn own_address(conn: &mut AsyncPgConnection, actor: &Actor) -> Outcome<Option<Email>> {
    let Some(user) = actor.user_id() else { return Ok(None) };
    let profile = people::read::profile(conn, user).await?;
    let confirmed = profile.filter(|p| p.user.email_confirmed_at.is_some());
    Ok(confirmed.and_then(|p| Email::parse(&p.user.email).ok()))
}
