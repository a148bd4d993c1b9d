//! What may become of a message.

/// `queued → sending → sent | queued(at) | failed → needs_attention`; what was sent may come back: `sent → needs_attention`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    Queued,
    /// An attempt is under way, or was when its worker died.
    Sending,
    Sent,
    Failed,
    NeedsAttention,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageChange {
    /// An attempt begins.
    Start,
    /// The server took the message.
    Deliver,
    /// It will be tried again later.
    Postpone,
    /// It will not be tried again by itself.
    Fail,
    /// It goes before a person.
    Escalate,
    /// It came back for good.
    Bounce,
    /// A person has it sent again.
    SendAgain,
    /// The buyer's address was corrected: it goes there, and an attempt that is under way counts for nothing.
    Redirect,
}

/// A transition the table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IllegalMessageChange;

impl MessageState {
    pub const ALL: [MessageState; 5] =
        [Self::Queued, Self::Sending, Self::Sent, Self::Failed, Self::NeedsAttention];

    pub fn after(self, change: MessageChange) -> Result<Self, IllegalMessageChange> {
        use MessageChange::{Bounce, Deliver, Escalate, Fail, Postpone, Redirect, SendAgain, Start};
        match (self, change) {
            (Self::Queued, Start) => Ok(Self::Sending),
            (Self::Queued, SendAgain | Redirect) => Ok(Self::Queued),
            (Self::Queued, Deliver | Postpone | Fail | Escalate | Bounce) => Err(IllegalMessageChange),
            // The worker of the last attempt died: another one starts.
            (Self::Sending, Start) => Ok(Self::Sending),
            (Self::Sending, Deliver) => Ok(Self::Sent),
            (Self::Sending, Postpone | Redirect) => Ok(Self::Queued),
            (Self::Sending, Fail) => Ok(Self::Failed),
            (Self::Sending, Escalate | Bounce | SendAgain) => Err(IllegalMessageChange),
            (Self::Sent, Deliver) => Ok(Self::Sent),
            (Self::Sent, Bounce) => Ok(Self::NeedsAttention),
            (Self::Sent, Start | Postpone | Fail | Escalate | SendAgain | Redirect) => {
                Err(IllegalMessageChange)
            }
            (Self::Failed, Fail) => Ok(Self::Failed),
            (Self::Failed, Escalate) => Ok(Self::NeedsAttention),
            (Self::Failed, SendAgain | Redirect) => Ok(Self::Queued),
            (Self::Failed, Start | Deliver | Postpone | Bounce) => Err(IllegalMessageChange),
            (Self::NeedsAttention, Escalate | Bounce) => Ok(Self::NeedsAttention),
            (Self::NeedsAttention, SendAgain | Redirect) => Ok(Self::Queued),
            (Self::NeedsAttention, Start | Deliver | Postpone | Fail) => Err(IllegalMessageChange),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::NeedsAttention => "needs_attention",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

impl MessageChange {
    pub const ALL: [MessageChange; 8] = [
        Self::Start,
        Self::Deliver,
        Self::Postpone,
        Self::Fail,
        Self::Escalate,
        Self::Bounce,
        Self::SendAgain,
        Self::Redirect,
    ];
}
