//! An order's state alone: what a watch ticket shows.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chrono::Utc;

use crate::base::outcome::Fault;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::orders::followed;
use crate::graphql::orders::load::Whole;
use crate::graphql::orders::stage::{self, OrderStage};
use crate::graphql::orders::why;
use crate::graphql::payments::types::Explanation;
use crate::graphql::scalars::{DateTime, Money};
use crate::orders::access::{self, AccessLevel};

/// How to follow an order without asking too often.
#[derive(Clone, Debug, SimpleObject)]
pub struct LiveHint {
    /// How far the order's story has come: the `after` of a subscription that goes on from here.
    cursor: String,
    /// When to look again; null: nothing more will happen.
    poll_after_seconds: Option<i32>,
    /// Shows the order's state by `orderStatus` and nothing else; may be part of a URL.
    watch_ticket: String,
    /// When the ticket ends.
    watch_ticket_expires_at: DateTime,
}

/// The hint of an order, with a ticket and its end.
pub fn hint(
    ctx: &Context<'_>,
    whole: &Whole,
    (watch_ticket, ends): (String, chrono::DateTime<Utc>),
) -> Answer<LiveHint> {
    let last = whole.last.as_ref().ok_or_else(|| Fault::bug("an order was loaded without its last event"));
    Ok(LiveHint {
        cursor: last.or_top()?.seq.to_string(),
        poll_after_seconds: stage::poll_after(whole, ctx.backend().clock.now()),
        watch_ticket,
        watch_ticket_expires_at: ends.into(),
    })
}

/// What a watch ticket shows of its order.
pub struct OrderStatus {
    pub whole: Arc<Whole>,
    ticket: String,
    pub ends: chrono::DateTime<Utc>,
}

/// The order of a watch ticket; none when the ticket is over, not ours, or access to the order was given anew.
pub async fn find(ctx: &Context<'_>, ticket: String) -> Answer<Option<OrderStatus>> {
    let Some(opened) = access::open_watch_ticket(ctx.backend(), &ticket) else { return Ok(None) };
    let whole = followed::find(ctx, opened.order, AccessLevel::Status).await?;
    let whole = whole.filter(|whole| opened.shows(&whole.order));
    Ok(whole.map(|whole| OrderStatus { whole, ticket, ends: opened.ends }))
}

/// What a watch ticket shows of its order: how far it has come. Has no id, so that a cache never mixes it with the order.
#[Object]
impl OrderStatus {
    /// The number that people and gateways know it by.
    async fn number(&self) -> &str {
        &self.whole.order.number
    }

    /// A text for a screen.
    async fn stage(&self) -> OrderStage {
        stage::of(&self.whole)
    }

    /// What it costs.
    async fn total(&self) -> Money {
        Money::of(self.whole.order.total_minor, self.whole.order.currency)
    }

    /// How to follow it. The ticket stays the same: it is not prolonged by using it.
    async fn live(&self, ctx: &Context<'_>) -> Answer<LiveHint> {
        hint(ctx, &self.whole, (self.ticket.clone(), self.ends))
    }

    /// Why it is not all delivered: it is to be paid (`AWAITING_PAYMENT`, `CONFIRMING_PAYMENT`), something waits
    /// (`AWAITING_STOCK`, `AWAITING_SUPPLIER`, `AWAITING_PERSON`, `IN_REVIEW`, `PAYMENT_NEEDS_ATTENTION`, `PAYMENT_DISPUTED`), or
    /// the mail with the goods did not arrive (`MAIL_DELAYED`, `MAIL_BOUNCED`, `MAIL_NOT_SENT`); null when all is well.
    async fn why_not_delivered(&self, ctx: &Context<'_>) -> Answer<Option<Explanation>> {
        why::of_order(ctx, &self.whole).await
    }
}
