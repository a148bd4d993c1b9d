//! Whether a key is good now. What every delivery goes by decides; here it only gets the codes that software reads.

use crate::base::error_code::ErrorCode;
use crate::base::ids::UnitId;
use crate::base::outcome::Refusal;
use crate::licences::model::LicenceRow;
use crate::orders::hand_over::{HoldCause, Standing, may_hand_over};
use crate::orders::holds;
use crate::vault::state::KeyState;

/// The key of a request that nobody sells as a licence: unknown keys, and keys of variants without licensing, which are no
/// business of this route. All are answered alike.
pub fn unknown() -> Refusal {
    Refusal::new(ErrorCode::NoSuchKey, "there is no such key of this product")
}

/// The piece that a good key belongs to. Refusals: `NO_SUCH_KEY`, `NOT_SOLD`, `HELD`, `REFUNDED`, `REPLACED`, `REVOKED`,
/// `EXPIRED`.
pub fn judge(row: &LicenceRow) -> Result<UnitId, Refusal> {
    let refuse = |code, text: &str| Err(Refusal::new(code, text));
    if !is_licence(row) {
        return Err(unknown());
    }
    let unsold = || Refusal::new(ErrorCode::NotSold, "this key was not sold");
    let (Some(unit), Some(unit_state), Some(order_state)) = (row.unit_id, row.unit_state, row.order_state)
    else {
        return Err(unsold());
    };
    let hold = row.hold.as_deref().and_then(HoldCause::parse);
    let standing = holds::standing_of(order_state.is_paid(), unit_state, row.is_lost, hold);
    match may_hand_over(&standing) {
        Ok(()) => {}
        Err(_) if hold.is_some() && may_hand_over(&Standing { hold: None, ..standing }).is_ok() => {
            return refuse(ErrorCode::Held, "the payment of this licence is disputed or on its way back");
        }
        Err(no) if matches!(no.code, ErrorCode::NotPaid | ErrorCode::NotReady) => return Err(unsold()),
        Err(no) => return Err(no),
    }
    if row.key_state != KeyState::Sold {
        return refuse(ErrorCode::Revoked, "this key was taken back");
    }
    if row.expires_at.is_some_and(|end| end <= row.now) {
        return refuse(ErrorCode::Expired, "the time of this licence is over");
    }
    Ok(unit)
}

/// Sold as one, or of a variant that is sold as one now: a seller who turns licensing on has it for earlier buyers too, and one
/// who turns it off takes it from nobody who bought it.
pub fn is_licence(row: &LicenceRow) -> bool {
    row.offered.licensing || row.bought.as_ref().is_some_and(|terms| terms.licensing)
}

/// What is wrong with a device on which a good key is not active.
pub fn not_active(row: &LicenceRow) -> Refusal {
    match row.is_full() {
        true => full(row),
        false => Refusal::new(ErrorCode::DeviceNotActivated, "this licence is not activated on this device")
            .at(["device"]),
    }
}

/// All devices that were bought are in use.
pub fn full(row: &LicenceRow) -> Refusal {
    let limit = row.limit().unwrap_or_default();
    let text = format!("this licence is used on {limit} of {limit} devices: deactivate one first");
    Refusal::new(ErrorCode::DeviceLimitReached, text).at(["device"])
}
