//! Rows of endpoints, of events on their way to them, and of attempts. Secrets are in them sealed.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::base::ids::{ApiClientId, HookDeliveryId, HookEndpointId, OrderId, SellerId};
use crate::hooks::state::{HookEndpointState, HookState};
use crate::infra::effects::events::Audience;
use crate::infra::sequence::Numbered;

crate::text_column!(HookState, HookEndpointState);

/// Whose endpoint it is, and so which events it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookOwner {
    Seller(SellerId),
    Client(ApiClientId),
}

impl HookOwner {
    pub fn audience(self) -> Audience {
        match self {
            Self::Seller(_) => Audience::Seller,
            Self::Client(_) => Audience::Client,
        }
    }
}

/// Where events are sent.
#[derive(Clone, Debug, QueryableByName)]
pub struct HookEndpoint {
    #[diesel(sql_type = SqlUuid)]
    pub id: HookEndpointId,
    /// The shop for those of API clients.
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub api_client_id: Option<ApiClientId>,
    #[diesel(sql_type = Text)]
    pub url: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub description: Option<String>,
    /// None: all that its owner may see.
    #[diesel(sql_type = Array<Text>)]
    pub event_types: Vec<String>,
    #[diesel(sql_type = Bool)]
    pub ordered: bool,
    #[diesel(sql_type = Text)]
    pub state: HookEndpointState,
    /// Why the program itself disabled it; an open code.
    #[diesel(sql_type = Nullable<Text>)]
    pub disabled_for: Option<String>,
    /// Since when no attempt was taken.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub failing_since: Option<DateTime<Utc>>,
    #[diesel(sql_type = SqlUuid)]
    pub(super) data_key_id: Uuid,
    #[diesel(sql_type = Bytea)]
    pub(super) secret: Vec<u8>,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub(super) old_secret: Option<Vec<u8>>,
    /// Until when the secret before signs too.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub old_secret_until: Option<DateTime<Utc>>,
    /// Grows with each edit.
    #[diesel(sql_type = Integer)]
    pub version: i32,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
}

impl HookEndpoint {
    pub fn owner(&self) -> HookOwner {
        self.api_client_id.map_or(HookOwner::Seller(self.seller_id), HookOwner::Client)
    }
}

/// One event for one endpoint.
#[derive(Clone, Debug, QueryableByName)]
pub struct HookDelivery {
    /// Also what the message is called at the receiver.
    #[diesel(sql_type = SqlUuid)]
    pub id: HookDeliveryId,
    #[diesel(sql_type = SqlUuid)]
    pub endpoint_id: HookEndpointId,
    /// The event's number in the sequence.
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    #[diesel(sql_type = Text)]
    pub event_type: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub order_id: Option<OrderId>,
    #[diesel(sql_type = Text)]
    pub state: HookState,
    /// All attempts so far, and those before it was replayed.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    #[diesel(sql_type = Integer)]
    pub attempts_before: i32,
    /// While it is queued: when it is tried.
    #[diesel(sql_type = Timestamptz)]
    pub next_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub ended_at: Option<DateTime<Utc>>,
}

/// One try to have an endpoint take an event.
#[derive(Clone, Debug, QueryableByName)]
pub struct HookAttempt {
    #[diesel(sql_type = SqlUuid)]
    pub delivery_id: HookDeliveryId,
    /// From 1.
    #[diesel(sql_type = Integer)]
    pub attempt: i32,
    #[diesel(sql_type = Timestamptz)]
    pub started_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub ended_at: Option<DateTime<Utc>>,
    /// Open code; none while it is under way.
    #[diesel(sql_type = Nullable<Text>)]
    pub outcome: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    pub status: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    pub duration_ms: Option<i32>,
}

/// An attempt that was begun, with all that it takes to make it.
#[derive(Clone, Debug, QueryableByName)]
pub(super) struct BegunRow {
    #[diesel(sql_type = SqlUuid)]
    pub delivery_id: HookDeliveryId,
    #[diesel(sql_type = SqlUuid)]
    pub endpoint_id: HookEndpointId,
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    #[diesel(sql_type = Integer)]
    pub attempts_before: i32,
    /// Its `kind` is null when the event is not kept any more.
    #[diesel(embed)]
    pub event: Numbered,
}
