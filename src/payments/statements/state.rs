use crate::orders::state::IllegalChange;
use crate::text_column;

text_column!(RunState);

/// How far reading a statement has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    /// Asked for; the gateway has not given it yet.
    Requested,
    /// Its lines are here and are being compared.
    Read,
    Done,
    Failed,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunChange {
    Read,
    End,
    Fail,
}

impl RunState {
    pub const ALL: [Self; 4] = [Self::Requested, Self::Read, Self::Done, Self::Failed];

    /// The state after a change. The same state again is a repeat and does nothing.
    pub fn after(self, change: RunChange) -> Result<Self, IllegalChange> {
        use RunChange::{End, Fail, Read};
        match (self, change) {
            (Self::Requested | Self::Read, Read) => Ok(Self::Read),
            (Self::Read | Self::Done, End) => Ok(Self::Done),
            (Self::Requested | Self::Read | Self::Failed, Fail) => Ok(Self::Failed),
            (Self::Requested | Self::Failed, End) => Err(IllegalChange),
            (Self::Done, Read | Fail) | (Self::Failed, Read) => Err(IllegalChange),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Read => "read",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Nothing more will happen to it.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

impl RunChange {
    pub const ALL: [Self; 3] = [Self::Read, Self::End, Self::Fail];
}
