//! What gateways' statements say, in our words.

use chrono::{DateTime, Utc};

use crate::base::money::Currency;

/// What a statement's line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stated {
    Payment,
    /// One refund.
    Refund,
    /// One refund that had been booked and came back to the account.
    RefundFailed,
    /// All that went back of a trade so far, from gateways that name no single refund.
    RefundSum,
}

impl Stated {
    pub const ALL: [Self; 4] = [Self::Payment, Self::Refund, Self::RefundFailed, Self::RefundSum];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::RefundFailed => "refund_failed",
            Self::RefundSum => "refund_sum",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stated| stated.as_str() == text)
    }

    /// It is about one refund and may name it.
    pub fn is_one_refund(self) -> bool {
        matches!(self, Self::Refund | Self::RefundFailed)
    }
}

/// One line of a gateway's statement. Amounts are ISO 4217's minor units, positive when money moved as `stated` says;
/// negative when the statement books it the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    pub stated: Stated,
    /// Our number as we sent it, where the statement has it.
    pub number: Option<String>,
    pub trade_no: String,
    /// Our refund's id and the gateway's, of refunds.
    pub refund_id: Option<String>,
    pub gateway_refund_id: Option<String>,
    pub amount_minor: i64,
    /// What the gateway kept; negative when it gave a fee back.
    pub fee_minor: Option<i64>,
    pub currency: Currency,
    pub at: DateTime<Utc>,
}

/// What came of asking for a statement.
#[derive(Clone, Debug)]
pub enum Statement {
    Lines(Vec<StatementLine>),
    /// Not made yet: ask again later.
    NotReady,
    Unknown(String),
    Unsupported,
}
