use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::base::ids::UnitId;
use crate::base::page::PageArgs;
use crate::delivery::cases::CaseState;
use crate::goods::{self, Supply};
use crate::graphql::catalogue::types::{Product, Variant};
use crate::graphql::connection::{Connection, Listed, slice};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::loaders;
use crate::graphql::orders::cases::ReportedCase;
use crate::graphql::orders::delivery::{Delivery, DownloadGrant};
use crate::graphql::orders::load::{Whole, WholeLine};
use crate::graphql::orders::order::Order;
use crate::graphql::orders::stage;
use crate::graphql::payments::types::Explanation;
use crate::graphql::scalars::{DateTime, Money};
use crate::orders::access::AccessLevel;
use crate::orders::state::OrderState;
use crate::orders::{Unit, UnitState};

/// A line of an order: the same on the order page, in a library and in a seller's list.
#[derive(Clone, Debug)]
pub struct OrderLine {
    pub whole: Arc<Whole>,
    pub at: usize,
}

impl Listed for OrderLine {
    const NAME: &'static str = "OrderLine";
}

impl Listed for Delivery {
    const NAME: &'static str = "Delivery";
}

/// How far a line has come: the worst of its units, in the order given here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "UnitState")]
pub enum LineState {
    /// Only a person can go on.
    AwaitingPerson,
    /// A supplier was asked.
    AwaitingSupplier,
    /// Sold out; filled by itself when stock comes.
    AwaitingStock,
    /// Not paid, or being delivered right now.
    Unassigned,
    /// Delivered.
    Assigned,
    /// Delivered and seen.
    Revealed,
    /// Another one took its place.
    Replaced,
    /// Taken back.
    Revoked,
    /// Given up before it was delivered.
    Cancelled,
}

impl OrderLine {
    pub fn line(&self) -> &WholeLine {
        &self.whole.lines[self.at]
    }

    fn money(&self, minor: i64) -> Money {
        Money::of(minor, self.line().line.currency)
    }

    /// One of its deliveries, replaced or not.
    pub fn delivery(&self, id: UnitId) -> Option<Delivery> {
        let line = self.line();
        let unit = line.units.iter().chain(&line.replaced).find(|unit| unit.id == id)?;
        Some(Delivery::of(self, unit.clone()))
    }
}

/// Replacements of one number that keep their place in a list.
const MOST_REPLACED: i64 = 10_000;

impl WholeLine {
    /// All pieces with their places: by number, and of one number the earlier first. A place stays what it is when the piece is
    /// replaced.
    fn in_order(&self) -> Vec<(i64, Unit)> {
        let mut all: Vec<&Unit> = self.replaced.iter().chain(&self.units).collect();
        all.sort_by_key(|unit| (unit.unit_no, unit.id));
        let (mut last, mut depth) = (0, 0);
        all.into_iter()
            .map(|unit| {
                depth = if unit.unit_no == last { depth + 1 } else { 0 };
                last = unit.unit_no;
                (i64::from(unit.unit_no) * MOST_REPLACED + depth, unit.clone())
            })
            .collect()
    }
}

/// What a buyer was promised with a line, as it was when it was bought.
#[derive(SimpleObject)]
pub struct LineTerms {
    /// For how many days a piece that does not work is replaced; null when the seller gave no number.
    warranty_days: Option<i32>,
    /// How often one that does not work is replaced at most; null is as often as its seller likes.
    replacement_limit: Option<i32>,
    /// Whether later versions belong to the purchase.
    updates_included: bool,
    /// How often each file may be downloaded; null is as often as one likes.
    download_limit: Option<i32>,
    /// For how many days files may be downloaded; null is for ever.
    access_days: Option<i32>,
    /// On how many devices each licence is used at once; null is on any number, or these are no licences.
    activation_limit: Option<i32>,
}

/// A line of an order. Title and prices are as they were when it was bought.
#[Object]
impl OrderLine {
    /// The line's id.
    pub async fn id(&self) -> ID {
        self.line().line.id.into()
    }

    /// The order it is part of.
    async fn order(&self) -> Order {
        Order(self.whole.clone())
    }

    /// What the product was called.
    async fn title(&self) -> &str {
        &self.line().line.title
    }

    /// What the variant was called.
    async fn variant_title(&self) -> &str {
        &self.line().line.variant_title
    }

    /// Open code of the kind of goods.
    async fn kind(&self) -> &str {
        &self.line().line.kind
    }

    /// What was promised when it was bought. A later edit of the variant changes nothing of it.
    async fn terms(&self) -> LineTerms {
        let terms = &self.line().line.terms;
        LineTerms {
            warranty_days: terms.warranty_days,
            replacement_limit: terms.replacement_limit,
            updates_included: terms.updates_included,
            download_limit: terms.download_limit,
            access_days: terms.access_days,
            activation_limit: terms.activation_limit,
        }
    }

