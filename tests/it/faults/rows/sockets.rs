//! Sockets that say nothing, too early or too much, that do not read, or whose token ends, and a server that stands still,
//! with an honest follower beside them (row K6).

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use dispense::base::actor::Role;
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::faults::town::Town;
use crate::harness::Server;
use crate::live::FOLLOW;
use crate::live::client::{Heard, PROTOCOL, Socket};

/// A server that has little patience.
const LIVE: &str =
    "[live]\ninit_seconds = 1\nmessages_per_minute = 300\nsend_seconds = 3\nheartbeat_seconds = 1\n";

struct Shore {
    town: Town,
    server: Server,
}

struct Row {
    fault: &'static str,
    play: for<'a> fn(&'a Shore) -> BoxFuture<'a, ()>,
}

const ROWS: [Row; 7] = [
    Row { fault: "says nothing", play: |s| Box::pin(silent(s)) },
    Row { fault: "subscribes before it is let in", play: |s| Box::pin(early(s)) },
    Row { fault: "floods", play: |s| Box::pin(flood(s)) },
    Row { fault: "sends a huge frame", play: |s| Box::pin(huge(s)) },
    Row { fault: "does not read", play: |s| Box::pin(does_not_read(s)) },
    Row { fault: "outlives its token", play: |s| Box::pin(token_ends(s)) },
    Row { fault: "speaks to a server that stands still for a while", play: |s| Box::pin(server_stops(s)) },
];

impl Shore {
    async fn dial(&self) -> Socket {
        let dialled = Socket::dial(&self.server.url(""), &[("sec-websocket-protocol", PROTOCOL)]).await;
        dialled.unwrap_or_else(|(status, body)| panic!("{status}: {body}"))
    }

    async fn open(&self, payload: Value) -> Socket {
        let mut socket = self.dial().await;
        socket.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.hear().await, Heard::Json(json!({ "type": "connection_ack" })));
        socket
    }

    /// Lines of the server's figures that begin like this.
    async fn figures(&self, name: &str) -> String {
        let text = self
            .town
            .t()
            .http()
            .get(self.server.admin("/metrics"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        text.lines().filter(|line| line.starts_with(name)).collect::<Vec<_>>().join("\n")
    }
}

async fn silent(s: &Shore) {
    let mut socket = s.dial().await;
    assert_eq!(socket.hear().await, Heard::Closed(4408, "Connection initialisation timeout".into()));
}

async fn early(s: &Shore) {
    let mut socket = s.dial().await;
    let payload = json!({ "query": FOLLOW, "variables": { "n": "x" } });
    socket.say(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
    assert_eq!(socket.hear().await, Heard::Closed(4401, "Unauthorized".into()));
}

async fn flood(s: &Shore) {
    let mut socket = s.open(json!({})).await;
    for _ in 0..400 {
        // It may be closed already.
        let _ = socket.stream.send(Message::text(r#"{"type":"pong"}"#)).await;
    }
    assert_eq!(socket.hear().await, Heard::Closed(4429, "Too many messages".into()));
}

async fn huge(s: &Shore) {
    for size in [70_000, 3_000_000] {
        let mut socket = s.open(json!({})).await;
        let _ = socket.stream.send(Message::text("x".repeat(size))).await;
        assert_eq!(socket.hear().await, Heard::Closed(1009, "Message too large".into()), "{size}");
    }
}

async fn does_not_read(s: &Shore) {
    let mut socket = s.open(json!({})).await;
    // More than the system takes for a client.
    let query = include_str!("../../live/introspection.graphql");
    for n in 0..200 {
        let message = json!({ "id": n.to_string(), "type": "subscribe", "payload": { "query": query } });
        let sent = socket.stream.send(Message::text(message.to_string()));
        match tokio::time::timeout(Duration::from_secs(5), sent).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while !s.figures("dispense_live_slow_readers_total{transport=\"websocket\"}").await.ends_with(" 1") {
        assert!(Instant::now() < deadline, "it was never closed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while let Some(Ok(_)) = socket.stream.next().await {}
}

/// A token of ten minutes that was made so long ago that three seconds of it are left.
async fn token_ends(s: &Shore) {
    let t = s.town.t();
    t.person("support@shop.example", &[Role::Support]).await;
    let tokens = t.sign_in("support@shop.example").await.tokens;
    let (now, made) = (t.app.clock.now(), &t.app.people.access_tokens);
    let access = made.read(&tokens.access, now).unwrap();
    let (ending, _) = made.issue(&access, now - TimeDelta::seconds(597)).unwrap();
    t.canary(ending.expose());
    let mut socket = s.open(json!({ "authorization": format!("Bearer {}", ending.expose()) })).await;
    socket.subscribe("a", "subscription { shopAlerts { cursor event openTasks } }", json!({})).await;
    socket.next("a").await;
    let Heard::Closed(code, reason) = socket.hear().await else { panic!("not closed") };
    assert_eq!(code, 4403);
    assert!(reason.starts_with("TOKEN_EXPIRED"), "{reason}");
}

/// Longer than the beats after which a silent client is taken for gone. The honest one beside it is asked for at the end.
async fn server_stops(s: &Shore) {
    let mut socket = s.open(json!({})).await;
    s.server.signal(Signal::SIGSTOP);
    tokio::time::sleep(Duration::from_secs(5)).await;
    s.server.signal(Signal::SIGCONT);
    for n in 0..4 {
        socket.subscribe(&n.to_string(), "{ shop { name } }", json!({})).await;
        assert_eq!(socket.next(&n.to_string()).await["data"]["shop"]["name"], "Dispense");
        socket.complete(&n.to_string()).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

/// Reads all the time and answers every sign of life, until the order is delivered. A debug build that answers whom nobody
/// reads may keep it waiting for a while.
async fn follow(mut honest: Socket) {
    loop {
        let heard = tokio::time::timeout(Duration::from_secs(60), honest.stream.next()).await;
        let message = match heard.expect("silence") {
            Some(Ok(Message::Text(text))) => serde_json::from_str::<Value>(text.as_str()).unwrap(),
            other => panic!("the honest one was sent away: {other:?}"),
        };
        match message["type"].as_str().unwrap() {
            "ping" => honest.say(json!({ "type": "pong" })).await,
            "next" if message["payload"]["data"]["orderChanged"]["order"]["stage"] == "DELIVERED" => return,
            "next" => {}
            other => panic!("{other}: {message}"),
        }
    }
}

/// Rows: O7, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sockets_that_misbehave_are_closed_and_an_honest_one_beside_them_misses_nothing() {
    let town = Town::open().await;
    let keys = town.t().selling_keys(2, 990).await;
    let placed = town.t().order(keys, 1).await;
    town.t().drain().await;
    let server = town.server().edit(|config| config + LIVE).start();
    let shore = Shore { town, server };
    let mut honest = shore.open(json!({})).await;
    let of = json!({ "n": placed.order.number, "t": placed.access_token.expose() });
    honest.subscribe("o", FOLLOW, of).await;
    let following = tokio::spawn(follow(honest));
    for row in &ROWS {
        let what = format!("K6: a socket that {}", row.fault);
        println!("{what}");
        (row.play)(&shore).await;
        shore.town.check(&what);
    }
    let worker = shore.town.worker().start();
    assert_eq!(shore.town.pay(&shore.server, &placed).await, 200);
    following.await.unwrap();
    shore.town.settled("K6").await;
    let Shore { town, server } = shore;
    let logs = [server.log(), worker.log()];
    drop((server, worker));
    town.finish(&logs).await;
}
