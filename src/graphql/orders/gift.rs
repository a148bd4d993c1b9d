//! Gifts: what their buyer sees of them, and what their recipient does.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};

use crate::base::text::masked_email;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::loaders;
use crate::graphql::orders::delivery::{Delivery, DownloadGrant};
use crate::graphql::orders::line::OrderLine;
use crate::graphql::orders::load::{self, Whole};
use crate::graphql::scalars::DateTime;
use crate::orders::access::{self, AccessLevel};
use crate::orders::gifts::{GiftRow, GiftWish};
use crate::orders::store;

/// Who gets the goods of an order.
#[derive(InputObject)]
pub struct GiftInput {
    /// Where the goods are mailed; another address than the order's.
    email: String,
    /// What the recipient is called, 1 to 100 characters.
    name: String,
    /// Who gives it, as the recipient reads it; at most 100 characters.
    from: Option<String>,
    /// Words to the recipient; at most 500 characters. Addresses of pages in it are shown and lead nowhere.
    message: Option<String>,
}

impl From<GiftInput> for GiftWish {
    fn from(input: GiftInput) -> Self {
        Self { email: input.email, name: input.name, giver: input.from, message: input.message }
    }
}

/// Who gets the goods of an order, for its buyer and staff.
pub struct Gift(pub GiftRow);

/// Who gets the goods of an order, for its buyer and staff.
#[Object]
impl Gift {
    /// What the recipient is called.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Who gives it, as the recipient reads it.
    async fn from(&self) -> Option<&str> {
        self.0.giver.as_deref()
    }

    /// Where the goods are mailed; masked but for staff.
    async fn email(&self, ctx: &Context<'_>) -> String {
        if ctx.actor().is_staff() { self.0.email.clone() } else { masked_email(&self.0.email) }
    }

    /// Words to the recipient.
    async fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// When the last mail with the goods went to the recipient; null before one did, and when it came back.
    async fn sent_at(&self, ctx: &Context<'_>) -> Answer<Option<DateTime>> {
        Ok(loaders::gift_sent(ctx, self.0.order_id).await?.map(Into::into))
    }
}

/// A gift, for its recipient.
pub struct ReceivedGift {
    pub row: GiftRow,
    pub whole: Arc<Whole>,
}

/// A gift, for its recipient.
#[Object]
impl ReceivedGift {
    /// What the recipient is called.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// Who gives it.
    async fn from(&self) -> Option<&str> {
        self.row.giver.as_deref()
    }

    /// The giver's words.
    async fn message(&self) -> Option<&str> {
        self.row.message.as_deref()
    }

    /// What it is; at most `Shop.maxLinesPerOrder`.
    async fn lines(&self) -> Vec<GiftLine> {
        OrderLine::list(&self.whole).into_iter().map(GiftLine).collect()
    }
}

/// A product of a gift. What it cost is its buyer's.
pub struct GiftLine(OrderLine);

/// A product of a gift. What it cost is its buyer's.
#[Object]
impl GiftLine {
    /// The line's id, for `deliveryReveal`.
    async fn id(&self) -> ID {
        self.0.line().line.id.into()
    }

    /// The product's name.
    async fn title(&self) -> &str {
        &self.0.line().line.title
    }

    /// The variant's name.
    async fn variant_title(&self) -> &str {
        &self.0.line().line.variant_title
    }

    /// How many.
    async fn quantity(&self) -> i32 {
        self.0.line().line.quantity
    }

    /// Its pieces; at most 100.
    async fn deliveries(&self) -> Vec<Delivery> {
        self.0.current().take(100).map(|(line, unit)| Delivery::of(&line, unit)).collect()
    }

    /// The files that may be downloaded with it; at most 100.
    async fn grants(&self, ctx: &Context<'_>) -> Answer<Vec<DownloadGrant>> {
        Ok(self.0.files(ctx).await?.into_iter().take(100).collect())
    }
}

/// The gift that a token opens; null for any other token.
pub async fn received(ctx: &Context<'_>, token: &str) -> Answer<Option<ReceivedGift>> {
    let Some(id) = access::order_of_gift_token(token) else { return Ok(None) };
    let found = {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        store::find(&mut conn, id).await.or_top()?
    };
    let Some(order) = found else { return Ok(None) };
    if !access::opens_gift(ctx.backend(), &order, token) {
        return Ok(None);
    }
    let whole = load::load_one(ctx, order, AccessLevel::Recipient).await?.map(|order| order.0);
    Ok(whole.and_then(|whole| Some(ReceivedGift { row: whole.gift.clone()?, whole })))
}
