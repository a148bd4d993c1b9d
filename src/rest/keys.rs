//! Keys on their way in: a stream of lines into a batch that `keyImportCreate` has opened. Memory stays the same however
//! long the file is.

use std::sync::Arc;

use poem::http::{StatusCode, header};
use poem::web::{Data, Path};
use poem::{Body, Request, Response, handler};
use serde_json::{Value, json};

use crate::app::App;
use crate::base::actor::Role;
use crate::base::caller::Caller;
use crate::base::ids::BatchId;
use crate::base::outcome::{Failure, Fault};
use crate::fulfilment::restock;
use crate::people;
use crate::rest::problem::Problem;
use crate::vault::{Batch, batch, read};

/// Lines that a report names; the batch counts all of them.
const MOST_PROBLEMS: i64 = 1_000;

/// `POST /keys/import/{id}`: one key a line, UTF-8. Every thousand lines are stored together; sending the same file
/// again after a break goes on behind the last that were.
#[handler]
pub async fn import(
    request: &Request,
    body: Body,
    app: Data<&Arc<App>>,
    caller: Data<&Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let actor = people::authenticate(&app, &caller).await?;
    if actor.person.is_none() {
        return Err(Problem::from_status(StatusCode::UNAUTHORIZED));
    }
    if !actor.has(Role::Seller) && !actor.has(Role::Admin) {
        return Err(Problem::from_status(StatusCode::FORBIDDEN));
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("text/plain") {
        return Err(Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let id = BatchId::parse(&id).map_err(|_| Problem::not_found())?;
    // A foreign batch is refused before its body is read.
    batch::get(&mut *app.db.conn().await?, &actor, id).await.map_err(missing)?;
    let done = match restock::import(&app, &actor, id, body.into_async_read()).await {
        Ok(done) => done,
        Err(Failure::Fault(Fault::Upstream(text))) => {
            let mut problem = Problem::new(
                StatusCode::BAD_REQUEST,
                "BAD_REQUEST",
                "the upload broke off; send the same file again, what is stored is passed over",
            );
            problem.fault = Some(text);
            return Err(problem);
        }
        Err(failure) => return Err(failure.into()),
    };
    Ok(Response::builder()
        .content_type("application/json")
        .header(header::CACHE_CONTROL, "no-store")
        .body(report(&app, &done).await?.to_string()))
}

/// A foreign batch looks like a missing one.
fn missing(failure: Failure) -> Problem {
    match failure {
        Failure::Refused(_) => Problem::not_found(),
        fault => fault.into(),
    }
}

async fn report(app: &App, done: &Batch) -> Result<Value, Problem> {
    let mut conn = app.db.conn().await?;
    let problems = read::list_problems(&mut conn, done.id, 0, MOST_PROBLEMS).await.map_err(Fault::from)?;
    let problems: Vec<Value> =
        problems.into_iter().map(|(line, code)| json!({ "line": line, "code": code })).collect();
    Ok(json!({
        "id": done.id.to_string(),
        "state": done.state.as_str(),
        "lines": done.lines,
        "added": done.added,
        "refused": done.refused,
        "problems": problems,
    }))
}
