//! Rows of links and sessions, and what decides about a grant.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::base::ids::{
    DownloadSessionId, FileId, FileVersionId, GrantId, LineId, LinkId, OrderId, SellerId, UnitId,
};
use crate::files::state::GrantState;

/// A grant with everything around it that decides whether it may be used at `now`.
#[derive(Clone, Debug, QueryableByName)]
pub struct GrantStanding {
    #[diesel(sql_type = SqlUuid)]
    pub grant_id: GrantId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = SqlUuid)]
    pub unit_id: UnitId,
    #[diesel(sql_type = SqlUuid)]
    pub file_id: FileId,
    #[diesel(sql_type = Text)]
    pub state: GrantState,
    #[diesel(sql_type = Nullable<Integer>)]
    pub max_downloads: Option<i32>,
    #[diesel(sql_type = Integer)]
    pub used: i32,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub expires_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Bool)]
    pub bind_address: bool,
    #[diesel(sql_type = Text)]
    pub order_state: String,
    /// Grows when access to the order is revoked: links of an older one work no more.
    #[diesel(sql_type = Integer)]
    pub access_generation: i32,
    #[diesel(sql_type = Text)]
    pub unit_state: String,
    /// Why nothing of this unit may leave now.
    #[diesel(sql_type = Nullable<Text>)]
    pub hold: Option<String>,
    /// The order's money went to the buyer by a dispute.
    #[diesel(sql_type = Bool)]
    pub is_lost: bool,
    /// The session that is open now.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub session_id: Option<DownloadSessionId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub session_version_id: Option<FileVersionId>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub session_served: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub session_cap: Option<i64>,
    /// The version bought.
    #[diesel(sql_type = SqlUuid)]
    pub bought_version_id: FileVersionId,
    /// What a link made now serves: the newest version when updates are included, else the one bought; none when it
    /// is yanked.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub current_version_id: Option<FileVersionId>,
    /// The newest version that is not yanked, included or not.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub newest_version_id: Option<FileVersionId>,
    #[diesel(sql_type = Timestamptz)]
    pub now: DateTime<Utc>,
}

/// A link as its token finds it.
#[derive(Clone, Debug, QueryableByName)]
pub struct Link {
    #[diesel(sql_type = SqlUuid)]
    pub id: LinkId,
    #[diesel(sql_type = SqlUuid)]
    pub grant_id: GrantId,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// The session it started or joined.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub session_id: Option<DownloadSessionId>,
    /// The order's access generation it was made in.
    #[diesel(sql_type = Integer)]
    pub generation: i32,
}
