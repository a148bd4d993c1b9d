//! Sellers and API clients make and edit endpoints.

use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;

use crate::base::actor::{Actor, ApiScope, Role};
use crate::base::error_code::ErrorCode;
use crate::base::ids::{HookEndpointId, SHOP};
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::base::secret::Secret;
use crate::base::text::clean;
use crate::hooks::events::{HookEvent, OfEndpoint};
use crate::hooks::fan_out::CURSOR;
use crate::hooks::kit::HookKit;
use crate::hooks::model::{HookEndpoint, HookOwner};
use crate::hooks::state::HookEndpointState;
use crate::hooks::store::{self, NewEndpoint};
use crate::hooks::tasks::{HookDisabled, HookFailing};
use crate::hooks::{read, secret};
use crate::infra::cursor;
use crate::infra::effects::Effects;
use crate::infra::effects::events::Event;
use crate::infra::effects::tasks::TaskKind;
use crate::infra::webhook_signature;
use crate::people;

/// Endpoints that an owner may have.
const MOST: i64 = 50;

/// Types of events that an endpoint may name.
const MOST_TYPES: usize = 200;

/// For how long the secret before signs too.
const OVERLAP: TimeDelta = TimeDelta::hours(24);

/// An endpoint to be made.
#[derive(Clone, Debug)]
pub struct NewHookEndpoint {
    pub owner: HookOwner,
    pub url: String,
    pub description: Option<String>,
    /// None: all that its owner may see.
    pub event_types: Vec<String>,
    pub ordered: bool,
}

/// What is changed of an endpoint; `None` leaves things as they are.
#[derive(Clone, Debug, Default)]
pub struct HookEndpointEdit {
    pub url: Option<String>,
    /// The inner `None` takes it away.
    pub description: Option<Option<String>>,
    pub event_types: Option<Vec<String>>,
    pub ordered: Option<bool>,
    pub state: Option<HookEndpointState>,
    /// The version that the editor saw.
    pub expected_version: Option<i32>,
}

/// Whether the actor may make and change what this owner has.
pub(super) fn manages(actor: &Actor, owner: HookOwner) -> bool {
    match owner {
        HookOwner::Seller(seller) => actor.sells_for(seller),
        HookOwner::Client(client) => {
            actor.has(Role::Admin) || actor.client_with(ApiScope::EventsRead) == Some(client)
        }
    }
}

pub(super) fn missing() -> Refusal {
    Refusal::new(ErrorCode::NotFound, "there is no such endpoint").at(["endpointId"])
}

/// An endpoint that was made or got another secret, with the secret: it is shown this once.
pub struct HookConnected {
    pub endpoint: HookEndpoint,
    pub secret: Secret,
}

/// `NOT_FOUND` for owners whom the actor does not act for, `INVALID`, `URL_NOT_ALLOWED`, `EVENT_TYPE_UNKNOWN`, `TOO_MANY`.
pub async fn create(kit: &HookKit, actor: &Actor, new: NewHookEndpoint) -> Outcome<HookConnected> {
    let nobody =
        |field: &'static str| Refusal::new(ErrorCode::NotFound, "there is no such owner").at([field]);
    let (seller_id, api_client_id, field) = match new.owner {
        HookOwner::Seller(seller) => (seller, None, "sellerId"),
        HookOwner::Client(client) => (SHOP, Some(client), "apiClientId"),
    };
    if !manages(actor, new.owner) {
        return Err(nobody(field).into());
    }
    let url = checked_url(kit, &new.url)?;
    let description = new.description.map(|text| clean(&text, "description", 200, false)).transpose()?;
    let event_types = checked_types(kit, new.owner, new.event_types)?;
    let signing = webhook_signature::new_secret();
    let id = HookEndpointId(kit.clock.uuid());
    let mut tx = kit.db.begin().await?;
    if let Some(client) = api_client_id
        && people::clients::find(&mut tx, client).await?.is_none()
    {
        return Err(nobody(field).into());
    }
    if read::count(&mut tx, new.owner).await? >= MOST {
        let text = format!("an owner has at most {MOST} endpoints");
        return Err(Refusal::new(ErrorCode::TooMany, text).into());
    }
    let (data_key_id, sealed) = secret::seal(&mut tx, kit, (id, seller_id), None, &signing).await?;
    let row = NewEndpoint {
        id,
        seller_id,
        api_client_id,
        url: &url,
        description: description.as_deref(),
        event_types: &event_types,
        ordered: new.ordered,
        since_seq: cursor::lock(&mut tx, CURSOR).await?,
        data_key_id,
        secret: sealed,
    };
    let endpoint = store::insert(&mut tx, row).await?;
    record(&mut tx, kit, actor, &endpoint, HookEvent::Created, Effects::default()).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(HookConnected { endpoint, secret: signing })
}

