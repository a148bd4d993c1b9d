use async_graphql::{Context, Object};

use crate::base::ids::{ProductId, SHOP, SellerId};
use crate::base::outcome::{Outcome, Refusal};
use crate::catalogue::model;
use crate::catalogue::product::{self, NewProduct, ProductEdit};
use crate::catalogue::read::By;
use crate::catalogue::{pause, review};
use crate::graphql::catalogue::inputs::{
    ProductApproveInput, ProductCreateInput, ProductPauseInput, ProductPayload, ProductRejectInput,
    ProductResumeInput, ProductRetireInput, ProductSubmitInput, ProductUpdateInput, texts,
};
use crate::graphql::catalogue::queries::find;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;

/// Making, editing and reviewing products.
#[derive(Default)]
pub struct ProductMutation;

/// The seller that is meant: the named one, else the caller's only one, else the shop.
pub fn seller(ctx: &Context<'_>, named: Option<&async_graphql::ID>) -> Result<SellerId, Refusal> {
    if let Some(named) = named {
        return id::read(named, "sellerId", SellerId::parse);
    }
    let sellers = ctx.actor().person.as_ref().map(|p| p.sellers.as_slice()).unwrap_or_default();
    Ok(match sellers {
        [only] => *only,
        _ => SHOP,
    })
}

async fn payload(ctx: &Context<'_>, done: Outcome<model::Product>) -> Answer<ProductPayload> {
    Ok(match split(done)? {
        Ok(product) => {
            ProductPayload { product: find(ctx, By::Id(product.id)).await?, user_errors: Vec::new() }
        }
        Err(refusal) => ProductPayload { product: None, user_errors: ctx.user_errors(refusal)? },
    })
}

fn read(id: &async_graphql::ID) -> Result<ProductId, Refusal> {
    id::read(id, "productId", ProductId::parse)
}

#[Object]
impl ProductMutation {
    /// Makes a product, as a draft.
    async fn product_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The product.")] input: ProductCreateInput,
    ) -> Answer<ProductPayload> {
        ctx.person()?;
        let done = async {
            let new = NewProduct {
                seller_id: seller(ctx, input.seller_id.as_ref())?,
                slug: input.slug,
                default_locale: input.default_locale.map(|l| l.0),
                tags: input.tags.unwrap_or_default(),
                texts: texts(input.texts),
            };
            product::create(ctx.backend(), ctx.actor(), new).await
        };
        payload(ctx, done.await).await
    }

    /// Edits a product.
    async fn product_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: ProductUpdateInput,
    ) -> Answer<ProductPayload> {
        ctx.person()?;
        let done = async {
            let edit = ProductEdit {
                slug: input.slug,
                default_locale: input.default_locale.map(|l| l.0),
                tags: input.tags,
                texts: texts(input.texts),
                expected_version: input.expected_version,
            };
            product::update(ctx.backend(), ctx.actor(), read(&input.product_id)?, edit).await
        };
        payload(ctx, done.await).await
    }

    /// Asks the shop to review a product. The message of `NOT_SUBMITTABLE` names what it lacks.
    async fn product_submit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which product.")] input: ProductSubmitInput,
    ) -> Answer<ProductPayload> {
        ctx.person()?;
        let done = async { review::submit(ctx.backend(), ctx.actor(), read(&input.product_id)?).await };
        payload(ctx, done.await).await
    }

    /// For staff: puts a reviewed product on sale.
    async fn product_approve(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which product.")] input: ProductApproveInput,
    ) -> Answer<ProductPayload> {
        ctx.person()?;
        let version = input.expected_version;
        let done =
            async { review::approve(ctx.backend(), ctx.actor(), read(&input.product_id)?, version).await };
        payload(ctx, done.await).await
    }

    /// For staff: sends a product back to its seller with a reason.
    async fn product_reject(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which product, and why.")] input: ProductRejectInput,
    ) -> Answer<ProductPayload> {
        ctx.person()?;
        let done = async {
            review::reject(ctx.backend(), ctx.actor(), read(&input.product_id)?, &input.reason).await
        };
        payload(ctx, done.await).await
    }

    /// Sells nothing of a product for now, saying why. It stays visible; orders that wait for their payment can be paid by
    /// payments begun already, and what is paid is delivered. A repeat with the same reason changes nothing.
    async fn product_pause(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which product, and why.")] input: ProductPauseInput,
    ) -> Answer<ProductPayload> {
        ctx.person()?;
        let done =
            async { pause::pause(ctx.backend(), ctx.actor(), read(&input.product_id)?, &input.reason).await };
        payload(ctx, done.await).await
    }

    /// Sells a paused product again. One that is not paused is left as it is.
    async fn product_resume(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which product.")] input: ProductResumeInput,
    ) -> Answer<ProductPayload> {
        ctx.person()?;
        let done = async { pause::resume(ctx.backend(), ctx.actor(), read(&input.product_id)?).await };
        payload(ctx, done.await).await
    }

    /// Takes a product off sale for ever; what was bought stays with its buyers.
    async fn product_retire(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which product.")] input: ProductRetireInput,
    ) -> Answer<ProductPayload> {
        ctx.person()?;
        let done = async { review::retire(ctx.backend(), ctx.actor(), read(&input.product_id)?).await };
        payload(ctx, done.await).await
    }
}
