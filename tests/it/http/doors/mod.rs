//! Slow clients, many clients, and those who are to be served all the same: raw sockets against the real server.

mod bounds;
mod honest;
mod slow;
mod stop;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use dispense::config::{Config, Connections};
use dispense::http::routes::{self, RouteRow};
use futures::stream;
use poem::http::Method;
use poem::{Body, Response, handler};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::TestApp;

/// What never happens within this is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of `/big`: more than any buffer on the way holds.
const BIG: usize = 64 * 1024 * 1024;
const PIECE: usize = 64 * 1024;

#[handler]
fn big() -> Response {
    let pieces = (0..BIG / PIECE).map(|_| Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b'x'; PIECE])));
    Response::builder().body(Body::from_bytes_stream(stream::iter(pieces)))
}

#[handler]
async fn counts(body: Body) -> Result<String, dispense::rest::problem::Problem> {
    let read = body.into_bytes_limit(BIG).await;
    let read = read.map_err(|e| dispense::rest::problem::Problem::of_body(&e, "too large"))?;
    Ok(read.len().to_string())
}

/// Routes of a download and an upload, beside the shop's.
fn rows() -> Vec<RouteRow> {
    vec![
        routes::row(Method::GET, "/big", big, "A large answer").lasting(),
        routes::row(Method::POST, "/counts", counts, "A body of any length").lasting(),
        routes::row(Method::POST, "/short", counts, "A body in its time"),
    ]
}

/// A shop with these bounds.
async fn shop(change: impl FnOnce(&mut Connections)) -> TestApp {
    shop_with(|config| change(&mut config.connections)).await
}

async fn shop_with(change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::start_with_rows(change, rows()).await
}

/// A connection from this address, with a small window of its own, so that what it does not read stays at the server.
async fn connect_from(base: &str, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let from: IpAddr = from.parse().unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    let server: SocketAddr = base.trim_start_matches("http://").parse().unwrap();
    socket.connect(server).await.unwrap()
}

async fn connect(base: &str) -> TcpStream {
    connect_from(base, "127.0.0.1").await
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n")
}

/// Reads one whole answer that has a length; its status.
async fn answer(stream: &mut TcpStream) -> u16 {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("closed before an answer"));
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length =
        head.lines().find_map(|l| l.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    head["http/1.1 ".len()..][..3].parse().unwrap()
}

/// Asks on a connection of its own, from its own address: what a shopper sees.
async fn probe(base: &str, path: &str) -> u16 {
    let mut stream = connect_from(base, "127.9.9.9").await;
    // One that is refused may be closed before it has sent all.
    let _ = stream.write_all(get(path).as_bytes()).await;
    answer(&mut stream).await
}

/// How long until the server closes, while `keep` is done every now and then; what it said before.
async fn until_closed(
    mut stream: TcpStream,
    every: Duration,
    send: &[u8],
    reads: usize,
) -> (Duration, Vec<u8>) {
    let (began, mut said) = (Instant::now(), Vec::new());
    let mut piece = vec![0; reads];
    loop {
        assert!(began.elapsed() < PATIENCE, "never closed");
        if !send.is_empty() && stream.write_all(send).await.is_err() {
            break;
        }
        if reads > 0 {
            match tokio::time::timeout(every, stream.read(&mut piece)).await {
                Ok(Ok(0) | Err(_)) => break,
                Ok(Ok(n)) => said.extend_from_slice(&piece[..n]),
                Err(_) => continue,
            }
        }
        tokio::time::sleep(every).await;
    }
    (began.elapsed(), said)
}

/// A figure of the process: the sum of all lines of this name whose labels have these words.
async fn figure(t: &TestApp, name: &str, words: &[&str]) -> f64 {
    let text = t.figures().await;
    let lines = text.lines().filter(|l| l.starts_with(name) && words.iter().all(|w| l.contains(w)));
    lines.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Waits until a figure is at least this.
async fn reaches(t: &TestApp, name: &str, words: &[&str], least: f64) {
    let began = Instant::now();
    while figure(t, name, words).await < least {
        assert!(began.elapsed() < PATIENCE, "{name} {words:?} never reached {least}:\n{}", t.figures().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
