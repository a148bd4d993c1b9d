//! (i) The outbox drained per second by a worker with 1, 4 and 16 places: mails to a local sink, events to a local receiver of
//! webhooks; and how much later other endpoints hear of an event while one of them hangs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::Client;

use crate::admin::Admin;
use crate::shop::{self, Shop, Worker};
use crate::{notices, orders, per_second, scaled, verdict};

const PLACES: [usize; 3] = [1, 4, 16];
const MAILS: f64 = 2_000.0;
const EVENTS: f64 = 4_000.0;
/// Events a second, for how many seconds, while one of `ENDPOINTS` hangs.
const RATE: usize = 20;
const SECONDS: usize = 20;
const ENDPOINTS: usize = 5;
/// Wanted: how much later at most the others hear of 99 of 100.
const MOST: f64 = 1.5;

pub async fn measure() {
    println!("\n(i) the outbox, one process of work");
    let home = shop::folder();
    let (sink, receiver) = (sink().await, Receiver::start().await);
    // As the program has it by itself.
    let plain = format!(
        "[mail]\nurl = \"smtp://127.0.0.1:{sink}?tls=none\"\nfrom = \"shop@bench.example\"\n\
         [outbound]\nprivate_networks = [\"127.0.0.0/8\"]\nplain_http = true\nports = [{}]\n",
        receiver.port
    );
    let config = |places: usize| {
        let hooks = 2 * places;
        format!(
            "{plain}[worker]\nconcurrency = {places}\nhook_concurrency = {hooks}\nhook_concurrency_per_endpoint = {places}\n"
        )
    };
    let shop = Shop::start_apart(home.path(), &config(4));
    let admin = Admin::of(home.path(), &shop).await;
    let sql = shop.sql().await;
    let (_, variant) = admin.keys_product("mailed", json!({})).await;
    let (mails, events) = (scaled(MAILS), scaled(EVENTS));
    admin.import(&variant, "MAILED-KEY-", mails * PLACES.len()).await;
    orders::unpaid(&sql, orders::uuid(&variant), 0, mails * PLACES.len()).await;
    for (round, places) in PLACES.into_iter().enumerate() {
        notices::over_http(&shop, 32, round * mails, mails).await;
        let began = Instant::now();
        let worker = Worker::start(home.path(), &config(places));
        drained(&sql, "select count(*) from message where state = 'sent'", mails * (round + 1)).await;
        println!("    mails, {places:>2} places: {:.0}/s", per_second(mails, began.elapsed()));
        worker.stop();
    }
    endpoint(&admin, &receiver, "/drain").await;
    for (round, places) in PLACES.into_iter().enumerate() {
        append(&sql, events).await;
        let began = Instant::now();
        let worker = Worker::start(home.path(), &config(places));
        drained(&sql, "select count(*) from hook_delivery where state = 'delivered'", events * (round + 1))
            .await;
        println!("    hooks, {places:>2} places: {:.0}/s", per_second(events, began.elapsed()));
        worker.stop();
    }
    for n in 1..ENDPOINTS {
        endpoint(&admin, &receiver, &format!("/well-{n}")).await;
    }
    let worker = Worker::start(home.path(), &plain);
    let calm = times(&sql, &receiver).await;
    endpoint(&admin, &receiver, "/hangs").await;
    let beside = times(&sql, &receiver).await;
    worker.stop();
    let ratio = beside / calm;
    println!(
        "    {ENDPOINTS} endpoints, {RATE} events/s: p99 from commit to receiver {calm:.0} ms; while one more hangs {beside:.0} ms, \
         ratio {ratio:.2} (wanted at most {MOST}: {})",
        verdict(MOST / ratio, 1.0)
    );
    drop(sql);
    shop.stop();
}

async fn endpoint(admin: &Admin, receiver: &Receiver, path: &str) {
    let url = format!("http://127.0.0.1:{}{path}", receiver.port);
    let input = json!({ "url": url, "eventTypes": ["stock.low"] });
    admin.act("hookEndpointCreate", input, "endpoint { id }").await;
}

