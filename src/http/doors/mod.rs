//! The way in: who may connect, how long each may take, and who goes first when there is no more room. A connection that
//! is slow with a head, a body or an answer is cut off; one without a request is closed when its time is over or its place is
//! needed. Event streams and WebSockets are quiet for as long as they like: they have heartbeats of their own.

mod admit;
mod bodies;
mod connection;
mod credit;
mod meter;
mod waiting;
mod wire;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use poem::{Endpoint, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use admit::Doors;
pub use bodies::{BodyTime, UntilAnswered};

use connection::Ends;

/// When whatever is still open is cut off after the signal. Each connection has ended by its own times before.
const LAST: Duration = Duration::from_secs(35);

/// Serves until `shutdown`, then lets what is in flight end.
pub async fn serve<E>(doors: Doors, listener: TcpListener, endpoint: E, shutdown: impl Future<Output = ()>)
where
    E: Endpoint<Output = Response> + 'static,
{
    let (endpoint, stop, open) = (Arc::new(endpoint), CancellationToken::new(), TaskTracker::new());
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                doors.out_of_reach(&error).await;
                continue;
            }
        };
        let Ok(local) = stream.local_addr() else { continue };
        let Some((stream, meter, admitted)) = doors.admit(stream, peer.ip()) else { continue };
        connection::tune(&stream);
        let ends = Ends { local, peer };
        open.spawn(connection::serve(endpoint.clone(), stream, ends, (meter, admitted), stop.clone()));
    }
    drop(listener);
    stop.cancel();
    open.close();
    if tokio::time::timeout(LAST, open.wait()).await.is_err() {
        tracing::warn!("connections were cut off by the end of the program");
    }
}
