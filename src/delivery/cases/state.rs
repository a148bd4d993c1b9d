//! The machine of a case.

use crate::orders::state::IllegalChange;

/// How far a case has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaseState {
    /// It waits for an answer.
    Open,
    /// It was answered with help; the buyer may report again, and it may be answered again.
    Answered,
    /// It came to an end.
    Closed,
}

/// What an answer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaseAction {
    /// Another piece takes the place of the reported one.
    Replace,
    /// The money for it goes back.
    Refund,
    /// Nothing is done about it.
    Reject,
    /// The text is all the answer.
    Help,
}

impl CaseState {
    pub const ALL: [Self; 3] = [Self::Open, Self::Answered, Self::Closed];

    /// The state after an answer. A closed case takes none.
    pub fn after(self, action: CaseAction) -> Result<Self, IllegalChange> {
        use CaseAction::{Help, Refund, Reject, Replace};
        match (self, action) {
            (Self::Open | Self::Answered, Replace | Refund | Reject) => Ok(Self::Closed),
            (Self::Open | Self::Answered, Help) => Ok(Self::Answered),
            (Self::Closed, Replace | Refund | Reject | Help) => Err(IllegalChange),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Closed => "closed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl CaseAction {
    pub const ALL: [Self; 4] = [Self::Replace, Self::Refund, Self::Reject, Self::Help];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Refund => "refund",
            Self::Reject => "reject",
            Self::Help => "help",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }

    /// How the case ends by it; none where it goes on.
    pub fn outcome(self) -> Option<&'static str> {
        match self {
            Self::Replace => Some("replaced"),
            Self::Refund => Some("refunded"),
            Self::Reject => Some("rejected"),
            Self::Help => None,
        }
    }
}
