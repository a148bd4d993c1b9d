use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};

use crate::base::text::masked_email;
use crate::delivery::resend;
use crate::graphql::connection::Listed;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::loaders;
use crate::graphql::orders::gift::Gift;
use crate::graphql::orders::line::OrderLine;
use crate::graphql::orders::load::Whole;
use crate::graphql::orders::stage::{self, OrderStage};
use crate::graphql::orders::status::{self, LiveHint};
use crate::graphql::orders::timeline::{self, TimelineEntry};
use crate::graphql::orders::why;
use crate::graphql::payments::Attribute;
use crate::graphql::payments::types::{Explanation, Payment, PaymentMethod, Refund};
use crate::graphql::scalars::{CurrencyCode, DateTime, LocaleTag, Money};
use crate::orders::OrderState as State;
use crate::orders::access::{self, AccessLevel};
use crate::payments::model;

/// An order, as far as the caller may see it.
#[derive(Clone, Debug)]
pub struct Order(pub Arc<Whole>);

impl Listed for Order {
    const NAME: &'static str = "Order";
}

/// What an order is, as far as money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "State")]
pub enum OrderState {
    /// Not paid yet.
    PendingPayment,
    /// Paid.
    Paid,
    /// Not paid in time.
    Expired,
    /// Given up before it was paid.
    Cancelled,
    /// Paid, delivered, and its warranty over.
    Closed,
}

impl Order {
    /// More than its state may be seen.
    fn whole(&self) -> bool {
        self.0.access_level >= AccessLevel::Buyer
    }

    fn money(&self, minor: i64) -> Money {
        Money::of(minor, self.0.order.currency)
    }

    /// Minor units in the order's currency that came and are still here, whether they pay for its lines or not.
    fn here_minor(&self) -> i64 {
        let ours = |p: &&model::Payment| p.received_currency == Some(self.0.order.currency);
        self.0.payments.iter().filter(ours).map(model::Payment::kept_minor).sum()
    }

    /// Minor units that came and pay for the lines.
    fn paid_minor(&self) -> i64 {
        self.0.payments.iter().filter(|p| p.allocated).filter_map(|p| p.received_minor).sum()
    }
}

/// An order: what was bought, what was paid, what was delivered.
#[Object]
impl Order {
    /// The order's id.
    pub async fn id(&self) -> ID {
        self.0.order.id.into()
    }

    /// The number that people and gateways know it by.
    async fn number(&self) -> &str {
        &self.0.order.number
    }

    /// What it is, as far as money goes.
    async fn state(&self) -> OrderState {
        self.0.order.state.into()
    }

    /// A text for a screen.
    async fn stage(&self) -> OrderStage {
        stage::of(&self.0)
    }

