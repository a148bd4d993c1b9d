//! GraphQL over HTTP, as its specification says: POST with JSON, GET for queries only, the answer's media type as the
//! client asks, the status code as the media type means it. A subscription is answered by server-sent events, to GET too.

use std::io::ErrorKind;
use std::sync::{Arc, LazyLock};

use async_graphql::parser::types::OperationType;
use poem::http::{Method, StatusCode, header};
use poem::{Endpoint, Request, Response};

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::outcome::Fault;
use crate::graphql::context::GraphqlBackend;
use crate::graphql::error::{self, Refused};
use crate::graphql::execute::{self, Arrival, Stopped, never_ran};
use crate::graphql::live::{self, Full};
use crate::graphql::negotiate::{self, Media};
use crate::graphql::request::Parts;
use crate::graphql::{caching, page, sdl, viewer};
use crate::infra::throttle;
use crate::people::clients;
use crate::rest::accept;
use crate::rest::problem::Problem;

/// The handler of `/graphql`. Finds the program and the request's origin where the server put them.
#[derive(Clone, Copy, Debug, Default)]
pub struct GraphqlEndpoint;

/// Carries the last cursor that a client was given by events.
const LAST_EVENT_ID: &str = "last-event-id";

/// Characters of a cursor that is looked at.
const LONGEST_CURSOR: usize = 100;

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

/// What a request is answered with.
enum Answered {
    Result(HttpResult),
    /// A stream that has begun.
    Stream(Response),
}

impl From<HttpResult> for Answered {
    fn from(result: HttpResult) -> Self {
        Self::Result(result)
    }
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

    /// One stream too many.
    fn full(full: Full) -> Self {
        let (status, code, text) = match full {
            Full::Address => (
                StatusCode::TOO_MANY_REQUESTS,
                ErrorCode::RateLimited,
                "this address has as many streams open as it may",
            ),
            Full::Process => (
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::Unavailable,
                "as many streams are open as there may be",
            ),
        };
        let refused = Refused { retry_after: Some(live::FULL_AGAIN), ..Refused::new(code, text) };
        Self::refused(status, refused)
    }
}

/// One request on its way.
struct Visit {
    backend: Arc<GraphqlBackend>,
    caller: Caller,
    media: Media,
    /// The client takes events, whatever else it takes.
    streams: bool,
    if_none_match: Option<String>,
}

