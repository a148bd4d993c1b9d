//! Products and variants by id or slug. Reads start from `visible`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{ProductId, SellerId, VariantId};
use crate::base::text::Locale;
use crate::catalogue::availability::count_up_to;
use crate::catalogue::bundles::{self, BundlePart};
use crate::catalogue::model::{Prices, Product, Texts, Variant};
use crate::catalogue::scope::Scope;
use crate::catalogue::state::ProductState;
use crate::catalogue::view::{ProductFacts, ProductView, VariantView};
use crate::goods::{self, AskedVariant, Supply, Terms};
use crate::infra::db::schema::{product, variant};
use crate::infra::db::statement::Statement;
use crate::sellers::{self, SellerProfile};

/// A product with its seller and texts, before its variants are read.
#[derive(QueryableByName)]
pub(super) struct ProductRow {
    #[diesel(embed)]
    product: Product,
    #[diesel(embed)]
    seller: SellerProfile,
    #[diesel(embed)]
    texts: Texts,
    #[diesel(sql_type = Text)]
    sort_key: String,
}

/// A variant with what is said about it, before its stock is counted.
#[derive(QueryableByName)]
pub(super) struct VariantRow {
    #[diesel(embed)]
    pub variant: Variant,
    #[diesel(embed)]
    pub texts: Texts,
    #[diesel(embed)]
    pub prices: Prices,
    #[diesel(sql_type = Text)]
    pub product_slug: String,
    #[diesel(sql_type = Text)]
    pub product_state: ProductState,
    #[diesel(sql_type = Text)]
    pub product_name: String,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    prices_until: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    product_paused: Option<String>,
}

impl VariantRow {
    pub fn facts(&self) -> ProductFacts {
        ProductFacts {
            slug: self.product_slug.clone(),
            state: self.product_state,
            name: self.product_name.clone(),
            paused: self.product_paused.clone(),
        }
    }
}

/// Which product.
#[derive(Clone, Debug)]
pub enum By {
    Id(ProductId),
    Slug(String),
}

/// How product rows are to be read.
pub(super) struct Wanted<'a> {
    pub locale: Locale,
    pub columns: Columns,
    /// SQL of the value that `sort_key` shows.
    pub sort_key: &'a str,
    /// Also what was on sale once, so that a client that keeps a copy learns what to drop.
    pub with_gone: bool,
}

/// What is read of each product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    /// A `ProductRow` with all texts.
    Whole,
    /// A `ProductRow` without its description, which is long.
    Brief,
    /// A `StampRow`: which version of the row there is.
    Stamp,
}

impl Wanted<'_> {
    fn single(locale: Locale) -> Self {
        Self { locale, columns: Columns::Whole, sort_key: "''", with_gone: false }
    }
}

/// Starts every question for products, and whoever asks sees only what is theirs to see. `join` may add what the
/// sort key needs; more conditions follow with `and`.
pub(super) fn visible(
    scope: &Scope,
    wanted: &Wanted<'_>,
    join: impl FnOnce(&mut Statement<'static>),
) -> Statement<'static> {
    let mut query = Statement::new("select ");
    match wanted.columns {
        Columns::Whole | Columns::Brief => query.push("p.*, ").push(sellers::COLUMNS).push(", x.*"),
        // The transactions that wrote the rows: any edit of the product, its variants or prices changes them.
        Columns::Stamp => query.push("p.id, p.xmin::text || ' ' || s.xmin::text as stamp, app_now() as now"),
    };
    query.push(", (").push(wanted.sort_key);
    query.push(")::text as sort_key from product p join seller s on s.id = p.seller_id cross join (select ");
    query.push_bind::<Text, _>(wanted.locale.as_str());
    query.push("::text as locale) a ");
    match wanted.columns {
        Columns::Whole => query.push(&texts_of("p.id", "")),
        Columns::Brief => query.push(&texts_of("p.id", " and t.field <> 'description'")),
        Columns::Stamp => &mut query,
    };
    join(&mut query);
    query.push(" where ");
    only_visible(&mut query, scope, wanted.with_gone);
    query
}

/// The texts of an object in the wanted language and in its product's own. The three arrays come from one pass
/// over the rows, so their elements belong together.
fn texts_of(object: &str, condition: &str) -> String {
    let gathered = |column: &str| format!("coalesce(array_agg(t.{column}), '{{}}') as text_{column}s");
    format!(
        "cross join lateral (select {}, {}, {} from translation t where t.object_id = {object} \
         and t.locale in (a.locale, p.default_locale){condition}) x",
        gathered("locale"),
        gathered("field"),
        gathered("value")
    )
}

pub(super) fn only_visible(query: &mut Statement<'static>, scope: &Scope, with_gone: bool) {
    match scope {
        Scope::Buyers if with_gone => {
            query.push("p.on_sale_at is not null and p.state in ('on_sale', 'retired')")
        }
        Scope::Buyers => query.push("p.state = 'on_sale'"),
        Scope::Sellers(ids) => {
            query.push("p.seller_id = any(").push_bind::<Array<SqlUuid>, _>(ids.clone()).push(")")
        }
        Scope::Everything => query.push("true"),
    };
}

