//! The bytes of a granted file, and the page behind the links in mails.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use poem::web::{Data, Path};
use poem::{Body, Request, Response, handler};
use serde_json::json;

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::outcome::{Failure, Outcome};
use crate::base::text::Locale;
use crate::delivery::access;
use crate::delivery::link::{self, LinkClaim};
use crate::delivery::range::{Conditions, Plan};
use crate::delivery::serve::{self, Ask, ServedFile};
use crate::files::model::FileVersion;
use crate::files::name;
use crate::rest::problem::Problem;
use crate::rest::state::RestBackend;
use crate::rest::{accept, page};

/// GET and HEAD of `/downloads/{token}`.
#[handler]
pub async fn download(
    request: &Request,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    own_parameters(request)?;
    let headers = request.headers();
    let ask = Ask {
        token: &token,
        head: request.method() == poem::http::Method::HEAD,
        conditions: Conditions {
            range: only(headers, header::RANGE),
            if_range: only(headers, header::IF_RANGE),
            if_match: only(headers, header::IF_MATCH),
            if_none_match: only(headers, header::IF_NONE_MATCH),
        },
        address: Some(caller.address),
        device: caller.device.as_deref(),
    };
    let answer = noted(serve::serve(&backend.downloads, ask).await, &caller)?;
    Ok(respond(answer, &caller))
}

/// What the link in a mail leads to. Mail scanners follow links, so this counts nothing.
#[handler]
pub async fn claim_page(
    request: &Request,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    own_parameters(request)?;
    let claim = noted(link::look_at_claim(&backend, &token).await, &caller)?;
    if accept::wants_page(request.header(header::ACCEPT)) {
        let locale = page::locale(request, &backend.config.shop.default_locale)?;
        return Ok(shown(&claim, locale));
    }
    let response = Response::builder()
        .header(header::CACHE_CONTROL, "private, no-store")
        .header(header::VARY, "Accept, Accept-Language");
    let body = json!({
        "name": claim.file.name,
        "version": claim.file.version,
        "size": claim.file.size.to_string(),
        "sha256": hex::encode(&claim.file.sha256),
        "contentType": claim.file.content_type,
        "remaining": access::remaining(&claim.standing),
        "expiresAt": claim.expires_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    });
    Ok(response.content_type("application/json").body(body.to_string()))
}

/// Exchanges the link in a mail for a download link of ten minutes and goes there.
#[handler]
pub async fn claim_redeem(
    request: &Request,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    own_parameters(request)?;
    let link = noted(link::redeem_claim(&backend, &token, Some(caller.address)).await, &caller)?;
    Ok(Response::builder()
        .status(StatusCode::SEE_OTHER)
        .header(header::LOCATION, link.url)
        .header(header::CACHE_CONTROL, "private, no-store")
        .finish())
}

/// Links carry everything in their path. What others add when they pass a link on is ignored; our own names may occur
/// once.
fn own_parameters(request: &Request) -> Result<(), Problem> {
    page::parameter(request, "token")
        .map_err(|_| Problem::new(ErrorCode::LinkForged, "a link of this shop has one token, in its path"))?;
    page::parameter(request, "locale")?;
    Ok(())
}

/// A header that came once. Several of one name contradict each other and are passed over.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() { None } else { first.to_str().ok() }
}

/// Forged links leave a trace, without the link.
fn noted<T>(outcome: Outcome<T>, caller: &Caller) -> Result<T, Problem> {
    outcome.map_err(|failure| {
        if let Failure::Refused(refusal) = &failure
            && matches!(refusal.code, ErrorCode::LinkForged | ErrorCode::LinkOtherNetwork)
        {
            tracing::warn!(code = %refusal.code, address = %caller.address, "a link was refused");
        }
        failure.into()
    })
}

fn respond(answer: ServedFile, caller: &Caller) -> Response {
    let ServedFile { plan, file, body } = answer;
    let size = file.size as u64;
    let mut response = match plan {
        Plan::PreconditionFailed => {
            Problem::new(ErrorCode::PreconditionFailed, "this is another version of the file")
                .answer(&caller.request_id)
        }
        Plan::Unsatisfiable => {
            let problem = Problem::new(ErrorCode::RangeNotSatisfiable, "no such bytes");
            let mut response = problem.answer(&caller.request_id);
            set(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{size}"));
            response
        }
        Plan::NotModified => Response::builder().status(StatusCode::NOT_MODIFIED).finish(),
        Plan::Whole => content(StatusCode::OK, &file, size),
        Plan::Part { start, length } => {
            let mut response = content(StatusCode::PARTIAL_CONTENT, &file, length);
            let range = format!("bytes {start}-{}/{size}", start + length - 1);
            set(response.headers_mut(), header::CONTENT_RANGE, &range);
            response
        }
    };
    set(response.headers_mut(), header::ETAG, &file.etag());
    set(response.headers_mut(), header::ACCEPT_RANGES, "bytes");
    set(response.headers_mut(), header::CACHE_CONTROL, "private, no-store");
    if let Some(body) = body {
        response.set_body(Body::from_bytes_stream(body));
    }
    response
}

fn content(status: StatusCode, file: &FileVersion, length: u64) -> Response {
    let mut response = Response::builder().status(status).finish();
    let headers = response.headers_mut();
    set(headers, header::CONTENT_TYPE, &file.content_type);
    set(headers, header::CONTENT_LENGTH, &length.to_string());
    set(headers, header::CONTENT_DISPOSITION, &name::content_disposition(&file.name));
    // RFC 9530: of the whole file, also beside a part of it.
    let digest = format!("sha-256=:{}:", STANDARD.encode(&file.sha256));
    set(headers, HeaderName::from_static("repr-digest"), &digest);
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The page of a claim link. Looking counts nothing; the button begins the download.
fn shown(claim: &LinkClaim, locale: Locale) -> Response {
    let left = access::remaining(&claim.standing);
    let until = claim.expires_at.format("%Y-%m-%d %H:%M UTC");
    let (version, size) = (page::escape(&claim.file.version), claim.file.size);
    let (facts, left, until, button) = match locale {
        Locale::En => (
            format!("Version {version}, {size} bytes"),
            left.map(|left| format!("Downloads left: {left}")),
            format!("This link works until {until}."),
            "Download",
        ),
        Locale::Zh => (
            format!("版本 {version}，{size} 字节"),
            left.map(|left| format!("剩余下载次数：{left}")),
            format!("链接有效期至 {until}。"),
            "下载",
        ),
    };
    let left = left.map(|left| format!("<p>{left}</p>")).unwrap_or_default();
    let body = format!(
        "<h1>{}</h1><p>{facts}</p>{left}<p>{until}</p><form method=\"post\"><button>{button}</button></form>",
        page::escape(&claim.file.name),
    );
    page::document(StatusCode::OK, locale, &claim.file.name, &body, "form-action 'self'")
}
