//! `POST /webhooks/{account}` (and GET for gateways that notify by query): raw bytes in, the gateway's own answer out.

use std::sync::Arc;

use poem::http::{HeaderMap, Method, StatusCode, header};
use poem::web::{Data, Path};
use poem::{Body, Request, Response, handler};

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::infra::throttle::prefix;
use crate::payments::gateways::gateway::RawNotice;
use crate::payments::notices::receive::{self, Acknowledgement};
use crate::rest::problem::Problem;
use crate::rest::state::RestBackend;

/// Takes a notice. The work goes on in a task of its own: a gateway that hangs up changes nothing.
#[handler]
pub async fn receive_notice(
    request: &Request,
    Path(account): Path<String>,
    body: Body,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
) -> Result<Response, Problem> {
    let backend = Arc::clone(&backend);
    if backend.payments.accounts.find(&account).is_none() {
        return Err(Problem::new(ErrorCode::NotFound, "there is no such account"));
    }
    crate::fault_point!("notice.n0");
    let body = body.into_bytes_limit(backend.config.limits.notice_body).await;
    let body = body.map_err(|error| Problem::of_body(&error, "a notice this large is not taken"))?;
    let raw = RawNotice {
        method: request.method().as_str().to_owned(),
        query: request.original_uri().query().unwrap_or_default().to_owned(),
        headers: headers(request.headers()),
        body: body.to_vec(),
        now_unix: backend.clock.unix(),
    };
    if request.method() == Method::GET && raw.query.is_empty() {
        return Err(Problem::new(ErrorCode::Invalid, "a notice by GET has a query"));
    }
    let address = caller.address;
    let task = tokio::spawn(async move {
        receive::receive(&backend.payments, &account, raw, || {
            backend.throttles.forged_notices.take(&prefix(address)).is_ok()
        })
        .await
    });
    match task.await {
        Ok(Acknowledgement::Reply(reply)) => Ok(respond(reply)),
        Ok(Acknowledgement::UnknownAccount) => {
            Err(Problem::new(ErrorCode::NotFound, "there is no such account"))
        }
        Ok(Acknowledgement::Overloaded) => {
            Err(Problem::new(ErrorCode::Unavailable, "too many notices wait").after(5))
        }
        Err(error) => Err(Problem::of_task(&error)),
    }
}

/// Names and values in the order received; a value that is no text is kept byte by byte.
fn headers(map: &HeaderMap) -> Vec<(String, String)> {
    map.iter()
        .filter(|(name, _)| {
            !matches!(**name, header::AUTHORIZATION | header::COOKIE | header::PROXY_AUTHORIZATION)
        })
        .map(|(name, value)| {
            let text = value.as_bytes().iter().map(|b| char::from(*b)).collect();
            (name.as_str().to_owned(), text)
        })
        .collect()
}

fn respond(reply: crate::payments::gateways::gateway::Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Response::builder().status(status).content_type(reply.content_type).body(reply.body)
}
