//! One operation, however it came: measured, then run. HTTP, SSE and WebSocket share it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request as Operation, Response, ServerError, Variables};
use futures::FutureExt;
use poem::http::StatusCode;
use tracing::Instrument;

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::outcome::Fault;
use crate::base::text::Locale;
use crate::graphql::context::{GraphqlBackend, Viewer};
use crate::graphql::error::{self, Refused};
use crate::graphql::limits::{self, Manner};
use crate::graphql::request::Parts;
use crate::graphql::{caching, loaders, persisted, scan, schema, viewer};
use crate::infra::db::within;

/// How an operation came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// By GET: the whole request is in a URL.
    pub in_url: bool,
    /// A subscription can be answered.
    pub streams: bool,
}

/// An operation that may run.
pub struct Prepared {
    pub ty: OperationType,
    pub operation: Operation,
    /// Present when it was requested.
    pub cost: Option<u64>,
    pub max_age: Option<u64>,
    /// To be kept under its hash once it was found valid.
    pub to_keep: Option<(Vec<u8>, String)>,
}

/// Why an operation does not run. Without a status it is an error of the document, whose status the media type decides.
pub struct Stopped {
    pub status: Option<StatusCode>,
    pub refused: Refused,
}

impl From<Refused> for Stopped {
    fn from(refused: Refused) -> Self {
        Self { status: None, refused }
    }
}

/// An operation that ran.
pub struct Ran {
    pub response: Response,
    /// Where it is not what the response says by itself.
    pub status: Option<StatusCode>,
}

/// The caller, when it is to be believed.
pub async fn believe(backend: &GraphqlBackend, caller: &Caller, locale: Locale) -> Result<Viewer, Stopped> {
    viewer::read(backend, caller, locale).await.map_err(|refused| {
        let status = match refused.code {
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNAUTHORIZED,
        };
        Stopped { status: Some(status), refused }
    })
}

/// Finds the document, parses and measures it.
pub async fn prepare(
    backend: &GraphqlBackend,
    mut parts: Parts,
    viewer: &Viewer,
    arrival: Arrival,
) -> Result<Prepared, Stopped> {
    persisted::resolve(backend, &viewer.caller, &mut parts).await?;
    measure(backend, parts, viewer, arrival)
}

fn measure(
    backend: &GraphqlBackend,
    parts: Parts,
    viewer: &Viewer,
    arrival: Arrival,
) -> Result<Prepared, Stopped> {
    let limits = &backend.config.limits;
    scan::scan(&parts.query, limits.graphql_tokens)?;
    let document = async_graphql::parser::parse_query(&parts.query)
        .map_err(|e| Refused::new(ErrorCode::ValidationFailed, ServerError::from(e).message))?;
    let operation = limits::operation(&document, parts.operation_name.as_deref())?;
    match operation.ty {
        OperationType::Query => {}
        OperationType::Mutation if !arrival.in_url => {}
        OperationType::Mutation => {
            let refused = Refused::new(ErrorCode::BadRequest, "mutations go by POST");
            return Err(Stopped { status: Some(StatusCode::METHOD_NOT_ALLOWED), refused });
        }
        OperationType::Subscription if arrival.streams => {}
        OperationType::Subscription => {
            let text = "a subscription is followed with `Accept: text/event-stream`, or over /graphql/ws";
            return Err(Refused::new(ErrorCode::ValidationFailed, text).into());
        }
    }
    let manner = Manner {
        in_url: arrival.in_url,
        introspection: backend.config.server.introspection,
        known: viewer.actor.person.is_some() || viewer.actor.api_client.is_some(),
    };
    let cost =
        limits::check(&document, operation, &parts.variables, limits, manner).map_err(|refused| Stopped {
            status: (refused.code == ErrorCode::SecretInUrl).then_some(StatusCode::BAD_REQUEST),
            refused,
        })?;
    // Of answers that are kept under a hash in a URL, and never of one that somebody proved a right for.
    let theirs = viewer.caller.bearer.is_some() || !viewer.caller.order_tokens.is_empty();
    let max_age = match parts.hash.is_some() && arrival.in_url && !theirs {
        true => caching::max_age(&document, operation, &parts.variables),
        false => None,
    };
    // By GET too, as clients repeat that ask by GET: what is kept is named by its own hash and its room is bounded, so
    // that another site's page could bring nothing in its visitors' names but what anybody may bring.
    let to_keep = persisted::to_keep(&parts, &document);
    let ty = operation.ty;
    let mut request = operation_of(parts.query, parts.variables, parts.operation_name);
    request.set_parsed_query(document);
    Ok(Prepared { ty, operation: request, cost: parts.wants_cost.then_some(cost), max_age, to_keep })
}

