//! A page of products, for buyers and for those who sell them.

use std::sync::Arc;

use async_graphql::{Context, SelectionField};

use crate::base::money::Currency;
use crate::base::page::{DEFAULT_SIZE, LARGEST_SIZE, PageArgs};
use crate::catalogue::product_list::{self, Listing};
use crate::catalogue::scope::Scope;
use crate::graphql::catalogue::filter::{ProductFilter, ProductSort, sort};
use crate::graphql::catalogue::types::Product;
use crate::graphql::connection::{Connection, counted};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::shop::types::default_currency;

/// What a client asks of a list of products.
pub struct AskedProducts {
    pub search: Option<String>,
    pub filter: Option<ProductFilter>,
    pub sort: Option<ProductSort>,
    pub currency: Option<Currency>,
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

/// Whether a field of this name is asked for anywhere below, fragments included.
fn asks_for(field: SelectionField<'_>, name: &str) -> bool {
    field.selection_set().any(|field| field.name() == name || asks_for(field, name))
}

/// The page, with a total that is counted only when asked.
pub async fn page(ctx: &Context<'_>, scope: Scope, asked: AskedProducts) -> Answer<Connection<Product>> {
    let backend = ctx.backend().clone();
    let currency = asked.currency.unwrap_or_else(|| default_currency(&backend));
    let filter = asked.filter.unwrap_or_default().read(asked.search, currency).or_top()?;
    let described = asks_for(ctx.field(), "description");
    let stock = asks_for(ctx.field(), "availability");
    let sort = sort(asked.sort, &filter);
    let listing = Listing { filter, sort, currency, locale: ctx.locale(), descriptions: described, stock };
    let args = PageArgs::read(
        &listing.name(),
        asked.first,
        asked.after.as_deref(),
        asked.last,
        asked.before.as_deref(),
        DEFAULT_SIZE,
        LARGEST_SIZE,
    )
    .or_top()?;
    let page = product_list::read::browse(&backend.catalogue, &scope, &listing, &args).await.or_top()?;
    let page = page.map(|view| (listing.cursor(&view), Product(Arc::new(view))));
    let total = counted(&backend, move |conn| {
        let (scope, listing) = (scope.clone(), listing.clone());
        Box::pin(async move { Ok(product_list::read::count_products(conn, &scope, &listing).await?) })
    });
    Ok(Connection::new(page).with_total(total))
}
