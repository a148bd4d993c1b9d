//! SQL that changes what bundles consist of, and what is looked at before.

use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{SellerId, VariantId};
use crate::catalogue::model::Variant;
use crate::infra::db::schema::{bundle_part, variant};
use crate::infra::db::statement::Statement;

/// Those of these variants that a seller has.
pub(super) async fn list_own(
    conn: &mut AsyncPgConnection,
    seller: SellerId,
    ids: &[VariantId],
) -> QueryResult<Vec<Variant>> {
    variant::table
        .filter(variant::seller_id.eq(seller).and(variant::id.eq_any(ids)))
        .select(Variant::as_select())
        .load(conn)
        .await
}

const INSERT: &str = "insert into bundle_part (bundle_id, part_id, seller_id, position, quantity)
    select v.id, t.part_id, v.seller_id, t.position::int, t.quantity
      from variant v cross join unnest($1::uuid[], $2::int[]) with ordinality as t(part_id, quantity, position)
     where v.id = $3";

/// Puts these parts, each with its quantity, in the place of all before.
pub(super) async fn insert_parts(
    conn: &mut AsyncPgConnection,
    bundle: VariantId,
    parts: &[(VariantId, i32)],
) -> QueryResult<usize> {
    diesel::delete(bundle_part::table.filter(bundle_part::bundle_id.eq(bundle))).execute(conn).await?;
    Statement::new(INSERT)
        .bind::<Array<SqlUuid>, _>(parts.iter().map(|part| part.0).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(parts.iter().map(|part| part.1).collect::<Vec<_>>())
        .bind::<SqlUuid, _>(bundle)
        .execute(conn)
        .await
}

/// A part that is not sold in a currency of its bundle.
#[derive(QueryableByName)]
pub(super) struct Unpriced {
    /// Its place, from 1.
    #[diesel(sql_type = Integer)]
    pub position: i32,
    #[diesel(sql_type = Text)]
    pub currency: String,
}

const UNPRICED: &str = "select item.position, c.currency
      from bundle_part item join (select distinct currency from price where variant_id = $1) c on true
     where item.bundle_id = $1 and not exists (select 1 from price own where own.variant_id = item.part_id
       and own.currency = c.currency and own.valid_to > app_now())
     order by item.position, c.currency limit 1";

/// The first part of a bundle without a price in some currency that the bundle has one in.
pub(super) async fn find_unpriced(
    conn: &mut AsyncPgConnection,
    bundle: VariantId,
) -> QueryResult<Option<Unpriced>> {
    Statement::new(UNPRICED).bind::<SqlUuid, _>(bundle).get_result(conn).await.optional()
}
