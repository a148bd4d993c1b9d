//! Orders that are followed. What a follower is given is the order's present state: changes that come quickly after each
//! other, or while nobody listened, are one.

use async_graphql::{Context, SimpleObject, Subscription};
use futures::stream::{self, Stream};

use crate::base::error_code::ErrorCode;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{OutcomeExt, coded};
use crate::graphql::live::{Turn, TurnExt};
use crate::graphql::orders::followed;
use crate::graphql::orders::load::{LastEvent, Whole};
use crate::graphql::orders::order::Order;
use crate::graphql::orders::stage;
use crate::graphql::orders::status::{self, OrderStatus};
use crate::graphql::scalars::DateTime;
use crate::infra::hub::Topic;
use crate::infra::sequence;
use crate::orders::access::{self, AccessLevel};

/// An order that somebody follows, as it is now.
#[derive(SimpleObject)]
pub struct OrderChange {
    /// How far the order's story has come; `after` of the subscription that goes on from here.
    cursor: String,
    /// Open code of the last thing that happened, `noun.verbed`; null when this is where the following began.
    event: Option<String>,
    /// When that happened.
    at: DateTime,
    /// The order.
    order: Order,
}

/// The state of an order that somebody follows by a watch ticket.
#[derive(SimpleObject)]
pub struct OrderStatusChange {
    /// How far the order's story has come; `after` of the subscription that goes on from here.
    cursor: String,
    /// Open code of the last thing that happened, `noun.verbed`; null when this is where the following began.
    event: Option<String>,
    /// When that happened.
    at: DateTime,
    /// The state.
    status: OrderStatus,
}

/// Orders that are followed.
#[derive(Default)]
pub struct OrderSubscription;

#[Subscription]
impl OrderSubscription {
    /// One order: its present state first, then again after each change, until nothing more will happen. With `after`
    /// only when something happened since. An order that is missing, or that the caller may not see, is `FORBIDDEN`.
    async fn order_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order's number.")] number: String,
        #[graphql(
            desc = "A guest's token; the header `Dispense-Order-Token` does the same. A watch ticket is for `orderStatusChanged`."
        )]
        access_token: Option<String>,
        #[graphql(desc = "The last cursor that came. One that is old or unknown gives the present state.")]
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = OrderChange>> {
        let turn = ctx.turn();
        let found = followed::find_by_number(ctx, number.trim()).await?;
        let level = |order: &crate::orders::Order| {
            access::access_level(ctx.backend(), ctx.actor(), order, access_token.as_deref())
                .filter(|level| *level >= AccessLevel::Buyer)
        };
        let (id, level) =
            found.and_then(|order| level(&order).map(|level| (order.id, level))).ok_or_else(unseen)?;
        turn.follow(Topic::Order(id)).await?;
        let order = followed::find(ctx, id, level).await?.map(Order).ok_or_else(unseen)?;
        let happened = happened(ctx, turn, &order.0, after).await?;
        Ok(stream::iter(happened.map(|Happened { cursor, event, at }| OrderChange {
            cursor,
            event,
            at,
            order,
        })))
    }

    /// The state of a watch ticket's order: as it is now, then again after each change, until nothing more will happen or
    /// the ticket ends. With `after` only when something happened since. A ticket that is over or not of this shop is
    /// `FORBIDDEN`.
    async fn order_status_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ticket, from `Order.live` or from the address a buyer came back to.")]
        ticket: String,
        #[graphql(desc = "The last cursor that came. One that is old or unknown gives the present state.")]
        after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = OrderStatusChange>> {
        let turn = ctx.turn();
        let opened = access::open_watch_ticket(ctx.backend(), &ticket).ok_or_else(unseen)?;
        turn.follow(Topic::Order(opened.order)).await?;
        let status = status::find(ctx, ticket).await?.ok_or_else(unseen)?;
        turn.until(status.ends);
        let happened = happened(ctx, turn, &status.whole, after).await?;
        Ok(stream::iter(happened.map(|Happened { cursor, event, at }| OrderStatusChange {
            cursor,
            event,
            at,
            status,
        })))
    }
}

/// What is missing and what may not be seen are alike.
fn unseen() -> async_graphql::Error {
    coded(ErrorCode::Forbidden, "there is no such order, or you may not see it")
}

/// What a follower does not know yet.
struct Happened {
    cursor: String,
    event: Option<String>,
    at: DateTime,
}

/// Whether the follower is given the order, and what of it ends.
async fn happened(
    ctx: &Context<'_>,
    turn: &Turn,
    whole: &Whole,
    after: Option<String>,
) -> async_graphql::Result<Option<Happened>> {
    let over = stage::poll_after(whole, ctx.backend().clock.now()).is_none();
    let Some(LastEvent { seq, kind, at }) = whole.last.clone() else { return Ok(None) };
    let (cursor, after) = (seq.to_string(), turn.after(after));
    if after.as_ref() == Some(&cursor) {
        // Whoever knows all that has a number may not know the end yet.
        if over {
            let mut conn = ctx.backend().db.conn().await.or_top()?;
            if !sequence::has_more(&mut conn, whole.order.id, seq).await.or_top()? {
                turn.end();
            }
        }
        return Ok(None);
    }
    if over {
        turn.end();
    }
    turn.give(cursor.clone());
    let event = kind.filter(|_| after.is_some());
    Ok(Some(Happened { cursor, event, at: at.unwrap_or(whole.order.placed_at).into() }))
}
