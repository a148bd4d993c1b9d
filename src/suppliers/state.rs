//! The machine of one purchase at a supplier.

use thiserror::Error;

/// How far a purchase has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PurchaseState {
    /// Meant, and not sent.
    Queued,
    /// A call is on its way, or was when its sender died.
    Sending,
    /// The supplier accepted it and delivers later.
    Pending,
    /// It may have been accepted: the answer was lost.
    Unknown,
    /// The goods are in the vault.
    Delivered,
    /// The supplier said no, and nothing was bought.
    Refused,
    /// The supplier delivered something that is not sold: a person looks at it.
    Quarantined,
    /// It was given up before anything was sent, or when the supplier knew nothing of it.
    Abandoned,
}

/// What can happen to a purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PurchaseChange {
    Send,
    /// Nothing of a call can have reached the supplier, or the supplier knows nothing of it.
    TakeBack,
    /// The supplier will deliver later.
    Wait,
    LoseAnswer,
    Deliver,
    Refuse,
    Quarantine,
    Abandon,
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a purchase that is {from:?} cannot take the change {change:?}")]
pub struct IllegalPurchaseChange {
    pub from: PurchaseState,
    pub change: PurchaseChange,
}

impl PurchaseState {
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Sending,
        Self::Pending,
        Self::Unknown,
        Self::Delivered,
        Self::Refused,
        Self::Quarantined,
        Self::Abandoned,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Quarantined => "quarantined",
            Self::Abandoned => "abandoned",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Something may come of it yet.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Sending | Self::Pending | Self::Unknown)
    }

    /// The state after a change. What was accepted or may have been is never given up: the supplier's own answer ends it.
    /// A delivery counts whenever it comes: the money is spent.
    pub const fn after(self, change: PurchaseChange) -> Result<Self, IllegalPurchaseChange> {
        use PurchaseChange as C;
        use PurchaseState as S;
        match (self, change) {
            (S::Queued, C::Send) => Ok(S::Sending),
            (S::Queued, C::Abandon) => Ok(S::Abandoned),
            (S::Sending | S::Unknown, C::TakeBack) => Ok(S::Queued),
            (S::Sending | S::Pending | S::Unknown, C::Wait) => Ok(S::Pending),
            (S::Sending | S::Unknown, C::LoseAnswer) => Ok(S::Unknown),
            (S::Sending | S::Pending | S::Unknown, C::Refuse) => Ok(S::Refused),
            (S::Queued | S::Sending | S::Pending | S::Unknown | S::Refused | S::Abandoned, C::Deliver) => {
                Ok(S::Delivered)
            }
            (S::Queued | S::Sending | S::Pending | S::Unknown | S::Refused | S::Abandoned, C::Quarantine) => {
                Ok(S::Quarantined)
            }
            (S::Queued, C::TakeBack | C::Wait | C::LoseAnswer | C::Refuse)
            | (S::Sending, C::Send | C::Abandon)
            | (S::Pending, C::Send | C::TakeBack | C::LoseAnswer | C::Abandon)
            | (S::Unknown, C::Send | C::Abandon)
            | (S::Refused, C::Send | C::TakeBack | C::Wait | C::LoseAnswer | C::Refuse | C::Abandon)
            | (S::Abandoned, C::Send | C::TakeBack | C::Wait | C::LoseAnswer | C::Refuse | C::Abandon)
            | (S::Delivered | S::Quarantined, _) => Err(IllegalPurchaseChange { from: self, change }),
        }
    }
}

impl PurchaseChange {
    pub const ALL: [Self; 8] = [
        Self::Send,
        Self::TakeBack,
        Self::Wait,
        Self::LoseAnswer,
        Self::Deliver,
        Self::Refuse,
        Self::Quarantine,
        Self::Abandon,
    ];
}
