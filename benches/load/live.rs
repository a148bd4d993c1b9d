//! (f) Followers: what an idle one costs in memory, and how long a change takes from its commit to the client.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dispense::config::{Bytes32, RingKey};
use dispense::infra::sign;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio_postgres::Client;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, http::HeaderValue};
use uuid::Uuid;

use crate::shop::{SHOP, Shop};
use crate::{orders, per_second, scaled, shop, verdict};

const FOLLOWERS: f64 = 5_000.0;
/// Wanted: kB of an idle follower, and milliseconds from commit to client for 99 of 100.
const MOST_KB: f64 = 40.0;
const MOST_MS: f64 = 250.0;
/// Events a second and for how many seconds.
const RATES: [(&str, &str, usize); 2] = [("short", SHORT, 500), ("shipped", SHIPPED, 100)];
const SECONDS: usize = 10;

const SHORT: &str = "subscription($n: String!, $t: String) { orderChanged(number: $n, accessToken: $t) { cursor event order { id stage } } }";
const SHIPPED: &str = include_str!("../../tests/operations/live.graphql");

const CONFIG: &str = "[live]\nconnections = 100000\nconnections_per_address = 100000\n\
    [connections]\nmost = 110000\nper_address = 100000\n";

type Sent = Arc<Mutex<HashMap<usize, Instant>>>;

pub async fn measure() {
    println!("\n(f) followers over WebSocket");
    for (name, query, rate) in RATES {
        let home = shop::folder();
        let shop = Shop::start_working(home.path(), CONFIG);
        let sql = shop.sql().await;
        let count = scaled(FOLLOWERS);
        let orders = seed(&sql, count).await;
        let key = access_key(home.path());
        let follow = async |n: usize| {
            let (id, number) = &orders[n];
            let variables = json!({ "n": number, "t": token(&key, *id) });
            open(&shop.address, query, variables).await
        };
        // What only the first ones cost is there already.
        for n in 0..count.min(200) {
            drop(follow(n).await);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = shop.resident();
        let (heard, mut times) = mpsc::unbounded_channel();
        let sent: Sent = Sent::default();
        for n in 0..count {
            let follower = follow(n).await;
            tokio::spawn(listen(follower, n, heard.clone(), sent.clone()));
        }
        // Whatever the reading of the first states took is given back.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let each = (shop.resident() - before) * 1_024.0 / count as f64;
        let verdict_kb = verdict(MOST_KB / each.max(0.1), 1.0);
        println!(
            "    {name}: {count} idle followers: {each:.1} kB each, wanted at most {MOST_KB}: {verdict_kb}"
        );
        let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / rate as u64));
        let insert = format!(
            "insert into event (seller_id, kind, object_id, order_id, actor, body)
             values ('{SHOP}', 'order.mail_asked_again', $1::text::uuid, $1::text::uuid, 'system', '{{}}')"
        );
        let insert = sql.prepare(&insert).await.unwrap();
        // What is measured begins with the commit, however long the disk took for it.
        sql.batch_execute("set synchronous_commit = off").await.unwrap();
        let began = Instant::now();
        for n in 0..rate * SECONDS {
            ticks.tick().await;
            let follower = n % count;
            // Known before anybody can hear of it; the moment itself is that of the commit.
            sent.lock().await.insert(follower, Instant::now());
            sql.execute(&insert, &[&orders[follower].0.to_string()]).await.unwrap();
            sent.lock().await.entry(follower).and_modify(|at| *at = Instant::now());
            sql.execute("select pg_notify('dispense_work', 'bench')", &[]).await.unwrap();
        }
        let made = per_second(rate * SECONDS, began.elapsed());
        tokio::time::sleep(Duration::from_secs(3)).await;
        times.close();
        let mut millis = Vec::new();
        while let Some(took) = times.recv().await {
            millis.push(took.as_secs_f64() * 1_000.0);
        }
        millis.sort_by(f64::total_cmp);
        let at = |part: f64| millis[((millis.len() - 1) as f64 * part) as usize];
        println!(
            "    {name}: {made:.0} of {rate} events/s of one follower each: {} of {} heard, p50 {:.0} ms, p99 {:.0} ms, wanted {MOST_MS}: {}",
            millis.len(),
            rate * SECONDS,
            at(0.5),
            at(0.99),
            verdict(MOST_MS / at(0.99).max(0.1), 1.0)
        );
        shop.stop();
    }
}

type Follower = tokio_tungstenite::WebSocketStream<TcpStream>;

async fn open(address: &str, query: &str, variables: Value) -> Follower {
    let mut request = format!("ws://{address}/graphql/ws").into_client_request().unwrap();
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let raw = TcpStream::connect(address).await.unwrap();
    let config = WebSocketConfig::default().read_buffer_size(4_096).write_buffer_size(0);
    let (mut stream, _) =
        tokio_tungstenite::client_async_with_config(request, raw, Some(config)).await.unwrap();
    let payload = json!({ "query": query, "variables": variables });
    for message in
        [json!({ "type": "connection_init" }), json!({ "id": "1", "type": "subscribe", "payload": payload })]
    {
        stream.send(Message::text(message.to_string())).await.unwrap();
        let answer = stream.next().await.unwrap().unwrap().into_text().unwrap();
        assert!(!answer.contains("\"error"), "{answer}");
    }
    stream
}

async fn listen(mut follower: Follower, n: usize, heard: mpsc::UnboundedSender<Duration>, sent: Sent) {
    while let Some(Ok(message)) = follower.next().await {
        let Ok(text) = message.into_text() else { continue };
        if text.contains("\"type\":\"ping\"") {
            let _ = follower.send(Message::text(r#"{"type":"pong"}"#)).await;
        } else if text.contains("\"next\"")
            && let Some(at) = sent.lock().await.remove(&n)
        {
            let _ = heard.send(at.elapsed());
        }
    }
}

fn access_key(home: &std::path::Path) -> RingKey {
    let text = std::fs::read_to_string(home.join("data/secrets.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let access = table.get("access").or_else(|| table["secrets"].get("access")).unwrap().as_str().unwrap();
    let (id, key) = access.split_once(':').unwrap_or(("", access));
    let bytes = hex::decode(key).unwrap();
    RingKey { id: id.into(), bytes: Bytes32::new(bytes.try_into().unwrap()) }
}

/// A guest's token of an order of the first generation.
fn token(key: &RingKey, order: Uuid) -> String {
    let mac = sign::mac(key, "order-access", &[order.as_bytes(), &1_i32.to_be_bytes()]);
    format!("oat_{}", hex::encode(mac))
}

/// Unpaid orders for one piece each.
async fn seed(sql: &Client, count: usize) -> Vec<(Uuid, String)> {
    let variant = Uuid::from_u128(0x2000_0000_0000_4000_8000_0000_0000_0000);
    let text = format!(
        "insert into product (id, seller_id, slug, state, on_sale_at)
           values ('10000000-0000-4000-8000-000000000000', '{SHOP}', 'bench', 'on_sale', app_now());
         insert into variant (id, seller_id, product_id, kind)
           values ('{variant}', '{SHOP}', '10000000-0000-4000-8000-000000000000', 'key')"
    );
    sql.batch_execute(&text).await.unwrap();
    orders::unpaid(sql, variant, 0, count).await;
    let rows = sql.query("select id::text, number from orders order by number", &[]).await.unwrap();
    let order = |row: tokio_postgres::Row| (row.get::<_, String>(0).parse().unwrap(), row.get(1));
    rows.into_iter().map(order).collect()
}
