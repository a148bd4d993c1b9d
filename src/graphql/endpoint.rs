//! GraphQL over HTTP, as its specification says: POST with JSON, GET for queries only, the answer's media type as the
//! client asks, the status code as the media type means it.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request as Operation, ServerError};
use poem::http::{Method, StatusCode, header};
use poem::{Endpoint, Request, Response};
use tracing::Instrument;

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::outcome::Fault;
use crate::graphql::context::GraphqlBackend;
use crate::graphql::context::Viewer;
use crate::graphql::error::{self, Refused};
use crate::graphql::limits::{self, Manner};
use crate::graphql::negotiate::{self, Media};
use crate::graphql::request::Parts;
use crate::graphql::{caching, loaders, page, persisted, scan, schema, sdl, viewer};
use crate::infra::throttle;
use crate::rest::accept;
use crate::rest::problem::Problem;

/// The handler of `/graphql`. Finds the program and the request's origin where the server put them.
#[derive(Clone, Copy, Debug, Default)]
pub struct GraphqlEndpoint;

/// An answer before it is written down.
struct HttpResult {
    status: StatusCode,
    body: async_graphql::Response,
    /// The methods that would do, when the one that was used does not.
    allow: Option<&'static str>,
    retry_after: Option<u32>,
    /// Seconds that everybody may be given this answer; none when it is the caller's alone.
    max_age: Option<u64>,
}

/// An operation that may run.
struct Prepared {
    operation: Operation,
    /// Present when it was requested.
    cost: Option<u64>,
    max_age: Option<u64>,
    /// To be kept under its hash once it was found valid.
    to_keep: Option<(Vec<u8>, String)>,
}

impl HttpResult {
    fn refused(status: StatusCode, refused: Refused) -> Self {
        let retry_after = refused.retry_after;
        let body = async_graphql::Response::from_errors(vec![refused.into_server_error()]);
        Self { status, body, allow: None, retry_after, max_age: None }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, Refused::new(ErrorCode::BadRequest, message))
    }
}

/// One request on its way.
struct Visit {
    backend: Arc<GraphqlBackend>,
    caller: Caller,
    media: Media,
    if_none_match: Option<String>,
}

