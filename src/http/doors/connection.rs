//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use poem::http::request::Parts;
use poem::http::uri::Scheme;
use poem::http::{Response as HttpResponse, Version};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Body, Endpoint, Request, RequestParts, Response};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::admit::Admitted;
use super::bodies::{BodyTime, InBody, OutBody, UntilAnswered};
use super::meter::{CloseReason, Meter};
use super::wire::Wire;

/// Bytes of a request's head, and of what is read and written at once.
const BUFFER: usize = 64 * 1024;
/// Requests at once on one connection of HTTP/2, and bytes of a head there.
const STREAMS: u32 = 128;
const HEADERS: u32 = 16 * 1024;
/// Bytes that the system keeps for a client beyond those that are under way. With more, a slow reader would be noticed
/// late, and what it reads be seen in large steps.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 16 * 1024;

/// Both ends of a connection.
#[derive(Clone, Copy)]
pub struct Ends {
    pub local: SocketAddr,
    pub peer: SocketAddr,
}

/// Options of the socket; one that refuses them serves without.
pub fn tune(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT);
}

/// Serves a connection until it ends, is too slow, or the server ends. A WebSocket goes on afterwards.
pub async fn serve<E>(
    endpoint: Arc<E>,
    stream: TcpStream,
    ends: Ends,
    (meter, admitted): (Arc<Meter>, Admitted),
    stop: CancellationToken,
) where
    E: Endpoint<Output = Response> + 'static,
{
    let service = service_fn({
        let meter = meter.clone();
        move |request| answer(endpoint.clone(), ends, meter.clone(), request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(BUFFER);
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(20)
        .max_header_list_size(HEADERS)
        .max_send_buf_size(BUFFER);
    let wire = TokioIo::new(Wire::new(stream, meter.clone(), admitted));
    let mut served = pin!(builder.serve_connection_with_upgrades(wire, service));
    let mut sleep = pin!(tokio::time::sleep_until(Instant::now().into()));
    let mut stopped = pin!(stop.cancelled());
    let (mut closing, mut stopping) = (false, false);
    let ended = poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = served.as_mut().poll(cx) {
                return Poll::Ready(ended.err().map(|_| CloseReason::Broken));
            }
            if !stopping && stopped.as_mut().poll(cx).is_ready() {
                (closing, stopping) = (true, true);
                meter.close(CloseReason::Shutdown);
                meter.blame(CloseReason::Shutdown);
                served.as_mut().graceful_shutdown();
                continue;
            }
            let Some((due, cause)) = meter.due(cx.waker()) else { return Poll::Pending };
            if due > Instant::now() {
                if sleep.deadline() != due.into() {
                    sleep.as_mut().reset(due.into());
                }
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                continue;
            }
            if closing || !cause.is_gentle() {
                return Poll::Ready(Some(cause));
            }
            closing = true;
            meter.close(cause);
            meter.blame(cause);
            served.as_mut().graceful_shutdown();
        }
    })
    .await;
    if let Some(cause) = ended {
        meter.blame(cause);
    }
    meter.leave();
}

async fn answer<E>(
    endpoint: Arc<E>,
    ends: Ends,
    meter: Arc<Meter>,
    request: hyper::Request<Incoming>,
) -> Result<HttpResponse<OutBody>, Infallible>
where
    E: Endpoint<Output = Response>,
{
    let mut in_flight = meter.begin(request.version() == Version::HTTP_2);
    let (mut parts, body): (Parts, Incoming) = request.into_parts();
    let time = BodyTime::default();
    parts.extensions.insert(time.clone());
    let (local, peer) = (LocalAddr(ends.local.into()), RemoteAddr(ends.peer.into()));
    let parts = RequestParts::from((parts, local, peer, Scheme::HTTP));
    let body = Body::from(InBody::new(body, meter.clone(), time).boxed());
    let mut response = endpoint.get_response(Request::from_parts(parts, body)).await;
    in_flight.answers();
    let until_answered = response.extensions_mut().remove::<UntilAnswered>();
    let response: HttpResponse<_> = response.into();
    Ok(response.map(|body| OutBody::new(body, meter, in_flight, until_answered)))
}
