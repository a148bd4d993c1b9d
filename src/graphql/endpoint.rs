//! GraphQL over HTTP, as its specification says: POST with JSON, GET for queries only, the answer's media type as the
//! client asks, the status code as the media type means it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::parser::types::OperationType;
use async_graphql::{Request as Operation, ServerError};
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response};

use crate::app::App;
use crate::base::outcome::Fault;
use crate::graphql::context::Caller;
use crate::graphql::error::{self, Code, Refused};
use crate::graphql::limits::{self, Manner};
use crate::graphql::negotiate::{self, Media};
use crate::graphql::request::Parts;
use crate::graphql::{Schema, caller, page, scan, schema};

/// The handler of `/graphql`.
#[derive(Clone)]
pub struct GraphqlEndpoint {
    app: Arc<App>,
    schema: Schema,
}

/// An answer before it is written down.
struct Answer {
    status: StatusCode,
    body: async_graphql::Response,
    allow: bool,
}

impl Answer {
    fn refused(status: StatusCode, refused: Refused) -> Self {
        let body = async_graphql::Response::from_errors(vec![refused.into_server_error()]);
        Self { status, body, allow: false }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, Refused::new(Code::BadRequest, message))
    }
}

impl GraphqlEndpoint {
    pub fn new(app: Arc<App>) -> Self {
        let schema = schema(app.clone());
        Self { app, schema }
    }

