use chrono::TimeDelta;

use crate::base::caller::Caller;
use crate::base::ids::UserId;
use crate::base::outcome::Outcome;
use crate::base::secret::Secret;
use crate::base::text::Email;
use crate::infra::effects::events as event_rows;
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::effects::messages::{self, MessageKind};
use crate::infra::effects::record::Nothing;
use crate::infra::kit::Kit;
use crate::people::code::{self, Holder, Purpose};
use crate::people::jobs::MailReset;
use crate::people::kit::PeopleKit;
use crate::people::messages::{Coded, PasswordChanged, ResetPassword};
use crate::people::revoke::end_sessions;
use crate::people::state::UserState;
use crate::people::{error, events, password_rule, store, throttle};

/// Mails a code that sets a new password, when the address has an account; answers the same in every case.
pub async fn request_password_reset(kit: &PeopleKit, caller: &Caller, email: &str) -> Outcome<()> {
    let email = Email::parse(email)?;
    throttle::by_account(kit, caller, &email)?;
    throttle::mail(kit, caller, Purpose::ResetPassword.as_str())?;
    let asked = MailReset { email: email.normalised().to_owned(), client: throttle::client_key(kit, caller) };
    let tx = kit.db.begin().await?;
    jobs::add(&tx, &[asked.job()]).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}

/// Job `people.mail_reset`: mails the code when the address has an account, unless it got too many.
pub async fn mail(kit: &Kit, email: &str, client: &str) -> Outcome<()> {
    let email = Email::parse(email)?;
    let mut tx = kit.db.begin().await?;
    let found = store::find_credentials(&mut tx, email.normalised()).await?;
    let Some(person) = found.filter(|p| p.state == UserState::Active) else { return Ok(()) };
    let lives = TimeDelta::minutes(kit.config.people.reset_code_minutes);
    let holder = Holder::User(person.id);
    let made = code::issue(&mut tx, kit, client, Purpose::ResetPassword, &email, holder, lives).await?;
    let Some(code) = made else { return Ok(()) };
    let message = ResetPassword::to(&person.email, &person.locale, code.to_string(), Coded { code });
    messages::enqueue(&tx, &kit.clock, &[message.of_user(person.id)]).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}

/// Sets a new password by a mailed code and ends every session. Whoever has the code reads the mailbox: the address
/// is confirmed by it too. Refuses with `CODE_WRONG`, `PASSWORD_TOO_WEAK`, `PASSWORD_BREACHED`,
/// `ACCOUNT_SUSPENDED`, `RATE_LIMITED`.
pub async fn reset_password(
    kit: &PeopleKit,
    caller: &Caller,
    email: &str,
    code: &Secret,
    password: &Secret,
) -> Outcome<UserId> {
    let email = Email::parse(email)?;
    password_rule::check(password, &email, "password")?;
    throttle::by_account(kit, caller, &email)?;
    let hash = kit.passwords.hash(password).await?;
    let mut tx = kit.db.begin().await?;
    let holder =
        code::redeem(&mut tx, &kit.config.secrets.access, Purpose::ResetPassword, &email, code).await?;
    let Some(Holder::User(user)) = holder else {
        // The try counts.
        tx.commit().await?;
        return Err(error::code_wrong().into());
    };
    let person = store::lock_user(&mut tx, user).await?.ok_or_else(error::code_wrong)?;
    if !store::advance_password(&mut tx, user, person.generation, &hash).await? {
        return Err(error::suspended().into());
    }
    let mut facts = vec![events::password_changed(user, "reset")];
    if store::advance_email_confirmed(&mut tx, user).await? {
        facts.push(events::email_confirmed(user));
    }
    event_rows::append(&tx, &facts).await?;
    end_sessions(&mut tx, user, None, &user.to_string(), "password_reset").await?;
    let subject = format!("{user}:{}", person.generation + 1);
    let message = PasswordChanged::to(&person.email, &person.locale, subject, Nothing {});
    messages::enqueue(&tx, &kit.clock, &[message.of_user(user)]).await?;
    tx.commit().await?;
    Ok(user)
}
