use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::ids::VariantId;
use crate::fulfilment::publish_secret::publish_secret;
use crate::graphql::catalogue::types::Variant;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::scalars::DateTime;
use crate::graphql::user_error::CatalogueError;
use crate::graphql::{id, loaders};

/// Input of `secretVersionPublish`.
#[derive(InputObject)]
pub struct SecretVersionPublishInput {
    /// Which variant sells it.
    variant_id: ID,
    /// The text that buyers get, up to 10,000 characters. It is sealed at once and shown by `deliveryReveal` alone.
    secret_text: String,
}

/// A version of a shared secret, without its text.
#[derive(SimpleObject)]
pub struct SecretVersion {
    /// The version's id.
    id: ID,
    /// From 1.
    number: i32,
    /// When it was published.
    published_at: DateTime,
}

/// Payload of `secretVersionPublish`.
#[derive(Default, SimpleObject)]
pub struct SecretVersionPublishPayload {
    /// The newest version.
    secret_version: Option<SecretVersion>,
    /// The variant as it is now.
    variant: Option<Variant>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<CatalogueError>,
}

/// Publishing shared secrets.
#[derive(Default)]
pub struct SecretMutation;

#[Object]
impl SecretMutation {
    /// Publishes a text as the newest version of a shared secret. Earlier buyers see it too when later versions belong to
    /// their purchase. The newest text again changes nothing and answers the same version.
    async fn secret_version_publish(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The version.")] input: SecretVersionPublishInput,
    ) -> Answer<SecretVersionPublishPayload> {
        ctx.person()?;
        let done = async {
            let variant = id::read(&input.variant_id, "variantId", VariantId::parse)?;
            publish_secret(ctx.backend(), ctx.actor(), variant, &input.secret_text).await
        };
        Ok(match split(done.await)? {
            Ok(version) => SecretVersionPublishPayload {
                variant: loaders::variant(ctx, version.variant_id).await?,
                secret_version: Some(SecretVersion {
                    id: version.id.into(),
                    number: version.number,
                    published_at: version.published_at.into(),
                }),
                user_errors: Vec::new(),
            },
            Err(refusal) => SecretVersionPublishPayload {
                user_errors: ctx.user_errors(refusal)?,
                ..SecretVersionPublishPayload::default()
            },
        })
    }
}
