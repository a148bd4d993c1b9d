//! Rows of statements. Amounts are minor units.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Date, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::base::ids::{OrderId, PaymentId, StatementRunId};
use crate::base::money::Currency;
use crate::payments::statements::state::RunState;

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
    /// Of its new lines.
    #[diesel(sql_type = BigInt)]
    pub matched: i64,
}

/// A line that is to be compared.
#[derive(Clone, Debug, QueryableByName)]
pub(super) struct Line {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Text)]
    pub stated: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub number: Option<String>,
    #[diesel(sql_type = Text)]
    pub trade_no: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub refund_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub gateway_refund_id: Option<String>,
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
    #[diesel(sql_type = Bool)]
    pub fee_booked: bool,
}

impl Line {
    pub fn is_refund(&self) -> bool {
        self.stated == "refund"
    }

    /// What it speaks of, for telling one difference from another.
    pub fn subject(&self) -> String {
        let refund = self.gateway_refund_id.as_deref().or(self.refund_id.as_deref());
        match (self.is_refund(), refund) {
            (false, _) => self.trade_no.clone(),
            (true, Some(refund)) => refund.to_owned(),
            (true, None) => format!("{}:{}:{}", self.trade_no, self.amount_minor, self.at.timestamp()),
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
    /// The gateway kept another fee than the account's policy expects. Told, and no task.
    FeeDiffers,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaidThereOnly => "paid_there_only",
            Self::PaidHereOnly => "paid_here_only",
            Self::AmountDiffers => "amount_differs",
            Self::RefundDiffers => "refund_differs",
            Self::FeeDiffers => "fee_differs",
        }
    }

    /// The kind of the task for a person.
    pub fn task(self) -> Option<&'static str> {
        match self {
            Self::PaidThereOnly => Some("statement_paid_there_only"),
            Self::PaidHereOnly => Some("statement_paid_here_only"),
            Self::AmountDiffers => Some("statement_amount_differs"),
            Self::RefundDiffers => Some("statement_refund_differs"),
            Self::FeeDiffers => None,
        }
    }
}

/// A difference that is to be written down.
#[derive(Clone, Debug)]
pub(super) struct NewDifference {
    pub kind: Kind,
    pub subject: String,
    pub order_id: Option<OrderId>,
    pub payment_id: Option<PaymentId>,
    pub there_minor: Option<i64>,
    pub here_minor: Option<i64>,
    pub currency: Currency,
}

/// A difference between a statement and our books.
#[derive(Clone, Debug, QueryableByName)]
pub struct Difference {
    #[diesel(sql_type = SqlUuid)]
    pub run_id: StatementRunId,
    /// `paid_there_only`, `paid_here_only`, `amount_differs`, `refund_differs`, `fee_differs`.
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
