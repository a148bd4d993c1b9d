//! Brakes on guessing, by the client's address and by the account guessed at. No lock-out: a stranger must not be able
//! to keep a person out.

use sha2::{Digest, Sha256};

use crate::app::App;
use crate::base::caller::Caller;
use crate::base::outcome::Refusal;
use crate::base::text::Email;
use crate::infra::throttle::prefix;
use crate::people::error;

/// One try from this address.
pub(super) fn by_address(app: &App, caller: &Caller) -> Result<(), Refusal> {
    app.throttles.sign_ins.take(&prefix(caller.address)).map_err(error::rate_limited)
}

/// One try from this address about this account.
pub(super) fn by_account(app: &App, caller: &Caller, email: &Email) -> Result<(), Refusal> {
    by_address(app, caller)?;
    let key = hex::encode(&Sha256::digest(email.normalised().as_bytes())[..16]);
    app.throttles.sign_ins_of_account.take(&key).map_err(error::rate_limited)
}
