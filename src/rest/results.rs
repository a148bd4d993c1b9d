//! What was asked for and is made while it is fetched: files of keys.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use poem::http::header;
use poem::web::{Data, Path};
use poem::{Body, Response, handler};

use crate::base::actor::Actor;
use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::ids::KeyExportId;
use crate::base::outcome::{Failure, Refusal};
use crate::rest::problem::Problem;
use crate::rest::signed_in;
use crate::rest::state::RestBackend;
use crate::vault::export::{self, Export, Place};

/// `GET /jobs/{id}/result`: the file, for whoever asked for it. It may be fetched again while its time lasts.
#[handler]
pub async fn result(
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let actor = signed_in::seller(&backend, &caller).await?;
    let id = KeyExportId::parse(&id).map_err(|_| Problem::not_found())?;
    let export = match export::begin(&backend, &actor, id).await {
        Ok(export) => export,
        Err(Failure::Refused(refusal)) if refusal.code == ErrorCode::LinkExpired => {
            return Err(Refusal::new(ErrorCode::LinkExpired, "this export is over: ask for another").into());
        }
        Err(Failure::Refused(_)) => return Err(Problem::not_found()),
        Err(fault) => return Err(fault.into()),
    };
    let (kind, ending) = match export.format.as_str() {
        "csv" => ("text/csv; charset=utf-8", "csv"),
        _ => ("application/jsonl", "jsonl"),
    };
    let file = format!("attachment; filename=\"keys-{}.{ending}\"", export.variant_id);
    let state = Some((backend.0.clone(), actor, export, Place::default()));
    Ok(Response::builder()
        .content_type(kind)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::CONTENT_DISPOSITION, file)
        .body(Body::from_bytes_stream(stream::try_unfold(state, piece))))
}

type State = Option<(Arc<RestBackend>, Actor, Export, Place)>;

/// The next piece of the file. A fault breaks the body off, so that nobody takes a part for the whole.
async fn piece(state: State) -> std::io::Result<Option<(Bytes, State)>> {
    let Some((backend, actor, export, place)) = state else { return Ok(None) };
    let broken = |fault: crate::base::outcome::Fault| {
        tracing::error!(%fault, export = %export.id, "an export broke off");
        std::io::Error::other("the export broke off")
    };
    match export::next_piece(&backend, &export, place).await.map_err(broken)? {
        Some((piece, place)) => {
            let bytes = Bytes::copy_from_slice(&piece);
            Ok(Some((bytes, Some((backend, actor, export, place)))))
        }
        None => {
            export::end(&backend, &actor, &export, place.keys).await.map_err(broken)?;
            Ok(None)
        }
    }
}
