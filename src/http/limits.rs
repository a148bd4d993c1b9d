//! One path of the table: chooses the handler by method, gives it its time and its share, and turns every way of
//! failing into an answer. Behind here nothing escapes as an error.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, Request, Response};
use tokio::sync::OwnedSemaphorePermit;

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::http::backend::HttpBackend;
use crate::http::doors::{BodyTime, UntilAnswered};
use crate::http::routes::RouteRow;
use crate::infra::throttle;
use crate::rest::page::Reader;
use crate::rest::problem::Problem;

/// The path's template, left in each answer's extensions for the log: a path itself may hold a token.
#[derive(Clone, Copy)]
pub struct Template(pub &'static str);

/// The rows of one path.
pub struct LimitedPath {
    backend: Arc<HttpBackend>,
    template: &'static str,
    rows: Vec<Ready>,
}

struct Ready {
    method: Method,
    limited: bool,
    /// People open it: a browser gets a page where others get a problem's JSON.
    paged: bool,
    /// `None`: as long as it takes.
    time: Option<Duration>,
    /// Holds its connection for as long as a transfer takes.
    lasting: bool,
    endpoint: BoxEndpoint<'static, Response>,
}

impl LimitedPath {
    pub fn new(backend: &Arc<HttpBackend>, template: &'static str) -> Self {
        Self { backend: backend.clone(), template, rows: Vec::new() }
    }

    pub fn add(&mut self, row: RouteRow) {
        let time = row.timed.then(|| Duration::from_secs(self.backend.config.limits.request_seconds));
        let ready = Ready {
            method: row.operation.method,
            limited: row.limited,
            paged: row.paged,
            time,
            lasting: row.lasting,
            endpoint: row.endpoint,
        };
        self.rows.push(ready);
    }

    /// HEAD is answered by GET where nobody answers it by itself; the server leaves the body out.
    fn choose(&self, method: &Method) -> Option<&Ready> {
        let of = |m: &Method| self.rows.iter().find(|row| row.method == *m);
        of(method).or_else(|| if *method == Method::HEAD { of(&Method::GET) } else { None })
    }

    async fn answer(&self, request: Request) -> Result<Response, Problem> {
        let Some(row) = self.choose(request.method()) else {
            return Ok(self.wrong_method());
        };
        if row.limited
            && let Some(caller) = request.extensions().get::<Caller>()
        {
            let key = throttle::prefix(caller.address);
            self.backend.throttles.requests.take(&key).map_err(Problem::rate_limited)?;
        }
        let place = if row.lasting { Some(self.place(&request)?) } else { None };
        let work = AssertUnwindSafe(row.endpoint.call(request)).catch_unwind();
        let done = match row.time {
            Some(time) => tokio::time::timeout(time, work).await,
            None => Ok(work.await),
        };
        match done {
            Ok(Ok(Ok(mut response))) => {
                if let Some(place) = place {
                    UntilAnswered::keep(&mut response, place);
                }
                Ok(response)
            }
            Ok(Ok(Err(error))) => from_error(error),
            Ok(Err(_)) => {
                let mut problem = Problem::from_status(StatusCode::INTERNAL_SERVER_ERROR);
                problem.fault = Some("the handler panicked".into());
                Err(problem)
            }
            Err(_) => Err(Problem::new(ErrorCode::Timeout, "this took longer than it may").after(1)),
        }
    }

    /// A place among the connections that last, for a body that takes its time.
    fn place(&self, request: &Request) -> Result<OwnedSemaphorePermit, Problem> {
        let Ok(place) = self.backend.lasting.clone().try_acquire_owned() else {
            metrics::counter!("dispense_requests_refused_total", "reason" => "lasting").increment(1);
            let text = "as many uploads, downloads and streams are open as there may be";
            return Err(Problem::new(ErrorCode::Unavailable, text).after(10));
        };
        if let Some(time) = request.extensions().get::<BodyTime>() {
            time.unbind();
        }
        Ok(place)
    }

    fn wrong_method(&self) -> Response {
        let mut allowed: Vec<&str> = self.rows.iter().map(|row| row.method.as_str()).collect();
        if allowed.contains(&"GET") && !allowed.contains(&"HEAD") {
            allowed.push("HEAD");
        }
        let mut response = Problem::from_status(StatusCode::METHOD_NOT_ALLOWED).answer("");
        if let Ok(value) = HeaderValue::from_str(&allowed.join(", ")) {
            response.headers_mut().insert(header::ALLOW, value);
        }
        response
    }
}

/// The library's errors: ours come back out, responses raised as errors stay what they are, the rest is reported by
/// its status alone, because its text may quote the request.
fn from_error(error: poem::Error) -> Result<Response, Problem> {
    if error.is_from_response() {
        return Ok(error.into_response());
    }
    match error.downcast::<Problem>() {
        Ok(problem) => Err(problem),
        Err(other) => Err(Problem::from_status(other.status())),
    }
}

impl Endpoint for LimitedPath {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let request_id =
            request.extensions().get::<Caller>().map(|c| c.request_id.clone()).unwrap_or_default();
        let paged = self.rows.iter().any(|row| row.paged);
        let reader = if paged { Reader::of(&self.backend.rest, &request) } else { None };
        let mut response = match self.answer(request).await {
            Ok(response) => response,
            Err(problem) => {
                if let Some(fault) = &problem.fault {
                    tracing::error!(
                        request_id,
                        route = self.template,
                        code = %problem.code,
                        fault,
                        "request failed"
                    );
                }
                match reader {
                    Some(reader) => reader.refusal(&self.backend.rest, &problem, &request_id),
                    None => problem.answer(&request_id),
                }
            }
        };
        response.extensions_mut().insert(Template(self.template));
        Ok(response)
    }
}
