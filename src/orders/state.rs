//! The order's machine. Delivery is not part of it.

use std::fmt;

/// What an order is, as far as money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderState {
    PendingPayment,
    Paid,
    Expired,
    Cancelled,
    Closed,
}

/// What can happen to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderChange {
    /// Money that pays for it was captured.
    Pay,
    /// Its time to pay is over and its open payments were closed at their gateways.
    Expire,
    /// The buyer or staff gave it up before it was paid.
    Cancel,
    /// No unit waits and the warranty is over.
    Close,
}

/// This change is not possible in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IllegalChange;

impl fmt::Display for IllegalChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this change is not possible in this state")
    }
}

impl OrderState {
    pub const ALL: [Self; 5] =
        [Self::PendingPayment, Self::Paid, Self::Expired, Self::Cancelled, Self::Closed];

    /// The state after a change. The same state again is a repeat and does nothing.
    pub fn after(self, change: OrderChange) -> Result<Self, IllegalChange> {
        use OrderChange::{Cancel, Close, Expire, Pay};
        use OrderState::{Cancelled, Closed, Expired, Paid, PendingPayment};
        match (self, change) {
            (PendingPayment, Pay) => Ok(Paid),
            (PendingPayment, Expire) => Ok(Expired),
            (PendingPayment, Cancel) => Ok(Cancelled),
            (PendingPayment, Close) => Err(IllegalChange),
            (Paid, Pay) => Ok(Paid),
            (Paid, Expire | Cancel) => Err(IllegalChange),
            (Paid, Close) => Ok(Closed),
            (Expired, Pay) => Ok(Paid),
            (Expired, Expire) => Ok(Expired),
            (Expired, Cancel | Close) => Err(IllegalChange),
            (Cancelled, Pay | Expire | Close) => Err(IllegalChange),
            (Cancelled, Cancel) => Ok(Cancelled),
            (Closed, Pay | Expire | Cancel) => Err(IllegalChange),
            (Closed, Close) => Ok(Closed),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::PendingPayment => "pending_payment",
            Self::Paid => "paid",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Closed => "closed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Whether its goods are the buyer's.
    pub fn is_paid(self) -> bool {
        matches!(self, Self::Paid | Self::Closed)
    }
}

impl OrderChange {
    pub const ALL: [Self; 4] = [Self::Pay, Self::Expire, Self::Cancel, Self::Close];
}
