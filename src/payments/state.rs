//! The machine of a payment.

use crate::orders::state::IllegalChange;

/// How far one attempt to pay has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaymentState {
    Started,
    Pending,
    Captured,
    Failed,
    Expired,
    /// Nobody knows; reconciliation asks until somebody does.
    Unknown,
    PartiallyRefunded,
    Refunded,
    Disputed,
    /// A dispute that the buyer won.
    Lost,
}

/// What can happen to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentChange {
    /// The buyer acted, the money is on its way.
    Wait,
    /// The gateway says that it waits for the buyer (again).
    Reopen,
    Capture,
    Fail,
    /// It was given up, or closed at the gateway.
    Expire,
    LoseSight,
    /// All its money is here (again).
    Restore,
    RefundPart,
    RefundAll,
    Dispute,
    LoseDispute,
}

impl PaymentState {
    pub const ALL: [Self; 10] = [
        Self::Started,
        Self::Pending,
        Self::Captured,
        Self::Failed,
        Self::Expired,
        Self::Unknown,
        Self::PartiallyRefunded,
        Self::Refunded,
        Self::Disputed,
        Self::Lost,
    ];

    /// The state after a change. The same state again is a repeat and does nothing. Once money came, the state follows
    /// from refunds and disputes, which may turn any of those states into any other.
    pub fn after(self, change: PaymentChange) -> Result<Self, IllegalChange> {
        use PaymentChange::{
            Capture, Dispute, Expire, Fail, LoseDispute, LoseSight, RefundAll, RefundPart, Reopen, Restore,
            Wait,
        };
        use PaymentState as S;
        match (self, change) {
            (S::Started | S::Pending, Wait) => Ok(S::Pending),
            (S::Started | S::Pending, Reopen) => Ok(S::Started),
            (S::Started | S::Pending | S::Unknown, Capture) => Ok(S::Captured),
            (S::Started | S::Pending | S::Unknown, Fail) => Ok(S::Failed),
            (S::Started | S::Pending | S::Unknown, Expire) => Ok(S::Expired),
            (S::Started | S::Pending | S::Unknown, LoseSight) => Ok(S::Unknown),
            (S::Unknown, Wait | Reopen) => Err(IllegalChange),
            (S::Failed | S::Expired, Capture) => Ok(S::Captured),
            (S::Failed, Fail) => Ok(S::Failed),
            (S::Expired, Expire) => Ok(S::Expired),
            (S::Failed, Wait | Reopen | Expire | LoseSight) => Err(IllegalChange),
            (S::Expired, Wait | Reopen | Fail | LoseSight) => Err(IllegalChange),
            (
                S::Started | S::Pending | S::Unknown | S::Failed | S::Expired,
                Restore | RefundPart | RefundAll | Dispute | LoseDispute,
            ) => Err(IllegalChange),
            (S::Captured, Capture) => Ok(S::Captured),
            (S::PartiallyRefunded | S::Refunded | S::Disputed | S::Lost, Capture) => Err(IllegalChange),
            (
                S::Captured | S::PartiallyRefunded | S::Refunded | S::Disputed | S::Lost,
                Wait | Reopen | Fail | Expire | LoseSight,
            ) => Err(IllegalChange),
            (S::Captured | S::PartiallyRefunded | S::Refunded | S::Disputed | S::Lost, Restore) => {
                Ok(S::Captured)
            }
            (S::Captured | S::PartiallyRefunded | S::Refunded | S::Disputed | S::Lost, RefundPart) => {
                Ok(S::PartiallyRefunded)
            }
            (S::Captured | S::PartiallyRefunded | S::Refunded | S::Disputed | S::Lost, RefundAll) => {
                Ok(S::Refunded)
            }
            (S::Captured | S::PartiallyRefunded | S::Refunded | S::Disputed | S::Lost, Dispute) => {
                Ok(S::Disputed)
            }
            (S::Captured | S::PartiallyRefunded | S::Refunded | S::Disputed | S::Lost, LoseDispute) => {
                Ok(S::Lost)
            }
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Pending => "pending",
            Self::Captured => "captured",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
            Self::Disputed => "disputed",
            Self::Lost => "lost",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// It may still bring money without anybody starting anything.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Started | Self::Pending | Self::Unknown)
    }

    /// It may have brought money already, and nobody knows yet.
    pub fn is_confirming(self) -> bool {
        matches!(self, Self::Pending | Self::Unknown)
    }

    /// Its money came in at some time.
    pub fn was_captured(self) -> bool {
        matches!(
            self,
            Self::Captured | Self::PartiallyRefunded | Self::Refunded | Self::Disputed | Self::Lost
        )
    }
}

impl PaymentChange {
    pub const ALL: [Self; 11] = [
        Self::Wait,
        Self::Reopen,
        Self::Capture,
        Self::Fail,
        Self::Expire,
        Self::LoseSight,
        Self::Restore,
        Self::RefundPart,
        Self::RefundAll,
        Self::Dispute,
        Self::LoseDispute,
    ];
}
