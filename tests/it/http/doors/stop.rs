//! The end of the program with everything open that can be open.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{answer, connect, get};
use crate::harness::{Server, TestApp, with_generic};
use crate::live::FOLLOW;
use crate::live::client::{PROTOCOL, Socket};

/// Rows: X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_the_program_within_ten_seconds_whatever_is_open() {
    let t = TestApp::start_with(with_generic).await;
    let keys = t.selling_keys(10, 1_250).await;
    let placed = t.order(keys, 1).await;
    t.drain().await;
    let mut server = Server::of(&t.db.app_url()).start();
    let base = server.url("");
    let variables = json!({ "n": placed.order.number, "t": placed.access_token.expose() });
    let document = json!({ "query": FOLLOW, "variables": variables }).to_string();
    let mut open = Vec::new();
    for _ in 0..5 {
        let mut head = connect(&base).await;
        head.write_all(b"GET /healthz HTTP/1.1\r\nhost:").await.unwrap();
        let mut body = connect(&base).await;
        let request = "POST /graphql HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{";
        body.write_all(request.as_bytes()).await.unwrap();
        // Many answers that nobody reads.
        let mut reader = connect(&base).await;
        reader.write_all(get("/schema.graphql").repeat(40).as_bytes()).await.unwrap();
        let mut idle = connect(&base).await;
        idle.write_all(get("/healthz").as_bytes()).await.unwrap();
        assert_eq!(answer(&mut idle).await, 200);
        let mut events = connect(&base).await;
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: shop\r\naccept: text/event-stream\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{document}",
            document.len()
        );
        events.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        events.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        open.extend([head, body, reader, idle, events, connect(&base).await]);
    }
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(Socket::dial(&base, &[("sec-websocket-protocol", PROTOCOL)]).await.ok().unwrap());
    }
    let began = Instant::now();
    let status = server.terminate();
    let took = began.elapsed();
    assert!(status.success(), "{status}\n{}", server.log());
    assert!(took < Duration::from_secs(10), "{took:?}\n{}", server.log());
    drop((open, sockets));
    t.finish_with_jobs().await;
}
