//! What every request passes on its way in and out.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use poem::{Endpoint, Request, Response};
use tracing::Instrument;

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::text::Locale;
use crate::http::address::{self, Network};
use crate::http::backend::HttpBackend;
use crate::http::cors::Origins;
use crate::http::doors::UntilAnswered;
use crate::http::limits::Template;
use crate::http::request_id::{self, REQUEST_ID};
use crate::infra::shares::Shares;
use crate::infra::throttle;
use crate::rest::credentials;
use crate::rest::page::Reader;
use crate::rest::problem::Problem;

/// Wraps the table of routes.
pub struct Middleware<E> {
    backend: Arc<HttpBackend>,
    origins: Origins,
    trusted: Vec<Network>,
    country: Option<HeaderName>,
    in_flight: Arc<Shares<IpAddr>>,
    inner: E,
}

impl<E: Endpoint<Output = Response>> Middleware<E> {
    pub fn new(backend: Arc<HttpBackend>, inner: E) -> Self {
        let server = &backend.config.server;
        let origins = Origins::new(&server.allowed_origins);
        let trusted = server.proxies();
        let country = server.country_header.parse().ok();
        let in_flight = Shares::new(backend.config.connections.requests_per_client);
        Self { backend, origins, trusted, country, in_flight, inner }
    }

    fn caller(&self, request: &Request) -> Caller {
        let headers = request.headers();
        let peer = request.remote_addr().as_socket_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |a| a.ip());
        let text = |name: HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
        Caller {
            request_id: request_id::choose(headers, &self.backend.clock),
            address: address::client(peer, headers, &self.trusted),
            country: address::country(peer, headers, &self.trusted, self.country.as_ref()),
            bearer: credentials::bearer(headers),
            order_tokens: credentials::order_tokens(headers),
            locale: text(header::ACCEPT_LANGUAGE).and_then(Locale::negotiate),
            device: text(header::USER_AGENT)
                .map(|t| t.chars().filter(|c| !c.is_control()).take(200).collect()),
        }
    }

    async fn pass(&self, mut request: Request) -> Response {
        if let Some(response) = self.origins.preflight(request.method(), request.headers()) {
            return response;
        }
        if !self.origins.may_open(request.headers(), self.backend.public_url()) {
            return Problem::new(ErrorCode::Forbidden, "pages of this origin may not open a WebSocket here")
                .answer("");
        }
        let request_id =
            request.extensions().get::<Caller>().map(|c| c.request_id.clone()).unwrap_or_default();
        request.extensions_mut().insert(self.backend.rest.clone());
        request.extensions_mut().insert(self.backend.graphql.clone());
        let reader = Reader::of(&self.backend.rest, &request);
        match self.inner.call(request).await {
            Ok(response) => response,
            Err(error) => {
                let problem = Problem::from_status(error.status());
                match reader {
                    Some(reader) => reader.refusal(&self.backend.rest, &problem, &request_id),
                    None => problem.answer(&request_id),
                }
            }
        }
    }
}

impl<E> Middleware<E> {
    /// This client has as many requests in flight as it may.
    fn too_many(&self, request: &Request, caller: &Caller) -> Response {
        metrics::counter!("dispense_requests_refused_total", "reason" => "in_flight").increment(1);
        let problem = Problem::rate_limited(1);
        match Reader::of(&self.backend.rest, request) {
            Some(reader) => reader.refusal(&self.backend.rest, &problem, &caller.request_id),
            None => problem.answer(&caller.request_id),
        }
    }
}

/// An answer by events, which goes on for as long as its client wants.
fn is_stream(response: &Response) -> bool {
    response.content_type().is_some_and(|kind| kind.starts_with("text/event-stream"))
}

impl<E: Endpoint<Output = Response>> Endpoint for Middleware<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let method = known_method(request.method());
        let caller = self.caller(&request);
        let request_headers = request.headers().clone();
        let chunked =
            request.version() == Version::HTTP_11 && request_headers.contains_key(header::TRANSFER_ENCODING);
        request.extensions_mut().insert(caller.clone());

        let running = Running::count();
        let span = tracing::info_span!("request", request_id = caller.request_id);
        let counted = self.in_flight.enter(throttle::prefix(caller.address));
        let mut response = match &counted {
            Some(_) => self.pass(request).instrument(span).await,
            None => self.too_many(&request, &caller),
        };
        // Event streams last, and are counted by themselves.
        if let Some(counted) = counted.filter(|_| !is_stream(&response)) {
            UntilAnswered::keep(&mut response, counted);
        }

        finish_headers(&mut response, &caller);
        self.origins.mark(&request_headers, response.headers_mut());
        if chunked {
            // A length beside the chunks was dropped by the HTTP library, which reads by the chunks. A proxy in
            // front may have read by the length: what follows on this connection belongs to nobody.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        record(method, &caller, &response, started);
        drop(running);
        Ok(response)
    }
}

/// A request on its way, counted until it ends, however it ends.
struct Running;

impl Running {
    fn count() -> Self {
        metrics::gauge!("dispense_http_requests_running").increment(1.0);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        metrics::gauge!("dispense_http_requests_running").decrement(1.0);
    }
}

fn finish_headers(response: &mut Response, caller: &Caller) {
    let headers: &mut HeaderMap = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&caller.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Pages of our own set a policy that fits them.
    for (name, value) in [
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// One line and one sample per request, by the route's template.
fn record(method: &'static str, caller: &Caller, response: &Response, started: Instant) {
    let route = response.extensions().get::<Template>().map_or("-", |t| t.0);
    let status = response.status();
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(
        target: "dispense::access",
        request_id = caller.request_id,
        method,
        route,
        status = status.as_u16(),
        address = %caller.address,
        millis = (seconds * 1_000.0).round() as u64,
        "answered"
    );
    let class = class_of(status);
    metrics::counter!("dispense_http_requests_total", "method" => method, "route" => route, "status" => class)
        .increment(1);
    metrics::histogram!("dispense_http_request_seconds", "route" => route).record(seconds);
}

fn class_of(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// Methods have no end; labels must.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
