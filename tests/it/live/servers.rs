//! Several servers, and servers that end.

use dispense::base::actor::Role;
use serde_json::{Value, json};

use super::client::{Events, Heard, PROTOCOL, Socket};
use super::{FOLLOW, LiveShop, of};
use crate::faults::shop::server;
use crate::harness::shop::notify;
use crate::harness::{Said, TestApp, with_generic};

async fn socket_at(base: &str) -> Socket {
    let mut socket = Socket::dial(base, &[("sec-websocket-protocol", PROTOCOL)]).await.ok().unwrap();
    socket.say(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.hear().await, Heard::Json(json!({ "type": "connection_ack" })));
    socket
}

fn change(payload: &Value) -> (String, String) {
    let change = &payload["data"]["orderChanged"];
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{payload}")).to_owned();
    (text(&change["order"]["stage"]), text(&change["cursor"]))
}

/// Rows: O7, P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_server_settles_another_shows_and_a_restart_in_between_misses_nothing() {
    let t = TestApp::start_with(with_generic).await;
    let keys = t.selling_keys(4, 990).await;
    let orders = [t.order(keys, 1).await, t.order(keys, 1).await];
    t.drain().await;
    // The one has the worker, the other the followers.
    let settles = server(&t).start();
    let mut shows = server(&t).arg("--no-worker").start();
    let base = shows.url("");
    let mut socket = socket_at(&base).await;
    socket.subscribe("0", FOLLOW, of(&orders[0])).await;
    let (stage, _) = change(&socket.next("0").await);
    assert_eq!(stage, "AWAITING_PAYMENT");
    socket.subscribe("1", FOLLOW, of(&orders[1])).await;
    let (_, cursor) = change(&socket.next("1").await);
    let mut events = Events::post(&base, FOLLOW, of(&orders[1]), &[]).await.unwrap();
    events.next().await;
    let pay = async |n: usize| {
        let paid = Said::paid(&orders[n], &format!("T{n}"));
        notify(t.http(), &settles.url(""), t.app.clock.unix(), &paid).await.unwrap();
    };
    pay(0).await;
    let (mut stage, mut last) = change(&socket.next("0").await);
    while stage != "DELIVERED" {
        (stage, last) = change(&socket.next("0").await);
    }
    socket.complete("0").await;
    assert!(last.parse::<i64>().unwrap() > cursor.parse::<i64>().unwrap());
    // The server ends: whoever follows is sent away to come again, and the server does not wait for them.
    let begun = std::time::Instant::now();
    let ended = tokio::task::spawn_blocking(move || {
        let status = shows.terminate();
        (status, shows)
    });
    assert_eq!(socket.hear().await, Heard::Closed(1012, "Come again".into()));
    assert_eq!(events.hear().await, None, "no `complete`: come again");
    let (status, mut shows) = ended.await.unwrap();
    assert!(status.success());
    assert!(begun.elapsed() < std::time::Duration::from_secs(15), "{:?}", begun.elapsed());
    // What happens meanwhile is there when the client comes again with its cursor, at whichever server.
    pay(1).await;
    let delivered = format!(
        "select count(*) = 1 from unit where order_id = '{}' and state = 'assigned'",
        orders[1].order.id.0
    );
    t.wait_until(&delivered).await;
    t.wait_until("select count(*) = 0 from event e where not exists (select 1 from event_seq s where s.event_id = e.id)")
        .await;
    let again = shows.start_again();
    let after = json!({ "n": orders[1].order.number, "t": orders[1].access_token.expose(), "after": cursor });
    let mut socket = socket_at(&again.url("")).await;
    socket.subscribe("1", FOLLOW, after).await;
    assert_eq!(change(&socket.next("1").await).0, "DELIVERED");
    socket.complete("1").await;
    let headers = [("last-event-id", cursor.as_str())];
    let mut events = Events::post(&again.url(""), FOLLOW, of(&orders[1]), &headers).await.unwrap();
    assert_eq!(change(&events.next().await).0, "DELIVERED");
    events.complete().await;
    for log in [settles.log(), again.log()] {
        t.search_log(&log);
    }
    drop((settles, again));
    t.drain().await;
    t.finish_with_jobs().await;
}

/// Rows: O7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_has_lasted_ends_and_its_client_comes_again() {
    let shop = LiveShop::open_with(|config| {
        config.live.stream_seconds = 8;
        config.live.heartbeat_seconds = 1;
    })
    .await;
    let order = shop.order().await;
    let mut socket = Socket::open(&shop.t).await;
    let mut events = Events::open(&shop.t, FOLLOW, of(&order)).await;
    socket.subscribe("o", FOLLOW, of(&order)).await;
    socket.next("o").await;
    events.next().await;
    assert_eq!(socket.hear().await, Heard::Closed(1012, "Come again".into()));
    assert_eq!(events.hear().await, None);
    assert!(events.beats >= 3, "{} signs of life", events.beats);
    shop.finish().await;
}

/// Rows: O7 (shopAlerts), D4.
/// Sends: shopAlerts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_served_shop_ends_while_sockets_are_open() {
    let mut shop = LiveShop::open().await;
    shop.t.person("support@example.com", &[Role::Support]).await;
    let access = shop.t.sign_in("support@example.com").await.tokens.access;
    let payload = json!({ "authorization": format!("Bearer {}", access.expose()) });
    let mut socket = Socket::ready(&shop.t, payload).await;
    socket.subscribe("a", "subscription { shopAlerts { cursor event openTasks } }", json!({})).await;
    assert_eq!(socket.next("a").await["data"]["shopAlerts"]["openTasks"], "0");
    let idle = Socket::open(&shop.t).await;
    shop.t.stop_serving().await;
    assert_eq!(socket.closed().await, 1012);
    drop(idle);
    shop.finish().await;
}
