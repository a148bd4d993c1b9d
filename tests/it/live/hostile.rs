//! Clients that want too much, or do not read.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::client::{Events, Heard, PROTOCOL, Socket};
use super::{FOLLOW, LiveShop, of};

const WS: (&str, &str) = ("sec-websocket-protocol", PROTOCOL);

/// Rows: O7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_pages_of_allowed_origins_open_a_socket() {
    let shop = LiveShop::open_with(|config| {
        config.server.allowed_origins = vec!["https://shop.example".into(), "myapp://".into()];
    })
    .await;
    let own = shop.t.base.clone();
    for origin in ["https://shop.example", own.as_str()] {
        assert!(Socket::dial(&own, &[WS, ("origin", origin)]).await.is_ok(), "{origin}");
    }
    assert!(Socket::dial(&own, &[WS]).await.is_ok(), "what is no page has no origin");
    for origin in
        ["https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null", ""]
    {
        let (status, body) = Socket::dial(&own, &[WS, ("origin", origin)]).await.err().unwrap();
        assert_eq!(status, 403, "{origin}");
        assert!(body.contains("FORBIDDEN"), "{body}");
    }
    shop.finish().await;
}

/// Rows: O7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_and_huge_frames_close_the_socket_and_too_many_streams_of_an_address_are_refused() {
    let shop = LiveShop::open_with(|config| {
        config.live.messages_per_minute = 50;
        config.live.connections_per_address = 3;
    })
    .await;
    let order = shop.order().await;
    let mut flood = Socket::open(&shop.t).await;
    for _ in 0..60 {
        // It may be closed already.
        let _ = flood.stream.send(Message::text(r#"{"type":"pong"}"#)).await;
    }
    assert_eq!(flood.hear().await, Heard::Closed(4429, "Too many messages".into()));
    for size in [70_000, 3_000_000] {
        let mut huge = Socket::open(&shop.t).await;
        let _ = huge.stream.send(Message::text("x".repeat(size))).await;
        assert_eq!(huge.hear().await, Heard::Closed(1009, "Message too large".into()), "{size}");
    }
    // In parts, none of which is too large.
    let mut parts = Socket::open(&shop.t).await;
    for at in 0..4 {
        use tokio_tungstenite::tungstenite::protocol::frame::Frame;
        use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
        let code = if at == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(vec![b'x'; 30_000], OpCode::Data(code), at == 3);
        let _ = parts.stream.send(Message::Frame(frame)).await;
    }
    assert_eq!(parts.closed().await, 1009);
    drop((flood, parts));
    let open = async || Socket::dial(&shop.t.base, &[WS]).await;
    // Those that are closed are forgotten a moment later.
    let mut held = Vec::new();
    let refused = loop {
        match open().await {
            Ok(socket) => held.push(socket),
            Err(refused) if held.len() == 3 => break refused,
            Err(_) => tokio::task::yield_now().await,
        }
        assert!(held.len() <= 3, "more than may be");
    };
    assert_eq!(refused.0, 429, "{}", refused.1);
    let (status, body) = Events::post(&shop.t.base, FOLLOW, of(&order), &[]).await.err().unwrap();
    assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (429, &json!("RATE_LIMITED")));
    let elsewhere = [("x-forwarded-for", "203.0.113.9")];
    assert!(
        Events::post(&shop.t.base, FOLLOW, of(&order), &elsewhere).await.is_err(),
        "nobody believes that"
    );
    held.clear();
    let mut events = loop {
        match Events::post(&shop.t.base, FOLLOW, of(&order), &[]).await {
            Ok(events) => break events,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    events.next().await;
    shop.finish().await;
}

/// Rows: O7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_closed_and_costs_no_more_than_its_few_places() {
    let shop = LiveShop::open_with(|config| {
        config.live.send_seconds = 1;
        config.live.heartbeat_seconds = 60;
    })
    .await;
    let mut socket = Socket::open(&shop.t).await;
    // Some hundred answers of some hundred kilobytes each: more than the system takes for a client.
    let query = include_str!("introspection.graphql");
    let mut said = 0;
    for n in 0..200 {
        let payload = json!({ "query": query });
        let message = json!({ "id": n.to_string(), "type": "subscribe", "payload": payload }).to_string();
        match tokio::time::timeout(Duration::from_secs(5), socket.stream.send(Message::text(message))).await {
            Ok(Ok(())) => said += 1,
            Ok(Err(_)) | Err(_) => break,
        }
    }
    assert!(said > 5);
    let slow = async {
        loop {
            let figures = shop.t.figures().await;
            if figures.contains("dispense_live_slow_readers_total{transport=\"websocket\"} 1") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), slow).await.expect("it was never closed");
    // What had been written is there to be read, and then nothing.
    while let Some(Ok(_)) = socket.stream.next().await {}
    shop.finish().await;
}
