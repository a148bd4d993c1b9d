//! What the mail service reports: signed by the shop's own secret, answered after the commit.

use std::sync::Arc;

use poem::http::StatusCode;
use poem::web::Data;
use poem::{Body, Request, Response, handler};

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::infra::throttle::prefix;
use crate::infra::webhook_signature::SignedMessage;
use crate::mail::bounces::{self, Reported};
use crate::rest::problem::Problem;
use crate::rest::state::RestBackend;
use crate::rest::suppliers::signature_of;

/// Largest report, bytes.
const LARGEST: usize = 65_536;

/// `POST /mail/events`.
#[handler]
pub async fn report(
    request: &Request,
    body: Body,
    backend: Data<&Arc<RestBackend>>,
    caller: Data<&Caller>,
) -> Result<Response, Problem> {
    let body = body.into_bytes_limit(LARGEST).await;
    let body = body.map_err(|error| Problem::of_body(&error, "a report this large is not taken"))?;
    let Some([id, timestamp, signatures]) = signature_of(request.headers()) else {
        return Err(match backend.config.mail.event_secrets.is_empty() {
            true => Problem::not_found(),
            false => forged(&backend, &caller),
        });
    };
    let working = backend.clone();
    // A service that hangs up changes nothing.
    let task = tokio::spawn(async move {
        let signed = SignedMessage { id: &id, timestamp: &timestamp, signatures: &signatures, body: &body };
        bounces::receive(&working, signed).await
    });
    let received = task.await.map_err(|error| Problem::of_task(&error))?;
    match received? {
        Reported::Taken => Ok(StatusCode::NO_CONTENT.into()),
        Reported::NotServed => Err(Problem::not_found()),
        Reported::Forged => Err(forged(&backend, &caller)),
        Reported::Unreadable(why) => Err(Problem::new(ErrorCode::Invalid, why)),
    }
}

/// A report that is not believed. Who sends many is turned away for a while.
fn forged(backend: &RestBackend, caller: &Caller) -> Problem {
    match backend.throttles.forged_notices.take(&prefix(caller.address)) {
        Ok(()) => Problem::new(ErrorCode::Unauthenticated, "the signature is not that of the mail service"),
        Err(seconds) => {
            Problem::new(ErrorCode::RateLimited, "too many reports that are not believed").after(seconds)
        }
    }
}
