//! Whether a person may act at all.

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserState {
    Active,
    /// Kept out by staff; can come back.
    Suspended,
    /// Deleted: the personal columns are blank.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserChange {
    Suspend,
    Reinstate,
    Close,
}

impl UserState {
    pub const ALL: [UserState; 3] = [UserState::Active, UserState::Suspended, UserState::Closed];

    pub fn as_str(self) -> &'static str {
        match self {
            UserState::Active => "active",
            UserState::Suspended => "suspended",
            UserState::Closed => "closed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The state after a change; the same state where nothing is left to do.
    pub fn after(self, change: UserChange) -> Result<Self, IllegalPersonChange> {
        use UserChange::{Close, Reinstate, Suspend};
        use UserState::{Active, Closed, Suspended};
        match (self, change) {
            (Active, Suspend) => Ok(Suspended),
            (Active, Reinstate) => Ok(Active),
            (Active, Close) => Ok(Closed),
            (Suspended, Suspend) => Ok(Suspended),
            (Suspended, Reinstate) => Ok(Active),
            (Suspended, Close) => Ok(Closed),
            (Closed, Suspend) => Err(IllegalPersonChange),
            (Closed, Reinstate) => Err(IllegalPersonChange),
            (Closed, Close) => Ok(Closed),
        }
    }
}

impl UserChange {
    pub const ALL: [UserChange; 3] = [UserChange::Suspend, UserChange::Reinstate, UserChange::Close];
}

/// A closed account stays closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IllegalPersonChange;

impl From<IllegalPersonChange> for Refusal {
    fn from(_: IllegalPersonChange) -> Self {
        Refusal::new(ErrorCode::IllegalTransition, "this account is closed")
    }
}
