//! One operation followed over server-sent events.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use poem::http::{StatusCode, header};
use poem::{Body, Response};
use tokio::sync::mpsc;

use crate::graphql::caching;
use crate::graphql::context::{GraphqlBackend, Viewer};
use crate::graphql::execute::Prepared;
use crate::graphql::live::follow::{Follower, Frame, Outlet};
use crate::graphql::live::frame::StreamStep;
use crate::graphql::live::slots::Entered;
use crate::graphql::negotiate::EVENT_STREAM;

/// Events that wait for a client.
const PLACES: usize = 4;

/// The first bytes: they open the stream at proxies that wait for some.
const OPENING: &str = ":\n\n";

/// The stream of a subscription. `last` is the client's `Last-Event-ID`.
pub fn stream(
    backend: &Arc<GraphqlBackend>,
    prepared: Prepared,
    viewer: Viewer,
    last: Option<String>,
    entered: Entered,
) -> Response {
    let (frames, read) = mpsc::channel(PLACES);
    let patience = Duration::from_secs(backend.config.live.send_seconds);
    // The stream counts for as long as its body is being written.
    let entered = Arc::new(entered);
    let outlet = Outlet { serial: 0, frames, patience, own: Some(entered.clone()) };
    let request_id = viewer.caller.request_id.clone();
    let backend = backend.clone();
    tokio::spawn(async move { Follower::run(backend, prepared, viewer, last, &outlet).await });
    let opening = stream::iter([Ok(Bytes::from_static(OPENING.as_bytes()))]);
    let events = stream::unfold((read, entered, request_id), next);
    head()
        .header(header::CACHE_CONTROL, "no-store")
        // Proxies of the nginx kind would collect the events otherwise.
        .header("x-accel-buffering", "no")
        .body(Body::from_bytes_stream(futures::StreamExt::chain(opening, events)))
}

/// The beginning of an answer by events.
pub fn head() -> poem::ResponseBuilder {
    Response::builder()
        .status(StatusCode::OK)
        .header(header::VARY, caching::VARY)
        .content_type(format!("{EVENT_STREAM}; charset=utf-8"))
}

type Rest = (mpsc::Receiver<Frame>, Arc<Entered>, String);

async fn next((mut read, entered, request_id): Rest) -> Option<(io::Result<Bytes>, Rest)> {
    let Frame { step, .. } = read.recv().await?;
    let step = match step {
        StreamStep::Unbelieved(refused) => StreamStep::refused(refused, &request_id),
        other => other,
    };
    Some((Ok(step.event().into()), (read, entered, request_id)))
}
