//! The machine of a refund.

use crate::orders::state::IllegalChange;

/// How far a refund has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundState {
    Requested,
    Pending,
    Succeeded,
    Failed,
    Unknown,
}

/// What can happen to a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundChange {
    /// The gateway took it and will report its end.
    Accept,
    /// The money is on its way to the buyer; also of one that had failed (a person completed it at the gateway).
    Succeed,
    /// No money moves; also of one that had succeeded (the buyer's bank sent it back).
    Fail,
    LoseSight,
}

impl RefundState {
    pub const ALL: [Self; 5] = [Self::Requested, Self::Pending, Self::Succeeded, Self::Failed, Self::Unknown];

    /// The state after a change. The same state again is a repeat and does nothing.
    pub fn after(self, change: RefundChange) -> Result<Self, IllegalChange> {
        use RefundChange::{Accept, Fail, LoseSight, Succeed};
        use RefundState as S;
        match (self, change) {
            (S::Requested | S::Pending, Accept) => Ok(S::Pending),
            (S::Requested | S::Pending | S::Unknown, LoseSight) => Ok(S::Unknown),
            (S::Requested | S::Pending | S::Unknown | S::Succeeded | S::Failed, Succeed) => Ok(S::Succeeded),
            (S::Requested | S::Pending | S::Unknown | S::Succeeded | S::Failed, Fail) => Ok(S::Failed),
            (S::Unknown, Accept) => Err(IllegalChange),
            (S::Succeeded | S::Failed, Accept | LoseSight) => Err(IllegalChange),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Nobody has said yet how it ends; access to its units is refused meanwhile.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::Pending | Self::Unknown)
    }
}

impl RefundChange {
    pub const ALL: [Self; 4] = [Self::Accept, Self::Succeed, Self::Fail, Self::LoseSight];
}
