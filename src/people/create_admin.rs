use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::actor::{Actor, Role};
use crate::base::clock;
use crate::base::ids::UserId;
use crate::base::outcome::{Fault, Outcome};
use crate::base::secret::Secret;
use crate::base::text::Email;
use crate::infra::effects::events as event_rows;
use crate::people::kit::PeopleKit;
use crate::people::revoke::end_sessions;
use crate::people::store::{self, NewUser};
use crate::people::{events, password_rule, set_roles};

/// Makes a person with every right, or gives an existing one every right and this password: the operator's way in.
/// Without a password one is made and returned, to be shown once. Refuses with `EMAIL_INVALID`, `PASSWORD_TOO_WEAK`,
/// `PASSWORD_BREACHED`.
pub async fn create_admin(
    kit: &PeopleKit,
    email: &str,
    password: Option<Secret>,
) -> Outcome<(UserId, Option<Secret>)> {
    let email = Email::parse(email)?;
    let (password, made) = match password {
        Some(password) => (password, None),
        None => {
            let made = Secret::new(URL_SAFE_NO_PAD.encode(clock::random::<18>()));
            (made.clone(), Some(made))
        }
    };
    password_rule::check(&password, &email, "password")?;
    let hash = kit.passwords.hash(&password).await?;
    let new = NewUser {
        id: UserId(kit.clock.uuid()),
        email: email.typed(),
        email_normalised: email.normalised(),
        confirmed: true,
        password_hash: &hash,
        name: None,
        locale: &kit.config.shop.default_locale,
    };
    let mut tx = kit.db.begin().await?;
    let user = if store::insert_user(&mut tx, &new).await? {
        store::insert_roles(&mut tx, new.id, &[Role::Buyer]).await?;
        event_rows::append(&tx, &[events::registered(new.id)]).await?;
        new.id
    } else {
        let found = store::find_credentials(&mut tx, email.normalised()).await?;
        let found = found.ok_or_else(|| Fault::bug("a taken address has no person"))?;
        if !store::advance_password(&mut tx, found.id, found.generation, &hash).await? {
            return Err(crate::people::error::suspended().into());
        }
        store::advance_email_confirmed(&mut tx, found.id).await?;
        event_rows::append(&tx, &[events::password_changed(found.id, "operator")]).await?;
        end_sessions(&mut tx, found.id, None, "system", "password_changed").await?;
        found.id
    };
    tx.commit().await?;
    set_roles(kit, &Actor::system(), user, &Role::ALL).await?;
    Ok((user, made))
}
