//! `GET /graphql/ws`: the opening of a WebSocket (RFC 6455, section 4.2).

use std::sync::Arc;

use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use poem::{Body, Endpoint, Request, Response};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::outcome::Fault;
use crate::graphql::context::GraphqlBackend;
use crate::graphql::live::message::PROTOCOL;
use crate::graphql::live::slots::{FULL_AGAIN, Full};
use crate::graphql::live::socket::Socket;
use crate::graphql::viewer;
use crate::infra::throttle;
use crate::rest::problem::Problem;

/// Bytes that a socket reads at once. The library takes 128 KiB for each socket by itself.
const READ_BUFFER: usize = 4 * 1024;

/// Bytes of a message beside the GraphQL request in it.
const ENVELOPE: usize = 1024;

/// The handler of `/graphql/ws`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SocketEndpoint;

fn names(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).map(str::trim)
}

/// The key of a request that opens a WebSocket.
fn key(headers: &HeaderMap) -> Option<&HeaderValue> {
    let upgrades = names(headers, header::UPGRADE).any(|name| name.eq_ignore_ascii_case("websocket"))
        && names(headers, header::CONNECTION).any(|name| name.eq_ignore_ascii_case("upgrade"));
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| upgrades && version)
}

/// What somebody is answered who opened the address without a WebSocket.
fn no_socket() -> Response {
    let text = format!("this is a WebSocket of the subprotocol {PROTOCOL}, version 13");
    let problem =
        Problem { status: StatusCode::UPGRADE_REQUIRED, ..Problem::new(ErrorCode::BadRequest, text) };
    let mut response = problem.answer("");
    for (name, value) in [
        (header::UPGRADE, "websocket"),
        (header::CONNECTION, "upgrade"),
        (header::SEC_WEBSOCKET_VERSION, "13"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Endpoint for SocketEndpoint {
    type Output = Response;

    async fn call(&self, req: Request) -> poem::Result<Response> {
        let backend = req
            .data::<Arc<GraphqlBackend>>()
            .cloned()
            .ok_or_else(|| Problem::from(Fault::bug("no program in the request")))?;
        let caller = req.data::<Caller>().cloned().unwrap_or_else(Caller::local);
        let Some(accept) = key(req.headers()).map(|key| derive_accept_key(key.as_bytes())) else {
            return Ok(no_socket());
        };
        let key = throttle::prefix(caller.address);
        backend.throttles.requests.take(&key).map_err(Problem::rate_limited)?;
        let entered = backend
            .live
            .slots
            .enter(caller.address, "websocket")
            .map_err(|full| refused(full, FULL_AGAIN))?;
        if backend.live.closing.is_cancelled() {
            return Err(refused(Full::Process, 1).into());
        }
        let locale = viewer::locale(&backend, req.uri().query(), &caller);
        let speaks = names(req.headers(), header::SEC_WEBSOCKET_PROTOCOL).any(|name| name == PROTOCOL);
        let Ok(upgrade) = req.take_upgrade() else { return Ok(no_socket()) };
        let live = backend.live.clone();
        live.sockets.spawn(async move {
            let Ok(upgraded) = upgrade.await else { return };
            let most = Some(backend.config.limits.graphql_body + ENVELOPE);
            // Written at once: nothing of a message waits in the buffer for the next.
            let config = WebSocketConfig::default()
                .read_buffer_size(READ_BUFFER)
                .write_buffer_size(0)
                .max_message_size(most)
                .max_frame_size(most);
            let stream = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
            Socket::new(stream, backend, caller, locale, entered).run(speaks).await;
        });
        let mut response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_ACCEPT, accept);
        if speaks {
            response = response.header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL);
        }
        Ok(response.body(Body::empty()))
    }
}

/// The answer to one stream too many.
fn refused(full: Full, seconds: u32) -> Problem {
    match full {
        Full::Address => Problem::rate_limited(seconds),
        Full::Process => {
            Problem::new(ErrorCode::Unavailable, "as many streams are open as there may be").after(seconds)
        }
    }
}
