use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use poem::Server;
use poem::listener::TcpAcceptor;
use tokio::net::TcpListener;

use crate::base::outcome::Fault;
use crate::http::backend::HttpBackend;
use crate::http::middleware::Middleware;
use crate::http::routes::{self, RouteRow};
use crate::infra::telemetry;

/// How long requests that still run may take after the signal.
const LAST_REQUESTS: Duration = Duration::from_secs(30);
/// A connection on which nothing moves is closed, headers that never end included.
const IDLE: Duration = Duration::from_secs(75);
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
    telemetry::figures();
    let upkeep = tokio::spawn(upkeep(backend.clone()));
    let acceptor = TcpAcceptor::from_tokio(listener).map_err(|e| Fault::bug(format!("the listener: {e}")))?;
    let middleware = Middleware::new(backend.clone(), routes::mount(&backend, more));
    // Streams last for an hour: they end with the signal, so that the server can.
    let live = backend.graphql.live.clone();
    let shutdown = async {
        shutdown.await;
        live.close();
    };
    let served = Server::new_with_acceptor(acceptor)
        .idle_timeout(IDLE)
        .http2_max_concurrent_streams(128)
        .run_with_graceful_shutdown(middleware, shutdown, Some(LAST_REQUESTS))
        .await;
    live.closed().await;
    upkeep.abort();
    served.map_err(|e| Fault::bug(format!("the server ended: {e}")))
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
