//! HTTP/1.1 over connections that stay open, nothing more: the load must cost as little as it can.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, received: Vec::with_capacity(16_384) }
    }

    /// Sends a whole request and reads the whole answer: status and body.
    pub async fn ask(&mut self, request: &[u8]) -> (u16, Vec<u8>) {
        self.stream.write_all(request).await.unwrap();
        self.received.clear();
        let head = loop {
            self.read().await;
            if let Some(at) = self.received.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let text = String::from_utf8_lossy(&self.received[..head]).to_ascii_lowercase();
        let status = text.split_whitespace().nth(1).unwrap().parse().unwrap();
        let length: usize = text
            .lines()
            .find_map(|l| l.strip_prefix("content-length:"))
            .map(|l| l.trim().parse().unwrap())
            .unwrap_or(0);
        while self.received.len() < head + length {
            self.read().await;
        }
        (status, self.received[head..].to_vec())
    }

    async fn read(&mut self) {
        let read = self.stream.read_buf(&mut self.received).await.unwrap();
        assert!(read > 0, "the server closed the connection");
    }
}

pub fn post(path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{request}\r\n{body}").into_bytes()
}

/// What a run took: the whole, and the slowest of most requests.
pub struct Run {
    pub took: Duration,
    pub p50: Duration,
    pub p99: Duration,
}

/// Sends `count` requests over `in_flight` connections, each sending its next when the answer is there. Every answer
/// must be a success.
pub async fn run(
    address: &str,
    in_flight: usize,
    count: usize,
    request: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static,
) -> Run {
    let next = Arc::new(AtomicUsize::new(0));
    let request = Arc::new(request);
    let mut connections = Vec::new();
    for _ in 0..in_flight {
        connections.push(Connection::open(address).await);
    }
    let began = Instant::now();
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|mut connection| {
            let (next, request) = (next.clone(), request.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return times;
                    }
                    let bytes = request(n);
                    let sent = Instant::now();
                    let (status, body) = connection.ask(&bytes).await;
                    assert!((200..300).contains(&status), "{status}: {}", String::from_utf8_lossy(&body));
                    times.push(sent.elapsed());
                }
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let took = began.elapsed();
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    Run { took, p50: at(0.5), p99: at(0.99) }
}
