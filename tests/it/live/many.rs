//! Many followers, and what they cost while nothing of theirs happens.

use serde_json::json;

use super::client::{Heard, Socket};
use super::{FOLLOW, LiveShop};
use crate::faults::shop::{Waiting, many_orders};

const FOLLOWERS: usize = 200;
const PER_SOCKET: usize = 20;

/// A figure of the process.
async fn figure(shop: &LiveShop, name: &str) -> u64 {
    let figures = shop.t.figures().await;
    let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.map_or(0, |text| text.parse().unwrap())
}

fn variables(shop: &LiveShop, order: &Waiting) -> serde_json::Value {
    let token = dispense::orders::access::token(&shop.t.app, order.id, 1);
    json!({ "n": order.number, "t": token.expose() })
}

/// Rows: O7, P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_costs_followers_of_other_orders_no_statement() {
    let shop = LiveShop::open().await;
    let orders = many_orders(&shop.t, shop.keys, FOLLOWERS).await;
    let followed = shop.order().await;
    shop.t.drain().await;
    let mut sockets = Vec::new();
    for orders in orders.chunks(PER_SOCKET) {
        let mut socket = Socket::open(&shop.t).await;
        for (n, order) in orders.iter().enumerate() {
            socket.subscribe(&n.to_string(), FOLLOW, variables(&shop, order)).await;
        }
        for _ in orders {
            assert_eq!(socket.json().await["type"], "next");
        }
        sockets.push(socket);
    }
    let (turns, looks) = ("dispense_live_turns_total", "dispense_live_looks_total");
    assert_eq!(figure(&shop, turns).await, FOLLOWERS as u64);
    let before = figure(&shop, looks).await;
    // Ten events of an order that nobody follows yet; then one of an order that somebody does.
    for _ in 0..10 {
        shop.touch(&followed).await;
    }
    let mut socket = Socket::open(&shop.t).await;
    socket.subscribe("o", FOLLOW, super::of(&followed)).await;
    socket.next("o").await;
    shop.touch(&followed).await;
    socket.next("o").await;
    assert_eq!(figure(&shop, turns).await, FOLLOWERS as u64 + 2, "only the follower of that order read");
    let looked = figure(&shop, looks).await - before;
    assert!((1..=30).contains(&looked), "{looked} looks for 11 events");
    // All that are open are woken, and each reads once.
    let ids: Vec<String> = orders.iter().map(|order| order.id.0.to_string()).collect();
    let sql = format!(
        "insert into event (seller_id, kind, object_id, order_id, actor, body)
         select '{}', 'order.mail_asked_again', id, id, 'system', '{{}}' from unnest(array['{}']::uuid[]) id",
        dispense::base::ids::SHOP.0,
        ids.join("','")
    );
    shop.t.db.sql(&sql).await;
    shop.t.drain().await;
    for socket in &mut sockets {
        for _ in 0..PER_SOCKET {
            let Heard::Json(message) = socket.hear().await else { panic!("closed") };
            assert_eq!(message["payload"]["data"]["orderChanged"]["event"], "order.mail_asked_again");
        }
    }
    assert_eq!(figure(&shop, turns).await, 2 * FOLLOWERS as u64 + 2);
    let streams = "dispense_live_streams{transport=\"websocket\"}";
    assert_eq!(figure(&shop, streams).await, (FOLLOWERS / PER_SOCKET) as u64 + 1);
    drop((sockets, socket));
    // Who is gone is forgotten.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while shop.t.app.live.hub.followed() > 0 {
        assert!(std::time::Instant::now() < deadline, "still followed");
        tokio::task::yield_now().await;
    }
    shop.finish().await;
}
