//! Late answers of suppliers: signed by the connection's own secret, answered after the commit.

use std::sync::Arc;

use poem::http::{HeaderMap, StatusCode};
use poem::web::{Data, Path};
use poem::{Body, Request, Response, handler};

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::ids::SupplierId;
use crate::fulfilment::supplier::{self, Callback};
use crate::infra::throttle::prefix;
use crate::infra::webhook_signature::{ID, SIGNATURE, SignedMessage, TIMESTAMP};
use crate::rest::problem::Problem;
use crate::rest::state::RestBackend;
use crate::suppliers::protocol::LARGEST_ANSWER;

/// `POST /suppliers/{connection}/callback`.
#[handler]
pub async fn callback(
    request: &Request,
    body: Body,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let missing = || Problem::new(ErrorCode::NotFound, "there is no such supplier or purchase");
    let id = SupplierId::parse(&id).map_err(|_| missing())?;
    let body = body.into_bytes_limit(LARGEST_ANSWER).await;
    let body = body.map_err(|error| Problem::of_body(&error, "an answer this large is not taken"))?;
    let headers = request.headers();
    let Some(message) = signature_of(headers) else {
        return Err(forged(&backend, &caller));
    };
    let (backend, caller) = (backend.clone(), caller.clone());
    // A supplier that hangs up changes nothing.
    let task = tokio::spawn(async move {
        let [id_header, timestamp, signatures] = &message;
        let message = SignedMessage { id: id_header, timestamp, signatures, body: &body };
        let received = supplier::receive(&backend, id, message).await;
        (received, backend, caller)
    });
    let (received, backend, caller) = task.await.map_err(|error| Problem::of_task(&error))?;
    match received? {
        Callback::Taken => Ok(StatusCode::NO_CONTENT.into()),
        Callback::NotFound => Err(missing()),
        Callback::Forged(_) => Err(forged(&backend, &caller)),
        Callback::Unreadable => {
            Err(Problem::new(ErrorCode::Invalid, "the body names no purchase and no state that is known"))
        }
    }
}

/// A callback that is not believed. Who sends many is turned away for a while.
fn forged(backend: &RestBackend, caller: &Caller) -> Problem {
    match backend.throttles.forged_notices.take(&prefix(caller.address)) {
        Ok(()) => Problem::new(ErrorCode::Unauthenticated, "the signature is not that of this supplier"),
        Err(seconds) => {
            Problem::new(ErrorCode::RateLimited, "too many callbacks that are not believed").after(seconds)
        }
    }
}

/// Id, timestamp and signatures of a signed message; none unless each is given once.
pub(super) fn signature_of(headers: &HeaderMap) -> Option<[String; 3]> {
    let [id, timestamp, signatures] = [ID, TIMESTAMP, SIGNATURE].map(|name| only(headers, name));
    Some([id?.to_owned(), timestamp?.to_owned(), signatures?.to_owned()])
}

/// The value of a header that is given once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}