impl Visit {
    async fn parts(&self, req: &mut Request) -> Result<Parts, HttpResult> {
        let parts = if *req.method() == Method::GET {
            Parts::from_query_string(req.uri().query().unwrap_or_default())
        } else if *req.method() == Method::POST {
            if !negotiate::takes(req.header(header::CONTENT_TYPE)) {
                let refused = Refused::new(ErrorCode::BadRequest, "send `Content-Type: application/json`");
                return Err(HttpResult::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, refused));
            }
            let most = self.backend.config.limits.graphql_body;
            match req.take_body().into_bytes_limit(most).await {
                Ok(body) => Parts::from_json(&body),
                Err(poem::error::ReadBodyError::PayloadTooLarge) => {
                    let text = format!("a request has at most {most} bytes");
                    return Err(HttpResult::refused(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        Refused::new(ErrorCode::BadRequest, text),
                    ));
                }
                Err(poem::error::ReadBodyError::Io(error)) if error.kind() == ErrorKind::TimedOut => {
                    let refused =
                        Refused::new(ErrorCode::BadRequest, "the body came too slowly; nothing was done");
                    return Err(HttpResult::refused(StatusCode::REQUEST_TIMEOUT, refused));
                }
                Err(_) => return Err(HttpResult::bad("the body ended too early")),
            }
        } else {
            let refused = Refused::new(ErrorCode::BadRequest, "use POST, or GET for queries");
            return Err(HttpResult {
                allow: Some("POST, GET"),
                ..HttpResult::refused(StatusCode::METHOD_NOT_ALLOWED, refused)
            });
        };
        parts.map_err(HttpResult::bad)
    }

    async fn answer(&self, req: &mut Request) -> Answered {
        let parts = match self.parts(req).await {
            Ok(parts) => parts,
            Err(refused) => return refused.into(),
        };
        let locale = viewer::locale(&self.backend, req.uri().query(), &self.caller);
        let viewer = match execute::believe(&self.backend, &self.caller, locale).await {
            Ok(viewer) => viewer,
            Err(stopped) => return self.stopped(stopped).into(),
        };
        let arrival = Arrival { in_url: *req.method() == Method::GET, streams: self.streams };
        let prepared = match execute::prepare(&self.backend, parts, &viewer, arrival).await {
            Ok(prepared) => prepared,
            Err(stopped) => return self.stopped(stopped).into(),
        };
        if prepared.ty == OperationType::Subscription {
            let last = req.header(LAST_EVENT_ID).filter(|id| (1..=LONGEST_CURSOR).contains(&id.len()));
            return match self.backend.live.slots.enter(self.caller.address, "sse") {
                Ok(entered) => {
                    let last = last.map(str::to_owned);
                    Answered::Stream(live::stream(&self.backend, prepared, viewer, last, entered))
                }
                Err(full) => HttpResult::full(full).into(),
            };
        }
        let max_age = prepared.max_age;
        let ran = execute::run(&self.backend, prepared, viewer).await;
        let status = ran.status.unwrap_or(match self.media {
            Media::Response | Media::Events if never_ran(&ran.response) => StatusCode::BAD_REQUEST,
            _ => StatusCode::OK,
        });
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(execute::LATE_AGAIN);
        HttpResult { status, body: ran.response, allow: None, retry_after, max_age }.into()
    }

    fn stopped(&self, stopped: Stopped) -> HttpResult {
        let Stopped { status, refused } = stopped;
        let status = status.unwrap_or(match (refused.code, self.media) {
            (ErrorCode::Unavailable, _) => StatusCode::SERVICE_UNAVAILABLE,
            (ErrorCode::BadRequest, _) | (_, Media::Response | Media::Events) => StatusCode::BAD_REQUEST,
            (_, Media::Json) => StatusCode::OK,
        });
        let allow = (status == StatusCode::METHOD_NOT_ALLOWED).then_some("POST");
        HttpResult { allow, ..HttpResult::refused(status, refused) }
    }

    fn write(&self, mut answer: HttpResult) -> Response {
        error::finish(&mut answer.body.errors, &self.caller.request_id);
        if self.media == Media::Events && answer.status == StatusCode::OK {
            return live::head()
                .header(header::CACHE_CONTROL, "no-store")
                .body(live::written_events(&answer.body));
        }
        let text = execute::written(&answer.body);
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
        let media = negotiate::answer(accept.as_deref());
        let streams = negotiate::takes_events(accept.as_deref());
        let if_none_match = req.header(header::IF_NONE_MATCH).map(str::to_owned);
        let visit = Visit { backend, caller, media: media.unwrap_or(Media::Json), streams, if_none_match };
        if media.is_none() {
            let text =
                "this answers application/graphql-response+json, application/json and text/event-stream";
            let refused = Refused::new(ErrorCode::BadRequest, text);
            return Ok(visit.write(HttpResult::refused(StatusCode::NOT_ACCEPTABLE, refused)));
        }
        let key = throttle::prefix(visit.caller.address);
        // An API client has a limit of its own, and whoever is none is counted where its secret is looked at.
        let client = visit.caller.bearer.as_ref().is_some_and(clients::is_secret);
        let admitted = if client { Ok(()) } else { visit.backend.throttles.requests.take(&key) };
        let answer = match admitted {
            Ok(()) => visit.answer(&mut req).await,
            Err(seconds) => {
                let refused = Refused::new(ErrorCode::RateLimited, "too many requests from this address");
                let refused = Refused { retry_after: Some(seconds), ..refused };
                HttpResult::refused(StatusCode::TOO_MANY_REQUESTS, refused).into()
            }
        };
        Ok(match answer {
            Answered::Result(result) => visit.write(result),
            Answered::Stream(response) => response,
        })
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
