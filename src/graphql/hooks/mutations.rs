use async_graphql::{Context, ID, Object};

use crate::base::error_code::ErrorCode;
use crate::base::ids::{ApiClientId, HookDeliveryId, HookEndpointId};
use crate::base::outcome::{Outcome, Refusal};
use crate::graphql::catalogue::seller;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::hooks::inputs::{
    HookEndpointCreateInput, HookEndpointTestInput, HookEndpointTestPayload, HookEndpointUpdateInput,
    HookEndpointUpdatePayload, HookReplayInput, HookReplayPayload, HookReplayTarget, HookSecretPayload,
    HookSecretRotateInput,
};
use crate::graphql::hooks::types::HookEndpoint;
use crate::graphql::id;
use crate::graphql::scalars::Int64;
use crate::hooks::HookOwner;
use crate::hooks::endpoint::{self, HookConnected, NewHookEndpoint};
use crate::hooks::replay::{self, Replay};
use crate::hooks::test;

/// Where events are sent.
#[derive(Default)]
pub struct HookMutation;

#[Object]
impl HookMutation {
    /// Makes an endpoint: from now on events are sent there, each until it was taken, signed by a secret that is shown once.
    async fn hook_endpoint_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The endpoint.")] input: HookEndpointCreateInput,
    ) -> Answer<HookSecretPayload> {
        known(ctx)?;
        let done = async {
            let new = NewHookEndpoint {
                owner: owner(ctx, input.seller_id.as_ref(), input.api_client_id.as_ref())?,
                url: input.url.0,
                description: input.description,
                event_types: input.event_types.unwrap_or_default(),
                ordered: input.ordered.unwrap_or(false),
            };
            endpoint::create(&ctx.backend().hooks, ctx.actor(), new).await
        };
        with_secret(ctx, done.await)
    }

    /// Edits, disables or enables an endpoint.
    async fn hook_endpoint_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: HookEndpointUpdateInput,
    ) -> Answer<HookEndpointUpdatePayload> {
        known(ctx)?;
        let done = async {
            let id = endpoint_id(&input.endpoint_id)?;
            endpoint::update(&ctx.backend().hooks, ctx.actor(), id, input.edit()).await
        };
        Ok(match split(done.await)? {
            Ok(endpoint) => {
                HookEndpointUpdatePayload { endpoint: Some(HookEndpoint(endpoint)), user_errors: Vec::new() }
            }
            Err(refusal) => {
                HookEndpointUpdatePayload { endpoint: None, user_errors: ctx.user_errors(refusal)? }
            }
        })
    }

    /// Sends an endpoint a signed message of the type `hook.test`, once and at once, also while it is disabled.
    async fn hook_endpoint_test(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which endpoint.")] input: HookEndpointTestInput,
    ) -> Answer<HookEndpointTestPayload> {
        known(ctx)?;
        let done = async {
            let id = endpoint_id(&input.endpoint_id)?;
            test::test(&ctx.backend().hooks, ctx.actor(), id).await
        };
        Ok(match split(done.await)? {
            Ok(tested) => HookEndpointTestPayload {
                endpoint: Some(HookEndpoint(tested.endpoint)),
                succeeded: Some(tested.succeeded),
                outcome: Some(tested.outcome.to_owned()),
                status: tested.status,
                reason: tested.reason,
                user_errors: Vec::new(),
            },
            Err(refusal) => HookEndpointTestPayload {
                user_errors: ctx.user_errors(refusal)?,
                ..HookEndpointTestPayload::default()
            },
        })
    }

    /// Gives an endpoint another signing secret. For a day messages carry the signatures of both.
    async fn hook_secret_rotate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which endpoint.")] input: HookSecretRotateInput,
    ) -> Answer<HookSecretPayload> {
        known(ctx)?;
        let done = async {
            let id = endpoint_id(&input.endpoint_id)?;
            endpoint::rotate(&ctx.backend().hooks, ctx.actor(), id).await
        };
        with_secret(ctx, done.await)
    }

    /// Sends events again, under the ids that the receiver knows them by: one, or all that the endpoint wants since a time or
    /// a number, up to 1,000 at a call.
    async fn hook_replay(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is sent again.")] input: HookReplayInput,
    ) -> Answer<HookReplayPayload> {
        known(ctx)?;
        let done = async {
            let endpoint = endpoint_id(&input.endpoint_id)?;
            let what = match input.target {
                HookReplayTarget::DeliveryId(id) => {
                    let read = id::read(&id, "deliveryId", HookDeliveryId::parse);
                    Replay::One(read.map_err(|refusal| refusal.at(["target", "deliveryId"]))?)
                }
                HookReplayTarget::Since(time) => Replay::Since(time.0),
                HookReplayTarget::AfterSeq(seq) => Replay::After(seq.0.max(0)),
            };
            replay::replay(&ctx.backend().hooks, ctx.actor(), endpoint, what).await
        };
        Ok(match split(done.await)? {
            Ok(replayed) => HookReplayPayload {
                endpoint: Some(HookEndpoint(replayed.endpoint)),
                count: Some(Int64(replayed.count)),
                more_after_seq: replayed.more_after.map(Int64),
                user_errors: Vec::new(),
            },
            Err(refusal) => {
                HookReplayPayload { user_errors: ctx.user_errors(refusal)?, ..HookReplayPayload::default() }
            }
        })
    }
}

/// A signed-in person or an API client.
fn known(ctx: &Context<'_>) -> Answer<()> {
    match ctx.actor().api_client {
        Some(_) => Ok(()),
        None => ctx.person().map(drop),
    }
}

fn endpoint_id(id: &ID) -> Result<HookEndpointId, Refusal> {
    id::read(id, "endpointId", HookEndpointId::parse)
}

/// Whom an endpoint is for.
fn owner(ctx: &Context<'_>, seller_id: Option<&ID>, client: Option<&ID>) -> Result<HookOwner, Refusal> {
    match (seller_id, client, ctx.actor().api_client) {
        (Some(_), Some(_), _) => {
            let text = "an endpoint is a seller's or an API client's";
            Err(Refusal::new(ErrorCode::Invalid, text).at(["apiClientId"]))
        }
        (None, Some(id), _) => Ok(HookOwner::Client(id::read(id, "apiClientId", ApiClientId::parse)?)),
        (None, None, Some(own)) => Ok(HookOwner::Client(own)),
        (seller_id, None, _) => Ok(HookOwner::Seller(seller(ctx, seller_id)?)),
    }
}

fn with_secret(ctx: &Context<'_>, done: Outcome<HookConnected>) -> Answer<HookSecretPayload> {
    Ok(match split(done)? {
        Ok(connected) => HookSecretPayload {
            endpoint: Some(HookEndpoint(connected.endpoint)),
            signing_secret: Some(connected.secret.expose().to_owned()),
            user_errors: Vec::new(),
        },
        Err(refusal) => {
            HookSecretPayload { user_errors: ctx.user_errors(refusal)?, ..HookSecretPayload::default() }
        }
    })
}
