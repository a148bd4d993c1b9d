use std::sync::Arc;

use async_graphql::{Context, Object};

use crate::base::ids::ProductId;
use crate::catalogue::read::{self, By};
use crate::catalogue::scope::Scope;
use crate::graphql::catalogue::filter::{ProductBy, ProductFilter, ProductSort};
use crate::graphql::catalogue::products::{AskedProducts, page};
use crate::graphql::catalogue::types::Product;
use crate::graphql::connection::Connection;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::scalars::CurrencyCode;

/// What is on sale.
#[derive(Default)]
pub struct CatalogueQuery;

#[Object]
impl CatalogueQuery {
    /// The products on sale.
    #[expect(clippy::too_many_arguments, reason = "the arguments are those of the schema")]
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Part of a name or summary, in any language.")] search: Option<String>,
        #[graphql(desc = "What narrows the list.")] filter: Option<ProductFilter>,
        #[graphql(desc = "By default the newest first.")] sort: Option<ProductSort>,
        #[graphql(desc = "Of price bounds and sorting; by default the shop's own.")] currency: Option<
            CurrencyCode,
        >,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
    ) -> Answer<Connection<Product>> {
        let currency = currency.map(|c| c.0);
        page(ctx, Scope::Buyers, AskedProducts { search, filter, sort, currency, first, after, last, before })
            .await
    }

    /// One product; null when there is none, or none that the caller may see. Sellers and staff also see what is not
    /// on sale.
    async fn product(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] by: ProductBy,
    ) -> Answer<Option<Product>> {
        let by = match by {
            ProductBy::Id(id) => match ProductId::parse(&id) {
                Ok(id) => By::Id(id),
                Err(_) => return Ok(None),
            },
            ProductBy::Slug(slug) => By::Slug(slug),
        };
        find(ctx, by).await
    }
}

/// One product, as far as the caller may see.
pub async fn find(ctx: &Context<'_>, by: By) -> Answer<Option<Product>> {
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    let found = read::find_product(&mut conn, &Scope::Buyers, by.clone(), ctx.locale()).await.or_top()?;
    let scope = Scope::of(ctx.actor());
    let found = match found {
        None if scope != Scope::Buyers => {
            read::find_product(&mut conn, &scope, by, ctx.locale()).await.or_top()?
        }
        found => found,
    };
    Ok(found.map(|view| Product(Arc::new(view))))
}
