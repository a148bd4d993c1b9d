//! What may become of an event on its way to an endpoint, and of an endpoint.

/// `queued → sending → delivered | queued(at) | needs_attention`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookState {
    Queued,
    /// An attempt is under way, or was when its worker died.
    Sending,
    /// The endpoint took it.
    Delivered,
    /// It is not tried any more by itself.
    NeedsAttention,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookChange {
    /// An attempt begins.
    Start,
    /// The endpoint took it.
    Deliver,
    /// It will be tried again later.
    Postpone,
    /// It was tried as often as it is.
    GiveUp,
    /// Its owner has it sent again.
    Replay,
}

/// A transition the table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IllegalHookChange;

impl HookState {
    pub const ALL: [Self; 4] = [Self::Queued, Self::Sending, Self::Delivered, Self::NeedsAttention];

    pub fn after(self, change: HookChange) -> Result<Self, IllegalHookChange> {
        use HookChange::{Deliver, GiveUp, Postpone, Replay, Start};
        match (self, change) {
            (Self::Queued, Start) => Ok(Self::Sending),
            // At once instead of later.
            (Self::Queued, Replay) => Ok(Self::Queued),
            (Self::Queued, Deliver | Postpone | GiveUp) => Err(IllegalHookChange),
            // The worker of the last attempt died: another one starts.
            (Self::Sending, Start) => Ok(Self::Sending),
            (Self::Sending, Deliver) => Ok(Self::Delivered),
            (Self::Sending, Postpone) => Ok(Self::Queued),
            (Self::Sending, GiveUp) => Ok(Self::NeedsAttention),
            (Self::Sending, Replay) => Err(IllegalHookChange),
            (Self::Delivered | Self::NeedsAttention, Replay) => Ok(Self::Queued),
            (Self::Delivered, Deliver) => Ok(Self::Delivered),
            (Self::Delivered, Start | Postpone | GiveUp) => Err(IllegalHookChange),
            (Self::NeedsAttention, GiveUp) => Ok(Self::NeedsAttention),
            (Self::NeedsAttention, Start | Deliver | Postpone) => Err(IllegalHookChange),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::NeedsAttention => "needs_attention",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl HookChange {
    pub const ALL: [Self; 5] = [Self::Start, Self::Deliver, Self::Postpone, Self::GiveUp, Self::Replay];
}

/// Whether anything is sent to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookEndpointState {
    Active,
    /// What happens now is not sent; what was on its way waits.
    Disabled,
}

impl HookEndpointState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Disabled].into_iter().find(|state| state.as_str() == text)
    }
}
