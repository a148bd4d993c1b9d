//! Rows of payments.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;

use crate::base::ids::{OrderId, PaymentId};
use crate::base::money::Currency;
use crate::infra::db::schema::payment;
use crate::payments::state::PaymentState;
use crate::text_column;

text_column!(PaymentState);

/// One attempt to pay, or money that came without one. Amounts are minor units.
#[derive(Clone, Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = payment, check_for_backend(diesel::pg::Pg))]
pub struct Payment {
    pub id: PaymentId,
    pub order_id: OrderId,
    pub account_id: String,
    pub attempt: i32,
    /// The number the gateway knows it by; none for money that came a second time under a used number.
    pub gateway_number: Option<String>,
    pub state: PaymentState,
    pub expected_minor: i64,
    pub expected_currency: Currency,
    pub received_minor: Option<i64>,
    pub received_currency: Option<Currency>,
    /// Pays for its order's lines.
    pub allocated: bool,
    pub refunded_minor: i64,
    /// What disputes took.
    pub lost_minor: i64,
    /// The newest sum of all refunds that the gateway named, and when it was true: by the gateway's clock, or, when it
    /// answers a question, by ours when we asked.
    pub told_sum_minor: Option<i64>,
    pub told_sum_at: Option<DateTime<Utc>>,
    /// By our clock: when the sum was stored.
    pub told_sum_heard_at: Option<DateTime<Utc>>,
    /// The sum answers a question.
    pub told_sum_asked: bool,
    pub trade_no: Option<String>,
    pub gateway_reference: Option<String>,
    pub action: Option<Value>,
    pub failure_code: Option<String>,
    pub options: Value,
    pub started_at: DateTime<Utc>,
    pub captured_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub next_check_at: Option<DateTime<Utc>>,
    pub checks: i32,
    /// When the buyer last came back from the gateway while it was open.
    pub returned_at: Option<DateTime<Utc>>,
}

impl Payment {
    /// The number its gateway knows it by; money that came a second time has the number it came under.
    pub fn number_there(&self) -> &str {
        let second = || self.options.get("number").and_then(Value::as_str);
        self.gateway_number.as_deref().or_else(second).unwrap_or_default()
    }

    /// Money that pays for nothing: not what was asked for, or one time too many.
    pub fn waits_for_a_person(&self) -> bool {
        self.state.was_captured() && !self.allocated && self.kept_minor() > 0
    }

    /// What is here and neither went back nor was lost, minor units of the received currency.
    pub fn kept_minor(&self) -> i64 {
        self.received_minor.unwrap_or(0) - self.refunded_minor - self.lost_minor
    }
}
