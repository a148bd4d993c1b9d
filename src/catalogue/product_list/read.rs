//! Pages of products. The statements are put together from fixed parts, so each form is prepared once.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::error_code::ErrorCode;
use crate::base::ids::ProductId;
use crate::base::outcome::{Outcome, Refusal};
use crate::base::page::{Page, PageArgs};
use crate::catalogue::bundles;
use crate::catalogue::kit::CatalogueKit;
use crate::catalogue::product_list::listing::{Listing, Sort};
use crate::catalogue::read::{Columns, Wanted, add_parts, count_stock, dress, fill, only_visible, visible};
use crate::catalogue::scope::Scope;
use crate::catalogue::view::ProductView;
use crate::goods;
use crate::infra::db::statement::Statement;
use crate::infra::db::{settled, total};

/// A page of products with variants, prices and stock, all read now: three statements, four when files are among
/// them.
pub async fn list_products(
    conn: &mut AsyncPgConnection,
    scope: &Scope,
    listing: &Listing,
    page: &PageArgs,
) -> Outcome<Page<ProductView>> {
    let columns = if listing.descriptions { Columns::Whole } else { Columns::Brief };
    let until = settled_until(conn, listing).await?;
    let cut = Page::cut(page_query(scope, listing, page, columns, until)?.load(conn).await?, page);
    let rows = fill(conn, scope, cut.rows, listing.locale).await?;
    Ok(Page { rows, has_next: cut.has_next, has_previous: cut.has_previous })
}

/// Which version of a product there is.
#[derive(QueryableByName)]
struct StampRow {
    #[diesel(sql_type = SqlUuid)]
    id: ProductId,
    #[diesel(sql_type = Text)]
    stamp: String,
    #[diesel(sql_type = Timestamptz)]
    now: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    sort_key: String,
}

/// The same page with the least work: the database says which products there are in which version, and counts their
/// stock when it is asked for; what is in memory in that very version is not read again. Memory holds what buyers see, without
/// descriptions; any other page is read whole.
pub async fn browse(
    kit: &CatalogueKit,
    scope: &Scope,
    listing: &Listing,
    page: &PageArgs,
) -> Outcome<Page<ProductView>> {
    let conn = &mut *kit.db.conn().await?;
    if listing.descriptions || *scope != Scope::Buyers {
        return list_products(conn, scope, listing, page).await;
    }
    let until = settled_until(conn, listing).await?;
    let cut: Page<StampRow> =
        Page::cut(page_query(scope, listing, page, Columns::Stamp, until)?.load(conn).await?, page);
    let mut views: HashMap<ProductId, ProductView> = HashMap::new();
    let mut missing: HashMap<ProductId, &StampRow> = HashMap::new();
    for row in &cut.rows {
        match kit.product_list.get(row.id, listing.locale, &row.stamp, row.now) {
            Some(view) => drop(views.insert(row.id, view)),
            None => drop(missing.insert(row.id, row)),
        }
    }
    if !missing.is_empty() {
        let with_gone = listing.filter.changed_since.is_some();
        let wanted = Wanted { locale: listing.locale, columns: Columns::Brief, sort_key: "''", with_gone };
        let mut query = visible(scope, &wanted, |_| {});
        let ids: Vec<ProductId> = missing.keys().copied().collect();
        query.push(" and p.id = any(").push_bind::<Array<SqlUuid>, _>(ids).push(")");
        let rows = query.load(conn).await?;
        for view in dress(conn, scope, rows, listing.locale).await? {
            if let Some(row) = missing.get(&view.product.id) {
                // Read after the stamp: at worst newer than it says, and then read again the next time.
                kit.product_list.put(view.clone(), &row.stamp);
            }
            views.insert(view.product.id, view);
        }
    }
    // What a bundle consists of is never kept: its parts are other products' rows.
    let mut variants: Vec<_> = views.values_mut().flat_map(|p| &mut p.variants).collect();
    match listing.stock {
        true => count_stock(conn, variants).await?,
        false => add_parts(conn, &mut variants).await?,
    }
    let rows = cut.rows.into_iter().filter_map(|row| {
        let view = views.remove(&row.id)?;
        Some(ProductView { sort_key: row.sort_key, ..view })
    });
    Ok(Page { rows: rows.collect(), has_next: cut.has_next, has_previous: cut.has_previous })
}

/// How far a delta sync can be read without missing what is being changed right now.
async fn settled_until(
    conn: &mut AsyncPgConnection,
    listing: &Listing,
) -> QueryResult<Option<DateTime<Utc>>> {
    match listing.sort {
        Sort::Changed => settled::until(conn).await.map(Some),
        _ => Ok(None),
    }
}

fn page_query(
    scope: &Scope,
    listing: &Listing,
    page: &PageArgs,
    columns: Columns,
    until: Option<DateTime<Utc>>,
) -> Result<Statement<'static>, Refusal> {
    let key = sort_key(scope, listing.sort);
    let shown = match listing.sort {
        Sort::Newest | Sort::Changed => format!("(extract(epoch from {key}) * 1000000)::bigint"),
        Sort::Name | Sort::PriceLow | Sort::PriceHigh => key.to_owned(),
    };
    let with_gone = listing.filter.changed_since.is_some();
    let wanted = Wanted { locale: listing.locale, columns, sort_key: &shown, with_gone };
    let mut query = visible(scope, &wanted, |query| join(query, listing));
    narrow(&mut query, listing);
    if let Some(until) = until {
        query.push(" and p.updated_at < ").push_bind::<Timestamptz, _>(until);
    }
    let descends = listing.descends() != page.backwards;
    if let Some(from) = &page.from {
        beyond(&mut query, key, listing, descends, from)?;
    }
    let direction = if descends { "desc" } else { "asc" };
    let id = sort_id(listing.sort);
    query.push(&format!(" order by {key} {direction}, {id} {direction} limit "));
    query.push_bind::<BigInt, _>(page.size + 1);
    Ok(query)
}

