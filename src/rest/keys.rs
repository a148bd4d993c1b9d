//! Keys on their way in: a stream of lines into a batch that `keyImportCreate` has opened. Memory stays the same however
//! long the file is.

use std::sync::Arc;

use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::web::{Data, Path};
use poem::{Body, Request, Response, handler};
use serde_json::{Value, json};

use crate::base::actor::Actor;
use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::ids::BatchId;
use crate::base::outcome::{Failure, Fault};
use crate::fulfilment::restock::{self, Imported, Start};
use crate::rest::problem::Problem;
use crate::rest::signed_in;
use crate::rest::state::RestBackend;
use crate::rest::uploads::{invalid, number};
use crate::vault::layout::KeyFileFormat;
use crate::vault::{Batch, batch, read};

/// Lines that a report names; the batch counts all of them.
const MOST_PROBLEMS: i64 = 1_000;

/// `HEAD /keys/import/{id}`: where the upload of the batch's file goes on.
#[handler]
pub async fn look(
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let actor = signed_in::seller(&backend, &caller).await?;
    let batch = find(&backend, &actor, &id).await?;
    let mut response = Response::builder().header(header::CACHE_CONTROL, "no-store").finish();
    response.headers_mut().insert("upload-offset", HeaderValue::from(batch.bytes));
    response.headers_mut().insert("upload-line", HeaderValue::from(batch.lines + 1));
    Ok(response)
}

/// `POST /keys/import/{id}`: keys as the batch says that they are laid out, in UTF-8, or UTF-16 with its mark. Every thousand lines are stored together.
/// After a break the same file is sent again, whose stored lines are compared and passed over, or the rest alone, which
/// says by `Upload-Offset` (bytes) or `Upload-Line` (from 1) where in the file it begins.
#[handler]
pub async fn import(
    request: &Request,
    body: Body,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let actor = signed_in::seller(&backend, &caller).await?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !MEDIA_TYPES.iter().any(|(_, types)| types.contains(&kind.as_str())) {
        return Err(Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let start = start(request.headers())?;
    // A foreign batch is refused before its body is read.
    let batch = find(&backend, &actor, &id).await?;
    if !takes(batch.layout()?.format, &kind) {
        return Err(Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let done = match restock::go_on(&backend, &actor, batch.id, start, body.into_async_read()).await {
        Ok(done) => done,
        Err(Failure::Fault(Fault::Upstream(text))) => {
            let mut problem = Problem::new(
                ErrorCode::BadRequest,
                "the upload broke off; send the same file again, or the rest with `Upload-Offset`, which HEAD answers",
            );
            problem.fault = Some(text);
            return Err(problem);
        }
        Err(failure) => return Err(failure.into()),
    };
    Ok(Response::builder()
        .content_type("application/json")
        .header(header::CACHE_CONTROL, "no-store")
        .body(report(&backend, &done).await?.to_string()))
}

/// The media types of each format, beside `text/plain`, which any text may be sent as.
const MEDIA_TYPES: [(KeyFileFormat, &[&str]); 4] = [
    (KeyFileFormat::Text, &["text/plain"]),
    (KeyFileFormat::Blocks, &["text/plain"]),
    (KeyFileFormat::Csv, &["text/csv"]),
    (KeyFileFormat::Jsonl, &["application/jsonl", "application/x-ndjson"]),
];

fn takes(format: KeyFileFormat, kind: &str) -> bool {
    kind == "text/plain" || MEDIA_TYPES.iter().any(|(of, types)| *of == format && types.contains(&kind))
}

async fn find(backend: &RestBackend, actor: &Actor, id: &str) -> Result<Batch, Problem> {
    let id = BatchId::parse(id).map_err(|_| Problem::not_found())?;
    batch::get(&mut *backend.db.conn().await?, actor, id).await.map_err(missing)
}

/// Where in its file the body begins: at most one of the two headers says so.
fn start(headers: &HeaderMap) -> Result<Start, Problem> {
    let (offset, line) = (number(headers, "upload-offset")?, number(headers, "upload-line")?);
    match (offset, line) {
        (None, None) => Ok(Start::File),
        (Some(offset), None) => Ok(Start::Byte(offset)),
        (None, Some(line)) if line > 0 => Ok(Start::Line(line)),
        (None, Some(_)) => Err(invalid("lines are counted from 1")),
        (Some(_), Some(_)) => Err(invalid("`Upload-Offset` and `Upload-Line` exclude each other")),
    }
}

/// A foreign batch looks like a missing one.
fn missing(failure: Failure) -> Problem {
    match failure {
        Failure::Refused(_) => Problem::not_found(),
        fault => fault.into(),
    }
}

async fn report(backend: &RestBackend, imported: &Imported) -> Result<Value, Problem> {
    let done = &imported.batch;
    let mut conn = backend.db.conn().await?;
    let problems = read::list_problems(&mut conn, done.id, 0, MOST_PROBLEMS).await.map_err(Fault::from)?;
    let problems: Vec<Value> =
        problems.into_iter().map(|(line, code)| json!({ "line": line, "code": code })).collect();
    Ok(json!({
        "id": done.id.to_string(),
        "state": done.state.as_str(),
        "lines": done.lines,
        "added": done.added,
        "staged": done.staged,
        "duplicates": done.duplicates,
        "refused": done.refused,
        "offset": done.bytes,
        "storedBefore": imported.stored_before,
        "skipped": imported.skipped,
        "problems": problems,
    }))
}
