//! Rows of files, uploads and grants.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::base::ids::{
    FileId, FileVersionId, GrantId, LineId, OrderId, SellerId, UnitId, UploadId, UserId, VariantId,
};
use crate::files::state::{GrantState, UploadState};

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
    /// Links work only in the network they were made in.
    pub bind_address: bool,
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
