//! Rows of refunds.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::base::ids::{OrderId, PaymentId, RefundId, UnitId, UserId};
use crate::base::money::Currency;
use crate::infra::db::schema::refund;
use crate::payments::refunds::state::RefundState;
use crate::text_column;

text_column!(RefundState, Basis);

/// What a row rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// One refund at the gateway: asked for here, or known by the gateway's id.
    Refund,
    /// A part of a sum that no known refund explains. Gives way when the refund itself becomes known; the amount is 0
    /// then.
    Sum,
}

impl Basis {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Sum => "sum",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Refund, Self::Sum].into_iter().find(|b| b.as_str() == text)
    }
}

/// Money on its way back. Amounts are minor units of `currency`.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = refund, check_for_backend(diesel::pg::Pg))]
pub struct Refund {
    pub id: RefundId,
    pub order_id: OrderId,
    pub payment_id: PaymentId,
    pub state: RefundState,
    pub amount_minor: i64,
    pub currency: Currency,
    pub reason: Option<String>,
    /// `staff`, `automatic`, or `gateway` for one that was made there.
    pub origin: String,
    pub gateway_refund_id: Option<String>,
    pub requested_by: Option<UserId>,
    pub requested_at: DateTime<Utc>,
    pub succeeded_at: Option<DateTime<Utc>>,
    pub failure_code: Option<String>,
    pub checks: i32,
    pub basis: Basis,
    /// What of it counts as given back.
    pub counted_minor: i64,
    /// By the gateway's clock: when it was made, when it failed, when the last thing heard of it was said.
    pub made_at: Option<DateTime<Utc>>,
    pub failed_at: Option<DateTime<Utc>>,
    pub said_at: Option<DateTime<Utc>>,
    /// What of it the buyer was mailed about, by this row or by the row of a sum that it explains. More than the amount
    /// where a sum gave way.
    pub mailed_minor: i64,
    /// By our clock: when it was heard that it is in its state.
    pub heard_at: DateTime<Utc>,
    /// It succeeded at some time, also when it failed later.
    pub ever_succeeded: bool,
}

/// A refund in the hands of a transaction that holds its order's lock.
#[derive(Clone, Debug)]
pub struct TrackedRefund {
    /// As it was read; none when this transaction writes it first.
    pub before: Option<Refund>,
    pub row: Refund,
    /// The units it names.
    pub units: Vec<UnitId>,
    /// Of a row that is written first: what of it falls on each of them.
    pub shares: Vec<(UnitId, i64)>,
    /// The mail goes out with this transaction.
    pub mail_due: bool,
    /// So does the mail that it failed after all: its buyer was mailed that the money is on its way.
    pub failure_mail_due: bool,
    /// The gateway waits for a person there (WeChat Pay's ABNORMAL).
    pub needs_person: bool,
}

impl TrackedRefund {
    pub fn read(row: Refund, units: Vec<UnitId>) -> Self {
        let before = Some(row.clone());
        Self { before, units, ..Self::new(row) }
    }

    pub fn new(row: Refund) -> Self {
        Self::naming(row, Vec::new())
    }

    /// A refund that names units, with what of it falls on each.
    pub fn naming(row: Refund, shares: Vec<(UnitId, i64)>) -> Self {
        let units = shares.iter().map(|share| share.0).collect();
        let (mail_due, failure_mail_due, needs_person) = (false, false, false);
        Self { before: None, row, units, shares, mail_due, failure_mail_due, needs_person }
    }

    pub fn is_changed(&self) -> bool {
        self.before.as_ref() != Some(&self.row)
    }

    /// The state before, when this transaction moved it; a new row comes from none.
    pub fn moved_from(&self) -> Option<Option<RefundState>> {
        let before = self.before.as_ref().map(|b| b.state);
        (before != Some(self.row.state)).then_some(before)
    }

    /// Notes when its state was heard of, once in a transaction.
    pub fn note_heard(&mut self, now: DateTime<Utc>) {
        let Some(before) = &self.before else { return };
        if before.state != self.row.state && before.heard_at == self.row.heard_at {
            self.row.heard_at = now;
        }
    }

    /// One refund that the gateway is known to have made or to be making.
    pub fn is_identified(&self) -> bool {
        self.row.basis == Basis::Refund
    }
}
