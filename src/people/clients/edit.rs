//! Admins make, edit and retire API clients, and give them other secrets.

use chrono::TimeDelta;

use crate::base::actor::{Actor, ApiScope, Role};
use crate::base::error_code::ErrorCode;
use crate::base::ids::ApiClientId;
use crate::base::outcome::{Outcome, Refusal};
use crate::base::secret::Secret;
use crate::base::text::clean;
use crate::infra::effects::events::{self, Event};
use crate::infra::kit::Kit;
use crate::people::clients::model::{ApiClient, ApiClientState};
use crate::people::clients::{secret, store};
use crate::people::error;
use crate::people::events::{ApiClientEvent, OfApiClient};

/// Clients that a shop may have.
const MOST: i64 = 200;

/// For how long the secret before counts too.
const OVERLAP: TimeDelta = TimeDelta::hours(24);

/// A client to be made.
#[derive(Clone, Debug)]
pub struct NewApiClient {
    pub name: String,
    pub scopes: Vec<String>,
}

/// What is changed of a client; `None` leaves things as they are.
#[derive(Clone, Debug, Default)]
pub struct ApiClientEdit {
    pub name: Option<String>,
    pub scopes: Option<Vec<String>>,
    pub state: Option<ApiClientState>,
    /// The version that the editor saw.
    pub expected_version: Option<i32>,
}

/// A client that was made or got another secret, with the secret: it is shown this once.
pub struct ClientConnected {
    pub client: ApiClient,
    pub secret: Secret,
}

/// For admins. `FORBIDDEN`, `INVALID`, `SCOPE_UNKNOWN`, `TOO_MANY`.
pub async fn create(kit: &Kit, actor: &Actor, new: NewApiClient) -> Outcome<ClientConnected> {
    must_be_admin(actor)?;
    let name = clean(&new.name, "name", 120, false)?;
    let scopes = checked_scopes(&new.scopes)?;
    let id = ApiClientId(kit.clock.uuid());
    let opens = secret::new(id);
    let mut tx = kit.db.begin().await?;
    if store::count(&mut tx).await? >= MOST {
        let text = format!("a shop has at most {MOST} API clients");
        return Err(Refusal::new(ErrorCode::TooMany, text).into());
    }
    let named = (name.as_str(), secret::publishable(id));
    let client = store::insert(&mut tx, id, (named.0, &named.1), secret::digest(&opens), &scopes).await?;
    record(&tx, actor, &client, ApiClientEvent::Created).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(ClientConnected { client, secret: opens })
}

/// For admins. What a retired client may is gone at once. `FORBIDDEN`, `NOT_FOUND`, `VERSION_CONFLICT`, `INVALID`,
/// `SCOPE_UNKNOWN`.
pub async fn update(kit: &Kit, actor: &Actor, id: ApiClientId, edit: ApiClientEdit) -> Outcome<ApiClient> {
    must_be_admin(actor)?;
    let mut tx = kit.db.begin().await?;
    let mut client = store::lock(&mut tx, id).await?.ok_or_else(missing)?;
    if edit.expected_version.is_some_and(|seen| seen != client.version) {
        let text = "somebody edited this client meanwhile";
        return Err(Refusal::new(ErrorCode::VersionConflict, text).at(["expectedVersion"]).into());
    }
    if let Some(name) = edit.name {
        client.name = clean(&name, "name", 120, false)?;
    }
    if let Some(scopes) = edit.scopes {
        client.scopes = checked_scopes(&scopes)?.into_iter().map(str::to_owned).collect();
    }
    client.state = edit.state.unwrap_or(client.state);
    let client = store::advance(&mut tx, &client).await?;
    record(&tx, actor, &client, ApiClientEvent::Updated).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(client)
}

/// For admins: another secret; the one before counts for a day more. `FORBIDDEN`, `NOT_FOUND`.
pub async fn rotate(kit: &Kit, actor: &Actor, id: ApiClientId) -> Outcome<ClientConnected> {
    must_be_admin(actor)?;
    let opens = secret::new(id);
    let mut tx = kit.db.begin().await?;
    store::lock(&mut tx, id).await?.ok_or_else(missing)?;
    let until = kit.clock.now() + OVERLAP;
    let client = store::advance_secret(&mut tx, id, secret::digest(&opens), until).await?;
    record(&tx, actor, &client, ApiClientEvent::SecretRotated).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(ClientConnected { client, secret: opens })
}

fn must_be_admin(actor: &Actor) -> Result<(), Refusal> {
    if actor.has(Role::Admin) { Ok(()) } else { Err(error::forbidden()) }
}

fn missing() -> Refusal {
    Refusal::new(ErrorCode::NotFound, "there is no such client").at(["clientId"])
}

/// Each once, in the order of the list of all.
fn checked_scopes(asked: &[String]) -> Result<Vec<&'static str>, Refusal> {
    if let Some(index) = asked.iter().position(|scope| ApiScope::parse(scope).is_none()) {
        let known: Vec<&str> = ApiScope::ALL.into_iter().map(ApiScope::as_str).collect();
        let text = format!("scopes are: {}", known.join(", "));
        return Err(Refusal::new(ErrorCode::ScopeUnknown, text).at(["scopes".to_owned(), index.to_string()]));
    }
    let scopes = ApiScope::ALL.into_iter().map(ApiScope::as_str);
    Ok(scopes.filter(|scope| asked.iter().any(|wanted| wanted == scope)).collect())
}

async fn record(
    conn: &diesel_async::AsyncPgConnection,
    actor: &Actor,
    client: &ApiClient,
    made: fn(ApiClientId, OfApiClient) -> ApiClientEvent,
) -> Outcome<()> {
    let scopes = client.scopes().into_iter().map(|scope| scope.as_str().to_owned()).collect();
    let body = OfApiClient { scopes, state: client.state.as_str().into(), version: client.version };
    events::append(conn, &[made(client.id, body).by(actor.label())]).await?;
    Ok(())
}
