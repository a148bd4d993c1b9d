//! Codes sent by mail. A code is derived from its row's id under a key of the program, so that neither the database
//! nor the outbox holds it; the mail's text asks `text` when it is sent. Ten characters of 32 are 50 bits; each row
//! bears five tries.

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::outcome::{Fault, Refusal};
use crate::base::secret::Secret;
use crate::base::text::Email;
use crate::config::RingKey;
use crate::infra::sign;
use crate::people::{error, store};

/// Crockford's alphabet: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 10;
const TRIES: i32 = 5;

/// What a code is good for; one is never good for another purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    ConfirmEmail,
    ResetPassword,
    /// A guest's way back to lost orders.
    OrderAccess,
}

impl Purpose {
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::ConfirmEmail => "confirm_email",
            Purpose::ResetPassword => "reset_password",
            Purpose::OrderAccess => "order_access",
        }
    }
}

/// The code of a row, as it stands in the mail: `7GK2M-9QXTB`.
pub fn text(key: &RingKey, purpose: Purpose, id: Uuid) -> Secret {
    let mac = sign::mac(key, "mailed code", &[purpose.as_str().as_bytes(), id.as_bytes()]);
    let mut code: String = mac[..LENGTH].iter().map(|b| ALPHABET[usize::from(b & 31)] as char).collect();
    code.insert(LENGTH / 2, '-');
    Secret::new(code)
}

/// Writes a code for the address. `None` when the address got as many as it may within an hour: then no mail goes
/// out and the caller answers as if one did.
pub async fn issue(
    conn: &mut AsyncPgConnection,
    app: &App,
    purpose: Purpose,
    email: &Email,
    user: Option<UserId>,
    lives: TimeDelta,
) -> Result<Option<Uuid>, Fault> {
    let recent = store::count_codes(conn, purpose.as_str(), email.normalised()).await?;
    if recent >= app.config.people.codes_per_hour {
        return Ok(None);
    }
    let id = app.clock.uuid();
    let ends: DateTime<Utc> = app.clock.now() + lives;
    store::insert_code(conn, id, purpose.as_str(), email.normalised(), user, ends).await?;
    Ok(Some(id))
}

/// What a typed code turned out to be. The try is counted in the caller's transaction, which must be committed for a
/// wrong one too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// The person it was made for, when there is one.
    Right(Option<UserId>),
    Wrong,
    /// There is none that may still be used.
    Gone,
}

impl Redeemed {
    /// The person, or the refusal `CODE_WRONG` or `CODE_EXPIRED`.
    pub fn person(self) -> Result<Option<UserId>, Refusal> {
        match self {
            Redeemed::Right(user) => Ok(user),
            Redeemed::Wrong => Err(error::code_wrong()),
            Redeemed::Gone => Err(error::code_expired()),
        }
    }
}

/// Tries a typed code on the address's open ones. A right one ends them all.
pub async fn redeem(
    conn: &mut AsyncPgConnection,
    key: &RingKey,
    purpose: Purpose,
    email: &Email,
    typed: &Secret,
) -> Result<Redeemed, Fault> {
    let open = store::claim_codes(conn, purpose.as_str(), email.normalised(), TRIES).await?;
    if open.is_empty() {
        return Ok(Redeemed::Gone);
    }
    let typed = normalise(typed.expose());
    let found = open.iter().fold(None, |found, row| {
        let right = sign::equal(normalise(text(key, purpose, row.id).expose()).as_bytes(), typed.as_bytes());
        if right { Some(row) } else { found }
    });
    let Some(row) = found else { return Ok(Redeemed::Wrong) };
    store::advance_codes_used(conn, purpose.as_str(), email.normalised()).await?;
    Ok(Redeemed::Right(row.user_id))
}

/// As people type it: any case, hyphens and spaces or none, letters that look like digits.
fn normalise(typed: &str) -> String {
    typed
        .chars()
        .filter(|c| c.is_alphanumeric())
        .take(64)
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}
