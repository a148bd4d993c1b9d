//! Brakes on guessing and on mail to strangers, by the client's address and by the account it is about. No lock-out: a
//! stranger must not be able to keep a person out, so what one client does never uses up another's share.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::base::caller::Caller;
use crate::base::outcome::Refusal;
use crate::base::text::Email;
use crate::infra::kit::Kit;
use crate::infra::sign;
use crate::infra::throttle::prefix;
use crate::people::error;

/// One try from this address.
pub(super) fn by_address(kit: &Kit, caller: &Caller) -> Result<(), Refusal> {
    kit.throttles.sign_ins.take(&prefix(caller.address)).map_err(error::rate_limited)
}

/// One try from this address about this account.
pub(super) fn by_account(kit: &Kit, caller: &Caller, email: &Email) -> Result<(), Refusal> {
    by_address(kit, caller)?;
    let account = hex::encode(&Sha256::digest(email.normalised().as_bytes())[..16]);
    let here = format!("{account} {}", prefix(caller.address));
    kit.throttles.sign_ins_of_account.take(&here).map_err(error::rate_limited)?;
    kit.throttles.sign_ins_everywhere.take(&account).map_err(error::rate_limited)
}

/// One mail of this kind to an address that the client typed, whether one will be sent or not: the answer must not
/// disclose which addresses are known.
pub fn mail(kit: &Kit, caller: &Caller, kind: &'static str) -> Result<(), Refusal> {
    let key: (IpAddr, &'static str) = (prefix(caller.address), kind);
    kit.throttles.mails.take(&key).map_err(error::rate_limited)
}

/// What a client is counted under in rows: its network address, unreadable without the program's key.
pub fn client_key(kit: &Kit, caller: &Caller) -> String {
    keyed(kit, &[prefix(caller.address).to_string().as_bytes()])
}

/// The same with the device's own name for itself.
pub fn device_key(kit: &Kit, caller: &Caller) -> String {
    let device = caller.device.as_deref().unwrap_or_default();
    keyed(kit, &[prefix(caller.address).to_string().as_bytes(), device.as_bytes()])
}

fn keyed(kit: &Kit, parts: &[&[u8]]) -> String {
    hex::encode(&sign::mac(&kit.config.secrets.access, "client", parts)[..12])
}
