//! Rows of files, grants, links and sessions.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::Uuid as SqlUuid;

use crate::base::ids::{FileId, FileVersionId, GrantId, LineId, OrderId, SellerId, UnitId, VariantId};
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
