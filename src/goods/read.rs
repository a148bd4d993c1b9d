//! What the kinds must know of variants.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::VariantId;
use crate::goods::kind::Facts;
use crate::infra::db::schema::{file, file_version};

/// Facts of the given variants; those without any are left out.
pub async fn facts(
    conn: &mut AsyncPgConnection,
    variants: &[VariantId],
) -> QueryResult<HashMap<VariantId, Facts>> {
    if variants.is_empty() {
        return Ok(HashMap::new());
    }
    let published = diesel::dsl::exists(
        file_version::table
            .filter(file_version::file_id.eq(file::id))
            .filter(file_version::yanked_at.is_null()),
    );
    let rows: Vec<(VariantId, i64)> = file::table
        .filter(file::variant_id.eq_any(variants.iter().map(|v| v.0)))
        .filter(published)
        .group_by(file::variant_id)
        .select((file::variant_id, diesel::dsl::count_star()))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|(id, published_files)| (id, Facts { published_files })).collect())
}
