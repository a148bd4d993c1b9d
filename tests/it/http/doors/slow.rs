//! Each kind of slow client is cut off in its time, and the shop answers others meanwhile.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{connect, figure, get, probe, reaches, shop, until_closed};

const EACH: usize = 15;
const TENTH: Duration = Duration::from_millis(100);

/// Rows: X3, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_bodies_readers_and_idle_connections_are_closed_in_time_while_others_are_answered() {
    let t = shop(|c| {
        (c.head_seconds, c.body_seconds, c.idle_seconds) = (1, 1, 1);
        (c.stall_seconds, c.bytes_per_second) = (1, 50_000);
    })
    .await;
    let base = t.base.clone();
    let head = async || {
        let mut stream = connect(&base).await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: shop\r\n").await.unwrap();
        until_closed(stream, TENTH, b"x: y\r\n", 0).await
    };
    let silent = async || until_closed(connect(&base).await, TENTH, b"", 16).await;
    let body = async |path: &'static str| {
        let mut stream = connect(&base).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        until_closed(stream, TENTH, b" ", 4_096).await
    };
    let reader = async |path: &'static str| {
        let mut stream = connect(&base).await;
        stream.write_all(get(path).as_bytes()).await.unwrap();
        // A tenth of the least rate.
        until_closed(stream, TENTH, b"", 500).await
    };
    let idle = async || {
        let mut stream = connect(&base).await;
        stream.write_all(get("/healthz").as_bytes()).await.unwrap();
        assert_eq!(super::answer(&mut stream).await, 200);
        until_closed(stream, TENTH, b"", 16).await
    };
    let shopper = async {
        let (began, mut slowest) = (Instant::now(), Duration::ZERO);
        while began.elapsed() < Duration::from_millis(1_500) {
            let asked = Instant::now();
            assert_eq!(probe(&base, "/healthz").await, 200);
            slowest = slowest.max(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        slowest
    };
    let (heads, silences, bodies, uploads, readers, idles, slowest) = tokio::join!(
        join_all((0..EACH).map(|_| head())),
        join_all((0..EACH).map(|_| silent())),
        join_all((0..EACH).map(|n| body(["/short", "/graphql", "/webhooks/none"][n % 3]))),
        join_all((0..EACH).map(|_| body("/counts"))),
        join_all((0..EACH).map(|_| reader("/big"))),
        join_all((0..EACH).map(|_| idle())),
        shopper
    );
    assert!(slowest < Duration::from_secs(1), "a shopper waited {slowest:?}");
    for (name, closed) in [
        ("heads", &heads),
        ("silences", &silences),
        ("uploads", &uploads),
        ("readers", &readers),
        ("idles", &idles),
    ] {
        for (after, _) in closed {
            assert!((0.8..8.0).contains(&after.as_secs_f64()), "{name}: after {after:?}");
        }
    }
    for (after, said) in bodies.iter().chain(&uploads) {
        assert!(after.as_secs_f64() < 8.0, "bodies: after {after:?}");
        let said = String::from_utf8_lossy(said);
        // An account that does not exist is refused before its body is read.
        assert!(said.starts_with("HTTP/1.1 408 ") || said.starts_with("HTTP/1.1 404 "), "{said}");
    }
    let said = String::from_utf8_lossy(&uploads[0].1).into_owned();
    assert!(said.contains("\"code\":\"BAD_REQUEST\"") && said.contains("too slowly"), "{said}");
    for (reason, least) in
        [("slow_head", EACH), ("slow_reader", EACH), ("idle", 2 * EACH), ("slow_body", EACH * 5 / 3)]
    {
        let words = ["listener=\"public\"", &format!("reason=\"{reason}\"")];
        reaches(&t, "dispense_connections_closed_total", &words, least as f64).await;
    }
    assert!(figure(&t, "dispense_requests_refused_total", &["slow_body"]).await >= EACH as f64);
    reaches(&t, "dispense_http_requests_running", &[], 0.0).await;
    t.finish().await;
}

/// The preface of HTTP/2 and an empty SETTINGS frame (RFC 9113, sections 3.4 and 6.5).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// HEADERS of stream 1, whole and last: GET, http, `/healthz`, authority `shop` (RFC 7541, static table).
const HEADERS: &[u8] = b"\0\0\x12\x01\x05\0\0\0\x01\x82\x86\x04\x08/healthz\x01\x04shop";

/// Reads frames until there is one of this type; its payload.
async fn frame(stream: &mut tokio::net::TcpStream, wanted: u8) -> Option<Vec<u8>> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let mut payload =
            vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await.ok()?;
        if head[3] == wanted {
            return Some(payload);
        }
    }
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_is_spoken_and_has_the_same_times() {
    let t = shop(|c| (c.head_seconds, c.idle_seconds) = (1, 1)).await;
    // One that only says hello, one that goes on to ask, and one that says half of a request.
    let mut hello = connect(&t.base).await;
    hello.write_all(PREFACE).await.unwrap();
    let mut asks = connect(&t.base).await;
    asks.write_all(&[PREFACE, HEADERS].concat()).await.unwrap();
    let mut half = connect(&t.base).await;
    half.write_all(&[PREFACE, &HEADERS[..HEADERS.len() - 4]].concat()).await.unwrap();
    let began = Instant::now();
    let answered = frame(&mut asks, 1).await.expect("no answer");
    assert_eq!(answered[0], 0x88, ":status 200");
    for stream in [&mut hello, &mut asks, &mut half] {
        let mut rest = Vec::new();
        let _ =
            tokio::time::timeout(super::PATIENCE, stream.read_to_end(&mut rest)).await.expect("never closed");
    }
    assert!((0.8..8.0).contains(&began.elapsed().as_secs_f64()), "{:?}", began.elapsed());
    t.finish().await;
}
