//! All SQL of the catalogue that changes rows, and what is read under a lock.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::base::ids::{FileVersionId, ProductId, SellerId, VariantId};
use crate::base::text::Locale;
use crate::catalogue::model::{MailPolicy, Product, StockDisplay, Variant};
use crate::catalogue::prices::Price;
use crate::catalogue::state::{ProductState, VariantState};
use crate::catalogue::texts;
use crate::goods::Terms;
use crate::infra::db::schema::{price, product, variant};
use crate::infra::db::statement::Statement;

diesel::define_sql_function! {
    /// The schema's clock.
    fn app_now() -> Timestamptz;
}

/// Columns of a product that an edit may change; `None` leaves them.
#[derive(Default, AsChangeset)]
#[diesel(table_name = product)]
pub(super) struct ProductColumns {
    pub slug: Option<String>,
    pub default_locale: Option<String>,
    pub tags: Option<Vec<String>>,
    pub state: Option<ProductState>,
    pub review_reason: Option<Option<String>>,
    pub paused_because: Option<Option<String>>,
    pub paused_at: Option<Option<DateTime<Utc>>>,
}

/// Columns of a variant that an edit may change; `None` leaves them.
#[derive(Default, AsChangeset)]
#[diesel(table_name = variant)]
pub(super) struct VariantColumns {
    pub position: Option<i32>,
    pub sku: Option<Option<String>>,
    pub state: Option<VariantState>,
    pub stock_display: Option<StockDisplay>,
    pub low_stock_threshold: Option<i32>,
    pub min_quantity: Option<i32>,
    pub max_quantity: Option<Option<i32>>,
    pub limit_per_buyer: Option<Option<i32>>,
    pub partial_delivery: Option<bool>,
    pub mail_policy: Option<MailPolicy>,
    pub fold_case: Option<bool>,
    pub key_format: Option<Option<Value>>,
    pub bind_address: Option<bool>,
    pub restock_unseen: Option<bool>,
    pub reservation_minutes: Option<Option<i32>>,
    pub low_stock_alert: Option<Option<i32>>,
    pub restock_expected_at: Option<Option<DateTime<Utc>>>,
    pub terms: Option<Terms>,
}

pub(super) async fn insert_product(
    conn: &mut AsyncPgConnection,
    id: ProductId,
    seller: SellerId,
    slug: &str,
    default_locale: &str,
    tags: &[String],
) -> QueryResult<Product> {
    diesel::insert_into(product::table)
        .values((
            product::id.eq(id),
            product::seller_id.eq(seller),
            product::slug.eq(slug),
            product::default_locale.eq(default_locale),
            product::tags.eq(tags),
        ))
        .returning(Product::as_returning())
        .get_result(conn)
        .await
}

pub(super) async fn lock_product(
    conn: &mut AsyncPgConnection,
    id: ProductId,
) -> QueryResult<Option<Product>> {
    product::table.find(id).select(Product::as_select()).for_update().first(conn).await.optional()
}

/// Demands the state and version that the caller saw under its lock. The first time on sale is kept.
pub(super) async fn advance_product(
    conn: &mut AsyncPgConnection,
    seen: &Product,
    columns: &ProductColumns,
) -> QueryResult<Product> {
    let same = product::table
        .find(seen.id)
        .filter(product::state.eq(seen.state))
        .filter(product::version.eq(seen.version));
    let changed: Product = diesel::update(same)
        .set((columns, product::version.eq(product::version + 1), product::updated_at.eq(app_now())))
        .returning(Product::as_returning())
        .get_result(conn)
        .await?;
    if changed.state != ProductState::OnSale || changed.on_sale_at.is_some() {
        return Ok(changed);
    }
    diesel::update(product::table.find(seen.id))
        .set(product::on_sale_at.eq(app_now().nullable()))
        .returning(Product::as_returning())
        .get_result(conn)
        .await
}

/// A variant of this product was edited: copies of it are stale.
pub(super) async fn advance_product_time(conn: &mut AsyncPgConnection, id: ProductId) -> QueryResult<usize> {
    diesel::update(product::table.find(id)).set(product::updated_at.eq(app_now())).execute(conn).await
}

pub(super) async fn insert_variant(
    conn: &mut AsyncPgConnection,
    id: VariantId,
    of: &Product,
    kind: &str,
) -> QueryResult<Variant> {
    diesel::insert_into(variant::table)
        .values((
            variant::id.eq(id),
            variant::seller_id.eq(of.seller_id),
            variant::product_id.eq(of.id),
            variant::kind.eq(kind),
            // The edit that gives it its columns makes this 1.
            variant::version.eq(0),
        ))
        .returning(Variant::as_returning())
        .get_result(conn)
        .await
}

pub(super) async fn find_variant(
    conn: &mut AsyncPgConnection,
    id: VariantId,
) -> QueryResult<Option<Variant>> {
    variant::table.find(id).select(Variant::as_select()).first(conn).await.optional()
}

/// Locks a variant against whoever else locks it or edits it; what only names it goes on.
pub(super) async fn lock_variant(
    conn: &mut AsyncPgConnection,
    id: VariantId,
) -> QueryResult<Option<Variant>> {
    variant::table.find(id).select(Variant::as_select()).for_no_key_update().first(conn).await.optional()
}

pub(super) async fn list_variants(conn: &mut AsyncPgConnection, of: ProductId) -> QueryResult<Vec<Variant>> {
    variant::table
        .filter(variant::product_id.eq(of))
        .select(Variant::as_select())
        .order((variant::position, variant::id))
        .load(conn)
        .await
}

