use async_graphql::{Context, InputObject, Object};

use crate::base::page::{self, DEFAULT_SIZE, LARGEST_SIZE, Page, PageArgs};
use crate::graphql::clients::{self, ApiClient};
use crate::graphql::connection::{Connection, counted};
use crate::graphql::context::ContextExt;
use crate::graphql::desk::accounts::GatewayAccount;
use crate::graphql::desk::blocks::Block;
use crate::graphql::desk::evidence::{self, DisputeEvidence, DisputeEvidenceTarget};
use crate::graphql::desk::mails::{MailSuppression, MailSuppressionFilter};
use crate::graphql::desk::notices::{DeskNoticeFilter, Notice};
use crate::graphql::desk::statements::{self, DeskStatementFilter, StatementRun};
use crate::graphql::desk::types::{Health, Task, TaskState};
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::orders::{self, Order, OrderState};
use crate::graphql::people::types::User;
use crate::graphql::scalars::DateTime;
use crate::hooks;
use crate::mail;
use crate::operations;
use crate::orders::access::AccessLevel;
use crate::orders::blocks;
use crate::orders::staff;
use crate::payments::{self, read};
use crate::people;

/// What narrows the desk's list of orders.
#[derive(Default, InputObject)]
pub struct DeskOrderFilter {
    /// In any of these states.
    states: Option<Vec<OrderState>>,
    /// Changed at this moment or later; the list is then in the order of the changes.
    changed_since: Option<DateTime>,
}

/// What narrows the list of tasks.
#[derive(Default, InputObject)]
pub struct TaskFilter {
    /// Of any of these kinds; at most 20.
    kinds: Option<Vec<String>>,
    /// In any of these states; by default those that are not resolved.
    states: Option<Vec<TaskState>>,
}

/// The desk of support and admins.
#[derive(Default)]
pub struct DeskQuery;

#[Object]
impl DeskQuery {
    /// The desk of support and admins; null for others.
    async fn desk(&self, ctx: &Context<'_>) -> Option<Desk> {
        ctx.actor().is_staff().then_some(Desk)
    }
}

/// The desk of support and admins.
pub struct Desk;

fn few(list: Option<Vec<String>>) -> Vec<String> {
    list.unwrap_or_default().into_iter().take(20).collect()
}

