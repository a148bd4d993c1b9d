use crate::base::actor::Person;
use crate::base::caller::Caller;
use crate::base::outcome::Outcome;
use crate::base::secret::Secret;
use crate::base::text::Email;
use crate::infra::effects::events as event_rows;
use crate::infra::effects::messages::{self, MessageKind};
use crate::infra::effects::record::Nothing;
use crate::people::kit::PeopleKit;
use crate::people::messages::PasswordChanged;
use crate::people::revoke::end_sessions;
use crate::people::{error, events, password_rule, store, throttle};

/// Sets a new password for who knows the old one. Every other session ends; this one goes on after a refresh. Refuses
/// with `CREDENTIALS_WRONG`, `PASSWORD_TOO_WEAK`, `PASSWORD_BREACHED`, `RATE_LIMITED`.
pub async fn change_password(
    kit: &PeopleKit,
    caller: &Caller,
    person: &Person,
    current: &Secret,
    password: &Secret,
) -> Outcome<()> {
    let user = person.user_id;
    let known = {
        let mut conn = kit.db.conn().await?;
        store::find_credentials_of(&mut conn, user).await?.ok_or_else(error::unauthenticated)?
    };
    let email = Email::parse(&known.email)?;
    throttle::by_account(kit, caller, &email)?;
    password_rule::check(password, &email, "password")?;
    if !kit.passwords.verify(known.password_hash.as_deref(), current).await?.fits {
        return Err(error::credentials_wrong().at(["currentPassword"]).into());
    }
    let hash = kit.passwords.hash(password).await?;

    let mut tx = kit.db.begin().await?;
    if !store::advance_password(&mut tx, user, known.generation, &hash).await? {
        return Err(error::credentials_wrong().at(["currentPassword"]).into());
    }
    store::advance_session_generation(&mut tx, person.session_id).await?;
    event_rows::append(&tx, &[events::password_changed(user, "change")]).await?;
    end_sessions(&mut tx, user, Some(person.session_id), &user.to_string(), "password_changed").await?;
    let subject = format!("{user}:{}", known.generation + 1);
    let message = PasswordChanged::to(&known.email, &known.locale, subject, Nothing {});
    messages::enqueue(&tx, &kit.clock, &[message.of_user(user)]).await?;
    tx.commit().await?;
    Ok(())
}
