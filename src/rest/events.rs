//! `GET /events`: the lossless pull of the event sequence. A reader keeps the last `seq` it has dealt with.

use std::sync::Arc;

use poem::http::header;
use poem::web::{Data, Query};
use poem::{Response, handler};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::base::actor::Role;
use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{OrderId, SellerId};
use crate::base::outcome::{Fault, Refusal};
use crate::infra::sequence::{self, Numbered};
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

/// Events above `after` in order, at most `limit`, for administrators.
#[handler]
pub async fn list(
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
    Query(ask): Query<Ask>,
) -> Result<Response, Problem> {
    let actor = people::authenticate(&backend.0.people, caller.0).await?;
    if actor.person.is_none() {
        return Err(Refusal::new(ErrorCode::Unauthenticated, "sign in first").into());
    }
    if !actor.has(Role::Admin) {
        return Err(Refusal::new(ErrorCode::Forbidden, "this is for administrators").into());
    }
    let after = number(ask.after.as_deref(), 0, "after", ErrorCode::InvalidCursor, i64::MAX)?;
    let limit = number(ask.limit.as_deref(), USUAL, "limit", ErrorCode::Invalid, MOST)?.max(1);
    let mut conn = backend.db.conn().await?;
    let rows = sequence::after(&mut conn, after, limit).await.map_err(Fault::from)?;
    if rows.iter().any(|row| row.kind.is_none()) {
        return Err(Refusal::new(ErrorCode::CursorTooOld, "these events are not kept any more").into());
    }
    let head = sequence::head(&mut conn).await.map_err(Fault::from)?;
    let next = rows.last().map_or(after, |row| row.seq);
    let body = json!({
        "events": rows.iter().map(shown).collect::<Vec<_>>(),
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

fn shown(row: &Numbered) -> Value {
    let kind = row.kind.as_deref().unwrap_or_default();
    json!({
        "seq": row.seq,
        "id": row.id,
        "kind": kind,
        "at": row.at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)),
        "object": row.object_id.map(|id| events::public_object(kind, id)),
        "order": row.order_id.map(|id| OrderId(id).to_string()),
        "seller": row.seller_id.map(|id| SellerId(id).to_string()),
        "body": row.body.as_ref().map(|body| events::public_body(kind, body)),
    })
}
