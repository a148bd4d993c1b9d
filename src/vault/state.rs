//! The life of a key.

use thiserror::Error;

/// The state of a key. That it was revealed or mailed is a fact beside the state, not a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// May be sold.
    Available,
    /// Held for a line that is not paid yet.
    Reserved,
    /// Belongs to a unit.
    Sold,
    /// Taken out of sale while somebody looks at its batch.
    Frozen,
    /// Its date passed before it was sold.
    Expired,
    /// Never to be sold again.
    Voided,
}

/// What can happen to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyChange {
    Reserve,
    /// The hold ended unpaid.
    Release,
    Sell,
    Freeze,
    Thaw,
    Expire,
    Void,
    /// A refund of a key that nobody saw.
    Restock,
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a key that is {from:?} cannot take the change {change:?}")]
pub struct IllegalKeyChange {
    pub from: KeyState,
    pub change: KeyChange,
}

impl KeyState {
    pub const ALL: [KeyState; 6] = [
        KeyState::Available,
        KeyState::Reserved,
        KeyState::Sold,
        KeyState::Frozen,
        KeyState::Expired,
        KeyState::Voided,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            KeyState::Available => "available",
            KeyState::Reserved => "reserved",
            KeyState::Sold => "sold",
            KeyState::Frozen => "frozen",
            KeyState::Expired => "expired",
            KeyState::Voided => "voided",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The whole life of a key. Selling what is sold is refused even though the state would stay: it would be
    /// sold to somebody else.
    pub const fn after(self, change: KeyChange) -> Result<KeyState, IllegalKeyChange> {
        use KeyChange::{Expire, Freeze, Release, Reserve, Restock, Sell, Thaw, Void};
        use KeyState::{Available, Expired, Frozen, Reserved, Sold, Voided};
        match (self, change) {
            (Available, Reserve) => Ok(Reserved),
            (Available | Reserved, Sell) => Ok(Sold),
            (Available | Reserved | Frozen, Freeze) => Ok(Frozen),
            (Available | Expired, Expire) => Ok(Expired),
            (Available | Frozen | Sold | Voided, Void) => Ok(Voided),
            (Reserved, Release) => Ok(Available),
            (Frozen, Thaw) => Ok(Available),
            (Sold, Restock) => Ok(Available),
            (Available, Release | Thaw | Restock)
            | (Reserved, Reserve | Thaw | Expire | Void | Restock)
            | (Sold, Reserve | Release | Sell | Freeze | Thaw | Expire)
            | (Frozen, Reserve | Release | Sell | Expire | Restock)
            | (Expired, Reserve | Release | Sell | Freeze | Thaw | Void | Restock)
            | (Voided, Reserve | Release | Sell | Freeze | Thaw | Expire | Restock) => {
                Err(IllegalKeyChange { from: self, change })
            }
        }
    }
}

/// A move as SQL writes it: statements name states as text, so that the indexes of one state serve them. As a constant, a
/// move that the machine does not have does not compile.
#[derive(Clone, Copy, Debug)]
pub struct KeyMove {
    pub from: &'static str,
    pub to: &'static str,
}

impl KeyMove {
    pub const fn new(from: KeyState, change: KeyChange) -> Self {
        match from.after(change) {
            Ok(to) => Self { from: from.as_str(), to: to.as_str() },
            Err(_) => panic!("keys have no such move"),
        }
    }
}

impl KeyChange {
    pub const ALL: [KeyChange; 8] = [
        KeyChange::Reserve,
        KeyChange::Release,
        KeyChange::Sell,
        KeyChange::Freeze,
        KeyChange::Thaw,
        KeyChange::Expire,
        KeyChange::Void,
        KeyChange::Restock,
    ];
}

/// The state of a batch. A run that was killed leaves it running; it goes on after the lines it has read. An import that is
/// looked at first is `Ready` when its file is read, and `Committing` while its keys are put on sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchState {
    Running,
    Ready,
    Committing,
    Done,
    Failed,
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchChange {
    Finish,
    Fail,
    /// Its file is read, and its keys are to be looked at.
    Preview,
    Commit,
    Cancel,
    /// Its keys are not sold any more, and no more are taken in.
    Recall,
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a batch that is {from:?} cannot take the change {change:?}")]
pub struct IllegalBatchChange {
    pub from: BatchState,
    pub change: BatchChange,
}

impl BatchState {
    pub const ALL: [BatchState; 6] = [
        BatchState::Running,
        BatchState::Ready,
        BatchState::Committing,
        BatchState::Done,
        BatchState::Failed,
        BatchState::Cancelled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            BatchState::Running => "running",
            BatchState::Ready => "ready",
            BatchState::Committing => "committing",
            BatchState::Done => "done",
            BatchState::Failed => "failed",
            BatchState::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub fn after(self, change: BatchChange) -> Result<BatchState, IllegalBatchChange> {
        use BatchChange::{Cancel, Commit, Fail, Finish, Preview, Recall};
        use BatchState::{Cancelled, Committing, Done, Failed, Ready, Running};
        match (self, change) {
            (Running | Committing | Done, Finish) => Ok(Done),
            (Running | Failed, Fail) => Ok(Failed),
            (Running | Ready, Preview) => Ok(Ready),
            // The file again, when its keys are on sale or about to be.
            (Committing | Done, Preview) => Ok(self),
            (Ready | Committing, Commit) => Ok(Committing),
            (Done, Commit) => Ok(Done),
            (Running | Ready | Cancelled, Cancel) => Ok(Cancelled),
            (Running, Recall) => Ok(Done),
            // What is left of it to be looked at is deleted.
            (Ready | Committing, Recall) => Ok(Cancelled),
            (Done | Failed | Cancelled, Recall) => Ok(self),
            (Ready | Failed | Cancelled, Finish)
            | (Ready | Committing | Done | Cancelled, Fail)
            | (Failed | Cancelled, Preview)
            | (Running | Failed | Cancelled, Commit)
            | (Committing | Done | Failed, Cancel) => Err(IllegalBatchChange { from: self, change }),
        }
    }
}

impl BatchChange {
    pub const ALL: [BatchChange; 6] = [
        BatchChange::Finish,
        BatchChange::Fail,
        BatchChange::Preview,
        BatchChange::Commit,
        BatchChange::Cancel,
        BatchChange::Recall,
    ];
}
