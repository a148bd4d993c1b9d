//! The process's figures in Prometheus' text form.

use poem::http::header;
use poem::{Response, handler};

use crate::infra::telemetry;

#[handler]
pub fn metrics() -> Response {
    Response::builder()
        .header(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store")
        .body(telemetry::figures().render())
}
