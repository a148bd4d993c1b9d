//! `GET /events`: the lossless pull of the event sequence. A reader keeps the last `seq` it has dealt with.

use std::sync::Arc;

use poem::http::header;
use poem::web::{Data, Query};
use poem::{Response, handler};
use serde::Deserialize;
use serde_json::json;

use crate::base::actor::{Actor, ApiScope, Role};
use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{ApiClientId, SellerId};
use crate::base::outcome::{Fault, Refusal};
use crate::hooks::read::{self, EventsOf, PulledEvents};
use crate::infra::effects::events::Audience;
use crate::infra::sequence;
use crate::kinds::events;
use crate::people;
use crate::rest::problem::Problem;
use crate::rest::state::RestBackend;

/// The query of the route.
#[derive(Deserialize)]
pub struct Ask {
    after: Option<String>,
    limit: Option<String>,
}

const MOST: i64 = 500;
const USUAL: i64 = 100;

/// Who pulls.
enum Puller {
    /// Administrators: everything.
    Admin,
    /// What is theirs.
    Sellers(Vec<SellerId>),
    /// What is about its orders.
    Client(ApiClientId),
}

impl Puller {
    fn of(actor: &Actor) -> Result<Self, Refusal> {
        let forbidden = |text: &str| Err(Refusal::new(ErrorCode::Forbidden, text));
        match (&actor.person, actor.api_client) {
            (Some(_), _) if actor.has(Role::Admin) => Ok(Self::Admin),
            (Some(person), _) if actor.has(Role::Seller) && !person.sellers.is_empty() => {
                Ok(Self::Sellers(person.sellers.clone()))
            }
            (Some(_), _) => forbidden("this is for administrators, sellers and API clients"),
            (None, Some(_)) => match actor.client_with(ApiScope::EventsRead) {
                Some(client) => Ok(Self::Client(client)),
                None => forbidden("this client lacks the scope events:read"),
            },
            (None, None) => Err(Refusal::new(ErrorCode::Unauthenticated, "sign in first")),
        }
    }
}

/// Events above `after` in order, at most `limit`: all for administrators, for others what is theirs.
#[handler]
pub async fn list(
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
    Query(ask): Query<Ask>,
) -> Result<Response, Problem> {
    let actor = people::authenticate(&backend.0.people, caller.0).await?;
    let puller = Puller::of(&actor)?;
    let after = number(ask.after.as_deref(), 0, "after", ErrorCode::InvalidCursor, i64::MAX)?;
    let limit = number(ask.limit.as_deref(), USUAL, "limit", ErrorCode::Invalid, MOST)?.max(1);
    let mut conn = backend.db.conn().await?;
    // Before the rows, so that nothing numbered between the two is passed over.
    let head = sequence::head(&mut conn).await.map_err(Fault::from)?;
    let PulledEvents { events: rows, next } = match &puller {
        Puller::Admin => {
            let events = sequence::after(&mut conn, after, limit).await.map_err(Fault::from)?;
            PulledEvents { next: events.last().map_or(after, |row| row.seq), events }
        }
        Puller::Sellers(sellers) => {
            let (whose, kinds) = (EventsOf::Sellers(sellers), events::seen_by(Audience::Seller));
            read::pull(&mut conn, whose, kinds, (after, head), limit).await.map_err(Fault::from)?
        }
        Puller::Client(client) => {
            let (whose, kinds) = (EventsOf::Client(*client), events::seen_by(Audience::Client));
            read::pull(&mut conn, whose, kinds, (after, head), limit).await.map_err(Fault::from)?
        }
    };
    if rows.iter().any(|row| row.kind.is_none()) {
        let first = read::first_kept(&mut conn).await.map_err(Fault::from)?.unwrap_or(head + 1);
        let text = format!("these events are not kept any more; the oldest that is has the number {first}");
        return Err(Refusal::new(ErrorCode::CursorTooOld, text).into());
    }
    let body = json!({
        "events": rows.iter().map(events::public).collect::<Vec<_>>(),
        "next": next,
        "more": next < head,
    });
    Ok(Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CACHE_CONTROL, "private, no-store")
        .body(body.to_string()))
}

fn number(text: Option<&str>, default: i64, field: &str, code: ErrorCode, most: i64) -> Result<i64, Refusal> {
    let Some(text) = text else { return Ok(default) };
    text.parse::<i64>().ok().filter(|n| (0..=most).contains(n)).ok_or_else(|| {
        Refusal::new(code, format!("`{field}` is a whole number from 0 to {most}")).at([field])
    })
}
