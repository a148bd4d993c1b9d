//! What operators and their machines are served, apart from the shop: figures, health, and why the shop is not ready.

use std::future::Future;
use std::sync::Arc;

use poem::http::{Method, StatusCode, header};
use poem::{Endpoint, Request, Response};
use serde_json::json;
use tokio::net::TcpListener;

use crate::config::Connections;
use crate::http::doors::{self, Doors};
use crate::infra::kit::Kit;
use crate::infra::telemetry;
use crate::rest::problem::Problem;

/// Connections of such a listener: a few machines ask now and then.
const MOST: usize = 64;

/// Serves `/metrics`, `/healthz` and `/readyz` until `shutdown`. `name`: what the listener is called in figures.
pub async fn serve_figures(
    kit: Arc<Kit>,
    name: &'static str,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) {
    let few = Connections { most: MOST, per_address: MOST, room: 4, ..kit.config.connections.clone() };
    let upkeep = tokio::spawn(telemetry::keep_figures());
    doors::serve(Doors::new(name, &few, Vec::new()), listener, Figures(kit), shutdown).await;
    upkeep.abort();
}

struct Figures(Arc<Kit>);

impl Endpoint for Figures {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        Ok(match request.uri().path() {
            "/metrics" | "/healthz" | "/readyz" if !is_read => {
                Problem::from_status(StatusCode::METHOD_NOT_ALLOWED).answer("")
            }
            "/metrics" => text("text/plain; version=0.0.4; charset=utf-8", telemetry::figures().render()),
            "/healthz" => text("text/plain; charset=utf-8", "ok\n".to_owned()),
            "/readyz" => self.readiness().await,
            _ => Problem::not_found().answer(""),
        })
    }
}

impl Figures {
    async fn readiness(&self) -> Response {
        let ready = self.0.readiness.ask(&self.0.db).await;
        let millis = u64::try_from(ready.took.as_millis()).unwrap_or(u64::MAX);
        let (status, shown) = match &ready.verdict {
            Ok(()) => (StatusCode::OK, json!({ "ready": true, "millis": millis })),
            Err(unready) => (
                StatusCode::SERVICE_UNAVAILABLE,
                json!({ "ready": false, "millis": millis, "reason": unready.reason, "fault": unready.fault }),
            ),
        };
        let mut response = text("application/json", format!("{shown}\n"));
        response.set_status(status);
        response
    }
}

fn text(kind: &'static str, body: String) -> Response {
    Response::builder()
        .header(header::CONTENT_TYPE, kind)
        .header(header::CACHE_CONTROL, "no-store")
        .body(body)
}
