use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;

use crate::base::caller::Caller;
use crate::base::ids::{SessionId, UserId};
use crate::base::outcome::{Outcome, Refusal};
use crate::base::secret::Secret;
use crate::base::text::{self, Email};
use crate::infra::effects::events as event_rows;
use crate::people::kit::PeopleKit;
use crate::people::model::{Credentials, SignedIn, Tokens};
use crate::people::state::UserState;
use crate::people::store::{self, NewRefresh};
use crate::people::token::Access;
use crate::people::{error, events, refresh_token, throttle};

/// What a person types to sign in.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub email: String,
    pub password: Secret,
    /// What the person will recognise the session by; empty: the caller's `User-Agent`.
    pub device: Option<String>,
}

/// Starts a session. Refuses with `CREDENTIALS_WRONG` (an unknown address and a wrong password alike, and as slowly),
/// `EMAIL_NOT_CONFIRMED` and `ACCOUNT_SUSPENDED` (only to who knows the password), `RATE_LIMITED`.
pub async fn sign_in(kit: &PeopleKit, caller: &Caller, input: SignIn) -> Outcome<SignedIn> {
    let email = Email::parse(&input.email)?;
    throttle::by_account(kit, caller, &email)?;
    let found = {
        let mut conn = kit.db.conn().await?;
        store::find_credentials(&mut conn, email.normalised()).await?
    };
    let stored = found.as_ref().and_then(|c| c.password_hash.clone());
    let verdict = kit.passwords.verify(stored.as_deref(), &input.password).await?;
    let Some(person) = found.filter(|_| verdict.fits) else {
        return Err(unconfirmed_or_wrong(kit, caller, &email, &input.password).await?.into());
    };
    may_sign_in(&person)?;
    let renewed = match (verdict.stale, &stored) {
        (true, Some(old)) => Some((old.clone(), kit.passwords.hash(&input.password).await?)),
        _ => None,
    };

    let device = device_name(input.device.as_deref(), caller);
    let mut tx = kit.db.begin().await?;
    if let Some((old, new)) = renewed {
        store::advance_hash(&mut tx, person.id, &old, &new).await?;
    }
    let signed_in = start_session(kit, &mut tx, person.id, person.generation, &device).await?;
    tx.commit().await?;
    Ok(signed_in)
}

/// Who typed the password of a registration that waits is answered so, whether the address has an account or not; the
/// comparison is made in every case, so that the time discloses nothing either.
async fn unconfirmed_or_wrong(
    kit: &PeopleKit,
    caller: &Caller,
    email: &Email,
    password: &Secret,
) -> Outcome<Refusal> {
    let client = throttle::client_key(kit, caller);
    let waiting = {
        let mut conn = kit.db.conn().await?;
        store::find_newest_registration(&mut conn, email.normalised(), &client).await?
    };
    let stored = waiting.map(|pending| pending.password_hash);
    let fits = kit.passwords.verify(stored.as_deref(), password).await?.fits;
    Ok(if fits { error::not_confirmed() } else { error::credentials_wrong() })
}

fn may_sign_in(person: &Credentials) -> Outcome<()> {
    match person.state {
        UserState::Closed => Err(error::credentials_wrong().into()),
        UserState::Suspended => Err(error::suspended().into()),
        UserState::Active if !person.confirmed => Err(error::not_confirmed().into()),
        UserState::Active => Ok(()),
    }
}

/// A new family of tokens. `CREDENTIALS_WRONG` when the person changed since `generation` was read.
async fn start_session(
    kit: &PeopleKit,
    conn: &mut AsyncPgConnection,
    user: UserId,
    generation: i32,
    device: &str,
) -> Outcome<SignedIn> {
    let now = kit.clock.now();
    let people = &kit.config.people;
    let session_id = SessionId(kit.clock.uuid());
    let ends = now + TimeDelta::days(people.session_days);
    if !store::insert_session(conn, session_id, user, generation, device, ends).await? {
        return Err(error::credentials_wrong().into());
    }
    let refresh = refresh_token::generate();
    let row = NewRefresh {
        id: kit.clock.uuid(),
        session_id,
        digest: refresh_token::digest(&refresh).unwrap_or_default(),
        sealed: None,
        expires_at: ends.min(now + TimeDelta::days(people.refresh_idle_days)),
    };
    store::insert_refresh(conn, &row).await?;
    event_rows::append(conn, &[events::session_started(session_id, user)]).await?;
    let access = Access { user_id: user, session_id, refresh_id: row.id, generation };
    let (token, access_expires_at) = kit.access_tokens.issue(&access, now)?;
    let tokens = Tokens { access: token, access_expires_at, refresh, refresh_expires_at: row.expires_at };
    Ok(SignedIn { user_id: user, session_id, tokens })
}

fn device_name(typed: Option<&str>, caller: &Caller) -> String {
    let named = typed.or(caller.device.as_deref()).unwrap_or("unknown");
    let cut: String = named.chars().filter(|c| !c.is_control()).take(100).collect();
    text::clean(&cut, "device", 100, false).unwrap_or_else(|_| "unknown".into())
}
