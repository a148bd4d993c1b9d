//! All SQL of suppliers that changes rows, and what is read under a lock.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Bytea, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::{KeyId, OrderId, SellerId, SupplierId, SupplierPurchaseId, UnitId, VariantId};
use crate::infra::db::statement::Statement;
use crate::suppliers::mapping::Mapping;
use crate::suppliers::model::{PricedOffer, Purchase, Supplier};
use crate::suppliers::state::PurchaseState;

/// The columns of a supplier.
macro_rules! supplier_columns {
    () => {
        "id, seller_id, name, url, status_url, currency, timeout_seconds, mapping, state, paused_for, data_key_id, \
         secret, old_secret, old_secret_until, failures, open_until, version, created_at"
    };
}
pub(super) use supplier_columns;

/// The columns of a purchase.
macro_rules! purchase_columns {
    () => {
        "id, seller_id, supplier_id, order_id, unit_id, variant_id, round, request_id, product, max_price_minor, \
         currency, state, calls, sent_at, greatest(extract(epoch from next_at - app_now()), 0)::float8 as wait, reference, \
         reason, price_minor, key_id, created_at"
    };
}
pub(super) use purchase_columns;

/// Locks a supplier.
pub async fn lock(conn: &mut AsyncPgConnection, id: SupplierId) -> QueryResult<Option<Supplier>> {
    let sql = concat!("select ", supplier_columns!(), " from supplier where id = $1 for no key update");
    Statement::new(sql).bind::<SqlUuid, _>(id).get_result(conn).await.optional()
}

/// A connection to be stored.
pub(super) struct NewSupplier<'a> {
    pub id: SupplierId,
    pub seller_id: SellerId,
    pub name: &'a str,
    pub url: &'a str,
    pub status_url: Option<&'a str>,
    pub currency: &'a str,
    pub timeout_seconds: i32,
    pub mapping: &'a Mapping,
    pub data_key_id: Uuid,
    pub secret: Vec<u8>,
}

const INSERT: &str = concat!(
    "insert into supplier (id, seller_id, name, url, status_url, currency, timeout_seconds, mapping, data_key_id, secret) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning ",
    supplier_columns!()
);

pub(super) async fn insert(conn: &mut AsyncPgConnection, new: NewSupplier<'_>) -> QueryResult<Supplier> {
    Statement::new(INSERT)
        .bind::<SqlUuid, _>(new.id)
        .bind::<SqlUuid, _>(new.seller_id)
        .bind::<Text, _>(new.name)
        .bind::<Text, _>(new.url)
        .bind::<Nullable<Text>, _>(new.status_url)
        .bind::<Text, _>(new.currency)
        .bind::<Integer, _>(new.timeout_seconds)
        .bind::<Jsonb, _>(new.mapping)
        .bind::<SqlUuid, _>(new.data_key_id)
        .bind::<Bytea, _>(new.secret)
        .get_result(conn)
        .await
}

const UPDATE: &str = concat!(
    "update supplier set name = $1, url = $2, status_url = $3, timeout_seconds = $4, mapping = $5, state = $6, \
       paused_for = case when state = $7 then paused_for end, version = version + 1 \
     where id = $8 returning ",
    supplier_columns!()
);

/// Writes a locked supplier's settings. Why the program paused it is forgotten when its state changes.
pub(super) async fn advance(conn: &mut AsyncPgConnection, changed: &Supplier) -> QueryResult<Supplier> {
    Statement::new(UPDATE)
        .bind::<Text, _>(&changed.name)
        .bind::<Text, _>(&changed.url)
        .bind::<Nullable<Text>, _>(&changed.status_url)
        .bind::<Integer, _>(changed.timeout_seconds)
        .bind::<Jsonb, _>(&changed.mapping)
        .bind::<Text, _>(changed.state)
        .bind::<Text, _>(changed.state)
        .bind::<SqlUuid, _>(changed.id)
        .get_result(conn)
        .await
}

const ROTATE: &str = concat!(
    "update supplier set old_secret = secret, old_secret_until = $1, secret = $2, version = version + 1 where id = $3 \
     returning ",
    supplier_columns!()
);

pub(super) async fn advance_secret(
    conn: &mut AsyncPgConnection,
    id: SupplierId,
    secret: Vec<u8>,
    overlap_until: DateTime<Utc>,
) -> QueryResult<Supplier> {
    Statement::new(ROTATE)
        .bind::<Timestamptz, _>(overlap_until)
        .bind::<Bytea, _>(secret)
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
}

