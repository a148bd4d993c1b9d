use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::base::ids::{LineId, UnitId};
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
use crate::graphql::orders::why;
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

    /// The lines of an order as they were bought: a bundle is one, which has its parts.
    pub fn list(whole: &Arc<Whole>) -> Vec<Self> {
        let lines = whole.lines.iter().enumerate().filter(|(_, line)| line.line.parent_line_id.is_none());
        lines.map(|(at, _)| Self { whole: whole.clone(), at }).collect()
    }

    fn of(&self, at: usize) -> Self {
        Self { whole: self.whole.clone(), at }
    }

    /// The lines of a bundle's parts.
    fn part_lines(&self) -> Vec<Self> {
        let own = Some(self.line().line.id);
        let lines = self.whole.lines.iter().enumerate();
        lines.filter(|(_, part)| part.line.parent_line_id == own).map(|(at, _)| self.of(at)).collect()
    }

    /// The line of the bundle that it is a part of.
    fn bundle(&self) -> Option<Self> {
        let id = self.line().line.parent_line_id?;
        self.whole.lines.iter().position(|line| line.line.id == id).map(|at| self.of(at))
    }

    /// Its bundle when that is meant, else itself.
    pub fn or_bundle(self, meant: LineId) -> Self {
        self.bundle().filter(|bundle| bundle.line().line.id == meant).unwrap_or(self)
    }

    /// The lines that have the goods: a bundle's are its parts'.
    fn with_goods(&self) -> Vec<Self> {
        let parts = self.part_lines();
        if parts.is_empty() { vec![self.clone()] } else { parts }
    }

    /// The files that may be downloaded with it, whoever asks.
    pub async fn files(&self, ctx: &Context<'_>) -> Answer<Vec<DownloadGrant>> {
        let lines = self.with_goods();
        let files = lines.iter().filter(|l| goods::supply(&l.line().line.kind) == Some(Supply::Files));
        let grants = files.map(|line| loaders::grants(ctx, line.line().line.id));
        let grants = futures::future::try_join_all(grants).await?;
        Ok(grants.into_iter().flatten().map(DownloadGrant).collect())
    }

    /// Its pieces but those that were replaced, each with the line that has it.
    pub fn current(&self) -> impl Iterator<Item = (Self, Unit)> {
        let pieces = self.pieces().into_iter().map(|(_, piece)| piece);
        pieces.filter(|(_, unit)| unit.superseded_by.is_none())
    }

    /// Its pieces with their places, each with the line that has it.
    fn pieces(&self) -> Vec<(i64, (Self, Unit))> {
        let of = |(part, line): (i64, Self)| {
            let units = line.line().in_order();
            units.into_iter().map(move |(place, unit)| (part * MOST_PLACES + place, (line.clone(), unit)))
        };
        (0..).zip(self.with_goods()).flat_map(of).collect()
    }

    /// What was reported of its deliveries.
    async fn reported(&self, ctx: &Context<'_>) -> Answer<Vec<ReportedCase>> {
        let lines = self.with_goods();
        // Asked together, so that the lines of a bundle are one batch.
        let found = lines.iter().map(|line| loaders::cases(ctx, line.line().line.id));
        let found = futures::future::try_join_all(found).await?;
        let of = |(line, found): (Self, Vec<_>)| {
            let case = move |(row, answers)| ReportedCase { row, answers, line: line.clone() };
            found.into_iter().map(case)
        };
        Ok(lines.into_iter().zip(found).flat_map(of).collect())
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

/// Places of one line's pieces: more than their numbers, times that.
const MOST_PLACES: i64 = 1_000_000_000;

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

    /// Until when keys are held for it while it is not paid, of a bundle for all of its parts that have keys; null when none
    /// are. After that it can be paid as long as there are keys.
    async fn reserved_until(&self, ctx: &Context<'_>) -> Option<DateTime> {
        let unpaid = self.whole.order.state == OrderState::PendingPayment;
        let now = ctx.backend().clock.now();
        let held = self.with_goods().into_iter().filter_map(|line| line.line().line.reserved_until);
        held.filter(|until| unpaid && *until > now).min().map(Into::into)
    }

    /// How many are delivered; of a bundle: how many are delivered whole.
    async fn delivered_quantity(&self) -> i32 {
        let delivered = |line: &Self| {
            let pieces = line.line().units.iter().filter(|u| u.state.is_delivered()).count() as i32;
            match line.at == self.at {
                true => pieces,
                false => pieces / line.line().line.part_quantity.unwrap_or(1).max(1),
            }
        };
        self.with_goods().iter().map(delivered).min().unwrap_or_default()
    }

    /// Of a bundle: its parts, at most 20, each a line of its own kind, as the bundle was made up when it was bought.
    /// `Order.lines` does not list them.
    async fn parts(&self) -> Vec<OrderLine> {
        self.part_lines()
    }

    /// Of a part: the bundle that it was bought in.
    async fn part_of(&self) -> Option<OrderLine> {
        self.bundle()
    }

    /// What one costs; of a part: what it cost by itself.
    async fn unit(&self) -> Money {
        self.money(self.line().line.unit_minor)
    }

    /// What is taken off the line.
    async fn discount(&self) -> Money {
        self.money(self.line().line.discount_minor)
    }

    /// What the line costs; of a part: its share of the bundle's price.
    async fn total(&self) -> Money {
        self.money(self.line().line.total_minor)
    }

    /// What of it was given back by name.
    async fn refunded(&self) -> Money {
        self.money(self.with_goods().iter().map(|line| line.line().refunded_minor).sum())
    }

    /// How far it has come: the worst of its units.
    async fn state(&self) -> LineState {
        UnitState::of_line(self.current().map(|(_, unit)| unit.state)).into()
    }

    /// Why it is paid and not all delivered; null when it is.
    async fn why_not_delivered(&self, ctx: &Context<'_>) -> Answer<Option<Explanation>> {
        let lines = self.with_goods();
        let lines: Vec<&WholeLine> = lines.iter().map(OrderLine::line).collect();
        why::of_lines(ctx, &self.whole, &lines).await
    }

    /// What was delivered, one entry per piece; of a bundle one per part and piece. One that was replaced comes before what took
    /// its place, as `REPLACED`.
    async fn deliveries(
        &self,
        #[graphql(desc = "How many, 1 to 100; by default 5.", default = 5)] first: Option<i32>,
        #[graphql(desc = "Start after this row.")] after: Option<String>,
    ) -> Answer<Connection<Delivery>> {
        let line = self.line();
        let list = format!("deliveries {}", line.line.id);
        let args = PageArgs::read(&list, first, after.as_deref(), None, None, 5, 100).or_top()?;
        let pieces = self.pieces();
        let total = pieces.len();
        let page = slice(&list, pieces, &args, |(line, unit)| Delivery::of(&line, unit));
        Ok(Connection::new(page).with_known_total(total))
    }

    /// The files that may be downloaded with it; at most 100 for each piece.
    async fn grants(&self, ctx: &Context<'_>) -> Answer<Vec<DownloadGrant>> {
        if self.whole.access_level < AccessLevel::Buyer {
            return Ok(Vec::new());
        }
        self.files(ctx).await
    }

    /// What was reported of its deliveries, and what was answered, the newest first; at most 100. For its buyer and staff.
    async fn cases(&self, ctx: &Context<'_>) -> Answer<Vec<ReportedCase>> {
        if self.whole.access_level < AccessLevel::Buyer {
            return Ok(Vec::new());
        }
        self.reported(ctx).await
    }

    /// Whether `deliveryReport` may be called for one of its deliveries: something is delivered that no report waits about.
    async fn can_report(&self, ctx: &Context<'_>) -> Answer<bool> {
        if self.whole.access_level < AccessLevel::Buyer {
            return Ok(false);
        }
        let delivered = self.current().filter(|(_, unit)| unit.state.is_delivered()).count();
        if delivered == 0 {
            return Ok(false);
        }
        let cases = self.reported(ctx).await?;
        let open = cases.iter().filter(|case| case.row.state == CaseState::Open).count();
        Ok(open < delivered)
    }

    /// When anything about it or its order last changed: what `changedSince` goes by.
    async fn changed_at(&self, ctx: &Context<'_>) -> Answer<DateTime> {
        let changed = loaders::line_change(ctx, self.line().line.id).await?;
        Ok(changed.unwrap_or(self.whole.order.placed_at).into())
    }
}
