//! What gateways' statements say, in our terms.

use std::fmt;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

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

/// The place of something in a file or an answer, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPlace {
    what: &'static str,
    number: usize,
}

impl EntryPlace {
    /// A line of the file.
    pub fn line(number: usize) -> Self {
        Self { what: "line", number }
    }

    /// One of the things that an answer or a file lists.
    pub fn listed(what: &'static str, number: usize) -> Self {
        Self { what, number }
    }
}

impl fmt::Display for EntryPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.number)
    }
}

/// What a statement contains and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The trade or refund that it is about, else what identifies it among all; the same however often it is read.
    pub subject: String,
    pub why: String,
}

/// One entry of a statement. One that cannot be read says nothing about the others: it is stored as a difference and goes to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementEntry {
    pub place: EntryPlace,
    pub said: Result<StatementLine, Unread>,
}

impl StatementEntry {
    pub fn read(place: EntryPlace, line: StatementLine) -> Self {
        Self { place, said: Ok(line) }
    }

    /// `id` is what the gateway calls it, as far as that can be read; `raw` is all of it.
    pub fn unread(place: EntryPlace, id: Option<&str>, raw: &[u8], why: impl Into<String>) -> Self {
        let id = id.map(str::trim).filter(|id| (1..=100).contains(&id.len()));
        let subject =
            id.map_or_else(|| format!("unread:{}", hex::encode(&Sha256::digest(raw)[..12])), str::to_owned);
        Self { place, said: Err(Unread { subject, why: why.into() }) }
    }
}

/// What came of asking for a statement.
#[derive(Clone, Debug)]
pub enum Statement {
    Entries(Vec<StatementEntry>),
    /// Not made yet: ask again later.
    NotReady,
    Unknown(String),
    Unsupported,
}
