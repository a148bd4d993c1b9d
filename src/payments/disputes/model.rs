//! Rows of disputes.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::base::ids::{DisputeId, OrderId, PaymentId};
use crate::base::money::Currency;
use crate::infra::db::schema::dispute;
use crate::payments::disputes::state::DisputeState;
use crate::text_column;

text_column!(DisputeState);

/// A dispute about a payment or a part of it. Amounts are minor units of `currency`.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = dispute, check_for_backend(diesel::pg::Pg))]
pub struct Dispute {
    pub id: DisputeId,
    pub order_id: OrderId,
    pub payment_id: PaymentId,
    pub account_id: String,
    /// None: the gateway only said that the payment is disputed.
    pub gateway_dispute_id: Option<String>,
    pub state: DisputeState,
    /// What it is about; of a lost one, what the buyer got.
    pub amount_minor: i64,
    /// What of it counts as lost.
    pub counted_minor: i64,
    pub currency: Currency,
    /// The gateway's own code.
    pub reason: Option<String>,
    pub opened_at: DateTime<Utc>,
    pub decided_at: Option<DateTime<Utc>>,
    /// By the gateway's clock: when the last thing heard about it was said.
    pub said_at: Option<DateTime<Utc>>,
}

/// A dispute in the hands of a transaction that holds its order's lock.
#[derive(Clone, Debug)]
pub struct TrackedDispute {
    /// As it was read; none when this transaction writes it first.
    pub before: Option<Dispute>,
    pub row: Dispute,
}

impl TrackedDispute {
    pub fn read(row: Dispute) -> Self {
        Self { before: Some(row.clone()), row }
    }

    pub fn is_changed(&self) -> bool {
        self.before.as_ref() != Some(&self.row)
    }

    /// The state before, when this transaction moved it; a new row comes from none.
    pub fn moved_from(&self) -> Option<Option<DisputeState>> {
        let before = self.before.as_ref().map(|b| b.state);
        (before != Some(self.row.state)).then_some(before)
    }
}
