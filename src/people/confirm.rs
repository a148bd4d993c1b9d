use crate::app::App;
use crate::base::caller::Caller;
use crate::base::ids::UserId;
use crate::base::outcome::Outcome;
use crate::base::secret::Secret;
use crate::base::text::Email;
use crate::infra::events as event_rows;
use crate::people::code::{self, Purpose};
use crate::people::register::mail_confirmation;
use crate::people::state::UserState;
use crate::people::{error, events, store, throttle};

/// Confirms an address by the code that was mailed to it. Repeatable until the code's end is reached: a confirmed
/// address with a spent code answers `CODE_EXPIRED`. Refuses with `CODE_WRONG`, `CODE_EXPIRED`, `RATE_LIMITED`.
pub async fn confirm_email(app: &App, caller: &Caller, email: &str, code: &Secret) -> Outcome<UserId> {
    let email = Email::parse(email)?;
    throttle::by_account(app, caller, &email)?;
    let mut tx = app.db.begin().await?;
    let redeemed =
        code::redeem(&mut tx, &app.config.secrets.access, Purpose::ConfirmEmail, &email, code).await?;
    let Ok(Some(user)) = redeemed.person() else {
        tx.commit().await?;
        redeemed.person()?;
        return Err(error::code_wrong().into());
    };
    if store::advance_email_confirmed(&mut tx, user).await? {
        event_rows::append(&tx, &[events::email_confirmed(user)]).await?;
    }
    tx.commit().await?;
    Ok(user)
}

/// Mails another code when the address has an account that is not confirmed; answers the same in every case.
pub async fn resend_confirmation(app: &App, caller: &Caller, email: &str) -> Outcome<()> {
    let email = Email::parse(email)?;
    throttle::by_account(app, caller, &email)?;
    let mut tx = app.db.begin().await?;
    let found = store::find_credentials(&mut tx, email.normalised()).await?;
    if let Some(person) = found.filter(|p| !p.confirmed && p.state == UserState::Active) {
        mail_confirmation(app, &mut tx, &email, person.id, &person.locale).await?;
    }
    tx.commit().await?;
    Ok(())
}
