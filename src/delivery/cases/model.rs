//! Rows of cases and their answers.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::base::ids::{CaseId, LineId, OrderId, RefundId, SellerId, UnitId};
use crate::delivery::cases::state::{CaseAction, CaseState};

crate::text_column!(CaseState, CaseAction);

/// What a buyer reported of a piece.
#[derive(Clone, Debug, QueryableByName)]
pub struct CaseRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: CaseId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = SqlUuid)]
    pub unit_id: UnitId,
    /// Open code.
    #[diesel(sql_type = Text)]
    pub problem: String,
    /// `replace`, `refund` or `help`.
    #[diesel(sql_type = Text)]
    pub wish: String,
    /// The buyer's own words, without the key.
    #[diesel(sql_type = Nullable<Text>)]
    pub text: Option<String>,
    #[diesel(sql_type = Text)]
    pub state: CaseState,
    /// `replaced`, `refunded` or `rejected`, once it is closed.
    #[diesel(sql_type = Nullable<Text>)]
    pub outcome: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    pub opened_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub answered_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub closed_at: Option<DateTime<Utc>>,
}

/// An answer to a case.
#[derive(Clone, Debug, QueryableByName)]
pub struct AnswerRow {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = SqlUuid)]
    pub case_id: CaseId,
    #[diesel(sql_type = Text)]
    pub action: CaseAction,
    #[diesel(sql_type = Text)]
    pub text: String,
    /// By staff of the shop, not by who sells it.
    #[diesel(sql_type = Bool)]
    pub by_staff: bool,
    /// What took the piece's place.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub successor_id: Option<UnitId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub refund_id: Option<RefundId>,
    #[diesel(sql_type = Timestamptz)]
    pub answered_at: DateTime<Utc>,
}
