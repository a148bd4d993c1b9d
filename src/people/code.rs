//! Codes sent by mail. A code is derived from its row's id under a key of the program, so that neither the database
//! nor the outbox holds it; the mail's text asks `text` when it is sent. Ten characters of 32 are 50 bits: guessing is
//! bounded by how often a client may try, and each row bears a thousand tries, which no single client reaches within
//! its time. Fewer would let a stranger use up somebody's code.

use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::ids::UserId;
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::base::secret::Secret;
use crate::base::text::{Email, Locale};
use crate::config::RingKey;
use crate::infra::effects::messages::{self, MessageKind, NewMessage};
use crate::infra::kit::Kit;
use crate::infra::sign;
use crate::people::messages::{Coded, ProveEmail};
use crate::people::model::NewCode;
use crate::people::{store, throttle};

/// Crockford's alphabet: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 10;
const TRIES: i32 = 1_000;
/// From all clients together an address may have this many times as many codes mailed as from one.
pub(super) const EVERYWHERE: i64 = 4;

/// The one answer to a code that is not taken, whatever the reason.
pub const NO_GOOD: &str = "this code is wrong or no longer good: type it again, or ask for a new one";

/// What a code is good for; one is never good for another purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    ConfirmEmail,
    ResetPassword,
    /// A guest's way back to lost orders.
    OrderAccess,
    /// Proves a guest's address at checkout.
    ProveEmail,
}

impl Purpose {
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::ConfirmEmail => "confirm_email",
            Purpose::ResetPassword => "reset_password",
            Purpose::OrderAccess => "order_access",
            Purpose::ProveEmail => "prove_email",
        }
    }
}

/// The code of a row, as it is in the mail: `7GK2M-9QXTB`.
pub fn text(key: &RingKey, purpose: Purpose, id: Uuid) -> Secret {
    let mac = sign::mac(key, "mailed code", &[purpose.as_str().as_bytes(), id.as_bytes()]);
    let mut code: String = mac[..LENGTH].iter().map(|b| ALPHABET[usize::from(b & 31)] as char).collect();
    code.insert(LENGTH / 2, '-');
    Secret::new(code)
}

/// Whom a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Whoever reads the mailbox.
    Anybody,
    User(UserId),
    /// A registration that waits for its confirmation.
    Registration(Uuid),
}

/// Writes a code for the address. `None` when the address got as many as it may within an hour, from this client or from
/// all: then no mail goes out and the caller answers as if one did. `client`: [`throttle::client_key`] of who asked.
pub async fn issue(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    client: &str,
    purpose: Purpose,
    email: &Email,
    holder: Holder,
    lives: TimeDelta,
) -> Result<Option<Uuid>, Fault> {
    let recent = store::count_codes(conn, purpose.as_str(), email.normalised(), client).await?;
    let most = kit.config.people.codes_per_hour;
    if recent.here >= most || recent.everywhere >= most.saturating_mul(EVERYWHERE) {
        return Ok(None);
    }
    let (user_id, registration_id) = match holder {
        Holder::Anybody => (None, None),
        Holder::User(user) => (Some(user), None),
        Holder::Registration(id) => (None, Some(id)),
    };
    let new = NewCode {
        id: kit.clock.uuid(),
        purpose: purpose.as_str(),
        email: email.normalised(),
        user_id,
        registration_id,
        client_key: client,
        expires_at: kit.clock.now() + lives,
    };
    store::insert_code(conn, &new).await?;
    Ok(Some(new.id))
}

/// Tries a typed code on the address's open ones and says whom it was made for. A right one ends them all. None is the
/// same for a wrong code, one that ended or was used, and an address that has none: callers answer all of them alike, or
/// a guess would disclose who has an account or an order. The try is counted in the caller's transaction, which must be
/// committed for a wrong one too.
pub async fn redeem(
    conn: &mut AsyncPgConnection,
    key: &RingKey,
    purpose: Purpose,
    email: &Email,
    typed: &Secret,
) -> Result<Option<Holder>, Fault> {
    let holder = look(conn, key, purpose, email, typed).await?;
    if holder.is_some() {
        store::advance_codes_used(conn, purpose.as_str(), email.normalised()).await?;
    }
    Ok(holder)
}

/// The same for a code that stays good until its time ends: a buyer may order twice, and ask for a price before.
pub(super) async fn look(
    conn: &mut AsyncPgConnection,
    key: &RingKey,
    purpose: Purpose,
    email: &Email,
    typed: &Secret,
) -> Result<Option<Holder>, Fault> {
    let open = store::claim_codes(conn, purpose.as_str(), email.normalised(), TRIES).await?;
    let typed = normalise(typed.expose());
    let found = open.iter().fold(None, |found, row| {
        let right = sign::equal(normalise(text(key, purpose, row.id).expose()).as_bytes(), typed.as_bytes());
        if right { Some(row) } else { found }
    });
    Ok(found.map(|row| match (row.user_id, row.registration_id) {
        (Some(user), _) => Holder::User(user),
        (None, Some(registration)) => Holder::Registration(registration),
        (None, None) => Holder::Anybody,
    }))
}

/// Whether a guest reads this address's mail, by the code that `request_proof` mailed there. Refuses with
/// `EMAIL_CODE_WRONG`, `RATE_LIMITED`. The code stays good until its time ends.
pub async fn prove(kit: &Kit, caller: &Caller, email: &Email, typed: &Secret) -> Outcome<()> {
    // A cart is priced again and again with its code: by client alone.
    throttle::by_address(kit, caller)?;
    let mut tx = kit.db.begin().await?;
    let found = look(&mut tx, &kit.config.secrets.access, Purpose::ProveEmail, email, typed).await?;
    // The try counts, right or wrong.
    tx.commit().await?;
    found.map(|_| ()).ok_or_else(|| Refusal::new(ErrorCode::EmailCodeWrong, NO_GOOD).at(["emailCode"]).into())
}

/// Mails a code to an address that a guest wants to order with. The answer is the same for every address. Refuses with
/// `EMAIL_INVALID`, `RATE_LIMITED`.
pub async fn request_proof(kit: &Kit, caller: &Caller, email: &str, locale: Locale) -> Outcome<()> {
    let email = Email::parse(email)?;
    kit.config.mail.takes(&email)?;
    throttle::mail(kit, caller, Purpose::ProveEmail.as_str())?;
    let lives = TimeDelta::minutes(kit.config.people.email_code_minutes);
    let mut tx = kit.db.begin().await?;
    let client = throttle::client_key(kit, caller);
    let made = issue(&mut tx, kit, &client, Purpose::ProveEmail, &email, Holder::Anybody, lives).await?;
    if let Some(id) = made {
        mail(&tx, kit, ProveEmail::to, id, &email, locale).await?;
    }
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}

/// Enqueues the mail with a code for somebody without an account. Its text, and in it the code, is made when it is sent.
pub async fn mail(
    conn: &AsyncPgConnection,
    kit: &Kit,
    made: fn(&str, &str, String, Coded) -> NewMessage,
    code: Uuid,
    email: &Email,
    locale: Locale,
) -> Result<(), Fault> {
    let message = made(email.typed(), locale.as_str(), code.to_string(), Coded { code });
    messages::enqueue(conn, &kit.clock, &[message]).await?;
    Ok(())
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
