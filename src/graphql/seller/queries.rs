use async_graphql::{Context, ID, Object};

use crate::base::actor::Role;
use crate::base::ids::{BatchId, SHOP, SellerId, VariantId};
use crate::base::page::{self, DEFAULT_SIZE, LARGEST_SIZE, Page, PageArgs};
use crate::catalogue::scope::Scope;
use crate::delivery::cases;
use crate::fulfilment::read as stock;
use crate::graphql::catalogue::Product;
use crate::graphql::catalogue::listing::{AskedProducts, ProductFilter, ProductSort, page as products};
use crate::graphql::connection::{Connection, counted};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::hooks::{self, HookEndpoint};
use crate::graphql::orders::{self, OrderLine, ReportedCase, SellerCaseFilter, load_cases};
use crate::graphql::scalars::CurrencyCode;
use crate::graphql::seller::stock::ExpiringKeys;
use crate::graphql::seller::types::{KeyBatch, VariantStock};
use crate::graphql::suppliers::{self, Supplier, SupplierOffer};
use crate::orders::access::AccessLevel;
use crate::orders::staff;
use crate::vault;

/// The screens of sellers.
#[derive(Default)]
pub struct SellerQuery;

#[Object]
impl SellerQuery {
    /// What the caller sells; null for those who sell nothing, or not for this seller.
    async fn seller(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which seller; by default all whom the caller acts for.")] id: Option<ID>,
    ) -> Option<Seller> {
        let actor = ctx.actor();
        let sellers = match id {
            Some(id) => {
                let seller = SellerId::parse(&id).ok()?;
                if !actor.sells_for(seller) {
                    return None;
                }
                vec![seller]
            }
            None => {
                let mut own = actor.person.as_ref().map(|p| p.sellers.clone()).unwrap_or_default();
                if !actor.has(Role::Seller) {
                    own.clear();
                }
                if own.is_empty() && actor.has(Role::Admin) {
                    own.push(SHOP);
                }
                own
            }
        };
        (!sellers.is_empty()).then_some(Seller(sellers))
    }
}

/// What somebody sells.
pub struct Seller(Vec<SellerId>);

