use async_graphql::{Context, Object};

use crate::base::ids::{SupplierId, VariantId};
use crate::base::outcome::Outcome;
use crate::base::secret::Secret;
use crate::fulfilment::supplier::set_offers;
use crate::graphql::catalogue::seller;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::suppliers::inputs::{
    SupplierCreateInput, SupplierOffersSetInput, SupplierOffersSetPayload, SupplierPayload,
    SupplierTestInput, SupplierTestPayload, SupplierUpdateInput,
};
use crate::graphql::suppliers::types::{Supplier, SupplierOffer};
use crate::graphql::{id, loaders};
use crate::suppliers::connection::{self, Connected, NewConnection};
use crate::suppliers::offers::NewOffer;

/// Connections to suppliers, and what is bought there.
#[derive(Default)]
pub struct SupplierMutation;

#[Object]
impl SupplierMutation {
    /// Connects a supplier, whose API makes goods for money. Each purchase is sent once, signed, before anything is asked
    /// again.
    async fn supplier_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The connection.")] input: SupplierCreateInput,
    ) -> Answer<SupplierPayload> {
        ctx.person()?;
        let done = async {
            let new = NewConnection {
                seller_id: seller(ctx, input.seller_id.as_ref())?,
                name: input.name,
                url: input.url,
                status_url: input.status_url,
                secret: input.signing_secret.map(Secret::new),
                currency: input.currency.0.to_string(),
                timeout_seconds: input.timeout_seconds,
                mapping: input.mapping.unwrap_or_default().into(),
            };
            connection::create(ctx.backend(), ctx.actor(), new).await
        };
        payload(ctx, done.await)
    }

    /// Edits, pauses or resumes a connection, or changes its signing secret.
    async fn supplier_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: SupplierUpdateInput,
    ) -> Answer<SupplierPayload> {
        ctx.person()?;
        let done = async {
            let supplier = id::read(&input.supplier_id, "supplierId", SupplierId::parse)?;
            connection::update(ctx.backend(), ctx.actor(), supplier, input.edit()).await
        };
        payload(ctx, done.await)
    }

    /// Asks the supplier about a purchase that there never was: it must answer, and believe our signature. Nothing is bought.
    async fn supplier_test(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which supplier.")] input: SupplierTestInput,
    ) -> Answer<SupplierTestPayload> {
        ctx.person()?;
        let done = async {
            let supplier = id::read(&input.supplier_id, "supplierId", SupplierId::parse)?;
            connection::test(ctx.backend(), ctx.actor(), supplier).await
        };
        Ok(match split(done.await)? {
            Ok((supplier, status)) => SupplierTestPayload {
                supplier: Some(Supplier(supplier)),
                status: Some(i32::from(status)),
                user_errors: Vec::new(),
            },
            Err(refusal) => SupplierTestPayload {
                user_errors: ctx.user_errors(refusal)?,
                ..SupplierTestPayload::default()
            },
        })
    }

    /// Says where the pieces of a variant are bought, and for how much at most. Purchases that run are not touched.
    async fn supplier_offers_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The variant and its suppliers.")] input: SupplierOffersSetInput,
    ) -> Answer<SupplierOffersSetPayload> {
        ctx.person()?;
        let done = async {
            let variant = id::read(&input.variant_id, "variantId", VariantId::parse)?;
            let offers: Vec<NewOffer> = input
                .offers
                .into_iter()
                .map(|offer| NewOffer {
                    supplier_id: offer.supplier_id.to_string(),
                    product: offer.product,
                    max_price: offer.max_price.0,
                })
                .collect();
            let set = set_offers(ctx.backend(), ctx.actor(), variant, &offers).await?;
            Ok((variant, set))
        };
        Ok(match split(done.await)? {
            Ok((variant, set)) => SupplierOffersSetPayload {
                variant: loaders::variant(ctx, variant).await?,
                offers: set.iter().map(SupplierOffer::of).collect::<Answer<_>>()?,
                user_errors: Vec::new(),
            },
            Err(refusal) => SupplierOffersSetPayload {
                user_errors: ctx.user_errors(refusal)?,
                ..SupplierOffersSetPayload::default()
            },
        })
    }
}

fn payload(ctx: &Context<'_>, done: Outcome<Connected>) -> Answer<SupplierPayload> {
    Ok(match split(done)? {
        Ok(connected) => SupplierPayload {
            supplier: Some(Supplier(connected.supplier)),
            signing_secret: connected.made.map(|secret| secret.expose().to_owned()),
            user_errors: Vec::new(),
        },
        Err(refusal) => {
            SupplierPayload { user_errors: ctx.user_errors(refusal)?, ..SupplierPayload::default() }
        }
    })
}