/// One product, or none where the scope does not reach.
pub async fn find_product(
    conn: &mut AsyncPgConnection,
    scope: &Scope,
    by: By,
    locale: Locale,
) -> QueryResult<Option<ProductView>> {
    let mut query = visible(scope, &Wanted::single(locale), |_| {});
    match by {
        By::Id(id) => query.push(" and p.id = ").push_bind::<SqlUuid, _>(id),
        By::Slug(slug) => query.push(" and p.slug = ").push_bind::<Text, _>(slug),
    };
    let rows = query.load(conn).await?;
    Ok(fill(conn, scope, rows, locale).await?.pop())
}

/// A seller, when something of theirs is on sale, or the scope reaches them.
pub async fn find_seller(
    conn: &mut AsyncPgConnection,
    scope: &Scope,
    id: SellerId,
) -> QueryResult<Option<SellerProfile>> {
    let seen = match scope {
        Scope::Everything => true,
        Scope::Sellers(own) => own.contains(&id),
        Scope::Buyers => false,
    };
    match seen || is_selling(conn, id).await? {
        true => sellers::find(conn, id).await,
        false => Ok(None),
    }
}

/// Whether anything of a seller is on sale.
async fn is_selling(conn: &mut AsyncPgConnection, id: SellerId) -> QueryResult<bool> {
    let on_sale =
        product::table.filter(product::seller_id.eq(id).and(product::state.eq(ProductState::OnSale)));
    diesel::select(diesel::dsl::exists(on_sale)).get_result(conn).await
}

/// The products of these ids that the scope reaches, in no particular order.
pub async fn products_by_ids(
    conn: &mut AsyncPgConnection,
    scope: &Scope,
    ids: &[ProductId],
    locale: Locale,
) -> QueryResult<Vec<ProductView>> {
    let mut query = visible(scope, &Wanted::single(locale), |_| {});
    query.push(" and p.id = any(").push_bind::<Array<SqlUuid>, _>(ids.to_vec()).push(")");
    let rows = query.load(conn).await?;
    fill(conn, scope, rows, locale).await
}

/// Gives product rows their variants and these their stock: one statement for variants, texts and prices, one for
/// the keys, and one for the files when there are any.
pub(super) async fn fill(
    conn: &mut AsyncPgConnection,
    scope: &Scope,
    rows: Vec<ProductRow>,
    locale: Locale,
) -> QueryResult<Vec<ProductView>> {
    let mut views = dress(conn, scope, rows, locale).await?;
    count_stock(conn, views.iter_mut().flat_map(|p| &mut p.variants).collect()).await?;
    Ok(views)
}

/// Gives product rows their variants, whose stock is not counted yet.
pub(super) async fn dress(
    conn: &mut AsyncPgConnection,
    scope: &Scope,
    rows: Vec<ProductRow>,
    locale: Locale,
) -> QueryResult<Vec<ProductView>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = variants(locale);
    let ids: Vec<ProductId> = rows.iter().map(|r| r.product.id).collect();
    query.push("v.product_id = any(").push_bind::<Array<SqlUuid>, _>(ids).push(")");
    if *scope == Scope::Buyers {
        query.push(" and v.state = 'active'");
    }
    query.push(" order by v.position, v.id");
    let mut of: HashMap<ProductId, Vec<VariantView>> = HashMap::new();
    for view in load_variants(conn, query, locale).await? {
        of.entry(view.variant.product_id).or_default().push(view);
    }
    let view = |row: ProductRow| ProductView {
        variants: of.remove(&row.product.id).unwrap_or_default(),
        product: row.product,
        seller: row.seller,
        texts: row.texts,
        locale,
        sort_key: row.sort_key,
    };
    Ok(rows.into_iter().map(view).collect())
}

/// The variants of these ids that the scope reaches, in no particular order.
pub async fn variants_by_ids(
    conn: &mut AsyncPgConnection,
    scope: &Scope,
    ids: &[VariantId],
    locale: Locale,
) -> QueryResult<Vec<VariantView>> {
    let mut query = variants(locale);
    only_visible(&mut query, scope, false);
    if *scope == Scope::Buyers {
        query.push(" and v.state = 'active'");
    }
    query.push(" and v.id = any(").push_bind::<Array<SqlUuid>, _>(ids.to_vec()).push(")");
    let mut views = load_variants(conn, query, locale).await?;
    count_stock(conn, views.iter_mut().collect()).await?;
    Ok(views)
}

