//! THE rule that every entry point asks: may a piece of a purchase leave the shop now? It is here, below all features,
//! because files and orders both ask it: the order page, reveal, mail, resend, claim links, download links, running
//! streams, and the filling of lines that wait.

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;

/// Why nothing may leave although it was paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldCause {
    /// Its money is on its way back.
    Refund,
    /// The payment is disputed.
    Dispute,
    /// The money that paid for it is gone, and other money of the order is here: a person decides.
    Uncovered,
    /// The buyer is blocked: a person looks at the order first.
    Review,
}

impl HoldCause {
    pub const ALL: [Self; 4] = [Self::Refund, Self::Dispute, Self::Uncovered, Self::Review];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Dispute => "dispute",
            Self::Uncovered => "uncovered",
            Self::Review => "review",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }
}

/// How far the piece itself has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PieceState {
    /// It has no goods yet.
    Waiting,
    /// It has its goods.
    Delivered,
    /// Another one took its place.
    Replaced,
    /// Its money went back.
    Refunded,
    /// It was taken back for another reason: a lost dispute, an act of staff.
    Revoked,
    Cancelled,
}

/// Everything the rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    pub paid: bool,
    pub piece: PieceState,
    pub hold: Option<HoldCause>,
}

/// Whether the piece may be shown, sent or served now. Refusals: `NOT_PAID`, `NOT_READY`, `REPLACED`, `REFUNDED`,
/// `REVOKED`.
pub fn may_hand_over(standing: &Standing) -> Result<(), Refusal> {
    let refuse = |code, text: &str| Err(Refusal::new(code, text));
    if !standing.paid {
        return refuse(ErrorCode::NotPaid, "this order is not paid");
    }
    match (standing.piece, standing.hold) {
        (PieceState::Replaced, _) => refuse(ErrorCode::Replaced, "this delivery was replaced by another one"),
        (PieceState::Refunded, _) => refuse(ErrorCode::Refunded, "this purchase was refunded"),
        (PieceState::Revoked, _) => refuse(ErrorCode::Revoked, "this delivery was taken back"),
        (PieceState::Cancelled, _) => refuse(ErrorCode::Revoked, "this delivery was cancelled"),
        (PieceState::Waiting | PieceState::Delivered, Some(HoldCause::Refund)) => {
            refuse(ErrorCode::Refunded, "this purchase is being refunded")
        }
        (PieceState::Waiting | PieceState::Delivered, Some(HoldCause::Dispute)) => {
            refuse(ErrorCode::Revoked, "the payment of this purchase is disputed")
        }
        (PieceState::Waiting | PieceState::Delivered, Some(HoldCause::Uncovered)) => {
            refuse(ErrorCode::Revoked, "the payment of this purchase is being looked at")
        }
        (PieceState::Waiting | PieceState::Delivered, Some(HoldCause::Review)) => {
            refuse(ErrorCode::NotReady, "this order is being looked at before it is delivered")
        }
        (PieceState::Waiting, None) => refuse(ErrorCode::NotReady, "this delivery is not ready yet"),
        (PieceState::Delivered, None) => Ok(()),
    }
}