/// How many products a list has; none above 10,000.
pub async fn count_products(
    conn: &mut AsyncPgConnection,
    scope: &Scope,
    listing: &Listing,
) -> QueryResult<Option<i64>> {
    let mut query = Statement::new("select 1 from product p cross join (select ");
    query.push_bind::<Text, _>(listing.locale.as_str()).push("::text as locale) a");
    join(&mut query, listing);
    query.push(" where ");
    only_visible(&mut query, scope, listing.filter.changed_since.is_some());
    narrow(&mut query, listing);
    total::count(conn, query).await
}

/// The value a list is sorted by. Buyers' newest is that of an index.
fn sort_key(scope: &Scope, sort: Sort) -> &'static str {
    match sort {
        Sort::Newest if *scope == Scope::Buyers => "p.on_sale_at",
        Sort::Newest => "p.created_at",
        Sort::Changed => "p.updated_at",
        Sort::Name => "n.name",
        Sort::PriceLow => LOW,
        Sort::PriceHigh => "coalesce(f.unit_minor, -1)",
    }
}

/// The product's id in the row that the list is sorted by, which is where its index has it.
fn sort_id(sort: Sort) -> &'static str {
    match sort {
        Sort::Newest | Sort::Changed => "p.id",
        Sort::Name => "n.product_id",
        Sort::PriceLow | Sort::PriceHigh => "f.product_id",
    }
}

/// What a product costs from, as an index has it: what has no price is the dearest.
const LOW: &str = "coalesce(f.unit_minor, 9223372036854775807)";

/// What sort and filter need beside the product: its name in the reader's language, and what it costs from. Both are kept
/// by the database beside the product; what is shown is computed.
fn join(query: &mut Statement<'static>, listing: &Listing) {
    if listing.sort == Sort::Name {
        query.push(" join product_name n on n.product_id = p.id and n.locale = a.locale");
    }
    let filter = &listing.filter;
    let by_price = matches!(listing.sort, Sort::PriceLow | Sort::PriceHigh);
    if by_price || filter.price_min.is_some() || filter.price_max.is_some() {
        query.push(" join product_price f on f.product_id = p.id and f.currency = ");
        query.push_bind::<Text, _>(listing.currency);
    }
}

fn narrow(query: &mut Statement<'static>, listing: &Listing) {
    let filter = &listing.filter;
    if let Some(ids) = &filter.ids {
        query.push(" and p.id = any(").push_bind::<Array<SqlUuid>, _>(ids.clone()).push(")");
    }
    if let Some(seller) = filter.seller {
        query.push(" and p.seller_id = ").push_bind::<SqlUuid, _>(seller);
    }
    if !filter.tags.is_empty() {
        query.push(" and p.tags @> ").push_bind::<Array<Text>, _>(filter.tags.clone());
    }
    if !filter.kinds.is_empty() {
        query.push(" and exists (select 1 from variant v where v.product_id = p.id and v.state = 'active' and v.kind = any(");
        query.push_bind::<Array<Text>, _>(filter.kinds.clone()).push("))");
    }
    if let Some(since) = filter.changed_since {
        query.push(" and p.updated_at >= ").push_bind::<Timestamptz, _>(since);
    }
    if let Some(least) = filter.price_min {
        query.push(&format!(" and f.unit_minor is not null and {LOW} >= ")).push_bind::<BigInt, _>(least);
    }
    if let Some(most) = filter.price_max {
        query.push(&format!(" and {LOW} <= ")).push_bind::<BigInt, _>(most);
    }
    if let Some(in_stock) = filter.in_stock {
        query.push(if in_stock { " and " } else { " and not " });
        // As many pieces as the least that may be bought; a paused product sells none.
        query.push("(p.paused_because is null and exists (select 1 from variant v where v.product_id = p.id and v.state = 'active' and ");
        query.push(&goods::stocked("v", "v.min_quantity", bundles::PARTS)).push("))");
    }
    if let Some(search) = &filter.search {
        query.push(
            " and exists (select 1 from translation t where t.object_id = p.id and t.field in ('name', 'summary') \
              and t.value ilike ",
        );
        query.push_bind::<Text, _>(containing(search)).push(")");
    }
}

/// A pattern for texts that have `part` in them, taken literally.
fn containing(part: &str) -> String {
    let literal: String = part
        .trim()
        .chars()
        .flat_map(|c| matches!(c, '%' | '_' | '\\').then_some('\\').into_iter().chain([c]))
        .collect();
    format!("%{literal}%")
}

/// Rows on the far side of a cursor.
fn beyond(
    query: &mut Statement<'static>,
    key: &str,
    listing: &Listing,
    descends: bool,
    from: &[String],
) -> Result<(), Refusal> {
    let (value, id) = Listing::place(from)?;
    let number = || {
        let refused = |_| Refusal::new(ErrorCode::InvalidCursor, "this cursor belongs to another list");
        value.parse::<i64>().map_err(refused)
    };
    let of = sort_id(listing.sort);
    query.push(&format!(" and ({key}, {of}) {} (", if descends { "<" } else { ">" }));
    match listing.sort {
        Sort::Newest | Sort::Changed => {
            query.push_bind::<Timestamptz, _>(DateTime::from_timestamp_micros(number()?).unwrap_or_default())
        }
        Sort::Name => query.push_bind::<Text, _>(value),
        Sort::PriceLow | Sort::PriceHigh => query.push_bind::<BigInt, _>(number()?),
    };
    query.push(", ").push_bind::<SqlUuid, _>(id).push(")");
    Ok(())
}
