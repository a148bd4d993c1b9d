//! Rows of statements. Amounts are minor units.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Date, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::base::ids::{OrderId, PaymentId, RefundId, StatementRunId};
use crate::base::money::Currency;
use crate::infra::effects::tasks::{NewTask, TaskKind};
use crate::payments::gateways::gateway::Stated;
use crate::payments::statements::state::RunState;
use crate::payments::tasks;
use crate::text_column;

text_column!(Stated);

/// One reading of an account's statement of a day.
#[derive(Clone, Debug, QueryableByName)]
pub struct Run {
    #[diesel(sql_type = SqlUuid)]
    pub id: StatementRunId,
    #[diesel(sql_type = Text)]
    pub account_id: String,
    /// Of the gateway's own calendar.
    #[diesel(sql_type = Date)]
    pub day: NaiveDate,
    /// `gateway` or `file`.
    #[diesel(sql_type = Text)]
    pub source: String,
    #[diesel(sql_type = Text)]
    pub state: RunState,
    #[diesel(sql_type = Integer)]
    pub lines: i32,
    /// Not read before.
    #[diesel(sql_type = Integer)]
    pub new_lines: i32,
    #[diesel(sql_type = BigInt)]
    pub(super) compared_to: i64,
    #[diesel(sql_type = Nullable<Text>)]
    pub failure: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    pub requested_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub ended_at: Option<DateTime<Utc>>,
    /// Of its new lines, those whose fact agrees with our books.
    #[diesel(sql_type = BigInt)]
    pub matched: i64,
}

/// One thing that statements say of an account: a payment, a refund, a refund that came back, or the sum of a trade's
/// refunds. There is one row for it, whatever file or day says it.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub(super) struct Fact {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// The statement that says it as it is stored here.
    #[diesel(sql_type = Date)]
    pub day: NaiveDate,
    #[diesel(sql_type = Text)]
    pub stated: Stated,
    #[diesel(sql_type = Text)]
    pub trade_no: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub number: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub refund_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub gateway_refund_id: Option<String>,
    /// Distinguishes refunds of which no line names any id.
    #[diesel(sql_type = Nullable<Text>)]
    pub unnamed: Option<String>,
    #[diesel(sql_type = BigInt)]
    pub amount_minor: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub fee_minor: Option<i64>,
    #[diesel(sql_type = Text)]
    pub currency: Currency,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Text>)]
    pub outcome: Option<String>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub our_refund: Option<RefundId>,
    /// How much of its fee is in the ledger.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub booked_minor: Option<i64>,
}

impl Fact {
    /// Something is left to be done about it: both sides do not agree (yet), or its fee is not in the ledger as it is.
    pub fn is_open(&self) -> bool {
        self.outcome.as_deref() != Some("matched") || self.booked_minor != self.fee_minor
    }

    /// No line says which refund it is.
    pub fn is_unnamed(&self) -> bool {
        self.refund_id.is_none() && self.gateway_refund_id.is_none()
    }

    /// What it is about, for distinguishing one difference from another.
    pub fn subject(&self) -> String {
        let refund = self.gateway_refund_id.as_deref().or(self.refund_id.as_deref());
        match (self.stated, refund) {
            (Stated::Payment, _) => self.trade_no.clone(),
            (Stated::RefundSum, _) => format!("{}:sum", self.trade_no),
            (Stated::Refund | Stated::RefundFailed, Some(refund)) => refund.to_owned(),
            (Stated::Refund | Stated::RefundFailed, None) => {
                format!("{}:{}:{}", self.trade_no, self.amount_minor, self.at.timestamp())
            }
        }
    }
}

/// In what two sides disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    PaidThereOnly,
    PaidHereOnly,
    AmountDiffers,
    RefundDiffers,
    /// The gateway kept another fee than the account's policy expects. Reported, and no task.
    FeeDiffers,
    /// It could not be compared or booked at all.
    NotBooked,
    /// What is in the statement could not be read.
    Unreadable,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaidThereOnly => "paid_there_only",
            Self::PaidHereOnly => "paid_here_only",
            Self::AmountDiffers => "amount_differs",
            Self::RefundDiffers => "refund_differs",
            Self::FeeDiffers => "fee_differs",
            Self::NotBooked => "not_booked",
            Self::Unreadable => "unreadable",
        }
    }

    /// How the task for a person is made; none where nobody has to look.
    pub(super) fn task(self) -> Option<fn(String, tasks::Difference) -> NewTask> {
        match self {
            Self::PaidThereOnly => Some(tasks::PaidThereOnly::open),
            Self::PaidHereOnly => Some(tasks::PaidHereOnly::open),
            Self::AmountDiffers => Some(tasks::AmountDiffers::open),
            Self::RefundDiffers => Some(tasks::RefundDiffers::open),
            Self::NotBooked => Some(tasks::NotBooked::open),
            Self::Unreadable => Some(tasks::Unreadable::open),
            Self::FeeDiffers => None,
        }
    }
}

/// A difference that is to be recorded.
#[derive(Clone, Debug)]
pub(super) struct NewDifference {
    pub kind: Kind,
    pub subject: String,
    pub order_id: Option<OrderId>,
    pub payment_id: Option<PaymentId>,
    pub there_minor: Option<i64>,
    pub here_minor: Option<i64>,
    pub currency: Currency,
    /// Why it could not be read or booked.
    pub why: Option<String>,
}

/// A difference between a statement and our books.
#[derive(Clone, Debug, QueryableByName)]
pub struct Difference {
    #[diesel(sql_type = SqlUuid)]
    pub run_id: StatementRunId,
    /// `paid_there_only`, `paid_here_only`, `amount_differs`, `refund_differs`, `fee_differs`, `not_booked`,
    /// `unreadable`.
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Text)]
    pub subject: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub order_id: Option<OrderId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub payment_id: Option<PaymentId>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub there_minor: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub here_minor: Option<i64>,
    #[diesel(sql_type = Text)]
    pub currency: Currency,
    #[diesel(sql_type = Timestamptz)]
    pub found_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub ended_at: Option<DateTime<Utc>>,
}
