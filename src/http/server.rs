use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::base::outcome::Fault;
use crate::http::backend::HttpBackend;
use crate::http::doors::{self, Doors};
use crate::http::middleware::Middleware;
use crate::http::routes::{self, RouteRow};
use crate::infra::telemetry;

/// How often full rate limits are forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// Serves until `shutdown` is done, then lets the running requests end, for at most 30 seconds.
pub async fn serve(
    backend: Arc<HttpBackend>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Fault> {
    serve_with(backend, listener, shutdown, Vec::new()).await
}

/// `serve` with more routes than the table's.
pub async fn serve_with(
    backend: Arc<HttpBackend>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
    more: Vec<RouteRow>,
) -> Result<(), Fault> {
    let upkeep = tokio::spawn(upkeep(backend.clone()));
    let middleware = Middleware::new(backend.clone(), routes::mount(&backend, more));
    // Streams last for an hour: they end with the signal, so that the server can.
    let live = backend.graphql.live.clone();
    let shutdown = async {
        shutdown.await;
        live.close();
    };
    let config = &backend.config;
    let doors = Doors::new("public", &config.connections, config.server.proxies());
    // Sockets are none of the server's any more, and close beside it.
    tokio::join!(doors::serve(doors, listener, middleware, shutdown), async {
        live.closing.cancelled().await;
        live.closed().await;
    });
    upkeep.abort();
    Ok(())
}

async fn upkeep(backend: Arc<HttpBackend>) {
    let sweep = async {
        let mut every = tokio::time::interval(SWEEP);
        loop {
            every.tick().await;
            backend.throttles.forget_idle();
        }
    };
    let live = backend.graphql.live.run(&backend.db, &backend.bell);
    tokio::join!(sweep, telemetry::keep_figures(), live);
}