    /// The currency of all its amounts.
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.order.currency)
    }

    /// The language of its texts and mails.
    async fn locale(&self) -> LocaleTag {
        LocaleTag(self.0.order.locale.clone())
    }

    /// The address it was placed with, as typed; masked for sellers, empty when its person was deleted.
    async fn email(&self) -> String {
        let email = self.0.order.email.as_deref().unwrap_or_default();
        if self.whole() { email.to_owned() } else { masked_email(email) }
    }

    /// Who gets the goods, when that is not the buyer: then its recipient alone sees them.
    async fn gift(&self) -> Option<Gift> {
        self.0.gift.clone().filter(|_| self.whole()).map(Gift)
    }

    /// What was bought; at most `Shop.maxLinesPerOrder`. A bundle is one line, which has its parts.
    async fn lines(&self) -> Vec<OrderLine> {
        OrderLine::list(&self.0)
    }

    /// Before discounts.
    async fn subtotal(&self) -> Money {
        self.money(self.0.order.subtotal_minor)
    }

    /// What is taken off.
    async fn discount(&self) -> Money {
        self.money(self.0.order.discount_minor)
    }

    /// What it costs.
    async fn total(&self) -> Money {
        self.money(self.0.order.total_minor)
    }

    /// What came and pays for it.
    async fn paid(&self) -> Money {
        self.money(self.paid_minor())
    }

    /// What of that was given back, or lost in a dispute.
    async fn refunded(&self) -> Money {
        let gone = |p: &model::Payment| p.refunded_minor + p.lost_minor;
        self.money(self.0.payments.iter().filter(|p| p.allocated).map(gone).sum())
    }

    /// What is still to be paid; money that came and is looked at by staff is taken off.
    async fn due(&self) -> Money {
        let open = self.0.order.state == State::PendingPayment;
        self.money(if open { (self.0.order.total_minor - self.here_minor()).max(0) } else { 0 })
    }

    /// Every attempt to pay, the first one first; at most 100.
    async fn payments(&self) -> Vec<Payment> {
        let whole = self.whole();
        self.0.payments.iter().map(|row| Payment { row: row.clone(), whole }).collect()
    }

    /// The ways to pay it; empty when there is nothing to pay.
    async fn payment_methods(&self, ctx: &Context<'_>) -> Answer<Vec<PaymentMethod>> {
        let order = &self.0.order;
        match order.state {
            State::PendingPayment if order.total_minor > 0 && !stage::holds_money(&self.0) => {
                PaymentMethod::list(ctx, Some((order.total_minor, order.currency))).await
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Money on its way back, the first asked for first; at most 100.
    async fn refunds(&self) -> Vec<Refund> {
        self.0.refunds.iter().cloned().map(Into::into).collect()
    }

    /// Whether a payment can be started now.
    async fn can_pay(&self, ctx: &Context<'_>) -> bool {
        self.whole() && stage::can_pay(&self.0, ctx.backend().clock.now())
    }

    /// Whether it can be given up now.
    async fn can_cancel(&self, ctx: &Context<'_>) -> bool {
        // A payment is closed at its gateway first, which takes the account.
        let closes = |p: &model::Payment| {
            !p.state.is_open() || ctx.backend().payments.accounts.find(&p.account_id).is_some()
        };
        self.whole()
            && self.0.order.state == State::PendingPayment
            && stage::of(&self.0) == OrderStage::AwaitingPayment
            && self.0.payments.iter().all(closes)
    }

    /// When its mail can be sent again; null when there is nothing to send.
    async fn can_resend_at(&self, ctx: &Context<'_>) -> Answer<Option<DateTime>> {
        let delivered = self.0.lines.iter().flat_map(|l| &l.units).any(|u| u.state.is_delivered());
        if !self.whole() || !self.0.order.state.is_paid() || !delivered || self.0.order.email.is_none() {
            return Ok(None);
        }
        let backend = ctx.backend();
        let mut conn = backend.db.conn().await.or_top()?;
        let next = resend::next_allowed(&mut conn, backend, self.0.order.id).await.or_top()?;
        let now = backend.clock.now();
        Ok(Some(next.map_or(now, |at| at.max(now)).into()))
    }

    /// When it was placed.
    async fn placed_at(&self) -> DateTime {
        self.0.order.placed_at.into()
    }

    /// Until when it can be paid; null when it does not wait for a payment.
    async fn pay_by(&self) -> Option<DateTime> {
        (self.0.order.state == State::PendingPayment).then(|| self.0.order.pay_by.into())
    }

    /// Seconds until then: clocks of devices are often wrong.
    async fn seconds_to_pay(&self, ctx: &Context<'_>) -> Option<i32> {
        let left = (self.0.order.pay_by - ctx.backend().clock.now()).num_seconds().max(0);
        (self.0.order.state == State::PendingPayment).then(|| i32::try_from(left).unwrap_or(i32::MAX))
    }

    /// When it was paid.
    async fn paid_at(&self) -> Option<DateTime> {
        self.0.order.paid_at.map(Into::into)
    }

    /// When the last piece was delivered; null while any is missing.
    async fn delivered_at(&self) -> Option<DateTime> {
        let units = || self.0.lines.iter().flat_map(|l| &l.units);
        if !self.0.order.state.is_paid() || units().any(|u| u.state.is_waiting()) {
            return None;
        }
        self.0.order.delivered_at.or_else(|| units().filter_map(|u| u.assigned_at).max()).map(Into::into)
    }

    /// When anything about it last changed: what `changedSince` goes by.
    async fn changed_at(&self, ctx: &Context<'_>) -> Answer<DateTime> {
        let changed = loaders::order_change(ctx, self.0.order.id).await?;
        Ok(changed.unwrap_or(self.0.order.placed_at).into())
    }

    /// When it was closed.
    async fn closed_at(&self) -> Option<DateTime> {
        self.0.order.closed_at.map(Into::into)
    }

    /// Why it is not all delivered: it is to be paid (`AWAITING_PAYMENT`, `CONFIRMING_PAYMENT`), something waits
    /// (`AWAITING_STOCK`, `AWAITING_SUPPLIER`, `AWAITING_PERSON`, `IN_REVIEW`, `PAYMENT_NEEDS_ATTENTION`, `PAYMENT_DISPUTED`), or
    /// the mail with the goods did not arrive (`MAIL_DELAYED`, `MAIL_BOUNCED`, `MAIL_NOT_SENT`); null when all is well.
    async fn why_not_delivered(&self, ctx: &Context<'_>) -> Answer<Option<Explanation>> {
        why::of_order(ctx, &self.0).await
    }

    /// How to follow it.
    async fn live(&self, ctx: &Context<'_>) -> Answer<LiveHint> {
        let order = &self.0.order;
        let ticket = access::watch_ticket(ctx.backend(), order.id, order.access_generation);
        status::hint(ctx, &self.0, ticket)
    }

    /// The integrator's own name for it.
    async fn reference(&self) -> Option<&str> {
        self.0.order.reference.as_deref().filter(|_| self.whole())
    }

    /// What the integrator noted on it; at most 20.
    async fn metadata(&self) -> Vec<Attribute> {
        let entries = self.0.order.metadata.as_array().filter(|_| self.whole()).cloned().unwrap_or_default();
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        entries
            .iter()
            .filter_map(|e| Some(Attribute { key: text(&e["key"])?, value: text(&e["value"])? }))
            .collect()
    }

    /// For staff: everything that happened to it, the oldest first, at most 500 entries; null for others.
    async fn timeline(&self, ctx: &Context<'_>) -> Answer<Option<Vec<TimelineEntry>>> {
        if !ctx.actor().is_staff() {
            return Ok(None);
        }
        timeline::of(ctx, self.0.order.id).await.map(Some)
    }
}
