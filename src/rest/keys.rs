//! Keys come in by a body that is read as it streams by: one key a line, however many.

use std::sync::Arc;

use poem::http::{StatusCode, header};
use poem::web::{Data, Path};
use poem::{Body, Request, Response, handler};
use serde_json::json;

use crate::app::App;
use crate::base::caller::Caller;
use crate::base::ids::BatchId;
use crate::fulfilment::restock;
use crate::people;
use crate::rest::problem::Problem;

/// `POST /keys/import/{id}`: takes keys into an opened batch. Sending the same body again goes on where it broke off.
#[handler]
pub async fn import(
    request: &Request,
    body: Body,
    app: Data<&Arc<App>>,
    caller: Data<&Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/plain") {
        let text = "send the keys as text/plain, one a line";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", text));
    }
    // A browser sends text/plain unasked, but never with an Authorization header: a guest gets nothing here.
    let actor = people::authenticate(&app, &caller).await?;
    if actor.person.is_none() {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "sign in first"));
    }
    let id = BatchId::parse(&id).map_err(|_| Problem::not_found())?;
    let batch = restock::import(&app, &actor, id, body.into_async_read()).await?;
    let report = json!({
        "id": batch.id.to_string(),
        "state": batch.state.as_str(),
        "lines": batch.lines,
        "added": batch.added,
        "refused": batch.refused,
    });
    Ok(Response::builder().content_type("application/json").body(report.to_string()))
}