/// `NOT_FOUND`, `VERSION_CONFLICT`, and what [`create`] refuses. What is sent changes with the events that are numbered from
/// now on; what waits at an endpoint that is enabled again is sent at once.
pub async fn update(
    kit: &HookKit,
    actor: &Actor,
    id: HookEndpointId,
    edit: HookEndpointEdit,
) -> Outcome<HookEndpoint> {
    let mut tx = kit.db.begin().await?;
    let mut endpoint = lock_own(&mut tx, actor, id).await?;
    if edit.expected_version.is_some_and(|seen| seen != endpoint.version) {
        let text = "somebody edited this endpoint meanwhile";
        return Err(Refusal::new(ErrorCode::VersionConflict, text).at(["expectedVersion"]).into());
    }
    let before = endpoint.clone();
    if let Some(url) = edit.url {
        endpoint.url = checked_url(kit, &url)?;
    }
    if let Some(description) = edit.description {
        endpoint.description = description.map(|text| clean(&text, "description", 200, false)).transpose()?;
    }
    if let Some(types) = edit.event_types {
        endpoint.event_types = checked_types(kit, endpoint.owner(), types)?;
    }
    endpoint.ordered = edit.ordered.unwrap_or(endpoint.ordered);
    endpoint.state = edit.state.unwrap_or(endpoint.state);
    let mut effects = Effects::default();
    if endpoint.state != before.state {
        endpoint.disabled_for = None;
        endpoint.failing_since = None;
        effects.over.extend([HookDisabled::over(id), HookFailing::over(id)]);
    }
    // Another address has not failed yet.
    if endpoint.url != before.url {
        endpoint.failing_since = None;
        effects.over.push(HookFailing::over(id));
    }
    let sends_other = endpoint.state != before.state || endpoint.event_types != before.event_types;
    let since = if sends_other { Some(cursor::lock(&mut tx, CURSOR).await?) } else { None };
    let endpoint = store::advance(&mut tx, &endpoint, since).await?;
    record(&mut tx, kit, actor, &endpoint, HookEvent::Updated, effects).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(endpoint)
}

/// Another signing secret; messages carry the signatures of both for a day. `NOT_FOUND`.
pub async fn rotate(kit: &HookKit, actor: &Actor, id: HookEndpointId) -> Outcome<HookConnected> {
    let signing = webhook_signature::new_secret();
    let mut tx = kit.db.begin().await?;
    let endpoint = lock_own(&mut tx, actor, id).await?;
    let of = (id, endpoint.seller_id);
    let (_, sealed) = secret::seal(&mut tx, kit, of, Some(endpoint.data_key_id), &signing).await?;
    let endpoint = store::advance_secret(&mut tx, id, sealed, kit.clock.now() + OVERLAP).await?;
    record(&mut tx, kit, actor, &endpoint, HookEvent::SecretRotated, Effects::default()).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(HookConnected { endpoint, secret: signing })
}

/// Locks an endpoint that the actor may change; of others nothing is known.
pub(super) async fn lock_own(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: HookEndpointId,
) -> Outcome<HookEndpoint> {
    let found = store::lock(conn, id).await?.filter(|endpoint| manages(actor, endpoint.owner()));
    Ok(found.ok_or_else(missing)?)
}

async fn record(
    conn: &mut AsyncPgConnection,
    kit: &HookKit,
    actor: &Actor,
    endpoint: &HookEndpoint,
    made: fn(HookEndpointId, OfEndpoint) -> HookEvent,
    mut effects: Effects,
) -> Result<(), Fault> {
    let event = made(endpoint.id, OfEndpoint { version: endpoint.version });
    effects.events.push(event.by(actor.label()).of_seller(endpoint.seller_id));
    Ok(effects.write(conn, &kit.clock).await?)
}

fn checked_url(kit: &HookKit, url: &str) -> Result<String, Refusal> {
    let url = url.trim();
    if url.len() > 1_000 {
        return Err(Refusal::new(ErrorCode::Invalid, "an address has at most 1,000 bytes").at(["url"]));
    }
    let not_allowed = |why: String| Refusal::new(ErrorCode::UrlNotAllowed, why).at(["url"]);
    kit.outbound.may_call(url).map_err(not_allowed)?;
    Ok(url.to_owned())
}

/// Sorted, each once.
fn checked_types(kit: &HookKit, owner: HookOwner, mut types: Vec<String>) -> Result<Vec<String>, Refusal> {
    if types.len() > MOST_TYPES {
        let text = format!("an endpoint names at most {MOST_TYPES} types");
        return Err(Refusal::new(ErrorCode::TooMany, text).at(["eventTypes"]));
    }
    let seen = (kit.known.seen_by)(owner.audience());
    if let Some(index) = types.iter().position(|name| !seen.contains(&name.as_str())) {
        let text = "this is no type of event that can be sent here; docs/EVENTS.md lists them";
        let path = ["eventTypes".to_owned(), index.to_string()];
        return Err(Refusal::new(ErrorCode::EventTypeUnknown, text).at(path));
    }
    types.sort_unstable();
    types.dedup();
    Ok(types)
}
