//! Rows of recalls and their pieces.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::base::ids::{BatchId, LineId, OrderId, RecallId, RefundId, SellerId, UnitId, UserId};

crate::text_column!(RecallAction, PieceOutcome);

/// What those get who hold keys of a recalled batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecallAction {
    /// Another key each.
    Replace,
    /// Their money.
    Refund,
    /// Nothing yet: they are listed.
    ListOnly,
}

impl RecallAction {
    pub const ALL: [Self; 3] = [Self::Replace, Self::Refund, Self::ListOnly];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Refund => "refund",
            Self::ListOnly => "list_only",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

/// What became of a piece whose buyer holds a recalled key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PieceOutcome {
    /// Nothing is to be done about it.
    Listed,
    /// The job has not come to it.
    Open,
    /// Another piece took its place.
    Replaced,
    /// Its money goes back.
    Refunded,
    /// It was taken back or replaced before.
    Skipped,
    /// A person has to look at it.
    Failed,
}

impl PieceOutcome {
    pub const ALL: [Self; 6] =
        [Self::Listed, Self::Open, Self::Replaced, Self::Refunded, Self::Skipped, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Open => "open",
            Self::Replaced => "replaced",
            Self::Refunded => "refunded",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// A recall with how far it has come.
#[derive(Clone, Debug, QueryableByName)]
pub struct RecallRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: RecallId,
    #[diesel(sql_type = SqlUuid)]
    pub batch_id: BatchId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = Text)]
    pub action: RecallAction,
    #[diesel(sql_type = Text)]
    pub reason: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub requested_by: Option<UserId>,
    /// Keys that were taken out of sale.
    #[diesel(sql_type = BigInt)]
    pub frozen: i64,
    /// Pieces whose buyers held a key when it was recalled.
    #[diesel(sql_type = BigInt)]
    pub holders: i64,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub finished_at: Option<DateTime<Utc>>,
    /// Pieces that the job has not come to.
    #[diesel(sql_type = BigInt)]
    pub open: i64,
    /// Those with another key.
    #[diesel(sql_type = BigInt)]
    pub replaced: i64,
    /// Those whose successor waits for its goods.
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    #[diesel(sql_type = BigInt)]
    pub refunded: i64,
    #[diesel(sql_type = BigInt)]
    pub skipped: i64,
    /// Those that a person has to look at, refunds that failed included.
    #[diesel(sql_type = BigInt)]
    pub failed: i64,
}

/// A piece whose buyer holds a recalled key, or held one.
#[derive(Clone, Debug, QueryableByName)]
pub struct RecallPieceRow {
    #[diesel(sql_type = SqlUuid)]
    pub unit_id: UnitId,
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = Text)]
    pub state: PieceOutcome,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub successor_id: Option<UnitId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub refund_id: Option<RefundId>,
    /// Why it was skipped or failed.
    #[diesel(sql_type = Nullable<Text>)]
    pub code: Option<String>,
}
