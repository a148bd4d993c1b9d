//! Questions about suppliers and purchases.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{KeyId, SellerId, SupplierId, SupplierPurchaseId, UnitId, VariantId};
use crate::infra::db::statement::Statement;
use crate::suppliers::model::{PricedOffer, Purchase, Supplier};
use crate::suppliers::store::{purchase_columns, supplier_columns};

pub async fn find(conn: &mut AsyncPgConnection, id: SupplierId) -> QueryResult<Option<Supplier>> {
    let sql = concat!("select ", supplier_columns!(), " from supplier where id = $1");
    Statement::new(sql).bind::<SqlUuid, _>(id).get_result(conn).await.optional()
}

/// The connections of these sellers, the oldest first; at most 200.
pub async fn list(conn: &mut AsyncPgConnection, sellers: &[SellerId]) -> QueryResult<Vec<Supplier>> {
    let sql = concat!(
        "select ",
        supplier_columns!(),
        " from supplier where seller_id = any($1) order by created_at, id limit 200"
    );
    Statement::new(sql)
        .bind::<Array<SqlUuid>, _>(sellers.iter().map(|seller| seller.0).collect::<Vec<_>>())
        .load(conn)
        .await
}

/// How many connections a seller has.
pub async fn count(conn: &mut AsyncPgConnection, seller: SellerId) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let sql = "select count(*) from supplier where seller_id = $1";
    let counted: Counted = Statement::new(sql).bind::<SqlUuid, _>(seller).get_result(conn).await?;
    Ok(counted.count)
}

/// Where these variants are bought, in the order of asking; `usable`: only where one buys now.
pub async fn list_offers(
    mut conn: &AsyncPgConnection,
    variants: &[VariantId],
    usable: bool,
) -> QueryResult<Vec<PricedOffer>> {
    let sql = "select o.variant_id, o.supplier_id, o.position, o.product, o.max_price_minor, s.currency \
        from supplier_offer o join supplier s on s.id = o.supplier_id \
        where o.variant_id = any($1) and (s.state = 'active' or not $2) order by o.variant_id, o.position";
    Statement::new(sql)
        .bind::<Array<SqlUuid>, _>(variants.iter().map(|variant| variant.0).collect::<Vec<_>>())
        .bind::<Bool, _>(usable)
        .load(&mut conn)
        .await
}

/// All purchases for a unit, the newest first.
pub async fn list_purchases(conn: &mut AsyncPgConnection, unit: UnitId) -> QueryResult<Vec<Purchase>> {
    let sql = concat!(
        "select ",
        purchase_columns!(),
        " from supplier_purchase where unit_id = $1 order by created_at desc, id desc"
    );
    Statement::new(sql).bind::<SqlUuid, _>(unit).load(conn).await
}

/// The purchase of this name at a supplier.
pub async fn find_purchase(
    conn: &mut AsyncPgConnection,
    supplier: SupplierId,
    request: &str,
) -> QueryResult<Option<Purchase>> {
    let sql = concat!(
        "select ",
        purchase_columns!(),
        " from supplier_purchase where supplier_id = $1 and request_id = $2"
    );
    Statement::new(sql)
        .bind::<SqlUuid, _>(supplier)
        .bind::<Text, _>(request)
        .get_result(conn)
        .await
        .optional()
}

/// Purchases of which something may come yet and that are due for so many seconds, the longest due first.
pub async fn list_due(conn: &mut AsyncPgConnection, seconds: i32, limit: i64) -> QueryResult<Vec<Purchase>> {
    let sql = concat!(
        "select ",
        purchase_columns!(),
        " from supplier_purchase where state in ('queued', 'sending', 'pending', 'unknown') and next_at < app_now() - make_interval(secs => $1) \
         order by next_at limit $2"
    );
    Statement::new(sql).bind::<Double, _>(f64::from(seconds)).bind::<BigInt, _>(limit).load(conn).await
}

/// Sent purchases that have had no end since this time and about which no person was asked.
pub async fn list_silent(
    conn: &mut AsyncPgConnection,
    since: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<Purchase>> {
    let sql = concat!(
        "select ",
        purchase_columns!(),
        " from supplier_purchase p where state in ('sending', 'pending', 'unknown') and sent_at < $1 \
         and not exists (select 1 from task t where t.kind = 'supplier_silent' and t.subject = p.id::text) \
         order by sent_at limit $2"
    );
    Statement::new(sql).bind::<Timestamptz, _>(since).bind::<BigInt, _>(limit).load(conn).await
}

/// Who is not to be asked for a unit any more in its round.
#[derive(Clone, Debug, QueryableByName)]
pub struct TriedSuppliers {
    #[diesel(sql_type = Integer)]
    pub round: i32,
    #[diesel(sql_type = Array<SqlUuid>)]
    pub suppliers: Vec<SupplierId>,
}

/// What was tried for a unit in its newest round; round 1 and nobody when nothing was. Where a purchase of that round was
/// delivered and its goods went elsewhere, another round begins.
pub async fn tried(conn: &mut AsyncPgConnection, unit: UnitId) -> QueryResult<TriedSuppliers> {
    let sql = "with own as (select round, supplier_id, state from supplier_purchase where unit_id = $1), \
          newest as (select coalesce(max(round), 1) as round from own), \
          spent as (select exists (select 1 from own, newest where own.round = newest.round and own.state = 'delivered') as it) \
        select newest.round + case when spent.it then 1 else 0 end as round, \
          case when spent.it then '{}' else array(select supplier_id from own where own.round = newest.round) end as suppliers \
        from newest, spent";
    Statement::new(sql).bind::<SqlUuid, _>(unit).get_result(conn).await
}

/// The keys that came with a purchase and were kept out of sale.
pub async fn list_quarantined(
    conn: &mut AsyncPgConnection,
    id: SupplierPurchaseId,
) -> QueryResult<Vec<KeyId>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        key_id: KeyId,
    }
    let sql = "select key_id from supplier_quarantine where purchase_id = $1 order by key_id";
    let rows: Vec<Row> = Statement::new(sql).bind::<SqlUuid, _>(id).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.key_id).collect())
}

/// A condition of SQL over a variant, given as SQL: somebody sells it to us now.
pub fn offered(variant: &str, while_down: &str) -> String {
    format!(
        "exists (select 1 from supplier_offer o join supplier s on s.id = o.supplier_id where o.variant_id = {variant} \
           and s.state = 'active' and ({while_down} or s.open_until is null or s.open_until <= app_now()))"
    )
}

/// Those of these variants that can be bought somewhere; `true` beside those that are sold although no supplier answers.
pub async fn list_offered(
    conn: &mut AsyncPgConnection,
    variants: &[(VariantId, bool)],
) -> QueryResult<Vec<VariantId>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: VariantId,
    }
    let mut query =
        Statement::new("select v.id from unnest($1::uuid[], $2::bool[]) as v(id, while_down) where ")
            .bind::<Array<SqlUuid>, _>(variants.iter().map(|v| v.0.0).collect::<Vec<_>>())
            .bind::<Array<Bool>, _>(variants.iter().map(|v| v.1).collect::<Vec<_>>());
    query.push(&offered("v.id", "v.while_down"));
    let rows: Vec<Row> = query.load(conn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