/// The desk of support and admins: everybody's orders, people, tasks, notices, health.
#[Object]
impl Desk {
    /// Everybody's orders, the newest first; with `changedSince` what changed first first.
    #[expect(clippy::too_many_arguments, reason = "the arguments are those of the schema")]
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A number, the beginning of an address, or a gateway's number of the trade.")]
        search: Option<String>,
        #[graphql(desc = "What narrows the list.")] filter: Option<DeskOrderFilter>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
    ) -> Answer<Connection<Order>> {
        let filter = filter.unwrap_or_default();
        let mut filter = staff::OrderFilter {
            search: search.map(|s| s.chars().take(254).collect()),
            found: Vec::new(),
            states: filter.states.unwrap_or_default().into_iter().map(Into::into).collect(),
            changed_since: filter.changed_since.map(|d| d.0),
            ..staff::OrderFilter::default()
        };
        let list = format!("desk orders {filter:?}");
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        if let Some(trade_no) = filter.search.as_deref().map(str::trim).filter(|s| !s.is_empty()) {
            let mut conn = ctx.backend().db.conn().await.or_top()?;
            filter.found = payments::read::list_orders_of_trade(&mut conn, trade_no).await.or_top()?;
        }
        orders::filtered(ctx, &list, filter, &args, AccessLevel::Staff).await
    }

    /// Everybody, the newest first.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Part of an address or name.")] search: Option<String>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
    ) -> Answer<Connection<User>> {
        let search: Option<String> = search.map(|s| s.trim().chars().take(254).collect());
        let list = format!("users {search:?}");
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let page = people::read::users(&mut conn, &args, search.as_deref()).await.or_top()?;
        let page = page.map(|row| (page::encode(&list, &[row.user.id.to_string()]), User(row)));
        let total = counted(ctx.backend(), move |conn| {
            let search = search.clone();
            Box::pin(async move { Ok(people::read::count_users(conn, search.as_deref()).await?) })
        });
        Ok(Connection::new(page).with_total(total))
    }

    /// The manual queue, the oldest first.
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What narrows the list.")] filter: Option<TaskFilter>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
    ) -> Answer<Connection<Task>> {
        let filter = filter.unwrap_or_default();
        let states = filter.states.unwrap_or_else(|| vec![TaskState::Open, TaskState::Taken]);
        let filter = operations::TaskFilter {
            kinds: few(filter.kinds),
            states: states.into_iter().map(Into::into).collect(),
        };
        let list = format!("tasks {filter:?}");
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let page = operations::list_tasks(&mut conn, &filter, &args).await.or_top()?;
        let page = page.map(|row| (page::encode(&list, &operations::task_keys(&row)), Task(row)));
        let total = counted(ctx.backend(), move |conn| {
            let filter = filter.clone();
            Box::pin(async move { Ok(operations::count_tasks(conn, &filter).await?) })
        });
        Ok(Connection::new(page).with_total(total))
    }

    /// The inbox of gateways' notifications, the newest first.
    async fn notices(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What narrows the list.")] filter: Option<DeskNoticeFilter>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
    ) -> Answer<Connection<Notice>> {
        let filter = filter.unwrap_or_default().read();
        let list = format!("notices {filter:?}");
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let page = read::list_notices(&mut conn, &filter, &args).await.or_top()?;
        let page = page.map(|row| (page::encode(&list, &[row.id.to_string()]), row.into()));
        let total = counted(ctx.backend(), move |conn| {
            let filter = filter.clone();
            Box::pin(async move { Ok(read::count_notices(conn, &filter).await?) })
        });
        Ok(Connection::new(page).with_total(total))
    }

    /// Gateways' statements that were read, the newest first.
    async fn statements(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What narrows the list.")] filter: Option<DeskStatementFilter>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
    ) -> Answer<Connection<StatementRun>> {
        let filter = filter.unwrap_or_default().read();
        let list = format!("statements {filter:?}");
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        let page = {
            let mut conn = ctx.backend().db.conn().await.or_top()?;
            payments::statements::read::list_runs(&mut conn, &filter, &args).await.or_top()?
        };
        let cursor = |run: &payments::statements::Run| page::encode(&list, &[run.id.0.to_string()]);
        let cursors: Vec<String> = page.rows.iter().map(cursor).collect();
        let (has_next, has_previous) = (page.has_next, page.has_previous);
        let rows = cursors.into_iter().zip(statements::load(ctx, page.rows).await?).collect();
        let total = counted(ctx.backend(), move |conn| {
            let filter = filter.clone();
            Box::pin(async move { Ok(payments::statements::read::count_runs(conn, &filter).await?) })
        });
        Ok(Connection::new(Page { rows, has_next, has_previous }).with_total(total))
    }

    /// Buyers whose orders are looked at before anything leaves, the newest first.
    async fn blocks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Also those that were removed.", default)] removed: bool,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
    ) -> Answer<Connection<Block>> {
        let list = format!("blocks {removed}");
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let page = blocks::list(&mut conn, removed, &args).await.or_top()?;
        let page = page.map(|row| (page::encode(&list, &blocks::block_keys(&row)), row.into()));
        let total = counted(ctx.backend(), move |conn| {
            Box::pin(async move { Ok(blocks::count(conn, removed).await?) })
        });
        Ok(Connection::new(page).with_total(total))
    }

    /// Addresses that no mail is sent to, the newest first.
    async fn mail_suppressions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What narrows the list.")] filter: Option<MailSuppressionFilter>,
        #[graphql(desc = "How many, 1 to 100; by default 20.")] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before this row.")] before: Option<String>,
    ) -> Answer<Connection<MailSuppression>> {
        let filter = filter.unwrap_or_default().read().or_top()?;
        let list = format!("mail suppressions {filter:?}");
        let (after, before) = (after.as_deref(), before.as_deref());
        let args = PageArgs::read(&list, first, after, last, before, DEFAULT_SIZE, LARGEST_SIZE).or_top()?;
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let page = mail::read::list_suppressions(&mut conn, &filter, &args).await.or_top()?;
        let page = page.map(|row| (page::encode(&list, &[row.id.to_string()]), MailSuppression(row)));
        let total = counted(ctx.backend(), move |conn| {
            let filter = filter.clone();
            Box::pin(async move { Ok(mail::read::count_suppressions(conn, &filter).await?) })
        });
        Ok(Connection::new(page).with_total(total))
    }

    /// Machines that speak to the shop, the oldest first; at most 200.
    async fn api_clients(&self, ctx: &Context<'_>) -> Answer<Vec<ApiClient>> {
        clients::list(ctx).await
    }

    /// The merchant accounts at gateways, as they are configured now: what each can do.
    async fn gateway_accounts(&self, ctx: &Context<'_>) -> Vec<GatewayAccount> {
        GatewayAccount::list(ctx.backend())
    }

    /// The evidence about a dispute: what was bought, delivered, seen and downloaded, from where, which mails went out, and what was
    /// given back. Null when there is no such dispute. That somebody collected it is recorded.
    async fn dispute_evidence(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which dispute.")] target: DisputeEvidenceTarget,
    ) -> Answer<Option<DisputeEvidence>> {
        evidence::find(ctx, target).await
    }

    /// How the shop does, in numbers.
    async fn health(&self, ctx: &Context<'_>) -> Answer<Health> {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let row = operations::health(&mut conn).await.or_top()?;
        let waiting = operations::waiting::list(&mut conn).await.or_top()?;
        let sending = hooks::read::health(&mut conn).await.or_top()?;
        Ok(Health::of(row, waiting, sending, &ctx.backend().payments.accounts.complaints()))
    }
}
