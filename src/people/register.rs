use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::base::actor::Role;
use crate::base::caller::Caller;
use crate::base::ids::UserId;
use crate::base::outcome::Outcome;
use crate::base::secret::Secret;
use crate::base::text::{self, Email, Locale};
use crate::infra::db::Transaction;
use crate::infra::events as event_rows;
use crate::infra::outbox::{self, NewMessage};
use crate::people::code::{self, Purpose};
use crate::people::store::{self, NewUser};
use crate::people::{events, password_rule, throttle};

/// What a person types to register.
#[derive(Clone, Debug)]
pub struct Registration {
    pub email: String,
    pub password: Secret,
    pub name: Option<String>,
    /// A language tag; empty: what the request asks for.
    pub locale: Option<String>,
}

/// Makes a buyer's account and mails a code that confirms the address. The answer is the same when the address has an
/// account: then a mail says so, and nothing changes. Refuses with `EMAIL_INVALID`, `PASSWORD_TOO_WEAK`,
/// `PASSWORD_BREACHED`, `INVALID`, `RATE_LIMITED`.
pub async fn register(app: &App, caller: &Caller, input: Registration) -> Outcome<()> {
    let email = Email::parse(&input.email)?;
    password_rule::check(&input.password, &email, "password")?;
    let name = input.name.as_deref().map(|name| text::clean(name, "name", 100, false)).transpose()?;
    let locale = locale_of(app, caller, input.locale.as_deref());
    throttle::by_account(app, caller, &email)?;
    // Hashed before the address is looked up, so that the time tells nothing.
    let password_hash = app.passwords.hash(&input.password).await?;

    let new = NewUser {
        id: UserId(app.clock.uuid()),
        email: email.typed(),
        email_normalised: email.normalised(),
        confirmed: false,
        password_hash: &password_hash,
        name: name.as_deref(),
        locale: locale.as_str(),
    };
    let mut tx = app.db.begin().await?;
    if store::insert_user(&mut tx, &new).await? {
        store::insert_roles(&mut tx, new.id, &[Role::Buyer]).await?;
        event_rows::append(&tx, &[events::registered(new.id)]).await?;
        mail_confirmation(app, &mut tx, &email, new.id, locale.as_str()).await?;
    } else if let Some(user) = store::advance_unconfirmed(&mut tx, &new).await? {
        store::advance_codes_used(&mut tx, Purpose::ConfirmEmail.as_str(), email.normalised()).await?;
        mail_confirmation(app, &mut tx, &email, user, locale.as_str()).await?;
    } else {
        mail_taken(app, &mut tx, &email).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn locale_of(app: &App, caller: &Caller, typed: Option<&str>) -> Locale {
    typed
        .map(Locale::choose)
        .or(caller.locale)
        .unwrap_or_else(|| Locale::choose(&app.config.shop.default_locale))
}

/// Mails a code that confirms the address, unless it got too many.
pub(super) async fn mail_confirmation(
    app: &App,
    tx: &mut Transaction,
    email: &Email,
    user: UserId,
    locale: &str,
) -> Outcome<()> {
    let lives = TimeDelta::minutes(app.config.people.confirm_code_minutes);
    let Some(code) = code::issue(tx, app, Purpose::ConfirmEmail, email, Some(user), lives).await? else {
        return Ok(());
    };
    mail(app, tx, "confirm_email", code.to_string(), Some(code), email.typed(), user, locale).await
}

/// Tells the address's owner that somebody tried to register it; at most once an hour.
async fn mail_taken(app: &App, tx: &mut Transaction, email: &Email) -> Outcome<()> {
    let Some(owner) = store::find_credentials(tx, email.normalised()).await? else { return Ok(()) };
    let subject = format!("{}:{}", owner.id, app.clock.unix() / 3_600);
    mail(app, tx, "email_taken", subject, None, &owner.email, owner.id, &owner.locale).await
}

/// Writes one mail to a person.
#[allow(clippy::too_many_arguments)]
pub(super) async fn mail(
    app: &App,
    tx: &mut Transaction,
    kind: &'static str,
    subject: String,
    code: Option<Uuid>,
    recipient: &str,
    user: UserId,
    locale: &str,
) -> Outcome<()> {
    let message = NewMessage {
        id: app.clock.uuid(),
        kind,
        subject,
        order_id: None,
        user_id: Some(user),
        recipient: recipient.to_owned(),
        locale: locale.to_owned(),
        payload: code.map_or_else(|| json!({}), |code| json!({ "code": code })),
    };
    outbox::enqueue(tx, &[message]).await?;
    Ok(())
}
