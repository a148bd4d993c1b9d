//! How many may connect and ask at once.

use std::time::Duration;

use poem::http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Server, TestDatabase, program};

use super::{answer, connect_from, figure, get, probe, reaches, shop, shop_with};

/// One that has asked, and stays.
async fn kept(base: &str, from: &str) -> TcpStream {
    let mut stream = connect_from(base, from).await;
    stream.write_all(get("/healthz").as_bytes()).await.unwrap();
    assert_eq!(answer(&mut stream).await, 200);
    stream
}

/// What a connection is answered that is refused, without having asked.
async fn refusal(base: &str, from: &str) -> String {
    let mut stream = connect_from(base, from).await;
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8(said).unwrap()
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_has_its_share_and_proxies_have_no_such_bound() {
    let t = shop_with(|config| {
        config.connections.per_address = 4;
        config.server.trusted_proxies = vec!["127.0.0.7/32".into()];
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(kept(&t.base, "127.0.0.5").await);
    }
    let said = refusal(&t.base, "127.0.0.5").await;
    assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("\r\nretry-after: "), "{said}");
    let (_, body) = said.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["code"], "UNAVAILABLE");
    // Others are not touched, and a proxy speaks for many.
    assert_eq!(probe(&t.base, "/healthz").await, 200);
    let mut proxy = Vec::new();
    for _ in 0..10 {
        proxy.push(kept(&t.base, "127.0.0.7").await);
    }
    let words = ["listener=\"public\"", "reason=\"address\""];
    assert_eq!(figure(&t, "dispense_connections_refused_total", &words).await, 1.0);
    // A place that is given back is free.
    drop(open.pop());
    let mut again = loop {
        let mut stream = connect_from(&t.base, "127.0.0.5").await;
        let _ = stream.write_all(get("/healthz").as_bytes()).await;
        if answer(&mut stream).await == 200 {
            break stream;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    again.write_all(get("/readyz").as_bytes()).await.unwrap();
    assert_eq!(answer(&mut again).await, 200);
    t.finish().await;
}

/// Rows: X3, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_places_are_taken_the_oldest_without_a_request_makes_room() {
    let t = shop(|c| (c.most, c.room) = (12, 4)).await;
    let mut idle = Vec::new();
    for n in 0..12 {
        idle.push(kept(&t.base, &format!("127.0.1.{n}")).await);
        // Older than what is left alone because its request may be on its way.
        tokio::time::sleep(Duration::from_millis(110)).await;
    }
    for _ in 0..6 {
        assert_eq!(probe(&t.base, "/healthz").await, 200);
        tokio::time::sleep(Duration::from_millis(110)).await;
    }
    let words = ["listener=\"public\"", "reason=\"evicted\""];
    reaches(&t, "dispense_connections_closed_total", &words, 4.0).await;
    // The oldest went, in the protocol's own way.
    let mut rest = Vec::new();
    assert_eq!(idle[0].read_to_end(&mut rest).await.unwrap(), 0);
    idle[11].write_all(get("/healthz").as_bytes()).await.unwrap();
    assert_eq!(answer(&mut idle[11]).await, 200, "the youngest stayed");
    t.finish().await;
}

/// Rows: X3, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_leave_places_for_short_requests() {
    let t = shop(|c| (c.most, c.room) = (12, 4)).await;
    let mut transfers = Vec::new();
    for n in 0..8 {
        let mut stream = connect_from(&t.base, &format!("127.0.1.{n}")).await;
        // The answer's first line says that it holds its place.
        let (request, first) = match n % 2 {
            0 => (get("/big"), b"HTTP/1.1 200"),
            _ => (
                "POST /counts HTTP/1.1\r\nhost: shop\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n"
                    .to_owned(),
                b"HTTP/1.1 100",
            ),
        };
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, first);
        transfers.push(stream);
    }
    let mut refused = connect_from(&t.base, "127.0.2.1").await;
    refused.write_all(get("/big").as_bytes()).await.unwrap();
    assert_eq!(answer(&mut refused).await, 503);
    drop(refused);
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(probe(&t.base, path).await, 200, "{path}");
    }
    assert!(figure(&t, "dispense_requests_refused_total", &["lasting"]).await >= 1.0);
    // A socket lasts as well.
    let socket = crate::live::client::Socket::dial(
        &t.base,
        &[("sec-websocket-protocol", crate::live::client::PROTOCOL)],
    );
    assert_eq!(socket.await.err().map(|(status, _)| status), Some(503));
    // What ends makes room for the next.
    drop(transfers);
    loop {
        let mut stream = connect_from(&t.base, "127.0.2.1").await;
        stream.write_all(get("/big").as_bytes()).await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        if head == *b"HTTP/1.1 200" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    t.finish().await;
}

