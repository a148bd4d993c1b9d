//! One operation of a socket: a subscription, a query or a mutation, under the same limits as over HTTP.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use serde_json::{Map, Value};

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::text::Locale;
use crate::graphql::context::{GraphqlBackend, Viewer};
use crate::graphql::error::{self, Refused};
use crate::graphql::execute::{self, Arrival, Prepared};
use crate::graphql::live::follow::{Follower, Outlet};
use crate::graphql::live::frame::StreamStep;
use crate::graphql::request::Parts;
use crate::infra::throttle;

/// Runs the operation to its end. Whoever gives it up drops this; what a mutation began is ended all the same.
pub async fn run(
    backend: Arc<GraphqlBackend>,
    caller: Caller,
    locale: Locale,
    payload: Map<String, Value>,
    outlet: Outlet,
) {
    let request_id = caller.request_id.clone();
    if let Err(refused) = operate(backend, caller, locale, payload, &outlet).await {
        let step = match refused.code {
            ErrorCode::Unauthenticated | ErrorCode::TokenExpired => StreamStep::Unbelieved(refused),
            _ => StreamStep::refused(refused, &request_id),
        };
        let _ = outlet.send(step).await;
    }
}

async fn begin(
    backend: &GraphqlBackend,
    caller: &Caller,
    locale: Locale,
    parts: Parts,
) -> Result<(Prepared, Viewer), Refused> {
    let viewer = execute::believe(backend, caller, locale).await.map_err(|stopped| stopped.refused)?;
    let arrival = Arrival { in_url: false, streams: true };
    let prepared = execute::prepare(backend, parts, &viewer, arrival).await.map_err(|s| s.refused)?;
    Ok((prepared, viewer))
}

async fn operate(
    backend: Arc<GraphqlBackend>,
    caller: Caller,
    locale: Locale,
    payload: Map<String, Value>,
    outlet: &Outlet,
) -> Result<(), Refused> {
    backend.throttles.requests.take(&throttle::prefix(caller.address)).map_err(|seconds| Refused {
        retry_after: Some(seconds),
        ..Refused::new(ErrorCode::RateLimited, "too many requests from this address")
    })?;
    let parts = Parts::from_object(payload).map_err(|text| Refused::new(ErrorCode::BadRequest, text))?;
    // What is needed to begin lies apart: a follower that waits does not keep it.
    let (prepared, viewer) = Box::pin(begin(&backend, &caller, locale, parts)).await?;
    if prepared.ty == OperationType::Subscription {
        Box::pin(Follower::run(backend, prepared, viewer, None, outlet)).await;
        return Ok(());
    }
    let mut response = Box::pin(execute::run(&backend, prepared, viewer)).await.response;
    if execute::never_ran(&response) {
        let _ = outlet.send(StreamStep::errors(response, &caller.request_id)).await;
        return Ok(());
    }
    error::finish(&mut response.errors, &caller.request_id);
    let next = StreamStep::Next { cursor: None, text: execute::written(&response) };
    if outlet.send(next).await.is_ok() {
        let _ = outlet.send(StreamStep::Complete).await;
    }
    Ok(())
}
