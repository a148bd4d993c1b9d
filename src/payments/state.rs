//! The machines of a payment and of a refund.

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
    Capture,
    Fail,
    /// It was given up, or closed at the gateway.
    Expire,
    LoseSight,
    RefundPart,
    RefundAll,
    Dispute,
    /// A dispute ended for us with all the money here.
    WinDispute,
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

    /// The state after a change. The same state again is a repeat and does nothing.
    pub fn after(self, change: PaymentChange) -> Result<Self, IllegalChange> {
        use PaymentChange::{
            Capture, Dispute, Expire, Fail, LoseDispute, LoseSight, RefundAll, RefundPart, Wait, WinDispute,
        };
        use PaymentState as S;
        match (self, change) {
            (S::Started | S::Pending, Wait) => Ok(S::Pending),
            (S::Started | S::Pending | S::Unknown, Capture) => Ok(S::Captured),
            (S::Started | S::Pending | S::Unknown, Fail) => Ok(S::Failed),
            (S::Started | S::Pending | S::Unknown, Expire) => Ok(S::Expired),
            (S::Started | S::Pending | S::Unknown, LoseSight) => Ok(S::Unknown),
            (S::Unknown, Wait) => Err(IllegalChange),
            (
                S::Started | S::Pending | S::Unknown,
                RefundPart | RefundAll | Dispute | WinDispute | LoseDispute,
            ) => Err(IllegalChange),
            (S::Captured, Capture) => Ok(S::Captured),
            (S::Captured, RefundPart) => Ok(S::PartiallyRefunded),
            (S::Captured, RefundAll) => Ok(S::Refunded),
            (S::Captured, Dispute) => Ok(S::Disputed),
            (S::Captured, Wait | Fail | Expire | LoseSight | WinDispute | LoseDispute) => Err(IllegalChange),
            (S::Failed | S::Expired, Capture) => Ok(S::Captured),
            (S::Failed, Fail) => Ok(S::Failed),
            (S::Expired, Expire) => Ok(S::Expired),
            (
                S::Failed,
                Wait | Expire | LoseSight | RefundPart | RefundAll | Dispute | WinDispute | LoseDispute,
            ) => Err(IllegalChange),
            (
                S::Expired,
                Wait | Fail | LoseSight | RefundPart | RefundAll | Dispute | WinDispute | LoseDispute,
            ) => Err(IllegalChange),
            (S::PartiallyRefunded, RefundPart) => Ok(S::PartiallyRefunded),
            (S::PartiallyRefunded, RefundAll) => Ok(S::Refunded),
            (S::PartiallyRefunded, Dispute) => Ok(S::Disputed),
            (S::PartiallyRefunded, Wait | Capture | Fail | Expire | LoseSight | WinDispute | LoseDispute) => {
                Err(IllegalChange)
            }
            (S::Refunded, RefundAll) => Ok(S::Refunded),
            (
                S::Refunded,
                Wait | Capture | Fail | Expire | LoseSight | RefundPart | Dispute | WinDispute | LoseDispute,
            ) => Err(IllegalChange),
            (S::Disputed, Dispute) => Ok(S::Disputed),
            (S::Disputed, WinDispute) => Ok(S::Captured),
            (S::Disputed, RefundPart) => Ok(S::PartiallyRefunded),
            (S::Disputed, LoseDispute) => Ok(S::Lost),
            (S::Disputed, Wait | Capture | Fail | Expire | LoseSight | RefundAll) => Err(IllegalChange),
            (S::Lost, LoseDispute) => Ok(S::Lost),
            (
                S::Lost,
                Wait | Capture | Fail | Expire | LoseSight | RefundPart | RefundAll | Dispute | WinDispute,
            ) => Err(IllegalChange),
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

    /// Its money came in at some time.
    pub fn was_captured(self) -> bool {
        matches!(
            self,
            Self::Captured | Self::PartiallyRefunded | Self::Refunded | Self::Disputed | Self::Lost
        )
    }
}

impl PaymentChange {
    pub const ALL: [Self; 10] = [
        Self::Wait,
        Self::Capture,
        Self::Fail,
        Self::Expire,
        Self::LoseSight,
        Self::RefundPart,
        Self::RefundAll,
        Self::Dispute,
        Self::WinDispute,
        Self::LoseDispute,
    ];
}

/// How far a refund has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundState {
    Requested,
    Pending,
    Succeeded,
    Failed,
    Unknown,
}

/// What can happen to a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundChange {
    /// The gateway took it and will tell.
    Accept,
    Succeed,
    Fail,
    LoseSight,
}

impl RefundState {
    pub const ALL: [Self; 5] = [Self::Requested, Self::Pending, Self::Succeeded, Self::Failed, Self::Unknown];

    /// The state after a change. The same state again is a repeat and does nothing.
    pub fn after(self, change: RefundChange) -> Result<Self, IllegalChange> {
        use RefundChange::{Accept, Fail, LoseSight, Succeed};
        use RefundState as S;
        match (self, change) {
            (S::Requested | S::Pending, Accept) => Ok(S::Pending),
            (S::Requested | S::Pending | S::Unknown, Succeed) => Ok(S::Succeeded),
            (S::Requested | S::Pending | S::Unknown, Fail) => Ok(S::Failed),
            (S::Requested | S::Pending | S::Unknown, LoseSight) => Ok(S::Unknown),
            (S::Unknown, Accept) => Err(IllegalChange),
            (S::Succeeded, Succeed) => Ok(S::Succeeded),
            (S::Succeeded, Accept | Fail | LoseSight) => Err(IllegalChange),
            (S::Failed, Fail) => Ok(S::Failed),
            (S::Failed, Accept | Succeed | LoseSight) => Err(IllegalChange),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Nobody has said yet how it ends; access to its units is refused meanwhile.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::Pending | Self::Unknown)
    }
}

impl RefundChange {
    pub const ALL: [Self; 4] = [Self::Accept, Self::Succeed, Self::Fail, Self::LoseSight];
}
