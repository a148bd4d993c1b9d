use async_graphql::{Context, InputObject, Object};

use crate::base::page::{self, DEFAULT_SIZE, LARGEST_SIZE, PageArgs};
use crate::graphql::connection::Connection;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::orders::line::OrderLine;
use crate::graphql::orders::load;
use crate::graphql::orders::order::Order;
use crate::graphql::orders::quote::{Quote, QuoteInput, lines};
use crate::graphql::scalars::DateTime;
use crate::graphql::shop::types::default_currency;
use crate::orders::access::Sight;
use crate::orders::quote::{self, Cart};
use crate::orders::read::{self, LibraryFilter};
use crate::orders::store;

/// What narrows a library.
#[derive(Default, InputObject)]
pub struct DownloadFilter {
    /// Part of a title.
    search: Option<String>,
    /// Of any of these kinds; at most 20.
    kinds: Option<Vec<String>>,
    /// Changed after this moment.
    changed_since: Option<DateTime>,
}

/// Orders and what was bought with them.
#[derive(Default)]
pub struct OrderQuery;

#[Object]
impl OrderQuery {
    /// What a cart costs now, and what is wrong with it.
    async fn quote(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The cart.")] input: QuoteInput,
    ) -> Answer<Quote> {
        let cart = Cart {
            lines: lines(&input.lines),
            currency: input.currency.map_or_else(|| default_currency(ctx.app()), |c| c.0),
            locale: ctx.locale(),
            email: input.email.map(|e| e.trim().to_lowercase()),
        };
        quote::quote(ctx.app(), ctx.actor(), &cart).await.or_top().map(Quote)
    }

    /// One order; null when there is none, or none that the caller may see.
    async fn order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order's number.")] number: String,
        #[graphql(desc = "A guest's token, or a watch ticket, which shows the state alone.")]
        access_token: Option<String>,
    ) -> Answer<Option<Order>> {
        let found = {
            let mut conn = ctx.app().db.conn().await.or_top()?;
            store::find_by_number(&mut conn, number.trim()).await.or_top()?
        };
        load::visible(ctx, found, access_token.as_deref()).await
    }

    /// The signed-in person's orders, the newest first; null for guests.
    async fn my_orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
    ) -> Answer<Option<Connection<Order>>> {
        let Some(user) = ctx.actor().user_id() else { return Ok(None) };
        let list = format!("orders {user}");
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        let page = {
            let mut conn = ctx.app().db.conn().await.or_top()?;
            read::page_of_user(&mut conn, user, &args).await.or_top()?
        };
        let cursors: Vec<String> =
            page.rows.iter().map(|order| page::encode(&list, &read::order_keys(order))).collect();
        let (has_next, has_previous) = (page.has_next, page.has_previous);
        let rows = page.rows.into_iter().map(|order| (order, Sight::Buyer)).collect();
        let rows = cursors.into_iter().zip(load::load(ctx, rows).await?).collect();
        Ok(Some(Connection::new(page::Page { rows, has_next, has_previous })))
    }

    /// Everything the signed-in person bought and paid, what changed last first; null for guests.
    async fn my_downloads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
        #[graphql(desc = "What narrows the list.")] filter: Option<DownloadFilter>,
    ) -> Answer<Option<Connection<OrderLine>>> {
        let Some(user) = ctx.actor().user_id() else { return Ok(None) };
        let filter = filter.unwrap_or_default();
        let filter = LibraryFilter {
            search: filter
                .search
                .map(|s| s.trim().chars().take(100).collect())
                .filter(|s: &String| !s.is_empty()),
            kinds: filter.kinds.map(|kinds| kinds.into_iter().take(20).collect()),
            changed_since: filter.changed_since.map(|d| d.0),
        };
        let list = format!("library {user} {filter:?}");
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        let page = {
            let mut conn = ctx.app().db.conn().await.or_top()?;
            read::page_of_library(&mut conn, user, &filter, &args).await.or_top()?
        };
        let cursors: Vec<String> =
            page.rows.iter().map(|row| page::encode(&list, &read::library_keys(row))).collect();
        let (has_next, has_previous) = (page.has_next, page.has_previous);
        let lines = page.rows.iter().map(|row| (row.line.order_id, row.line.id)).collect();
        let rows = cursors.into_iter().zip(load::line_page(ctx, lines, Sight::Buyer).await?).collect();
        Ok(Some(Connection::new(page::Page { rows, has_next, has_previous })))
    }
}
