//! Large bodies on their way in: the wire form of tus 1.0 (tus.io/protocols/resumable-upload) with the extensions
//! creation, expiration and termination. A body comes in one PATCH from offset 0; one that breaks off is sent again
//! from there.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::web::{Data, Path};
use poem::{Body, Request, Response, handler};

use crate::base::actor::Actor;
use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{SHOP, SellerId, UploadId};
use crate::files::model::Upload;
use crate::files::upload::{self, NewUpload};
use crate::rest::problem::Problem;
use crate::rest::signed_in;
use crate::rest::state::RestBackend;

const VERSION: &str = "1.0.0";

/// `OPTIONS /uploads`: what is spoken here.
#[handler]
pub async fn options(backend: Data<&Arc<RestBackend>>) -> Response {
    let mut response = answer(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert("tus-version", HeaderValue::from_static(VERSION));
    headers.insert("tus-extension", HeaderValue::from_static("creation,expiration,termination"));
    headers.insert("tus-max-size", HeaderValue::from(backend.config.storage.largest_file));
    response
}

/// Announces an upload: `Upload-Length`, and `Upload-Metadata` with `filename`, `filetype` and `seller`.
#[handler]
pub async fn create(
    request: &Request,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
) -> Result<Response, Problem> {
    let headers = request.headers();
    spoken(headers)?;
    let actor = signed_in::seller(&backend, &caller).await?;
    if headers.contains_key("upload-defer-length") {
        return Err(invalid("`Upload-Length` must be known from the beginning"));
    }
    let size = number(headers, "upload-length")?.ok_or_else(|| invalid("`Upload-Length` is missing"))?;
    let metadata = metadata(headers)?;
    let get = |key: &str| metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
    let new = NewUpload {
        seller_id: seller_of(&actor, get("seller"))?,
        name: get("filename")
            .or_else(|| get("name"))
            .ok_or_else(|| invalid("the metadata has no `filename`"))?,
        content_type: get("filetype").or_else(|| get("type")),
        size: size.unsigned_abs(),
    };
    let upload = upload::create_upload(&backend, &actor, new).await?;
    let mut response = described(StatusCode::CREATED, &upload);
    let location = format!("{}/uploads/{}", backend.public_url(), upload.id);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// How much is here: nothing or everything.
#[handler]
pub async fn look(
    request: &Request,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    spoken(request.headers())?;
    let actor = signed_in::seller(&backend, &caller).await?;
    let upload = upload::find_upload(&backend, &actor, parsed(&id)?).await?;
    Ok(described(StatusCode::OK, &upload))
}

/// The whole body, as `application/offset+octet-stream`.
#[handler]
pub async fn receive(
    request: &Request,
    body: Body,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let headers = request.headers();
    spoken(headers)?;
    let actor = signed_in::seller(&backend, &caller).await?;
    let upload = upload::find_upload(&backend, &actor, parsed(&id)?).await?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !kind.eq_ignore_ascii_case("application/offset+octet-stream") {
        return Err(Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let offset = number(headers, "upload-offset")?.ok_or_else(|| invalid("`Upload-Offset` is missing"))?;
    if offset != upload.received || offset != 0 {
        let text = format!("this upload goes on at {}", upload.received);
        return Err(Problem::new(ErrorCode::Conflict, text));
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if let Some(length) = length.filter(|l| *l != upload.size as u64) {
        let text = format!("the body has {length} bytes in place of the {} announced", upload.size);
        return Err(Problem::new(ErrorCode::LengthWrong, text));
    }
    let upload =
        upload::receive_upload(&backend, &actor, upload.id, Box::pin(body.into_bytes_stream())).await?;
    Ok(described(StatusCode::NO_CONTENT, &upload))
}

/// Gives an upload up.
#[handler]
pub async fn remove(
    request: &Request,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    spoken(request.headers())?;
    let actor = signed_in::seller(&backend, &caller).await?;
    upload::remove_upload(&backend, &actor, parsed(&id)?).await?;
    Ok(answer(StatusCode::NO_CONTENT))
}

/// Another version of the protocol is refused; a client that names none is understood.
fn spoken(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get("tus-resumable") {
        Some(version) if version != VERSION => {
            Err(Problem::new(ErrorCode::PreconditionFailed, "tus 1.0.0 is spoken here"))
        }
        _ => Ok(()),
    }
}

/// The seller named, else the only one the person acts for, else the shop itself for its admins.
fn seller_of(actor: &Actor, named: Option<String>) -> Result<SellerId, Problem> {
    if let Some(text) = named {
        return SellerId::parse(&text).map_err(|_| invalid("`seller` in the metadata is no id of a seller"));
    }
    match actor.person.as_ref().map(|p| p.sellers.as_slice()) {
        Some([only]) => Ok(*only),
        Some([]) => Ok(SHOP),
        _ => Err(invalid("the metadata must name the `seller`")),
    }
}

fn parsed(id: &str) -> Result<UploadId, Problem> {
    UploadId::parse(id).map_err(|_| Problem::not_found())
}

pub(super) fn invalid(text: &str) -> Problem {
    Problem::new(ErrorCode::Invalid, text)
}

/// A header that is a number from 0.
pub(super) fn number(headers: &HeaderMap, name: &str) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.map(Some).ok_or_else(|| invalid(&format!("`{name}` is not a number")))
}

/// Pairs of a name and base64, separated by commas; a name may be alone.
fn metadata(headers: &HeaderMap) -> Result<Vec<(String, String)>, Problem> {
    let Some(value) = headers.get("upload-metadata") else { return Ok(Vec::new()) };
    let faulty = || invalid("`Upload-Metadata` is pairs of a name and base64, separated by commas");
    let text = value.to_str().map_err(|_| faulty())?;
    text.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let bytes = STANDARD.decode(value.trim()).map_err(|_| faulty())?;
            Ok((name.to_owned(), String::from_utf8(bytes).map_err(|_| faulty())?))
        })
        .collect()
}

fn answer(status: StatusCode) -> Response {
    let mut response = Response::builder().status(status).finish();
    response.headers_mut().insert("tus-resumable", HeaderValue::from_static(VERSION));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn described(status: StatusCode, upload: &Upload) -> Response {
    let mut response = answer(status);
    let headers = response.headers_mut();
    headers.insert("upload-offset", HeaderValue::from(upload.received));
    headers.insert("upload-length", HeaderValue::from(upload.size));
    let expires = upload.expires_at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(expires) = HeaderValue::from_str(&expires) {
        headers.insert("upload-expires", expires);
    }
    response
}
