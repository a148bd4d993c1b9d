use crate::base::actor::Role;
use crate::base::caller::Caller;
use crate::base::ids::UserId;
use crate::base::outcome::Outcome;
use crate::base::secret::Secret;
use crate::base::text::Email;
use crate::infra::db::Transaction;
use crate::infra::effects::events as event_rows;
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::kit::Kit;
use crate::people::code::{self, Holder, Purpose};
use crate::people::jobs::MailRegistration;
use crate::people::model::Pending;
use crate::people::register::named;
use crate::people::store::{self, NewUser};
use crate::people::{error, events, throttle};

/// Confirms an address by the code that was mailed to it: the registration that the code was made for becomes the account,
/// with its own password, and every other registration of the address is dropped. A client that says which registration
/// is its own (`registration`) has only that one confirmed. Repeatable by nobody: a spent code is as good as a wrong one.
/// Refuses with `CODE_WRONG`, `RATE_LIMITED`.
pub async fn confirm_email(
    kit: &Kit,
    caller: &Caller,
    email: &str,
    code: &Secret,
    registration: Option<&str>,
) -> Outcome<UserId> {
    let email = Email::parse(email)?;
    throttle::by_account(kit, caller, &email)?;
    let mut tx = kit.db.begin().await?;
    // Two confirmations at once wait for each other here, on the rows of the address's codes.
    let holder = code::look(&mut tx, &kit.config.secrets.access, Purpose::ConfirmEmail, &email, code).await?;
    let user = match holder {
        Some(Holder::Registration(id)) if named(registration).is_none_or(|n| n == Some(id)) => {
            match store::find_registration(&mut tx, id).await? {
                Some(pending) => settle(kit, &mut tx, &email, &pending).await?,
                None => None,
            }
        }
        // A code that was made before registrations had rows of their own.
        Some(Holder::User(user)) if registration.is_none() => {
            if store::advance_email_confirmed(&mut tx, user).await? {
                event_rows::append(&tx, &[events::email_confirmed(user)]).await?;
            }
            Some(user)
        }
        Some(_) | None => None,
    };
    let Some(user) = user else {
        // The try counts.
        tx.commit().await?;
        return Err(error::code_wrong().into());
    };
    store::advance_codes_used(&mut tx, Purpose::ConfirmEmail.as_str(), email.normalised()).await?;
    store::delete_registrations(&mut tx, email.normalised()).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(user)
}

/// Makes the registration an account. `None` when the address belongs to somebody meanwhile.
async fn settle(
    kit: &Kit,
    tx: &mut Transaction,
    email: &Email,
    pending: &Pending,
) -> Outcome<Option<UserId>> {
    let new = NewUser {
        id: UserId(kit.clock.uuid()),
        email: &pending.email,
        email_normalised: email.normalised(),
        confirmed: true,
        password_hash: &pending.password_hash,
        name: pending.name.as_deref(),
        locale: &pending.locale,
    };
    let user = if store::insert_user(tx, &new).await? {
        store::insert_roles(tx, new.id, &[Role::Buyer]).await?;
        event_rows::append(tx, &[events::registered(new.id)]).await?;
        new.id
    } else {
        match store::advance_unconfirmed(tx, email.normalised(), pending).await? {
            Some(user) => user,
            None => return Ok(None),
        }
    };
    event_rows::append(tx, &[events::email_confirmed(user)]).await?;
    Ok(Some(user))
}

/// Mails another code for the registration that the client names, else for this client's newest; answers the same in
/// every case.
pub async fn resend_confirmation(
    kit: &Kit,
    caller: &Caller,
    email: &str,
    registration: Option<&str>,
) -> Outcome<()> {
    let email = Email::parse(email)?;
    throttle::by_account(kit, caller, &email)?;
    throttle::mail(kit, caller, "confirm_email")?;
    let client = throttle::client_key(kit, caller);
    let mut tx = kit.db.begin().await?;
    let pending = match named(registration) {
        Some(Some(id)) => store::find_registration(&mut tx, id).await?,
        Some(None) => None,
        None => store::find_own_registration(&mut tx, email.normalised(), &client).await?,
    };
    let own = |pending: &Pending| {
        Email::parse(&pending.email).is_ok_and(|own| own.normalised() == email.normalised())
    };
    // Where there is none, a name of none: the answer takes the same statements.
    let registration = pending.filter(own).map_or_else(|| kit.clock.uuid(), |pending| pending.id);
    jobs::add(&tx, &[MailRegistration { registration, client }.job()]).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}
