//! Rows of the vault. The text of a key is in none of them: only its sealed form, which never leaves this feature.

use diesel::prelude::*;
use diesel::sql_types::{Array, Uuid as SqlUuid};

use crate::base::ids::{KeyId, VariantId};
use crate::vault::claim::Claimed;
use crate::vault::state::KeyState;

crate::text_column!(KeyState);

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