/// An operation from its parts.
pub fn operation_of(query: String, variables: Variables, name: Option<String>) -> Operation {
    let mut operation = Operation::new(query).variables(variables);
    operation.operation_name = name;
    operation
}

/// An operation with everything that resolvers look for.
pub fn furnished(backend: &Arc<GraphqlBackend>, operation: Operation, viewer: Viewer) -> Operation {
    let loaders = loaders::of_request(backend.clone(), viewer.actor.clone(), viewer.locale);
    operation.data(backend.clone()).data(loaders).data(viewer)
}

/// Runs a query or mutation in a task of its own, so that a client that hangs up cuts nothing in half, and keeps its
/// document where it asked for that.
pub async fn run(backend: &Arc<GraphqlBackend>, prepared: Prepared, viewer: Viewer) -> Ran {
    let Prepared { operation, cost, to_keep, .. } = prepared;
    let caller = viewer.caller.clone();
    let purpose = loaders::purpose_of(&viewer.actor);
    let request = furnished(backend, operation, viewer);
    let executed = AssertUnwindSafe(within(purpose, schema().execute(request)));
    let task = tokio::spawn(executed.catch_unwind().in_current_span());
    let limit = Duration::from_secs(backend.config.limits.request_seconds);
    let mut ran = match tokio::time::timeout(limit, task).await {
        Ok(Ok(Ok(response))) => Ran { response, status: None },
        Ok(Ok(Err(_)) | Err(_)) => {
            Ran { response: panicked(), status: Some(StatusCode::INTERNAL_SERVER_ERROR) }
        }
        Err(_) => {
            let response = Response::from_errors(vec![late(limit).into_server_error()]);
            Ran { response, status: Some(StatusCode::SERVICE_UNAVAILABLE) }
        }
    };
    if ran.status.is_none()
        && let Some(cost) = cost
    {
        ran.response.extensions.insert("cost".into(), async_graphql::value!({ "requested": cost }));
    }
    if let Some(to_keep) = to_keep
        && !never_ran(&ran.response)
    {
        persisted::keep(backend, &caller, to_keep).await;
    }
    ran
}

/// The answer for an operation that took too long.
pub fn late(limit: Duration) -> Refused {
    let text = format!("this took longer than {} s; it may still be going on", limit.as_secs());
    Refused { retry_after: Some(LATE_AGAIN), ..Refused::new(ErrorCode::Timeout, text) }
}

/// Seconds after which what took too long may be asked for again.
pub const LATE_AGAIN: u32 = 5;

/// The answer of an operation whose resolver panicked.
pub fn panicked() -> Response {
    let fault = error::fault(Fault::bug("a resolver panicked"));
    Response::from_errors(vec![fault.into_server_error(Default::default())])
}

/// Whether execution never began.
pub fn never_ran(response: &Response) -> bool {
    response.data == async_graphql::Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|e| e.path.is_empty())
}

/// The text of a response: errors first, data in the order it was asked for.
pub fn written(response: &Response) -> String {
    let mut object = serde_json::Map::new();
    if !response.errors.is_empty() {
        object.insert("errors".into(), serde_json::to_value(&response.errors).unwrap_or_default());
    }
    let mut text = serde_json::to_string(&object).unwrap_or_default();
    if never_ran(response) {
        return text;
    }
    let data = serde_json::to_string(&response.data).unwrap_or_else(|_| "null".into());
    text.pop();
    let comma = if object.is_empty() { "" } else { "," };
    text.push_str(&format!("{comma}\"data\":{data}"));
    if !response.extensions.is_empty() {
        let extensions = serde_json::to_string(&response.extensions).unwrap_or_else(|_| "{}".into());
        text.push_str(&format!(",\"extensions\":{extensions}"));
    }
    text.push('}');
    text
}
