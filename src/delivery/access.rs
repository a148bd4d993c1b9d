//! May this grant be used now? One answer for every entry point: the order page, links, the API, and each piece of a
//! running stream (L8).

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;
use crate::delivery::model::{GrantStanding, Link};
use crate::files::state::GrantState;
use crate::orders::hand_over::{self, HoldCause, PieceState, may_hand_over};

/// What the API shows of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantShown {
    Active,
    Exhausted,
    Expired,
    Revoked,
    /// Not paid for, or not delivered yet.
    NotYet,
}

/// Refuses with the code that gives the buyer the reason. An open session is never exhausted: its download is counted.
pub fn may_download(standing: &GrantStanding) -> Result<(), Refusal> {
    let refuse = |code, text: &str| Err(Refusal::new(code, text));
    may_hand_over(&of_unit(standing))?;
    if standing.state == GrantState::Revoked {
        return refuse(ErrorCode::Revoked, "this download was withdrawn");
    }
    if standing.expires_at.is_some_and(|end| end <= standing.now) {
        return refuse(ErrorCode::GrantExpired, "the time for this download has passed");
    }
    if standing.current_version_id.is_none() {
        return refuse(ErrorCode::FileYanked, "this file is not offered any more");
    }
    if standing.session_id.is_none() && remaining(standing) == Some(0) {
        return refuse(ErrorCode::GrantExhausted, "all downloads of this purchase were used");
    }
    Ok(())
}

/// The grant's unit as the rule of all entry points sees it.
fn of_unit(standing: &GrantStanding) -> hand_over::Standing {
    let piece = match standing.unit_state.as_str() {
        "assigned" | "revealed" => PieceState::Delivered,
        "replaced" => PieceState::Replaced,
        "revoked" if standing.is_lost => PieceState::Revoked,
        "revoked" => PieceState::Refunded,
        "cancelled" => PieceState::Cancelled,
        _ => PieceState::Waiting,
    };
    hand_over::Standing {
        paid: matches!(standing.order_state.as_str(), "paid" | "closed"),
        piece,
        hold: standing.hold.as_deref().and_then(HoldCause::parse),
    }
}

/// Whether a link still leads anywhere: it was not withdrawn, and access to its order was not revoked since it was made.
pub fn may_use(link: &Link, standing: &GrantStanding) -> Result<(), Refusal> {
    if link.revoked_at.is_none() && link.generation == standing.access_generation {
        return Ok(());
    }
    Err(Refusal::new(ErrorCode::LinkRevoked, "this link was withdrawn"))
}

/// Downloads left; `None` is unlimited.
pub fn remaining(standing: &GrantStanding) -> Option<i32> {
    standing.max_downloads.map(|most| (most - standing.used).max(0))
}

/// The state that the API shows.
pub fn shown(standing: &GrantStanding) -> GrantShown {
    match may_download(standing) {
        Ok(()) => GrantShown::Active,
        Err(refusal) => match refusal.code {
            ErrorCode::GrantExhausted => GrantShown::Exhausted,
            ErrorCode::GrantExpired => GrantShown::Expired,
            ErrorCode::NotPaid | ErrorCode::NotReady => GrantShown::NotYet,
            _ => GrantShown::Revoked,
        },
    }
}