/// Starts every question for variants; a condition must follow.
pub(super) fn variants(locale: Locale) -> Statement<'static> {
    let mut query = Statement::new(
        "select v.*, x.*, c.*, p.slug as product_slug, p.state as product_state, \
         p.paused_because as product_paused, coalesce(\
           (select t.value from translation t where t.object_id = p.id and t.field = 'name' and t.locale = a.locale), \
           (select t.value from translation t where t.object_id = p.id and t.field = 'name' \
             and t.locale = p.default_locale), p.slug) as product_name, \
           (select min(e.edge) from price c cross join lateral (values (c.valid_from), (c.valid_to)) e(edge) \
             where c.variant_id = v.id and e.edge > app_now() and e.edge < 'infinity') as prices_until \
         from variant v join product p on p.id = v.product_id cross join (select ",
    );
    query.push_bind::<Text, _>(locale.as_str());
    query.push("::text as locale) a ");
    query.push(&texts_of("v.id", ""));
    query.push(
        " cross join lateral (select \
           coalesce(array_agg(c.currency), '{}') as price_currencies, \
           coalesce(array_agg(c.min_quantity), '{}') as price_quantities, \
           coalesce(array_agg(c.unit_minor), '{}') as price_units, \
           coalesce(array_agg(nullif(c.valid_to, 'infinity')), '{}') as price_ends \
          from price c where c.variant_id = v.id and c.valid_from <= app_now() and c.valid_to > app_now()) c where ",
    );
    query
}

async fn load_variants(
    conn: &mut AsyncPgConnection,
    query: Statement<'static>,
    locale: Locale,
) -> QueryResult<Vec<VariantView>> {
    let rows: Vec<VariantRow> = query.load(conn).await?;
    let view = |row: VariantRow| VariantView {
        product: row.facts(),
        variant: row.variant,
        texts: row.texts,
        prices: row.prices,
        prices_until: row.prices_until,
        locale,
        available: None,
        parts: Vec::new(),
    };
    Ok(rows.into_iter().map(view).collect())
}

/// The question what can be had of a variant, counted up to `most`. `parts`: those of bundles, this one's among them.
pub(super) fn asked<'a>(variant: &'a Variant, most: i64, parts: &'a [BundlePart]) -> AskedVariant<'a> {
    let own = parts.iter().filter(|part| part.bundle_id == variant.id);
    AskedVariant {
        parts: own.map(BundlePart::asked).collect(),
        ..AskedVariant::single(variant.id, &variant.kind, &variant.terms, most)
    }
}

/// The parts of the bundles among these variants: one statement where there are any.
pub(super) async fn parts_of(
    conn: &mut AsyncPgConnection,
    variants: impl Iterator<Item = &Variant>,
) -> QueryResult<Vec<BundlePart>> {
    let is_bundle = |variant: &&Variant| goods::supply(&variant.kind) == Some(Supply::Parts);
    let ids: Vec<VariantId> = variants.filter(is_bundle).map(|variant| variant.id).collect();
    bundles::list_parts(conn, &ids).await
}

/// Gives bundles their parts.
pub(super) async fn add_parts(
    conn: &mut AsyncPgConnection,
    views: &mut [&mut VariantView],
) -> QueryResult<()> {
    let mut of: HashMap<VariantId, Vec<BundlePart>> = HashMap::new();
    for part in parts_of(conn, views.iter().map(|view| &view.variant)).await? {
        of.entry(part.bundle_id).or_default().push(part);
    }
    for view in views {
        view.parts = of.remove(&view.variant.id).unwrap_or_default();
    }
    Ok(())
}

/// Gives bundles their parts, and counts what can be had no further than each variant shows.
pub(super) async fn count_stock(
    conn: &mut AsyncPgConnection,
    mut views: Vec<&mut VariantView>,
) -> QueryResult<()> {
    add_parts(conn, &mut views).await?;
    let far = |v: &Variant| count_up_to(v.stock_display, v.low_stock_threshold, v.min_quantity);
    let available = {
        let asked: Vec<AskedVariant<'_>> =
            views.iter().map(|v| asked(&v.variant, far(&v.variant), &v.parts)).collect();
        goods::available(conn, &asked).await?
    };
    for view in views {
        view.available = available.get(&view.variant.id).copied();
    }
    Ok(())
}

/// The seller's variants in which keys that differ in case alone are the same.
pub async fn list_folding(conn: &mut AsyncPgConnection, seller: SellerId) -> QueryResult<Vec<VariantId>> {
    variant::table
        .filter(variant::seller_id.eq(seller).and(variant::fold_case))
        .select(variant::id)
        .load(conn)
        .await
}

/// Of which product a variant is, and on which terms it is offered.
pub async fn find_terms(conn: &mut AsyncPgConnection, id: VariantId) -> QueryResult<(ProductId, Terms)> {
    variant::table.find(id).select((variant::product_id, variant::terms)).first(conn).await
}

/// Whether keys of this variant that differ in case alone are the same.
pub async fn folds_case(conn: &mut AsyncPgConnection, id: VariantId) -> QueryResult<bool> {
    variant::table.find(id).select(variant::fold_case).first(conn).await
}
