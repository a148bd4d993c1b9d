use chrono::TimeDelta;
use uuid::Uuid;

use crate::base::caller::Caller;
use crate::base::ids::{self};
use crate::base::outcome::Outcome;
use crate::base::secret::Secret;
use crate::base::text::{self, Email, Locale};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::effects::messages::{self, MessageKind};
use crate::infra::effects::record::Nothing;
use crate::infra::kit::Kit;
use crate::people::code::{self, Holder, Purpose};
use crate::people::jobs::MailRegistration;
use crate::people::kit::PeopleKit;
use crate::people::messages::{Coded, ConfirmEmail, EmailTaken};
use crate::people::store::{self, NewRegistration};
use crate::people::{password_rule, throttle};

/// How a registration is named to the client that made it.
const PREFIX: &str = "reg";

/// What a person types to register.
#[derive(Clone, Debug)]
pub struct Registration {
    pub email: String,
    pub password: Secret,
    pub name: Option<String>,
    /// A language tag; empty: what the request asks for.
    pub locale: Option<String>,
}

/// Writes a registration with a password of its own and mails a code that confirms it; gives its name. Whoever else
/// registers the address changes nothing about it. The answer is the same when the address has an account: then a mail
/// says so, and no code leads to the registration. Refuses with `EMAIL_INVALID`, `PASSWORD_TOO_WEAK`,
/// `PASSWORD_BREACHED`, `INVALID`, `RATE_LIMITED`.
pub async fn register(kit: &PeopleKit, caller: &Caller, input: Registration) -> Outcome<String> {
    let email = Email::parse(&input.email)?;
    kit.config.mail.takes(&email)?;
    password_rule::check(&input.password, &email, "password")?;
    let name = input.name.as_deref().map(|name| text::clean(name, "name", 100, false)).transpose()?;
    let locale = locale_of(kit, caller, input.locale.as_deref());
    throttle::by_account(kit, caller, &email)?;
    throttle::mail(kit, caller, "register")?;
    // Hashed before the address is looked up, so that the time discloses nothing.
    let password_hash = kit.passwords.hash(&input.password).await?;

    let id = kit.clock.uuid();
    let client = throttle::client_key(kit, caller);
    let mut tx = kit.db.begin().await?;
    let recent = store::count_registrations(&mut tx, email.normalised(), &client).await?;
    let most = kit.config.people.codes_per_hour;
    // Beyond that nothing is kept and no mail goes out; the answer is the same.
    if recent.here < most && recent.everywhere < most.saturating_mul(code::EVERYWHERE) {
        let lives = TimeDelta::minutes(kit.config.people.confirm_code_minutes);
        let new = NewRegistration {
            id,
            email: email.typed(),
            email_normalised: email.normalised(),
            password_hash: &password_hash,
            name: name.as_deref(),
            locale: locale.as_str(),
            client: &client,
            expires_at: kit.clock.now() + lives,
        };
        store::insert_registration(&mut tx, &new).await?;
        jobs::add(&tx, &[MailRegistration { registration: id, client }.job()]).await?;
    }
    tx.commit().await?;
    kit.bell.ring();
    Ok(ids::encode(PREFIX, id))
}

/// The registration that a client names; one of another form is the name of none.
pub(super) fn named(registration: Option<&str>) -> Option<Option<Uuid>> {
    registration.map(|text| match ids::decode(text) {
        Ok((PREFIX, id)) => Some(id),
        Ok(_) | Err(_) => None,
    })
}

fn locale_of(kit: &PeopleKit, caller: &Caller, typed: Option<&str>) -> Locale {
    typed
        .map(Locale::choose)
        .or(caller.locale)
        .unwrap_or_else(|| Locale::choose(&kit.config.shop.default_locale))
}

/// Job `people.mail_registration`: mails a code that confirms a registration, unless the address got too many. Whoever has the
/// address already is mailed, at most once an hour, that somebody registered it again.
pub async fn mail(kit: &Kit, registration: Uuid, client: &str) -> Outcome<()> {
    let mut tx = kit.db.begin().await?;
    let Some(pending) = store::lock_registration(&mut tx, registration).await? else { return Ok(()) };
    let email = Email::parse(&pending.email)?;
    let owner = store::find_credentials(&mut tx, email.normalised()).await?.filter(|p| p.confirmed);
    let message = match owner {
        None => {
            let lives = TimeDelta::minutes(kit.config.people.confirm_code_minutes);
            let holder = Holder::Registration(registration);
            let purpose = Purpose::ConfirmEmail;
            let Some(code) = code::issue(&mut tx, kit, client, purpose, &email, holder, lives).await? else {
                return Ok(());
            };
            ConfirmEmail::to(email.typed(), &pending.locale, code.to_string(), Coded { code })
        }
        Some(owner) => {
            let subject = format!("{}:{}", owner.id, kit.clock.unix() / 3_600);
            EmailTaken::to(&owner.email, &owner.locale, subject, Nothing {}).of_user(owner.id)
        }
    };
    messages::enqueue(&tx, &kit.clock, &[message]).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}
