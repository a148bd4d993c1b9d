//! The machine of a task.

use crate::orders::state::IllegalChange;

/// How far a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskState {
    Open,
    /// Somebody works on it.
    Taken,
    Resolved,
}

/// What people do with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskChange {
    Take,
    Release,
    Resolve,
}

impl TaskState {
    pub const ALL: [Self; 3] = [Self::Open, Self::Taken, Self::Resolved];

    /// The state after a change. The same state again is a repeat and does nothing.
    pub fn after(self, change: TaskChange) -> Result<Self, IllegalChange> {
        use TaskChange::{Release, Resolve, Take};
        match (self, change) {
            (Self::Open | Self::Taken, Take) => Ok(Self::Taken),
            (Self::Open | Self::Taken, Release) => Ok(Self::Open),
            (Self::Open | Self::Taken | Self::Resolved, Resolve) => Ok(Self::Resolved),
            (Self::Resolved, Take | Release) => Err(IllegalChange),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Taken => "taken",
            Self::Resolved => "resolved",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

impl TaskChange {
    pub const ALL: [Self; 3] = [Self::Take, Self::Release, Self::Resolve];
}