/// Rows: X1, X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_client_has_so_many_requests_in_flight_whatever_proxy_it_comes_through() {
    let t = shop_with(|config| {
        config.connections.requests_per_client = 3;
        config.server.trusted_proxies = vec!["127.0.0.0/8".into()];
    })
    .await;
    let mut running = Vec::new();
    for _ in 0..3 {
        let mut stream = connect_from(&t.base, "127.0.0.1").await;
        let head = "POST /counts HTTP/1.1\r\nhost: shop\r\nx-forwarded-for: 203.0.113.5\r\ncontent-length: 10\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        running.push(stream);
    }
    reaches(&t, "dispense_http_requests_running", &[], 3.0).await;
    let ask = |client: &'static str| {
        let request = t.http().get(format!("{}/healthz", t.base)).header("x-forwarded-for", client);
        async move { request.send().await.unwrap() }
    };
    let refused = ask("203.0.113.5").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS.as_u16());
    assert!(refused.headers().contains_key("retry-after") && refused.headers().contains_key("x-request-id"));
    assert!(refused.text().await.unwrap().contains("RATE_LIMITED"));
    assert_eq!(ask("203.0.113.6").await.status(), 200);
    for stream in &mut running {
        stream.write_all(b"0123456789").await.unwrap();
        assert_eq!(answer(stream).await, 200);
    }
    assert_eq!(ask("203.0.113.5").await.status(), 200);
    assert_eq!(figure(&t, "dispense_requests_refused_total", &["in_flight"]).await, 1.0);
    t.finish().await;
}

/// Rows: X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_open_files_is_raised_and_what_does_not_fit_is_not_promised() {
    let db = TestDatabase::migrated().await;
    let folder = tempfile::tempdir().unwrap();
    let limited = |limits: &str| {
        let script = folder.path().join("limited");
        let text = format!("#!/bin/sh\n{limits}\nexec '{}' \"$@\"\n", program().display());
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Server::of(&db.app_url()).program(&script)
    };
    let figure = async |server: &Server, name: &str| -> f64 {
        // The listener of the shop may be open a moment later than that of the figures.
        for _ in 0..100 {
            let text = reqwest::get(server.admin("/metrics")).await.unwrap().text().await.unwrap();
            if let Some(value) = text.lines().find_map(|l| l.strip_prefix(name)?.trim().parse().ok()) {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{name} is missing")
    };
    let public = "dispense_connections_limit{listener=\"public\"}";
    let few = limited("ulimit -Sn 400; ulimit -Hn 900").start();
    assert_eq!(figure(&few, "dispense_open_files_limit").await, 900.0, "raised from 400");
    let fits = figure(&few, public).await;
    assert!((200.0..=322.0).contains(&fits), "{fits}");
    assert!(few.log().contains("too few open files"), "{}", few.log());
    assert_eq!(reqwest::get(few.url("/healthz")).await.unwrap().status(), 200);
    drop(few);
    let enough = limited("ulimit -Sn 1024; ulimit -Hn 4096")
        .edit(|toml| toml.replace("[connections]", "[connections]\nmost = 1500\nroom = 100"));
    let enough = enough.start();
    assert_eq!(figure(&enough, public).await, 1_500.0);
    assert!(!enough.log().contains("too few open files"), "{}", enough.log());
    drop(enough);
    let refused = limited("ulimit -n 280").try_start().err().expect("started with 280 open files");
    assert!(refused.contains("the system allows 280 open files"), "{refused}");
    db.finish().await;
}
