//! `graphql-transport-ws`, message by message.

use futures::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::client::{Heard, PROTOCOL, Socket};
use super::{FOLLOW, LiveShop, of};

/// Rows: O7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_is_closed_with_the_protocols_code_for_each_thing_it_must_not_do() {
    let shop = LiveShop::open().await;
    let order = shop.order().await;
    let subscribe =
        json!({ "id": "1", "type": "subscribe", "payload": { "query": FOLLOW, "variables": of(&order) } });
    // Not ready.
    let mut early = Socket::silent(&shop.t).await;
    early.say(subscribe.clone()).await;
    assert_eq!(early.hear().await, Heard::Closed(4401, "Unauthorized".into()));
    let mut twice = Socket::open(&shop.t).await;
    twice.say(json!({ "type": "connection_init" })).await;
    assert_eq!(twice.hear().await, Heard::Closed(4429, "Too many initialisation requests".into()));
    let mut doubled = Socket::open(&shop.t).await;
    doubled.say(subscribe.clone()).await;
    doubled.say(subscribe).await;
    let closed = loop {
        match doubled.hear().await {
            Heard::Json(_) => {}
            other => break other,
        }
    };
    assert_eq!(closed, Heard::Closed(4409, "Subscriber for 1 already exists".into()));
    // Not understood.
    let bad = [
        Message::text("nonsense"),
        Message::text("[]"),
        Message::text("{}"),
        Message::text(r#"{"type":1}"#),
        Message::text(r#"{"type":"start","id":"1","payload":{}}"#),
        Message::text(r#"{"type":"subscribe","payload":{"query":"{ shop { name } }"}}"#),
        Message::text(r#"{"type":"subscribe","id":7,"payload":{"query":"{ shop { name } }"}}"#),
        Message::text(r#"{"type":"subscribe","id":"1"}"#),
        Message::text(r#"{"type":"subscribe","id":"1","payload":"x"}"#),
        Message::text(r#"{"type":"ping","type":"pong"}"#),
        Message::text(r#"{"type":"complete"}"#),
        Message::binary(vec![1_u8, 2, 3]),
    ];
    for message in bad {
        let mut socket = Socket::open(&shop.t).await;
        socket.stream.send(message.clone()).await.unwrap();
        assert_eq!(socket.closed().await, 4400, "{message:?}");
    }
    // Another protocol, the old one among them.
    for offered in [None, Some("graphql-ws")] {
        let mut other = Socket::offering(&shop.t.base, offered).await;
        assert_eq!((other.protocol.clone(), other.closed().await), (None, 4406));
    }
    let mut chosen = Socket::offering(&shop.t.base, Some("graphql-ws, graphql-transport-ws")).await;
    assert_eq!(chosen.protocol.as_deref(), Some(PROTOCOL));
    chosen.say(json!({ "type": "connection_init" })).await;
    assert_eq!(chosen.json().await, json!({ "type": "connection_ack" }));
    // No socket at all.
    let plain = shop.t.get("/graphql/ws").await;
    assert_eq!((plain.status().as_u16(), &plain.headers()["upgrade"]), (426, &"websocket".parse().unwrap()));
    shop.finish().await;
}

/// Rows: O7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_says_nothing_is_closed() {
    let shop = LiveShop::open_with(|config| config.live.init_seconds = 1).await;
    let mut silent = Socket::silent(&shop.t).await;
    assert_eq!(silent.hear().await, Heard::Closed(4408, "Connection initialisation timeout".into()));
    shop.finish().await;
}

/// Rows: O7 (orderChanged, shop, order), K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_and_mutations_go_over_a_socket_under_the_limits_of_http() {
    let shop = LiveShop::open_with(|config| config.live.operations_per_connection = 2).await;
    let order = shop.order().await;
    let mut socket = Socket::open(&shop.t).await;
    socket.say(json!({ "type": "ping", "payload": { "a": 1 } })).await;
    assert_eq!(socket.json().await, json!({ "type": "pong", "payload": { "a": 1 } }));
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.json().await, json!({ "type": "pong" }));
    socket.say(json!({ "type": "pong", "payload": { "unasked": true } })).await;
    socket.subscribe("q", "{ shop { name } }", json!({})).await;
    assert_eq!(socket.next("q").await, json!({ "data": { "shop": { "name": "Dispense" } } }));
    socket.complete("q").await;
    let read = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { stage } }";
    socket.subscribe("q", read, of(&order)).await;
    assert_eq!(socket.next("q").await["data"]["order"]["stage"], "AWAITING_PAYMENT");
    socket.complete("q").await;
    let deep = format!("{{ categories {} }}", "{ children ".repeat(20) + "{ id }" + &" }".repeat(20));
    for (query, code) in [
        ("{ nothing }", "VALIDATION_FAILED"),
        ("{", "VALIDATION_FAILED"),
        (deep.as_str(), "TOO_COMPLEX"),
        ("", "BAD_REQUEST"),
    ] {
        socket.subscribe("bad", query, json!({})).await;
        assert_eq!(socket.error("bad").await, code, "{query}");
    }
    let unknown =
        json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": "00".repeat(32) } } });
    socket.say(json!({ "id": "p", "type": "subscribe", "payload": unknown })).await;
    assert_eq!(socket.error("p").await, "PERSISTED_QUERY_NOT_FOUND");
    let mutation = "mutation { orderCancel(input: {orderId: \"ord_00000000000000000000000001\"}) { userErrors { code } } }";
    socket.subscribe("m", mutation, json!({})).await;
    assert_eq!(socket.next("m").await["data"]["orderCancel"]["userErrors"][0]["code"], "NOT_FOUND");
    socket.complete("m").await;
    // A given up operation is silent, and its id is free again; one too many is refused alone.
    socket.subscribe("a", FOLLOW, of(&order)).await;
    socket.next("a").await;
    socket.say(json!({ "id": "a", "type": "complete" })).await;
    socket.subscribe("a", FOLLOW, of(&order)).await;
    socket.next("a").await;
    socket.subscribe("b", FOLLOW, of(&order)).await;
    socket.next("b").await;
    socket.subscribe("c", FOLLOW, of(&order)).await;
    assert_eq!(socket.error("c").await, "RATE_LIMITED");
    socket.say(json!({ "id": "never there", "type": "complete" })).await;
    shop.touch(&order).await;
    let mut heard = [socket.json().await["id"].clone(), socket.json().await["id"].clone()];
    heard.sort_by_key(|id| id.to_string());
    assert_eq!(heard, [json!("a"), json!("b")]);
    shop.finish().await;
}
