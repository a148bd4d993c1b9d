use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::ids::ActivationId;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::loaders;
use crate::graphql::orders::line::OrderLine;
use crate::graphql::orders::load::line_page;
use crate::graphql::scalars::DateTime;
use crate::graphql::user_error::DeliveryError;
use crate::licences::{self, LicenceRow, remove, verdict};
use crate::orders::access::AccessLevel;

/// A key that is used on devices.
pub struct Licence(pub LicenceRow);

/// A key that is used on devices.
#[Object]
impl Licence {
    /// Open code: what `/licences/validate` answers for the key: `VALID`, `HELD`, `REFUNDED`, `REPLACED`, `REVOKED`, `EXPIRED`.
    async fn status(&self) -> &'static str {
        verdict::judge(&self.0).map_or_else(|no| no.code.as_str(), |_| "VALID")
    }

    /// On how many devices it may be used at once; null is on any number.
    async fn activation_limit(&self) -> Option<i32> {
        self.0.limit()
    }

    /// On how many devices it is used.
    async fn activations_used(&self) -> i32 {
        i32::try_from(self.0.used).unwrap_or(i32::MAX)
    }

    /// These devices, the newest first; at most 100.
    async fn activations(&self, ctx: &Context<'_>) -> Answer<Vec<Activation>> {
        let Some(unit) = self.0.unit_id else { return Ok(Vec::new()) };
        Ok(loaders::activations(ctx, unit).await?.into_iter().map(Activation).collect())
    }
}

/// A device on which a licence is used.
pub struct Activation(pub licences::Activation);

/// A device on which a licence is used.
#[Object]
impl Activation {
    /// The activation's id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// What the software calls the device, or the beginning of its fingerprint.
    async fn device(&self) -> &str {
        &self.0.name
    }

    /// When the device began to use it.
    async fn activated_at(&self) -> DateTime {
        self.0.activated_at.into()
    }

    /// When the device last asked, to the hour.
    async fn last_seen_at(&self) -> DateTime {
        self.0.last_seen_at.into()
    }
}

/// Input of `activationRemove`.
#[derive(InputObject)]
pub struct ActivationRemoveInput {
    /// Which device.
    activation_id: ID,
    /// A guest's token.
    access_token: Option<String>,
}

/// Payload of `activationRemove`.
#[derive(Default, SimpleObject)]
pub struct ActivationRemovePayload {
    /// The line that the licence belongs to, as it is now.
    line: Option<OrderLine>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<DeliveryError>,
}

/// Freeing the devices of a licence.
#[derive(Default)]
pub struct LicenceMutation;

#[Object]
impl LicenceMutation {
    /// For the buyer and staff: frees a device of a licence, so that another one can be activated. The software on the device
    /// is answered `DEVICE_NOT_ACTIVATED` from then on. Removing it again changes nothing.
    async fn activation_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which device.")] input: ActivationRemoveInput,
    ) -> Answer<ActivationRemovePayload> {
        let done = async {
            let activation = id::read(&input.activation_id, "activationId", ActivationId::parse)?;
            remove::remove(ctx.backend(), ctx.actor(), activation, input.access_token.as_deref()).await
        };
        Ok(match split(done.await)? {
            // A gift's recipient sees nothing of what the line cost.
            Ok((_, AccessLevel::Recipient)) => ActivationRemovePayload::default(),
            Ok((owned, access_level)) => ActivationRemovePayload {
                line: line_page(ctx, vec![(owned.order_id, owned.line_id)], access_level).await?.pop(),
                user_errors: Vec::new(),
            },
            Err(refusal) => ActivationRemovePayload { line: None, user_errors: ctx.user_errors(refusal)? },
        })
    }
}
