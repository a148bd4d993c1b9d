//! What the kinds must know of files.

use std::collections::HashSet;

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::VariantId;
use crate::infra::db::schema::{file, file_version};

/// Those of the variants that have a file with a version that may be downloaded.
pub(super) async fn list_published(
    conn: &mut AsyncPgConnection,
    variants: impl Iterator<Item = VariantId>,
) -> QueryResult<HashSet<VariantId>> {
    let published = diesel::dsl::exists(
        file_version::table
            .filter(file_version::file_id.eq(file::id))
            .filter(file_version::yanked_at.is_null()),
    );
    let rows: Vec<VariantId> = file::table
        .filter(file::variant_id.eq_any(variants.map(|v| v.0)))
        .filter(published)
        .select(file::variant_id)
        .distinct()
        .load(conn)
        .await?;
    Ok(rows.into_iter().collect())
}