impl Visit {
    async fn answer(&self, req: &mut Request) -> HttpResult {
        let in_url = *req.method() == Method::GET;
        let parts = if in_url {
            Parts::from_query_string(req.uri().query().unwrap_or_default())
        } else if *req.method() == Method::POST {
            if !negotiate::takes(req.header(header::CONTENT_TYPE)) {
                let refused = Refused::new(ErrorCode::BadRequest, "send `Content-Type: application/json`");
                return HttpResult::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, refused);
            }
            match req.take_body().into_bytes_limit(self.backend.config.limits.graphql_body).await {
                Ok(body) => Parts::from_json(&body),
                Err(poem::error::ReadBodyError::PayloadTooLarge) => {
                    let text =
                        format!("a request has at most {} bytes", self.backend.config.limits.graphql_body);
                    return HttpResult::refused(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        Refused::new(ErrorCode::BadRequest, text),
                    );
                }
                Err(_) => return HttpResult::bad("the body ended too early"),
            }
        } else {
            let refused = Refused::new(ErrorCode::BadRequest, "use POST, or GET for queries");
            return HttpResult {
                allow: Some("POST, GET"),
                ..HttpResult::refused(StatusCode::METHOD_NOT_ALLOWED, refused)
            };
        };
        let mut parts = match parts {
            Ok(parts) => parts,
            Err(message) => return HttpResult::bad(message),
        };
        let viewer = match viewer::read(&self.backend, req, &self.caller).await {
            Ok(viewer) => viewer,
            Err(refused) => {
                let status = match refused.code {
                    ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                    ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
                    _ => StatusCode::UNAUTHORIZED,
                };
                return HttpResult::refused(status, refused);
            }
        };
        let resolved = persisted::resolve(&self.backend, &self.caller, &mut parts).await;
        let prepared = match resolved {
            Ok(()) => self.prepare(parts, &viewer, in_url),
            Err(refused) => Err((None, refused)),
        };
        match prepared {
            Ok(prepared) => {
                let Prepared { operation, cost, max_age, to_keep } = prepared;
                let answer = self.run(operation, viewer, cost).await;
                if let Some(to_keep) = to_keep
                    && !never_ran(&answer.body)
                {
                    persisted::keep(&self.backend, &self.caller, to_keep).await;
                }
                HttpResult { max_age, ..answer }
            }
            Err((status, refused)) => {
                let status = status.unwrap_or(match (refused.code, self.media) {
                    (ErrorCode::Unavailable, _) => StatusCode::SERVICE_UNAVAILABLE,
                    (ErrorCode::BadRequest, _) | (_, Media::Response) => StatusCode::BAD_REQUEST,
                    (_, Media::Json) => StatusCode::OK,
                });
                let allow = (status == StatusCode::METHOD_NOT_ALLOWED).then_some("POST");
                HttpResult { allow, ..HttpResult::refused(status, refused) }
            }
        }
    }

    /// Parses and measures; what comes back may run. An error without a status is one of the document, whose status
    /// the media type decides.
    fn prepare(
        &self,
        parts: Parts,
        viewer: &Viewer,
        in_url: bool,
    ) -> Result<Prepared, (Option<StatusCode>, Refused)> {
        let limits = &self.backend.config.limits;
        scan::scan(&parts.query, limits.graphql_tokens).map_err(|r| (None, r))?;
        let document = async_graphql::parser::parse_query(&parts.query)
            .map_err(|e| (None, Refused::new(ErrorCode::ValidationFailed, ServerError::from(e).message)))?;
        let operation =
            limits::operation(&document, parts.operation_name.as_deref()).map_err(|r| (None, r))?;
        match operation.ty {
            OperationType::Query => {}
            OperationType::Mutation if !in_url => {}
            OperationType::Mutation => {
                let refused = Refused::new(ErrorCode::BadRequest, "mutations go by POST");
                return Err((Some(StatusCode::METHOD_NOT_ALLOWED), refused));
            }
            OperationType::Subscription => {
                return Err((
                    None,
                    Refused::new(ErrorCode::ValidationFailed, "there are no subscriptions here"),
                ));
            }
        }
        let manner = Manner {
            in_url,
            introspection: self.backend.config.server.introspection,
            known: viewer.actor.person.is_some() || viewer.actor.api_client.is_some(),
        };
        let cost =
            limits::check(&document, operation, &parts.variables, limits, manner).map_err(|refused| {
                let status = (refused.code == ErrorCode::SecretInUrl).then_some(StatusCode::BAD_REQUEST);
                (status, refused)
            })?;
        // Of answers that stand under a hash in a URL, and never of one that somebody proved a right for.
        let theirs = self.caller.bearer.is_some() || !self.caller.order_tokens.is_empty();
        let max_age = match parts.hash.is_some() && in_url && !theirs {
            true => caching::max_age(&document, operation, &parts.variables),
            false => None,
        };
        // By GET too, as clients repeat that ask by GET: what is kept is named by its own hash and its room is bounded, so
        // that another site's page could bring nothing in its visitors' names but what anybody may bring.
        let to_keep = persisted::to_keep(&parts, &document);
        let mut request = Operation::new(parts.query).variables(parts.variables);
        request.operation_name = parts.operation_name;
        request.set_parsed_query(document);
        Ok(Prepared { operation: request, cost: parts.wants_cost.then_some(cost), max_age, to_keep })
    }

    /// Runs it in a task of its own, so that a client that hangs up cuts nothing in half.
    async fn run(&self, request: Operation, viewer: Viewer, cost: Option<u64>) -> HttpResult {
        let loaders = loaders::of_request(self.backend.clone(), viewer.actor.clone(), viewer.locale);
        let request = request.data(self.backend.clone()).data(loaders).data(viewer);
        let task = tokio::spawn(schema().execute(request).in_current_span());
        let limit = Duration::from_secs(self.backend.config.limits.request_seconds);
        let mut body = match tokio::time::timeout(limit, task).await {
            Ok(Ok(body)) => body,
            Ok(Err(panic)) => {
                let fault = error::fault(Fault::bug(format!("a resolver panicked: {panic}")));
                let body =
                    async_graphql::Response::from_errors(vec![fault.into_server_error(Default::default())]);
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                return HttpResult { status, body, allow: None, retry_after: None, max_age: None };
            }
            Err(_) => {
                let text = format!("this took longer than {} s; it may still be going on", limit.as_secs());
                let refused = Refused { retry_after: Some(5), ..Refused::new(ErrorCode::Timeout, text) };
                return HttpResult::refused(StatusCode::SERVICE_UNAVAILABLE, refused);
            }
        };
        if let Some(cost) = cost {
            let value = async_graphql::value!({ "requested": cost });
            body.extensions.insert("cost".into(), value);
        }
        let status = match self.media {
            Media::Response if never_ran(&body) => StatusCode::BAD_REQUEST,
            _ => StatusCode::OK,
        };
        HttpResult { status, body, allow: None, retry_after: None, max_age: None }
    }

    fn write(&self, mut answer: HttpResult) -> Response {
        error::finish(&mut answer.body.errors, &self.caller.request_id);
        let never_ran = never_ran(&answer.body);
        let mut object = serde_json::Map::new();
        if !answer.body.errors.is_empty() {
            object.insert("errors".into(), serde_json::to_value(&answer.body.errors).unwrap_or_default());
        }
        let mut text = serde_json::to_string(&object).unwrap_or_default();
        if !never_ran {
            // The data is written in the order it was asked for.
            let data = serde_json::to_string(&answer.body.data).unwrap_or_else(|_| "null".into());
            text.pop();
            let comma = if object.is_empty() { "" } else { "," };
            text.push_str(&format!("{comma}\"data\":{data}"));
            if !answer.body.extensions.is_empty() {
                let extensions =
                    serde_json::to_string(&answer.body.extensions).unwrap_or_else(|_| "{}".into());
                text.push_str(&format!(",\"extensions\":{extensions}"));
            }
            text.push('}');
        }
        let mut response = Response::builder().header(header::VARY, caching::VARY);
        match answer.max_age.filter(|_| answer.status == StatusCode::OK && answer.body.errors.is_empty()) {
            Some(seconds) => {
                let tag = caching::tag(self.media.header(), &text);
                let known = caching::has(self.if_none_match.as_deref(), &tag);
                response = response
                    .header(header::CACHE_CONTROL, format!("public, max-age={seconds}"))
                    .header(header::ETAG, tag);
                if known {
                    return response.status(StatusCode::NOT_MODIFIED).finish();
                }
            }
            None => response = response.header(header::CACHE_CONTROL, "private, no-store"),
        }
        let mut response = response.status(answer.status).content_type(self.media.header());
        if let Some(allow) = answer.allow {
            response = response.header(header::ALLOW, allow);
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            response = response.header(header::WWW_AUTHENTICATE, "Bearer");
        }
        if let Some(seconds) = answer.retry_after {
            response = response.header(header::RETRY_AFTER, seconds.to_string());
        }
        response.body(text)
    }
}