/// Stops buying there. Returns whether it was active.
pub async fn advance_paused(conn: &mut AsyncPgConnection, id: SupplierId, reason: &str) -> QueryResult<bool> {
    let sql = "update supplier set state = 'paused', paused_for = $1 where id = $2 and state = 'active'";
    let paused = Statement::new(sql).bind::<Text, _>(reason).bind::<SqlUuid, _>(id).execute(conn).await?;
    Ok(paused == 1)
}

pub(super) async fn advance_breaker(
    conn: &mut AsyncPgConnection,
    id: SupplierId,
    failures: i32,
    open_until: Option<DateTime<Utc>>,
) -> QueryResult<usize> {
    Statement::new("update supplier set failures = $1, open_until = $2 where id = $3")
        .bind::<Integer, _>(failures)
        .bind::<Nullable<Timestamptz>, _>(open_until)
        .bind::<SqlUuid, _>(id)
        .execute(conn)
        .await
}

/// Keeps the breaker open for everybody but the one who asked, where its time is over.
pub(super) async fn advance_trying(
    conn: &mut AsyncPgConnection,
    id: SupplierId,
    until: DateTime<Utc>,
) -> QueryResult<usize> {
    let sql = "update supplier set open_until = $1 where id = $2 and (open_until is null or open_until <= app_now())";
    Statement::new(sql).bind::<Timestamptz, _>(until).bind::<SqlUuid, _>(id).execute(conn).await
}

