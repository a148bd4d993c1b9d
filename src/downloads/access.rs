//! May this grant be used now? One answer for every door: the order page, links, the API, and each piece of a
//! running stream (L8).

use crate::base::outcome::Refusal;
use crate::downloads::model::Standing;
use crate::downloads::state::GrantState;

/// What the API shows of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Active,
    Exhausted,
    Expired,
    Revoked,
    /// Not paid for, or not handed over yet.
    NotYet,
}

/// Refuses with the code that tells the buyer why. An open session is never exhausted: its download is counted.
pub fn may_download(standing: &Standing) -> Result<(), Refusal> {
    let refuse = |code, text: &str| Err(Refusal::new(code, text));
    if !matches!(standing.order_state.as_str(), "paid" | "closed") {
        return refuse("NOT_PAID", "this order is not paid");
    }
    if standing.unit_state == "replaced" {
        return refuse("REPLACED", "this delivery was replaced by another one");
    }
    if standing.state == GrantState::Revoked || standing.unit_state == "revoked" {
        return match standing.refunded {
            true => refuse("REFUNDED", "this purchase was refunded"),
            false => refuse("REVOKED", "this download was withdrawn"),
        };
    }
    if standing.refunded || standing.refund_open {
        return refuse("REFUNDED", "this purchase is being refunded");
    }
    if standing.disputed {
        return refuse("REVOKED", "the payment of this purchase is disputed");
    }
    if !matches!(standing.unit_state.as_str(), "assigned" | "revealed") {
        return refuse("NOT_READY", "this delivery is not ready yet");
    }
    if standing.expires_at.is_some_and(|end| end <= standing.now) {
        return refuse("GRANT_EXPIRED", "the time for this download has passed");
    }
    if standing.current_version_id.is_none() {
        return refuse("FILE_YANKED", "this file is not offered any more");
    }
    if standing.session_id.is_none() && remaining(standing) == Some(0) {
        return refuse("GRANT_EXHAUSTED", "all downloads of this purchase were used");
    }
    Ok(())
}

/// Downloads left; `None` is unlimited.
pub fn remaining(standing: &Standing) -> Option<i32> {
    standing.max_downloads.map(|most| (most - standing.used).max(0))
}

/// The state that the API shows.
pub fn shown(standing: &Standing) -> Shown {
    match may_download(standing) {
        Ok(()) => Shown::Active,
        Err(refusal) => match refusal.code {
            "GRANT_EXHAUSTED" => Shown::Exhausted,
            "GRANT_EXPIRED" => Shown::Expired,
            "NOT_PAID" | "NOT_READY" => Shown::NotYet,
            _ => Shown::Revoked,
        },
    }
}
