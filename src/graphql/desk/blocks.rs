use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::base::ids::{BlockId, OrderId};
use crate::base::outcome::Outcome;
use crate::fulfilment::release::release;
use crate::graphql::connection::Listed;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::orders::{Order, load_one};
use crate::graphql::scalars::DateTime;
use crate::graphql::user_error::StaffError;
use crate::orders::access::AccessLevel;
use crate::orders::blocks;

/// By what a blocked buyer is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "blocks::BlockKind")]
pub enum BlockKind {
    /// A mailbox, whatever tag is behind a plus.
    Mailbox,
    /// All addresses of a domain, without its subdomains.
    Domain,
    /// The network address that orders are placed from; of IPv6 its network of 56 bits.
    Client,
    /// The country that orders are placed from, by its code of two letters, where a proxy in front of the shop names it.
    Country,
}

/// A buyer whose orders a person looks at before anything leaves.
#[derive(Clone, Debug, SimpleObject)]
pub struct Block {
    /// The block's id.
    #[graphql(owned)]
    pub id: ID,
    /// By what the buyer is recognised.
    kind: BlockKind,
    /// The address, domain, network address or country.
    value: String,
    /// Why.
    reason: String,
    /// Since when.
    added_at: DateTime,
    /// Until when; null while it is in force.
    removed_at: Option<DateTime>,
}

impl Listed for Block {
    const NAME: &'static str = "Block";
}

impl From<blocks::Block> for Block {
    fn from(row: blocks::Block) -> Self {
        Self {
            id: row.id.into(),
            kind: row.kind.into(),
            value: row.shown,
            reason: row.reason,
            added_at: row.added_at.into(),
            removed_at: row.removed_at.map(Into::into),
        }
    }
}

/// Input of `blockAdd`.
#[derive(InputObject)]
pub struct BlockAddInput {
    /// By what the buyer is recognised.
    kind: BlockKind,
    /// The address, domain, network address or country.
    value: String,
    /// Why; at most 500 characters. Staff alone reads it.
    reason: String,
}

/// Input of `blockRemove`.
#[derive(InputObject)]
pub struct BlockRemoveInput {
    /// Which block.
    block_id: ID,
}

/// Payload of `blockAdd` and `blockRemove`.
#[derive(Default, SimpleObject)]
pub struct BlockPayload {
    /// The block as it is now.
    block: Option<Block>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StaffError>,
}

/// Input of `orderRelease`.
#[derive(InputObject)]
pub struct OrderReleaseInput {
    /// Which order.
    order_id: ID,
}

/// Payload of `orderRelease`.
#[derive(Default, SimpleObject)]
pub struct OrderReleasePayload {
    /// The order as it is now.
    order: Option<Order>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StaffError>,
}

fn payload(ctx: &Context<'_>, done: Outcome<blocks::Block>) -> Answer<BlockPayload> {
    Ok(match split(done)? {
        Ok(block) => BlockPayload { block: Some(block.into()), user_errors: Vec::new() },
        Err(refusal) => BlockPayload { block: None, user_errors: ctx.user_errors(refusal)? },
    })
}

/// Blocking buyers, and releasing their orders.
#[derive(Default)]
pub struct BlockMutation;

#[Object]
impl BlockMutation {
    /// For staff: has the orders of a buyer looked at by a person before anything leaves, also those that wait for their
    /// payment now. They are taken and paid like all others. One that is there already is answered as it is.
    async fn block_add(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom, and why.")] input: BlockAddInput,
    ) -> Answer<BlockPayload> {
        ctx.staff()?;
        let kind = input.kind.into();
        let added = blocks::add(ctx.backend(), ctx.actor(), kind, &input.value, &input.reason).await;
        payload(ctx, added)
    }

    /// For staff: ends a block. Orders that are under review stay so until each is released.
    async fn block_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which block.")] input: BlockRemoveInput,
    ) -> Answer<BlockPayload> {
        ctx.staff()?;
        let done = async {
            let block = id::read(&input.block_id, "blockId", BlockId::parse)?;
            blocks::remove(ctx.backend(), ctx.actor(), block).await
        };
        payload(ctx, done.await)
    }

    /// For staff: lets the order of a blocked buyer be delivered. What is paid is delivered at once. `orderRefund` gives the
    /// money back instead. An order that is not under review is left as it is.
    async fn order_release(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] input: OrderReleaseInput,
    ) -> Answer<OrderReleasePayload> {
        ctx.staff()?;
        let done = async {
            let order = id::read(&input.order_id, "orderId", OrderId::parse)?;
            release(ctx.backend(), ctx.actor(), order).await
        };
        Ok(match split(done.await)? {
            Ok(order) => OrderReleasePayload {
                order: load_one(ctx, order, AccessLevel::Staff).await?,
                user_errors: Vec::new(),
            },
            Err(refusal) => OrderReleasePayload { order: None, user_errors: ctx.user_errors(refusal)? },
        })
    }
}