    /// The product; null when it is not on sale any more.
    async fn product(&self, ctx: &Context<'_>) -> Answer<Option<Product>> {
        loaders::product(ctx, self.line().line.product_id).await
    }

    /// The variant; null when it is not on sale any more.
    async fn variant(&self, ctx: &Context<'_>) -> Answer<Option<Variant>> {
        loaders::variant(ctx, self.line().line.variant_id).await
    }

    /// How many were bought.
    async fn quantity(&self) -> i32 {
        self.line().line.quantity
    }

    /// Until when keys are held for it while it is not paid; null when none are. After that it can be paid as long as
    /// there are keys.
    async fn reserved_until(&self, ctx: &Context<'_>) -> Option<DateTime> {
        let unpaid = self.whole.order.state == OrderState::PendingPayment;
        let until =
            self.line().line.reserved_until.filter(|until| unpaid && *until > ctx.backend().clock.now());
        until.map(Into::into)
    }

    /// How many are delivered.
    async fn delivered_quantity(&self) -> i32 {
        self.line().units.iter().filter(|u| u.state.is_delivered()).count() as i32
    }

    /// What one costs.
    async fn unit(&self) -> Money {
        self.money(self.line().line.unit_minor)
    }

    /// What is taken off the line.
    async fn discount(&self) -> Money {
        self.money(self.line().line.discount_minor)
    }

    /// What the line costs.
    async fn total(&self) -> Money {
        self.money(self.line().line.total_minor)
    }

    /// What of it was given back by name.
    async fn refunded(&self) -> Money {
        self.money(self.line().refunded_minor)
    }

    /// How far it has come: the worst of its units.
    async fn state(&self) -> LineState {
        UnitState::of_line(self.line().units.iter().map(|u| u.state)).into()
    }

    /// Why it is paid and not all delivered; null when it is.
    async fn why_not_delivered(&self, ctx: &Context<'_>) -> Option<Explanation> {
        stage::why_not(&self.whole, &[self.line()], ctx.locale())
    }

    /// What was delivered, one entry per piece; one that was replaced comes before what took its place, as `REPLACED`.
    async fn deliveries(
        &self,
        #[graphql(desc = "How many, 1 to 100; by default 5.", default = 5)] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
    ) -> Answer<Connection<Delivery>> {
        let line = self.line();
        let list = format!("deliveries {}", line.line.id);
        let args = PageArgs::read(&list, first, after.as_deref(), None, None, 5, 100).or_top()?;
        let units = line.in_order();
        let total = units.len();
        let page = slice(&list, units, &args, |unit| Delivery::of(self, unit));
        Ok(Connection::new(page).with_known_total(total))
    }

    /// The files that may be downloaded with it; at most 100 for each piece.
    async fn grants(&self, ctx: &Context<'_>) -> Answer<Vec<DownloadGrant>> {
        if goods::supply(&self.line().line.kind) != Some(Supply::Files)
            || self.whole.access_level < AccessLevel::Buyer
        {
            return Ok(Vec::new());
        }
        Ok(loaders::grants(ctx, self.line().line.id).await?.into_iter().map(DownloadGrant).collect())
    }

    /// What was reported of its deliveries, and what was answered, the newest first; at most 100. For its buyer and staff.
    async fn cases(&self, ctx: &Context<'_>) -> Answer<Vec<ReportedCase>> {
        if self.whole.access_level < AccessLevel::Buyer {
            return Ok(Vec::new());
        }
        let found = loaders::cases(ctx, self.line().line.id).await?;
        let case = |(row, answers)| ReportedCase { row, answers, line: self.clone() };
        Ok(found.into_iter().map(case).collect())
    }

    /// Whether `deliveryReport` may be called for one of its deliveries: something is delivered that no report waits about.
    async fn can_report(&self, ctx: &Context<'_>) -> Answer<bool> {
        let line = self.line();
        let delivered = line.units.iter().filter(|unit| unit.state.is_delivered()).count();
        if self.whole.access_level < AccessLevel::Buyer || delivered == 0 {
            return Ok(false);
        }
        let open = loaders::cases(ctx, line.line.id).await?;
        let open = open.iter().filter(|(case, _)| case.state == CaseState::Open).count();
        Ok(open < delivered)
    }

    /// When anything about it or its order last changed: what `changedSince` goes by.
    async fn changed_at(&self, ctx: &Context<'_>) -> Answer<DateTime> {
        let changed = loaders::line_change(ctx, self.line().line.id).await?;
        Ok(changed.unwrap_or(self.whole.order.placed_at).into())
    }
}
