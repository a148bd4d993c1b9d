use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::ids::ApiClientId;
use crate::base::outcome::Outcome;
use crate::graphql::clients::types::{ApiClient, ApiClientState};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::user_error::ConnectionError;
use crate::people::clients::{self, ApiClientEdit, ClientConnected, NewApiClient};

/// Input of `apiClientCreate`.
#[derive(InputObject)]
pub struct ApiClientCreateInput {
    /// What to call it.
    name: String,
    /// What it may do: `events:read`, `orders:read`, `orders:write`.
    scopes: Vec<String>,
}

/// Input of `apiClientUpdate`. What is left out stays as it is.
#[derive(InputObject)]
pub struct ApiClientUpdateInput {
    /// Which client.
    client_id: ID,
    /// The version the editor saw; another one is a `VERSION_CONFLICT`.
    expected_version: Option<i32>,
    /// What to call it.
    name: Option<String>,
    /// What it may do, all together.
    scopes: Option<Vec<String>>,
    /// Whether its secret opens anything.
    state: Option<ApiClientState>,
}

/// Input of `apiClientRotate`.
#[derive(InputObject)]
pub struct ApiClientRotateInput {
    /// Which client.
    client_id: ID,
}

/// Payload of `apiClientCreate` and `apiClientRotate`.
#[derive(Default, SimpleObject)]
pub struct ApiClientSecretPayload {
    /// The client as it is now.
    client: Option<ApiClient>,
    /// Its secret, sent as `Authorization: Bearer`: shown this once.
    secret: Option<String>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<ConnectionError>,
}

/// Payload of `apiClientUpdate`.
#[derive(Default, SimpleObject)]
pub struct ApiClientUpdatePayload {
    /// The client as it is now.
    client: Option<ApiClient>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<ConnectionError>,
}

/// What admins do with API clients.
#[derive(Default)]
pub struct ClientMutation;

#[Object]
impl ClientMutation {
    /// For admins: lets a machine speak to the shop, by a secret that is shown once.
    async fn api_client_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The client.")] input: ApiClientCreateInput,
    ) -> Answer<ApiClientSecretPayload> {
        ctx.staff()?;
        let new = NewApiClient { name: input.name, scopes: input.scopes };
        with_secret(ctx, clients::create(ctx.backend(), ctx.actor(), new).await)
    }

    /// For admins: edits or retires an API client. What it may not any more is gone at once.
    async fn api_client_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: ApiClientUpdateInput,
    ) -> Answer<ApiClientUpdatePayload> {
        ctx.staff()?;
        let done = async {
            let client = id::read(&input.client_id, "clientId", ApiClientId::parse)?;
            let edit = ApiClientEdit {
                name: input.name,
                scopes: input.scopes,
                state: input.state.map(Into::into),
                expected_version: input.expected_version,
            };
            clients::update(ctx.backend(), ctx.actor(), client, edit).await
        };
        Ok(match split(done.await)? {
            Ok(client) => ApiClientUpdatePayload { client: Some(ApiClient(client)), user_errors: Vec::new() },
            Err(refusal) => ApiClientUpdatePayload { client: None, user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// For admins: gives an API client another secret; the one before counts for a day more.
    async fn api_client_rotate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which client.")] input: ApiClientRotateInput,
    ) -> Answer<ApiClientSecretPayload> {
        ctx.staff()?;
        let done = async {
            let client = id::read(&input.client_id, "clientId", ApiClientId::parse)?;
            clients::rotate(ctx.backend(), ctx.actor(), client).await
        };
        with_secret(ctx, done.await)
    }
}

fn with_secret(ctx: &Context<'_>, done: Outcome<ClientConnected>) -> Answer<ApiClientSecretPayload> {
    Ok(match split(done)? {
        Ok(connected) => ApiClientSecretPayload {
            client: Some(ApiClient(connected.client)),
            secret: Some(connected.secret.expose().to_owned()),
            user_errors: Vec::new(),
        },
        Err(refusal) => ApiClientSecretPayload {
            user_errors: ctx.user_errors(refusal)?,
            ..ApiClientSecretPayload::default()
        },
    })
}