/// Where the pieces of a variant are bought from now on, in this order.
pub(super) async fn replace_offers(
    conn: &mut AsyncPgConnection,
    (seller, variant): (SellerId, VariantId),
    offers: &[PricedOffer],
) -> QueryResult<()> {
    Statement::new("delete from supplier_offer where variant_id = $1")
        .bind::<SqlUuid, _>(variant)
        .execute(conn)
        .await?;
    let sql = "insert into supplier_offer (variant_id, seller_id, supplier_id, position, product, max_price_minor) \
        select $1::uuid, $2::uuid, * from unnest($3::uuid[], $4::int[], $5::text[], $6::bigint[])";
    Statement::new(sql)
        .bind::<SqlUuid, _>(variant)
        .bind::<SqlUuid, _>(seller)
        .bind::<Array<SqlUuid>, _>(offers.iter().map(|offer| offer.supplier_id.0).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(offers.iter().map(|offer| offer.position).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(offers.iter().map(|offer| offer.product.as_str()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(offers.iter().map(|offer| offer.max_price_minor).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}

/// A purchase that is meant.
#[derive(Clone, Debug)]
pub struct NewPurchase {
    pub id: SupplierPurchaseId,
    pub seller_id: SellerId,
    pub order_id: OrderId,
    pub unit_id: UnitId,
    pub round: i32,
    pub offer: PricedOffer,
}

impl NewPurchase {
    /// What it is called at the supplier: the same unit is never bought twice in a round, whoever asks.
    fn request_id(&self) -> String {
        match self.round {
            1 => self.unit_id.to_string(),
            round => format!("{}-{round}", self.unit_id),
        }
    }
}

/// Units that have a purchase already are left out of the first round.
const QUEUE: &str = "insert into supplier_purchase (id, seller_id, supplier_id, order_id, unit_id, variant_id, round, \
      request_id, product, max_price_minor, currency) \
    select n.* from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::int[], $8::text[], \
      $9::text[], $10::bigint[], $11::text[]) as n(id, seller_id, supplier_id, order_id, unit_id, variant_id, round, \
      request_id, product, max_price_minor, currency) \
    where not $12 or not exists (select 1 from supplier_purchase p where p.unit_id = n.unit_id)";

/// Stores what is meant to be bought, before anything is sent. `fresh`: only for units that were never bought for.
pub async fn insert_purchases(
    mut conn: &AsyncPgConnection,
    new: &[NewPurchase],
    fresh: bool,
) -> QueryResult<usize> {
    if new.is_empty() {
        return Ok(0);
    }
    let uuids = |of: fn(&NewPurchase) -> Uuid| new.iter().map(of).collect::<Vec<Uuid>>();
    let texts = |of: fn(&NewPurchase) -> String| new.iter().map(of).collect::<Vec<String>>();
    Statement::new(QUEUE)
        .bind::<Array<SqlUuid>, _>(uuids(|p| p.id.0))
        .bind::<Array<SqlUuid>, _>(uuids(|p| p.seller_id.0))
        .bind::<Array<SqlUuid>, _>(uuids(|p| p.offer.supplier_id.0))
        .bind::<Array<SqlUuid>, _>(uuids(|p| p.order_id.0))
        .bind::<Array<SqlUuid>, _>(uuids(|p| p.unit_id.0))
        .bind::<Array<SqlUuid>, _>(uuids(|p| p.offer.variant_id.0))
        .bind::<Array<Integer>, _>(new.iter().map(|p| p.round).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(texts(NewPurchase::request_id))
        .bind::<Array<Text>, _>(texts(|p| p.offer.product.clone()))
        .bind::<Array<BigInt>, _>(new.iter().map(|p| p.offer.max_price_minor).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(texts(|p| p.offer.currency.clone()))
        .bind::<diesel::sql_types::Bool, _>(fresh)
        .execute(&mut conn)
        .await
}

/// The purchase of a unit of which something may come yet. Its order is locked.
pub async fn lock_live(conn: &mut AsyncPgConnection, unit: UnitId) -> QueryResult<Option<Purchase>> {
    let sql = concat!(
        "select ",
        purchase_columns!(),
        " from supplier_purchase where unit_id = $1 and state in ('queued', 'sending', 'pending', 'unknown') for update"
    );
    Statement::new(sql).bind::<SqlUuid, _>(unit).get_result(conn).await.optional()
}

/// A purchase, whatever became of it. Its order is locked.
pub async fn lock_purchase(
    conn: &mut AsyncPgConnection,
    id: SupplierPurchaseId,
) -> QueryResult<Option<Purchase>> {
    let sql = concat!("select ", purchase_columns!(), " from supplier_purchase where id = $1 for update");
    Statement::new(sql).bind::<SqlUuid, _>(id).get_result(conn).await.optional()
}

const ADVANCE: &str = "update supplier_purchase set state = $1, calls = $2, sent_at = $3, next_at = app_now() + make_interval(secs => $4), reference = $5, \
      reason = $6, price_minor = $7, key_id = $8, \
      ended_at = case when $9 in ('queued', 'sending', 'pending', 'unknown') then null else app_now() end \
    where id = $10 and state = $11";

/// Writes a locked purchase as it is now; `before` is the state it was locked in.
pub async fn advance_purchase(
    conn: &mut AsyncPgConnection,
    now: &Purchase,
    before: PurchaseState,
) -> QueryResult<usize> {
    Statement::new(ADVANCE)
        .bind::<Text, _>(now.state)
        .bind::<Integer, _>(now.calls)
        .bind::<Nullable<Timestamptz>, _>(now.sent_at)
        .bind::<Double, _>(now.wait)
        .bind::<Nullable<Text>, _>(now.reference.as_deref())
        .bind::<Nullable<Text>, _>(now.reason.as_deref())
        .bind::<Nullable<BigInt>, _>(now.price_minor)
        .bind::<Nullable<SqlUuid>, _>(now.key_id.map(|key: KeyId| key.0))
        .bind::<Text, _>(now.state)
        .bind::<SqlUuid, _>(now.id)
        .bind::<Text, _>(before)
        .execute(conn)
        .await
}

/// Records which keys came with a purchase and are kept out of sale.
pub async fn insert_quarantine(
    conn: &mut AsyncPgConnection,
    id: SupplierPurchaseId,
    keys: &[KeyId],
) -> QueryResult<usize> {
    let sql = "insert into supplier_quarantine (purchase_id, key_id) select $1::uuid, unnest($2::uuid[])";
    Statement::new(sql)
        .bind::<SqlUuid, _>(id)
        .bind::<Array<SqlUuid>, _>(keys.iter().map(|key| key.0).collect::<Vec<_>>())
        .execute(conn)
        .await
}

/// Moves what was not sent to another supplier.
pub async fn advance_supplier(
    conn: &mut AsyncPgConnection,
    id: SupplierPurchaseId,
    offer: &PricedOffer,
) -> QueryResult<usize> {
    let sql = "update supplier_purchase set supplier_id = $1, product = $2, max_price_minor = $3, currency = $4 \
        where id = $5 and state = 'queued' and sent_at is null";
    Statement::new(sql)
        .bind::<SqlUuid, _>(offer.supplier_id)
        .bind::<Text, _>(&offer.product)
        .bind::<BigInt, _>(offer.max_price_minor)
        .bind::<Text, _>(&offer.currency)
        .bind::<SqlUuid, _>(id)
        .execute(conn)
        .await
}