/// Whether execution never began.
fn never_ran(body: &async_graphql::Response) -> bool {
    body.data == async_graphql::Value::Null
        && !body.errors.is_empty()
        && body.errors.iter().all(|e| e.path.is_empty())
}

impl Endpoint for GraphqlEndpoint {
    type Output = Response;

    async fn call(&self, mut req: Request) -> poem::Result<Response> {
        let backend = req
            .data::<Arc<GraphqlBackend>>()
            .cloned()
            .ok_or_else(|| Problem::from(Fault::bug("no program in the request")))?;
        let caller = req.data::<Caller>().cloned().unwrap_or_else(Caller::local);
        let accept = req.header(header::ACCEPT).map(str::to_owned);
        if *req.method() == Method::GET
            && backend.config.server.graphiql
            && !["query=", "extensions="].iter().any(|p| req.uri().query().unwrap_or_default().contains(p))
            && accept::wants_page(accept.as_deref())
        {
            return Ok(page::explorer());
        }
        let Some(media) = negotiate::answer(accept.as_deref()) else {
            let text = "this answers application/graphql-response+json and application/json";
            let answer =
                HttpResult::refused(StatusCode::NOT_ACCEPTABLE, Refused::new(ErrorCode::BadRequest, text));
            return Ok(Visit { backend, caller, media: Media::Json, if_none_match: None }.write(answer));
        };
        let if_none_match = req.header(header::IF_NONE_MATCH).map(str::to_owned);
        let visit = Visit { backend, caller, media, if_none_match };
        let key = throttle::prefix(visit.caller.address);
        let answer = match visit.backend.throttles.requests.take(&key) {
            Ok(()) => visit.answer(&mut req).await,
            Err(seconds) => {
                let refused = Refused::new(ErrorCode::RateLimited, "too many requests from this address");
                let refused = Refused { retry_after: Some(seconds), ..refused };
                HttpResult::refused(StatusCode::TOO_MANY_REQUESTS, refused)
            }
        };
        Ok(visit.write(answer))
    }
}

/// `GET /schema.graphql`: the schema, for clients' generators, introspection or not.
#[poem::handler]
pub async fn schema_file(req: &Request) -> Response {
    static FILE: LazyLock<(String, String)> = LazyLock::new(|| {
        let text = sdl();
        let tag = caching::tag("application/graphql", &text);
        (text, tag)
    });
    let (text, tag) = &*FILE;
    let response =
        Response::builder().header(header::ETAG, tag).header(header::CACHE_CONTROL, "public, max-age=300");
    if caching::has(req.header(header::IF_NONE_MATCH), tag) {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    response.content_type("application/graphql; charset=utf-8").body(text.as_str())
}