/// Events that every endpoint is sent.
async fn append(sql: &Client, count: usize) {
    sql.batch_execute(&format!(
        "insert into event (seller_id, kind, object_id, actor, body)
           select '{}', 'stock.low', (select id from variant order by id limit 1), 'system',
             '{{\"left\": 1, \"alert_at\": 2}}'
           from generate_series(1, {count});
         select pg_notify('dispense_work', 'bench')",
        shop::SHOP
    ))
    .await
    .unwrap();
}

/// Waits until as many rows as there are to be are done.
async fn drained(sql: &Client, done: &str, all: usize) {
    while (sql.query_one(done, &[]).await.unwrap().get::<_, i64>(0) as usize) < all {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Milliseconds from the commit of an event to its receipt by those endpoints that are well, for 99 of 100.
async fn times(sql: &Client, receiver: &Receiver) -> f64 {
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / RATE as u64));
    receiver.forget();
    let mut committed = Vec::new();
    for _ in 0..RATE * SECONDS {
        ticks.tick().await;
        append(sql, 1).await;
        committed.push(Instant::now());
    }
    let all = || {
        let heard = receiver.heard();
        let well = heard.iter().filter(|(path, _)| path.starts_with("/well-"));
        well.filter(|(_, times)| times.len() == committed.len()).count() == ENDPOINTS - 1
    };
    while !all() {
        assert!(
            committed.last().unwrap().elapsed() < Duration::from_secs(60),
            "every endpoint hears of every event"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut millis = Vec::new();
    for (path, heard) in receiver.heard() {
        if path.starts_with("/well-") {
            // The n-th that arrives is compared with the n-th that was committed: a later one may overtake.
            millis.extend(
                heard
                    .iter()
                    .zip(&committed)
                    .map(|(h, c)| h.saturating_duration_since(*c).as_secs_f64() * 1e3),
            );
        }
    }
    millis.sort_by(f64::total_cmp);
    millis[(millis.len() - 1) * 99 / 100]
}

/// A mail server that takes everything. Answers its port.
async fn sink() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(take_mail(stream));
        }
    });
    port
}

async fn take_mail(stream: TcpStream) -> std::io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"220 sink\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "DATA" => {
                writing.write_all(b"354 go on\r\n").await?;
                while lines.next_line().await?.is_some_and(|line| line != ".") {}
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        writing.write_all(format!("{answer}\r\n").as_bytes()).await?;
        if verb == "QUIT" {
            break;
        }
    }
    Ok(())
}

/// A receiver of webhooks that notes when which path was called; `/hangs` is never answered.
#[derive(Clone)]
struct Receiver {
    port: u16,
    heard: Arc<Mutex<HashMap<String, Vec<Instant>>>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self { port: listener.local_addr().unwrap().port(), heard: Arc::default() };
        let own = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(own.clone().take(stream));
            }
        });
        receiver
    }

    fn forget(&self) {
        self.heard.lock().unwrap().clear();
    }

    fn heard(&self) -> HashMap<String, Vec<Instant>> {
        self.heard.lock().unwrap().clone()
    }

    async fn take(self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut received = Vec::new();
        loop {
            let head = loop {
                if let Some(at) = received.windows(4).position(|w| w == b"\r\n\r\n") {
                    break at + 4;
                }
                if stream.read_buf(&mut received).await? == 0 {
                    return Ok(());
                }
            };
            let text = String::from_utf8_lossy(&received[..head]).into_owned();
            let length: usize = text
                .lines()
                .find_map(|l| {
                    l.to_ascii_lowercase().strip_prefix("content-length:").map(|l| l.trim().to_owned())
                })
                .and_then(|l| l.parse().ok())
                .unwrap_or(0);
            while received.len() < head + length {
                if stream.read_buf(&mut received).await? == 0 {
                    return Ok(());
                }
            }
            received.drain(..head + length);
            let path = text.split_whitespace().nth(1).unwrap_or_default().to_owned();
            if path == "/hangs" {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return Ok(());
            }
            self.heard.lock().unwrap().entry(path).or_default().push(Instant::now());
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        }
    }
}
