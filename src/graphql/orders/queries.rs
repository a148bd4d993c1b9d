use async_graphql::{Context, InputObject, Object};

use crate::base::page::{self, DEFAULT_SIZE, LARGEST_SIZE, PageArgs};
use crate::base::secret::Secret;
use crate::graphql::connection::{Connection, counted};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt, split};
use crate::graphql::orders::gift::{self, ReceivedGift};
use crate::graphql::orders::line::OrderLine;
use crate::graphql::orders::load;
use crate::graphql::orders::order::Order;
use crate::graphql::orders::quote::{Quote, QuoteInput, lines};
use crate::graphql::orders::status::{self, OrderStatus};
use crate::graphql::scalars::DateTime;
use crate::graphql::shop::types::default_currency;
use crate::orders::access::AccessLevel;
use crate::orders::buyer::{Evidence, Proof};
use crate::orders::quote::{self, Cart};
use crate::orders::sync::{self, ChangedLine, LibraryFilter};
use crate::orders::{read, store};

/// What narrows a library.
#[derive(Default, InputObject)]
pub struct DownloadFilter {
    /// Part of a title.
    search: Option<String>,
    /// Of any of these kinds; at most 20.
    kinds: Option<Vec<String>>,
    /// Changed at this moment or later; the list is then in the order of the changes.
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
        let evidence =
            Evidence { email: input.email, email_code: input.email_code.map(Secret::new), captcha: None };
        let (proven, problem) = match split(Proof::of_code(ctx.backend(), ctx.caller(), &evidence).await)? {
            Ok(proof) => (proof.email, None),
            Err(refusal) => (None, Some(refusal)),
        };
        let cart = Cart {
            lines: lines(&input.lines),
            currency: input.currency.map_or_else(|| default_currency(ctx.backend()), |c| c.0),
            locale: ctx.locale(),
            proven,
        };
        let mut quote = quote::quote(ctx.backend(), ctx.actor(), &cart).await.or_top()?;
        quote.problems.extend(problem);
        Ok(Quote(quote))
    }

    /// One order; null when there is none, or none that the caller may see.
    async fn order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order's number.")] number: String,
        #[graphql(
            desc = "A guest's token; the header `Dispense-Order-Token` does the same. A watch ticket is for `orderStatus`."
        )]
        access_token: Option<String>,
    ) -> Answer<Option<Order>> {
        let found = {
            let mut conn = ctx.backend().db.conn().await.or_top()?;
            store::find_by_number(&mut conn, number.trim()).await.or_top()?
        };
        load::visible(ctx, found, access_token.as_deref()).await
    }

    /// What somebody was given, by the token of the mail that it came with; null when the token opens nothing, or nothing any
    /// more. `deliveryReveal` and `downloadLinkCreate` take the same token.
    async fn gift(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token of the recipient.")] access_token: String,
    ) -> Answer<Option<ReceivedGift>> {
        gift::received(ctx, &access_token).await
    }

    /// How far the order of a watch ticket has come; null when the ticket is over or not of this shop.
    async fn order_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ticket, from `Order.live` or from the address a buyer came back to.")]
        ticket: String,
    ) -> Answer<Option<OrderStatus>> {
        status::find(ctx, ticket).await
    }

    /// The signed-in person's orders, the newest first; with `changedSince` what changed first first. Null for guests.
    async fn my_orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
        #[graphql(
            desc = "Only orders that changed at this moment or later, in the order they changed. Going on from the last \
                    cursor misses none: what changes again comes again."
        )]
        changed_since: Option<DateTime>,
    ) -> Answer<Option<Connection<Order>>> {
        let Some(user) = ctx.actor().user_id() else { return Ok(None) };
        let since = changed_since.map(|at| at.0);
        let list = match since {
            Some(since) => format!("orders {user} since {since}"),
            None => format!("orders {user}"),
        };
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        let page = {
            let mut conn = ctx.backend().db.conn().await.or_top()?;
            match since {
                Some(since) => {
                    let page = read::changed_of_user(&mut conn, user, since, &args).await.or_top()?;
                    page.map(|row| (row.changed_at, row.order))
                }
                None => {
                    let page = read::page_of_user(&mut conn, user, &args).await.or_top()?;
                    page.map(|order| (order.placed_at, order))
                }
            }
        };
        let page = load::connection(ctx, &list, page, AccessLevel::Buyer).await?;
        let count = counted(ctx.backend(), move |conn| {
            Box::pin(async move { Ok(read::count_of_user(conn, user, since).await?) })
        });
        Ok(Some(page.with_total(count)))
    }

    /// Everything the signed-in person bought and paid, what changed last first; with `changedSince` what changed first
    /// first. Null for guests.
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
            let mut conn = ctx.backend().db.conn().await.or_top()?;
            sync::library(&mut conn, user, &filter, &args).await.or_top()?
        };
        let cursor = |row: &ChangedLine| page::encode(&list, &sync::keys(row.changed_at, row.line.id.0));
        let cursors: Vec<String> = page.rows.iter().map(cursor).collect();
        let (has_next, has_previous) = (page.has_next, page.has_previous);
        let lines = page.rows.iter().map(|row| (row.line.order_id, row.line.id)).collect();
        let rows = cursors.into_iter().zip(load::line_page(ctx, lines, AccessLevel::Buyer).await?).collect();
        let count = counted(ctx.backend(), move |conn| {
            let filter = filter.clone();
            Box::pin(async move { Ok(sync::count_library(conn, user, &filter).await?) })
        });
        Ok(Some(Connection::new(page::Page { rows, has_next, has_previous }).with_total(count)))
    }
}
