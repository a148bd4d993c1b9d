use async_graphql::{Context, Object};

use crate::base::ids::{ProductId, VariantId};
use crate::base::outcome::{Outcome, Refusal};
use crate::catalogue::model;
use crate::catalogue::variant::{self, VariantEdit};
use crate::graphql::catalogue::inputs::{
    VariantCreateInput, VariantPayload, VariantRetireInput, VariantUpdateInput,
};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::{id, loaders};

/// Making and editing variants.
#[derive(Default)]
pub struct VariantMutation;

async fn payload(ctx: &Context<'_>, done: Outcome<model::Variant>) -> Answer<VariantPayload> {
    Ok(match split(done)? {
        Ok(variant) => {
            VariantPayload { variant: loaders::variant(ctx, variant.id).await?, user_errors: Vec::new() }
        }
        Err(refusal) => VariantPayload { variant: None, user_errors: ctx.user_errors(of_fields(refusal))? },
    })
}

/// The fields of a variant are in `fields` here; the catalogue names it without.
fn of_fields(mut refusal: Refusal) -> Refusal {
    let own = ["productId", "variantId", "kind", "expectedVersion"];
    if refusal.field.first().is_some_and(|first| !own.contains(&first.as_str())) {
        refusal.field.insert(0, "fields".into());
    }
    refusal
}

#[Object]
impl VariantMutation {
    /// Adds a variant to a product.
    async fn variant_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The variant.")] input: VariantCreateInput,
    ) -> Answer<VariantPayload> {
        ctx.person()?;
        let done = async {
            let product = id::read(&input.product_id, "productId", ProductId::parse)?;
            let edit = match input.fields {
                Some(fields) => fields.edit(Some(input.kind), None),
                None => VariantEdit { kind: Some(input.kind), ..VariantEdit::default() },
            };
            variant::create(ctx.backend(), ctx.actor(), product, edit).await
        };
        payload(ctx, done.await).await
    }

    /// Edits a variant.
    async fn variant_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: VariantUpdateInput,
    ) -> Answer<VariantPayload> {
        ctx.person()?;
        let done = async {
            let variant = id::read(&input.variant_id, "variantId", VariantId::parse)?;
            let edit = input.fields.edit(None, input.expected_version);
            variant::update(ctx.backend(), ctx.actor(), variant, edit).await
        };
        payload(ctx, done.await).await
    }

    /// Takes a variant off its product for ever.
    async fn variant_retire(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which variant.")] input: VariantRetireInput,
    ) -> Answer<VariantPayload> {
        ctx.person()?;
        let done = async {
            let variant = id::read(&input.variant_id, "variantId", VariantId::parse)?;
            variant::retire(ctx.backend(), ctx.actor(), variant).await
        };
        payload(ctx, done.await).await
    }
}
