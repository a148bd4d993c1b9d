//! Rows of the vault. The text of a key is in none of them: only its sealed form, which never leaves this feature.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde_json::Value;
use uuid::Uuid;

use crate::base::ids::{BatchId, KeyId, SellerId, UnitId, UserId, VariantId};
use crate::base::outcome::Fault;
use crate::infra::db::schema::key_batch;
use crate::vault::claim::Claimed;
use crate::vault::layout::Layout;
use crate::vault::lines::{Encoding, Mark};
use crate::vault::state::{BatchState, KeyState};

crate::text_column!(KeyState, BatchState, Origin);

/// Where the keys of a batch come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Import,
    Generated,
    /// Each key was bought for a unit.
    Bought,
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Import => "import",
            Origin::Generated => "generated",
            Origin::Bought => "bought",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Origin::Import, Origin::Generated, Origin::Bought].into_iter().find(|o| o.as_str() == text)
    }
}

/// Keys that came into the vault together.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = key_batch, check_for_backend(diesel::pg::Pg))]
pub struct Batch {
    pub id: BatchId,
    pub seller_id: SellerId,
    pub variant_id: VariantId,
    pub origin: Origin,
    pub state: BatchState,
    pub data_key_id: Uuid,
    pub note: Option<String>,
    pub created_by: Option<UserId>,
    /// How many keys are to be generated.
    pub wanted: Option<i64>,
    pub format: Option<Value>,
    pub keys_expire_at: Option<DateTime<Utc>>,
    /// Lines read so far, blank and refused ones counted; a run that was cut goes on after them.
    pub lines: i64,
    pub added: i64,
    pub refused: i64,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Bytes of the file read so far.
    pub bytes: i64,
    /// Of the lines read so far; none before the first, and for batches that are generated.
    pub digest: Option<Vec<u8>>,
    pub encoding: Option<String>,
    layout: Option<Value>,
    /// Its keys are looked at before they are sold.
    pub preview: bool,
    /// Keys that are stored to be looked at.
    pub staged: i64,
    /// Of the lines refused: those whose text is there already.
    pub duplicates: i64,
    /// Since when none of its keys is sold any more.
    pub recalled_at: Option<DateTime<Utc>>,
}

impl Batch {
    /// How its file is laid out.
    pub fn layout(&self) -> Result<Layout, Fault> {
        let Some(layout) = &self.layout else { return Ok(Layout::default()) };
        serde_json::from_value(layout.clone()).map_err(|e| Fault::bug(format!("the layout of a batch: {e}")))
    }

    /// How far its file was read; none when an earlier program read it, which kept no digest.
    pub fn mark(&self) -> Option<Mark> {
        let digest = match &self.digest {
            Some(digest) => digest.as_slice().try_into().ok()?,
            None if self.lines == 0 => [0; 32],
            None => return None,
        };
        let encoding = self.encoding.as_deref().and_then(Encoding::parse);
        Some(Mark { lines: self.lines, bytes: self.bytes, digest, encoding })
    }
}

/// What the vault must know of the variant that its keys are for.
#[derive(Clone, Debug)]
pub struct KeyVariant {
    pub seller_id: SellerId,
    /// Keys that differ in case alone are the same.
    pub fold_case: bool,
    pub key_format: Option<Value>,
}

/// A sealed key, ready to be stored.
pub(super) struct SealedKey {
    pub id: KeyId,
    pub line: i64,
    pub fingerprint: [u8; 32],
    /// The one it would have if its variant saw case the other way.
    pub otherwise: [u8; 32],
    pub sealed: Vec<u8>,
    /// None: as its batch says.
    pub expires_at: Option<DateTime<Utc>>,
}

/// One row of a claim.
#[derive(QueryableByName)]
pub(super) struct ClaimedRow {
    #[diesel(sql_type = SqlUuid)]
    variant_id: VariantId,
    #[diesel(sql_type = Array<SqlUuid>)]
    key_ids: Vec<KeyId>,
}

impl From<ClaimedRow> for Claimed {
    fn from(row: ClaimedRow) -> Self {
        Self { variant_id: row.variant_id, key_ids: row.key_ids }
    }
}

/// The line of a key that was stored.
#[derive(QueryableByName)]
pub(super) struct StoredLine {
    #[diesel(sql_type = Bytea)]
    pub fp: Vec<u8>,
}

/// The text of a unit, sealed.
#[derive(QueryableByName)]
pub(super) struct SealedRow {
    /// The table it is stored in.
    #[diesel(sql_type = Text)]
    pub source: String,
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub unit_id: UnitId,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = SqlUuid)]
    pub data_key_id: Uuid,
    #[diesel(sql_type = Bytea)]
    pub sealed: Vec<u8>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub revealed_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key without its fingerprint under the present definition of texts.
#[derive(QueryableByName)]
pub(super) struct OldPrint {
    #[diesel(sql_type = SqlUuid)]
    pub id: KeyId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = Text)]
    pub state: KeyState,
    #[diesel(sql_type = SqlUuid)]
    pub data_key_id: Uuid,
    #[diesel(sql_type = Bytea)]
    pub sealed: Vec<u8>,
}

/// Whose fingerprint it is.
#[derive(QueryableByName)]
pub(super) struct PrintOf {
    #[diesel(sql_type = SqlUuid)]
    pub id: KeyId,
    #[diesel(sql_type = Bytea)]
    pub fp_next: Vec<u8>,
}

#[derive(QueryableByName)]
pub(super) struct VariantRow {
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
}

/// A key whose state a refund, a person or the calendar changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct ChangedKey {
    #[diesel(sql_type = SqlUuid)]
    pub id: KeyId,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = Text)]
    pub state: KeyState,
}

/// How many keys of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct VariantCount {
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = BigInt)]
    pub keys: i64,
}

/// How many keys of a variant may be sold, up to the limit that was asked for.
#[derive(QueryableByName)]
pub(super) struct StockRow {
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = BigInt)]
    pub available: i64,
}

/// How many texts were marked.
#[derive(QueryableByName)]
pub(super) struct Marked {
    #[diesel(sql_type = BigInt)]
    pub marked: i64,
}
