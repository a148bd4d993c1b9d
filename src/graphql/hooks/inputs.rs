use async_graphql::{ID, InputObject, MaybeUndefined, OneofObject, SimpleObject};

use crate::graphql::hooks::types::HookEndpoint;
use crate::graphql::scalars::{DateTime, Int64, Url};
use crate::graphql::user_error::ConnectionError;
use crate::hooks::endpoint::HookEndpointEdit;
use crate::hooks::state::HookEndpointState;

/// Input of `hookEndpointCreate`.
#[derive(InputObject)]
pub struct HookEndpointCreateInput {
    /// For which seller; by default the caller's own.
    pub seller_id: Option<ID>,
    /// For which API client, in place of a seller; an API client makes its own without saying so.
    pub api_client_id: Option<ID>,
    /// The address to be called, by POST: one that the shop may call.
    pub url: Url,
    /// A note, at most 200 characters.
    pub description: Option<String>,
    /// Which types of events are sent; none: all that the owner may see. At most 200.
    pub event_types: Option<Vec<String>>,
    /// Whether an event waits until those before it were taken or given up; by default not.
    pub ordered: Option<bool>,
}

/// Input of `hookEndpointUpdate`. What is left out stays as it is.
#[derive(InputObject)]
pub struct HookEndpointUpdateInput {
    /// Which endpoint.
    pub endpoint_id: ID,
    /// The version the editor saw; another one is a `VERSION_CONFLICT`.
    pub expected_version: Option<i32>,
    /// The address to be called.
    pub url: Option<Url>,
    /// A note; null: none.
    pub description: MaybeUndefined<String>,
    /// Which types of events are sent from now on; an empty list: all that the owner may see.
    pub event_types: Option<Vec<String>>,
    /// Whether an event waits until those before it were taken or given up.
    pub ordered: Option<bool>,
    /// Whether anything is sent there. What happens while it is disabled is sent by `hookReplay` alone.
    pub enabled: Option<bool>,
}

impl HookEndpointUpdateInput {
    pub fn edit(self) -> HookEndpointEdit {
        let state = |enabled| match enabled {
            true => HookEndpointState::Active,
            false => HookEndpointState::Disabled,
        };
        let description = match self.description {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(text) => Some(Some(text)),
        };
        HookEndpointEdit {
            url: self.url.map(|url| url.0),
            description,
            event_types: self.event_types,
            ordered: self.ordered,
            state: self.enabled.map(state),
            expected_version: self.expected_version,
        }
    }
}

/// Input of `hookEndpointTest`.
#[derive(InputObject)]
pub struct HookEndpointTestInput {
    /// Which endpoint.
    pub endpoint_id: ID,
}

/// Input of `hookSecretRotate`.
#[derive(InputObject)]
pub struct HookSecretRotateInput {
    /// Which endpoint.
    pub endpoint_id: ID,
}

/// What is sent again.
#[derive(OneofObject)]
pub enum HookReplayTarget {
    /// One delivery, by its id.
    DeliveryId(ID),
    /// What happened at this time or later.
    Since(DateTime),
    /// What has a number above this one in the sequence.
    AfterSeq(Int64),
}

/// Input of `hookReplay`.
#[derive(InputObject)]
pub struct HookReplayInput {
    /// Which endpoint.
    pub endpoint_id: ID,
    /// What is sent again.
    pub target: HookReplayTarget,
}

/// Payload of `hookEndpointCreate` and `hookSecretRotate`.
#[derive(Default, SimpleObject)]
pub struct HookSecretPayload {
    /// The endpoint as it is now.
    pub endpoint: Option<HookEndpoint>,
    /// The signing secret: shown this once.
    pub signing_secret: Option<String>,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<ConnectionError>,
}

/// Payload of `hookEndpointUpdate`.
#[derive(Default, SimpleObject)]
pub struct HookEndpointUpdatePayload {
    /// The endpoint as it is now.
    pub endpoint: Option<HookEndpoint>,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<ConnectionError>,
}

/// Payload of `hookEndpointTest`.
#[derive(Default, SimpleObject)]
pub struct HookEndpointTestPayload {
    /// The endpoint.
    pub endpoint: Option<HookEndpoint>,
    /// Whether it took the message; null when none was sent.
    pub succeeded: Option<bool>,
    /// Open code, as an attempt has it.
    pub outcome: Option<String>,
    /// The HTTP status of its answer.
    pub status: Option<i32>,
    /// Why there was no answer.
    pub reason: Option<String>,
    /// Why nothing was sent; empty when it was.
    pub user_errors: Vec<ConnectionError>,
}

/// Payload of `hookReplay`.
#[derive(Default, SimpleObject)]
pub struct HookReplayPayload {
    /// The endpoint.
    pub endpoint: Option<HookEndpoint>,
    /// How many events are sent again; what is being sent at this moment is left.
    pub count: Option<Int64>,
    /// There is more than one call takes: the `afterSeq` of the next.
    pub more_after_seq: Option<Int64>,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<ConnectionError>,
}