    async fn answer(&self, req: &mut Request, caller: Result<Caller, Refused>, media: Media) -> Answer {
        let in_url = *req.method() == Method::GET;
        let parts = if in_url {
            Parts::from_query_string(req.uri().query().unwrap_or_default())
        } else if *req.method() == Method::POST {
            if !negotiate::takes(req.header(header::CONTENT_TYPE)) {
                let refused = Refused::new(Code::BadRequest, "send `Content-Type: application/json`");
                return Answer::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, refused);
            }
            match req.take_body().into_bytes_limit(self.app.config.limits.graphql_body).await {
                Ok(body) => Parts::from_json(&body),
                Err(poem::error::ReadBodyError::PayloadTooLarge) => {
                    let text = format!("a request has at most {} bytes", self.app.config.limits.graphql_body);
                    return Answer::refused(StatusCode::PAYLOAD_TOO_LARGE, Refused::new(Code::BadRequest, text));
                }
                Err(_) => return Answer::bad("the body ended too early"),
            }
        } else {
            let refused = Refused::new(Code::BadRequest, "use POST, or GET for queries");
            return Answer { allow: true, ..Answer::refused(StatusCode::METHOD_NOT_ALLOWED, refused) };
        };
        let parts = match parts {
            Ok(parts) => parts,
            Err(message) => return Answer::bad(message),
        };
        let caller = match caller {
            Ok(caller) => caller,
            Err(refused) => return Answer::refused(StatusCode::UNAUTHORIZED, refused),
        };
        match self.prepare(parts, &caller, in_url) {
            Ok((operation, cost)) => self.run(operation, caller, media, cost).await,
            Err((status, refused)) => {
                let status = status.unwrap_or(match media {
                    Media::Response => StatusCode::BAD_REQUEST,
                    Media::Json => StatusCode::OK,
                });
                let allow = status == StatusCode::METHOD_NOT_ALLOWED;
                Answer { allow, ..Answer::refused(status, refused) }
            }
        }
    }

    /// Parses and measures; what comes back may run. An error without a status is one of the document, whose status
    /// the media type decides.
    fn prepare(
        &self,
        parts: Parts,
        caller: &Caller,
        in_url: bool,
    ) -> Result<(Operation, Option<u64>), (Option<StatusCode>, Refused)> {
        if parts.query.trim().is_empty() && parts.persisted {
            let text = "this query is not known by its hash: send it in full";
            return Err((None, Refused::new(Code::PersistedQueryNotFound, text)));
        }
        let limits = &self.app.config.limits;
        scan::scan(&parts.query, limits.graphql_tokens).map_err(|r| (None, r))?;
        let document = async_graphql::parser::parse_query(&parts.query)
            .map_err(|e| (None, Refused::new(Code::ValidationFailed, ServerError::from(e).message)))?;
        let operation = limits::operation(&document, parts.operation_name.as_deref()).map_err(|r| (None, r))?;
        match operation.ty {
            OperationType::Query => {}
            OperationType::Mutation if !in_url => {}
            OperationType::Mutation => {
                let refused = Refused::new(Code::BadRequest, "mutations go by POST");
                return Err((Some(StatusCode::METHOD_NOT_ALLOWED), refused));
            }
            OperationType::Subscription => {
                return Err((None, Refused::new(Code::ValidationFailed, "there are no subscriptions here")));
            }
        }
        let manner = Manner {
            in_url,
            introspection: self.app.config.server.introspection,
            known: caller.actor.person.is_some() || caller.actor.api_client.is_some(),
        };
        let cost =
            limits::check(&document, operation, &parts.variables, limits, manner).map_err(|refused| {
                let status = (refused.code == Code::SecretInUrl).then_some(StatusCode::BAD_REQUEST);
                (status, refused)
            })?;
        let mut request = Operation::new(parts.query).variables(parts.variables);
        request.operation_name = parts.operation_name;
        request.set_parsed_query(document);
        Ok((request, parts.wants_cost.then_some(cost)))
    }

    /// Runs it in a task of its own, so that a client that hangs up cuts nothing in half.
    async fn run(&self, request: Operation, caller: Caller, media: Media, cost: Option<u64>) -> Answer {
        let schema = self.schema.clone();
        let request = request.data(caller);
        let task = tokio::spawn(async move { schema.execute(request).await });
        let limit = Duration::from_secs(self.app.config.limits.request_seconds);
        let mut body = match tokio::time::timeout(limit, task).await {
            Ok(Ok(body)) => body,
            Ok(Err(panic)) => {
                let fault = error::fault(Fault::bug(format!("a resolver panicked: {panic}")));
                let body = async_graphql::Response::from_errors(vec![fault.into_server_error(Default::default())]);
                return Answer { status: StatusCode::INTERNAL_SERVER_ERROR, body, allow: false };
            }
            Err(_) => {
                let text = format!("this took longer than {} s; it may still be going on", limit.as_secs());
                let refused = Refused { retry_after: Some(5), ..Refused::new(Code::Timeout, text) };
                return Answer::refused(StatusCode::SERVICE_UNAVAILABLE, refused);
            }
        };
        if let Some(cost) = cost {
            let value = async_graphql::value!({ "requested": cost });
            body.extensions.insert("cost".into(), value);
        }
        let never_ran = body.data == async_graphql::Value::Null
            && !body.errors.is_empty()
            && body.errors.iter().all(|e| e.path.is_empty());
        let status = match media {
            Media::Response if never_ran => StatusCode::BAD_REQUEST,
            _ => StatusCode::OK,
        };
        Answer { status, body, allow: false }
    }

    fn write(&self, mut answer: Answer, media: Media, request_id: &str) -> Response {
        error::finish(&mut answer.body.errors, request_id);
        let never_ran = answer.body.data == async_graphql::Value::Null
            && !answer.body.errors.is_empty()
            && answer.body.errors.iter().all(|e| e.path.is_empty());
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
                let extensions = serde_json::to_string(&answer.body.extensions).unwrap_or_else(|_| "{}".into());
                text.push_str(&format!(",\"extensions\":{extensions}"));
            }
            text.push('}');
        }
        let mut response = Response::builder()
            .status(answer.status)
            .content_type(media.header())
            .header(header::CACHE_CONTROL, "private, no-store")
            .header(header::VARY, "Accept, Accept-Language, Authorization, Origin");
        if answer.allow {
            let allow = if answer.status == StatusCode::METHOD_NOT_ALLOWED { "POST, GET" } else { "POST" };
            response = response.header(header::ALLOW, allow);
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            response = response.header(header::WWW_AUTHENTICATE, "Bearer");
        }
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            response = response.header(header::RETRY_AFTER, "5");
        }
        response.body(text)
    }
}

impl Endpoint for GraphqlEndpoint {
    type Output = Response;

    async fn call(&self, mut req: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let (request_id, caller) = caller::read(&self.app, &req).await;
        let accept = req.header(header::ACCEPT).map(str::to_owned);
        let in_url = *req.method() == Method::GET;
        if in_url
            && self.app.config.server.graphiql
            && !req.uri().query().unwrap_or_default().contains("query=")
            && negotiate::wants_page(accept.as_deref())
        {
            return Ok(page::explorer().into_response());
        }
        let Some(media) = negotiate::answer(accept.as_deref()) else {
            let text = "this answers application/graphql-response+json and application/json";
            let answer = Answer::refused(StatusCode::NOT_ACCEPTABLE, Refused::new(Code::BadRequest, text));
            return Ok(self.write(answer, Media::Json, &request_id));
        };
        let answer = self.answer(&mut req, caller, media).await;
        let mut response = self.write(answer, media, &request_id);
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert("x-request-id", value);
        }
        metrics::histogram!("graphql_seconds").record(started.elapsed().as_secs_f64());
        Ok(response)
    }
}