/// Demands the state and version that the caller saw.
pub(super) async fn advance_variant(
    conn: &mut AsyncPgConnection,
    seen: &Variant,
    columns: &VariantColumns,
) -> QueryResult<Variant> {
    let same = variant::table
        .find(seen.id)
        .filter(variant::state.eq(seen.state))
        .filter(variant::version.eq(seen.version));
    diesel::update(same)
        .set((columns, variant::version.eq(variant::version + 1)))
        .returning(Variant::as_returning())
        .get_result(conn)
        .await
}

/// Whether any key of this variant exists, in whatever state, or is about to.
pub(super) async fn find_any_key(conn: &mut AsyncPgConnection, id: VariantId) -> QueryResult<bool> {
    use crate::infra::db::schema::key_batch;
    let batches = key_batch::table
        .filter(key_batch::variant_id.eq(id).and(key_batch::added.gt(0).or(key_batch::staged.gt(0))));
    diesel::select(diesel::dsl::exists(batches)).get_result(conn).await
}

const SET_TEXTS: &str = "\
    insert into translation (object_id, locale, field, value)
    select $1::uuid, * from unnest($2::text[], $3::text[], $4::text[])
    on conflict (object_id, locale, field) do update set value = excluded.value";

const DROP_TEXTS: &str = "\
    delete from translation where object_id = $1
       and (locale, field) in (select * from unnest($2::text[], $3::text[]))";

pub(super) async fn insert_texts(
    conn: &mut AsyncPgConnection,
    object: Uuid,
    all: &[texts::Text],
) -> QueryResult<()> {
    let (set, dropped): (Vec<&texts::Text>, Vec<&texts::Text>) = all.iter().partition(|t| t.value.is_some());
    let locales = |texts: &[&texts::Text]| texts.iter().map(|t| t.locale).collect::<Vec<_>>();
    let fields = |texts: &[&texts::Text]| texts.iter().map(|t| t.field).collect::<Vec<_>>();
    if !set.is_empty() {
        Statement::new(SET_TEXTS)
            .bind::<SqlUuid, _>(object)
            .bind::<Array<Text>, _>(locales(&set))
            .bind::<Array<Text>, _>(fields(&set))
            .bind::<Array<Nullable<Text>>, _>(set.iter().map(|t| t.value.as_deref()).collect::<Vec<_>>())
            .execute(conn)
            .await?;
    }
    if !dropped.is_empty() {
        Statement::new(DROP_TEXTS)
            .bind::<SqlUuid, _>(object)
            .bind::<Array<Text>, _>(locales(&dropped))
            .bind::<Array<Text>, _>(fields(&dropped))
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// What a seller says about a version of a file.
pub(super) async fn insert_notes(
    conn: &mut AsyncPgConnection,
    version: FileVersionId,
    locale: Locale,
    notes: &str,
) -> QueryResult<usize> {
    Statement::new("insert into translation (object_id, locale, field, value) values ($1, $2, 'notes', $3)")
        .bind::<SqlUuid, _>(version)
        .bind::<Text, _>(locale.as_str())
        .bind::<Text, _>(notes)
        .execute(conn)
        .await
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = SqlUuid)]
    object_id: Uuid,
}

const NAMED: &str = "\
    select object_id from translation where object_id = any($1) and locale = $2 and field = 'name'";

/// Which of these objects have a name in this language.
pub(super) async fn list_named(
    conn: &mut AsyncPgConnection,
    objects: Vec<Uuid>,
    locale: &str,
) -> QueryResult<Vec<Uuid>> {
    let rows: Vec<Named> =
        Statement::new(NAMED).bind::<Array<SqlUuid>, _>(objects).bind::<Text, _>(locale).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.object_id).collect())
}

const INSERT_PRICES: &str = "\
    insert into price (seller_id, variant_id, currency, min_quantity, unit_minor, valid_from, valid_to)
    select v.seller_id, v.id, t.currency, t.min_quantity, t.unit_minor,
           coalesce(t.valid_from, '-infinity'), coalesce(t.valid_to, 'infinity')
      from variant v cross join unnest($1::text[], $2::int[], $3::bigint[], $4::timestamptz[], $5::timestamptz[])
        as t(currency, min_quantity, unit_minor, valid_from, valid_to)
     where v.id = $6";

/// Puts these prices in the place of all before. Orders keep what they were placed with.
pub(super) async fn insert_prices(
    conn: &mut AsyncPgConnection,
    id: VariantId,
    prices: &[Price],
) -> QueryResult<()> {
    diesel::delete(price::table.filter(price::variant_id.eq(id))).execute(conn).await?;
    Statement::new(INSERT_PRICES)
        .bind::<Array<Text>, _>(prices.iter().map(|p| p.currency).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(prices.iter().map(|p| p.min_quantity).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(prices.iter().map(|p| p.unit_minor).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(prices.iter().map(|p| p.valid_from).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(prices.iter().map(|p| p.valid_to).collect::<Vec<_>>())
        .bind::<SqlUuid, _>(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Which of these variants have a price that is valid now and applies to the least quantity that may be bought.
pub(super) async fn list_priced(conn: &mut AsyncPgConnection, of: ProductId) -> QueryResult<Vec<VariantId>> {
    price::table
        .inner_join(variant::table.on(variant::id.eq(price::variant_id)))
        .filter(variant::product_id.eq(of))
        .filter(price::min_quantity.le(variant::min_quantity))
        .filter(price::valid_from.le(app_now()).and(price::valid_to.gt(app_now())))
        .select(variant::id)
        .distinct()
        .load(conn)
        .await
}