/// What somebody sells: products, stock, keys, sales.
#[Object]
impl Seller {
    /// The products, whatever their state.
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
        let asked = AskedProducts { search, filter, sort, currency, first, after, last, before };
        products(ctx, Scope::Sellers(self.0.clone()), asked).await
    }

    /// What there is of each active variant, counted to the last key; the newest first.
    async fn stock(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only what is short; by default all.", default_with = "Some(false)")] low: Option<
            bool,
        >,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
    ) -> Answer<Connection<VariantStock>> {
        let low = low.unwrap_or(false);
        let list = format!("stock {:?} {low}", self.0);
        let args = PageArgs::read(&list, first, after.as_deref(), None, None, DEFAULT_SIZE, LARGEST_SIZE)
            .or_top()?;
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let page = stock::list_stock(&mut conn, &self.0, low, &args).await.or_top()?;
        let page = page.map(|row| (page::encode(&list, &stock::stock_keys(&row)), VariantStock(row)));
        let sellers = self.0.clone();
        let total = counted(ctx.backend(), move |conn| {
            let sellers = sellers.clone();
            Box::pin(async move { Ok(stock::count_stock(conn, &sellers, low).await?) })
        });
        Ok(Connection::new(page).with_total(total))
    }

    /// Keys for sale that soon stop being sold because of their date, by variant and day; at most 1,000 rows, the soonest
    /// first.
    async fn expiring_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Within how many days, 1 to 3,650; by default 30.", default_with = "Some(30)")]
        within_days: Option<i32>,
    ) -> Answer<Vec<ExpiringKeys>> {
        let within = within_days.unwrap_or(30).clamp(1, 3_650);
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let rows = vault::read::list_expiring(&mut conn, &self.0, within, 1_000).await.or_top()?;
        Ok(rows.into_iter().map(ExpiringKeys).collect())
    }

    /// Imports and made keys, the newest first.
    async fn key_batches(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
    ) -> Answer<Connection<KeyBatch>> {
        self.batches(ctx, false, first, after).await
    }

    /// Imports, the newest first.
    async fn imports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
    ) -> Answer<Connection<KeyBatch>> {
        self.batches(ctx, true, first, after).await
    }

    /// Connections to suppliers, the oldest first; at most 200.
    async fn suppliers(&self, ctx: &Context<'_>) -> Answer<Vec<Supplier>> {
        suppliers::list(ctx, &self.0).await
    }

    /// Where events are sent, the oldest first; at most 200.
    async fn hook_endpoints(&self, ctx: &Context<'_>) -> Answer<Vec<HookEndpoint>> {
        hooks::list(ctx, &self.0).await
    }

    /// Where a variant is bought, the first asked first; at most 10.
    async fn supplier_offers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which variant.")] variant_id: ID,
    ) -> Answer<Vec<SupplierOffer>> {
        match VariantId::parse(&variant_id) {
            Ok(variant) => suppliers::offers(ctx, &self.0, variant).await,
            Err(_) => Ok(Vec::new()),
        }
    }

    /// What buyers report of what they bought, the newest first.
    async fn cases(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What narrows the list.")] filter: Option<SellerCaseFilter>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
    ) -> Answer<Connection<ReportedCase>> {
        let filter = filter.unwrap_or_default().read();
        let list = format!("cases {:?} {filter:?}", self.0);
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        let page = {
            let mut conn = ctx.backend().db.conn().await.or_top()?;
            cases::read::list_of_sellers(&mut conn, &self.0, &filter, &args).await.or_top()?
        };
        let cursors: Vec<String> =
            page.rows.iter().map(|row| page::encode(&list, &[row.id.to_string()])).collect();
        let (has_next, has_previous) = (page.has_next, page.has_previous);
        let rows = cursors.into_iter().zip(load_cases(ctx, page.rows, AccessLevel::Status).await?).collect();
        let sellers = self.0.clone();
        let total = counted(ctx.backend(), move |conn| {
            let (sellers, filter) = (sellers.clone(), filter.clone());
            Box::pin(async move { Ok(cases::read::count_of_sellers(conn, &sellers, &filter).await?) })
        });
        Ok(Connection::new(Page { rows, has_next, has_previous }).with_total(total))
    }

    /// Paid lines, those placed last first. Who bought them is masked.
    async fn order_lines(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
    ) -> Answer<Connection<OrderLine>> {
        let list = format!("order lines {:?}", self.0);
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        let page = {
            let mut conn = ctx.backend().db.conn().await.or_top()?;
            staff::lines_of_sellers(&mut conn, &self.0, &args).await.or_top()?
        };
        let cursors: Vec<String> =
            page.rows.iter().map(|row| page::encode(&list, &[row.line_id.to_string()])).collect();
        let (has_next, has_previous) = (page.has_next, page.has_previous);
        let lines = page.rows.iter().map(|row| (row.order_id, row.line_id)).collect();
        let lines = orders::line_page(ctx, lines, AccessLevel::Status).await?;
        let rows = cursors.into_iter().zip(lines).collect();
        let sellers = self.0.clone();
        let total = counted(ctx.backend(), move |conn| {
            let sellers = sellers.clone();
            Box::pin(async move { Ok(staff::count_lines_of_sellers(conn, &sellers).await?) })
        });
        Ok(Connection::new(Page { rows, has_next, has_previous }).with_total(total))
    }
}

impl Seller {
    async fn batches(
        &self,
        ctx: &Context<'_>,
        imports: bool,
        first: Option<i32>,
        after: Option<String>,
    ) -> Answer<Connection<KeyBatch>> {
        let list = format!("key batches {:?} {imports}", self.0);
        let args = PageArgs::read(&list, first, after.as_deref(), None, None, DEFAULT_SIZE, LARGEST_SIZE)
            .or_top()?;
        let before = args.from.as_deref().and_then(|keys| BatchId::parse(keys.first()?).ok());
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let rows =
            vault::read::list_batches(&mut conn, &self.0, imports, before, args.size + 1).await.or_top()?;
        let page = Page::cut(rows, &args);
        let page = page.map(|row| (page::encode(&list, &[row.id.to_string()]), KeyBatch(row)));
        let sellers = self.0.clone();
        let total = counted(ctx.backend(), move |conn| {
            let sellers = sellers.clone();
            Box::pin(async move { Ok(vault::read::count_batches(conn, &sellers, imports).await?) })
        });
        Ok(Connection::new(page).with_total(total))
    }
}
