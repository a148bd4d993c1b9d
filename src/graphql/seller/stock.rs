use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::ids::VariantId;
use crate::fulfilment::fill_preview;
use crate::graphql::catalogue::Variant;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::loaders;
use crate::graphql::orders::{self, OrderLine};
use crate::graphql::scalars::{DateTime, Int64};
use crate::graphql::user_error::StockError;
use crate::orders::access::AccessLevel;
use crate::vault::read;

/// Keys of a variant that stop being sold on one day.
pub struct ExpiringKeys(pub read::ExpiringKeys);

/// Keys of a variant that stop being sold on one day.
#[Object]
impl ExpiringKeys {
    /// The variant.
    async fn variant(&self, ctx: &Context<'_>) -> Answer<Option<Variant>> {
        loaders::variant(ctx, self.0.variant_id).await
    }

    /// The beginning of the day, in UTC.
    async fn day(&self) -> DateTime {
        self.0.day.into()
    }

    /// How many keys.
    async fn keys(&self) -> Int64 {
        Int64(self.0.keys)
    }
}

/// Input of `stockFillPreview`.
#[derive(InputObject)]
pub struct StockFillPreviewInput {
    /// Of which variant.
    variant_id: ID,
    /// How many new keys, 0 to 1,000,000.
    count: i32,
}

/// A line that would get keys.
#[derive(SimpleObject)]
pub struct StockFill {
    /// The line.
    line: OrderLine,
    /// How many of its pieces.
    pieces: i32,
}

/// Payload of `stockFillPreview`.
#[derive(Default, SimpleObject)]
pub struct StockFillPreviewPayload {
    /// The lines that would get keys, in the order in which they would get them. Their first 1,000 are looked at.
    fills: Vec<StockFill>,
    /// Keys that would stay for sale, those that are free already included.
    left: Option<Int64>,
    /// Pieces that would go on waiting.
    waiting: Option<Int64>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StockError>,
}

/// What would become of stock.
#[derive(Default)]
pub struct StockMutation;

#[Object]
impl StockMutation {
    /// Which lines so many new keys would fill. Changes nothing.
    async fn stock_fill_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which keys.")] input: StockFillPreviewInput,
    ) -> Answer<StockFillPreviewPayload> {
        ctx.person()?;
        let done = async {
            let variant = id::read(&input.variant_id, "variantId", VariantId::parse)?;
            fill_preview::preview(ctx.backend(), ctx.actor(), variant, i64::from(input.count)).await
        };
        let preview = match split(done.await)? {
            Ok(preview) => preview,
            Err(refusal) => {
                let user_errors = ctx.user_errors(refusal)?;
                return Ok(StockFillPreviewPayload { user_errors, ..StockFillPreviewPayload::default() });
            }
        };
        let wanted = preview.lines.iter().map(|line| (line.order_id, line.line_id)).collect();
        let lines = orders::line_page(ctx, wanted, AccessLevel::Status).await?;
        let pieces = preview.lines.iter().map(|line| line.pieces as i32);
        Ok(StockFillPreviewPayload {
            fills: lines.into_iter().zip(pieces).map(|(line, pieces)| StockFill { line, pieces }).collect(),
            left: Some(Int64(preview.left as i64)),
            waiting: Some(Int64(preview.waiting as i64)),
            user_errors: Vec::new(),
        })
    }
}
