//! Rows of files, grants, links and sessions.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::base::ids::{
    DownloadSessionId, FileId, FileVersionId, GrantId, LineId, LinkId, OrderId, SellerId, UnitId, UploadId,
    UserId, VariantId,
};
use crate::downloads::state::{GrantState, UploadState};

crate::text_column!(GrantState, UploadState);

/// A paid unit of a line of files that is to get its grants.
#[derive(Clone, Debug)]
pub struct GrantWant {
    pub unit_id: UnitId,
    pub line_id: LineId,
    pub order_id: OrderId,
    pub seller_id: SellerId,
    pub variant_id: VariantId,
    /// Downloads per file; `None` is unlimited.
    pub max_downloads: Option<i32>,
    /// `None` is for ever.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A grant that was made or revoked just now.
#[derive(Clone, Debug, QueryableByName)]
pub struct Granted {
    #[diesel(sql_type = SqlUuid)]
    pub id: GrantId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = SqlUuid)]
    pub unit_id: UnitId,
    #[diesel(sql_type = SqlUuid)]
    pub file_id: FileId,
    #[diesel(sql_type = SqlUuid)]
    pub file_version_id: FileVersionId,
}

/// One published content of a file.
#[derive(Clone, Debug, QueryableByName)]
pub struct FileVersion {
    #[diesel(sql_type = SqlUuid)]
    pub id: FileVersionId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = SqlUuid)]
    pub file_id: FileId,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub version: String,
    /// Bytes.
    #[diesel(sql_type = BigInt)]
    pub size: i64,
    #[diesel(sql_type = Bytea)]
    pub sha256: Vec<u8>,
    #[diesel(sql_type = Text)]
    pub content_type: String,
    /// Key of the file store; never shown.
    #[diesel(sql_type = Text)]
    pub blob: String,
    #[diesel(sql_type = Timestamptz)]
    pub published_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub yanked_at: Option<DateTime<Utc>>,
}

impl FileVersion {
    /// The strong entity tag: the hash of the content, quoted.
    pub fn etag(&self) -> String {
        format!("\"{}\"", hex::encode(&self.sha256))
    }
}

/// A grant with everything around it that decides whether it may be used at `now`.
#[derive(Clone, Debug, QueryableByName)]
pub struct Standing {
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

/// How far a session has got.
#[derive(Clone, Debug, QueryableByName)]
pub struct Progress {
    #[diesel(sql_type = BigInt)]
    pub served_bytes: i64,
    #[diesel(sql_type = BigInt)]
    pub byte_cap: i64,
}

/// A body on its way into the shop.
#[derive(Clone, Debug, QueryableByName)]
pub struct Upload {
    #[diesel(sql_type = SqlUuid)]
    pub id: UploadId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub user_id: Option<UserId>,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub content_type: String,
    /// Bytes announced.
    #[diesel(sql_type = BigInt)]
    pub size: i64,
    /// Bytes that are here: none or all.
    #[diesel(sql_type = BigInt)]
    pub received: i64,
    #[diesel(sql_type = Text)]
    pub state: UploadState,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub sha256: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Text>)]
    pub blob: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: DateTime<Utc>,
}
