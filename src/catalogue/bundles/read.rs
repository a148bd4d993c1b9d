//! Questions about bundles.

use diesel::QueryResult;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::VariantId;
use crate::catalogue::bundles::model::BundlePart;
use crate::infra::db::statement::Statement;

/// The variants that a bundle `v` consists of, as a relation of SQL.
pub(in crate::catalogue) const PARTS: &str = "(select one.*, item.quantity as pieces_each, \
      made.state = 'on_sale' and made.paused_because is null and one.state = 'active' as is_sold \
    from bundle_part item join variant one on one.id = item.part_id join product made on made.id = one.product_id \
    where item.bundle_id = v.id)";

const OF_BUNDLES: &str = "select b.bundle_id, v.id as variant_id, b.quantity, v.kind, v.terms, \
      p.state = 'on_sale' and p.paused_because is null and v.state = 'active' as on_sale \
    from bundle_part b join variant v on v.id = b.part_id join product p on p.id = v.product_id \
    where b.bundle_id = any($1::uuid[]) order by b.bundle_id, b.position";

/// The parts of these bundles, in their order. No statement where there are none.
pub(in crate::catalogue) async fn list_parts(
    conn: &mut AsyncPgConnection,
    bundles: &[VariantId],
) -> QueryResult<Vec<BundlePart>> {
    if bundles.is_empty() {
        return Ok(Vec::new());
    }
    Statement::new(OF_BUNDLES).bind::<Array<SqlUuid>, _>(bundles.to_vec()).load(conn).await
}
