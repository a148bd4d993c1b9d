//! A receiver of webhooks: keeps what it is sent and answers as the test says, path by path.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dispense::base::clock::Clock;
use poem::http::{StatusCode, header};
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::Data;
use poem::{EndpointExt, Request, Response, Server, handler};
use serde_json::Value;

use crate::harness::played::Seen;
use crate::harness::signing;

/// How a path answers; 200 unless it is said otherwise.
#[derive(Clone, Debug)]
pub enum Manner {
    Status(u16),
    /// 302, to this address.
    Redirect(String),
    /// Nothing for longer than anybody waits.
    Hang,
    /// 200 after this time.
    Slow(Duration),
    /// 200, and then a body without an end.
    Pour,
}

#[derive(Default)]
struct Kept {
    seen: Vec<Seen>,
    manners: HashMap<String, Manner>,
    /// Requests of a path that are being answered, and the most there were at once.
    open: HashMap<String, (usize, usize)>,
}

#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    pub port: u16,
    kept: Arc<Mutex<Kept>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
        let kept: Arc<Mutex<Kept>> = Arc::default();
        tokio::spawn(Server::new_with_acceptor(acceptor).run(take.data(kept.clone())));
        Self { url: format!("http://{address}"), port: address.port(), kept }
    }

    pub fn answers(&self, path: &str, manner: Manner) {
        self.kept.lock().unwrap().manners.insert(path.into(), manner);
    }

    /// What came to a path, in its order.
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        let kept = self.kept.lock().unwrap();
        kept.seen.iter().filter(|seen| seen.target == path).cloned().collect()
    }

    /// The types of the events that came to a path.
    pub fn types(&self, path: &str) -> Vec<String> {
        self.seen(path).iter().map(|seen| body(seen)["type"].as_str().unwrap().to_owned()).collect()
    }

    /// The names of the messages that came to a path.
    pub fn ids(&self, path: &str) -> Vec<String> {
        self.seen(path).iter().map(|seen| seen.header("webhook-id").to_owned()).collect()
    }

    /// The most requests of a path that were open at once.
    pub fn most_open(&self, path: &str) -> usize {
        self.kept.lock().unwrap().open.get(path).map_or(0, |(_, most)| *most)
    }
}

pub fn body(seen: &Seen) -> Value {
    serde_json::from_slice(&seen.body).unwrap()
}

/// Whether each of these secrets signed the message, by a library that the shop does not use.
pub fn signed_by(seen: &Seen, secrets: &[&str]) -> Vec<bool> {
    let at: i64 = seen.header("webhook-timestamp").parse().unwrap();
    let now = Clock::default().unix();
    assert!(at > now - 3_600, "{at} {now}");
    let given: Vec<&str> = seen.header("webhook-signature").split(' ').collect();
    let signs = |secret: &&str| {
        let own = signing::webhook(secret, seen.header("webhook-id"), at, &seen.text());
        let own = own.headers.iter().find(|(name, _)| name == "webhook-signature").unwrap();
        given.contains(&own.1.as_str())
    };
    secrets.iter().map(signs).collect()
}

struct Opened(Arc<Mutex<Kept>>, String);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.lock().unwrap().open.entry(self.1.clone()).or_default().0 -= 1;
    }
}

#[handler]
async fn take(kept: Data<&Arc<Mutex<Kept>>>, request: &Request, bytes: Vec<u8>) -> Response {
    let path = request.original_uri().path().to_owned();
    let headers = request.headers().iter();
    let seen = Seen {
        method: request.method().to_string(),
        target: path.clone(),
        headers: headers.map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect(),
        body: bytes,
    };
    let manner = {
        let mut kept = kept.0.lock().unwrap();
        kept.seen.push(seen);
        let open = kept.open.entry(path.clone()).or_default();
        *open = (open.0 + 1, open.1.max(open.0 + 1));
        kept.manners.get(&path).cloned().unwrap_or(Manner::Status(200))
    };
    let _opened = Opened(kept.0.clone(), path);
    match manner {
        Manner::Status(status) => {
            Response::builder().status(StatusCode::from_u16(status).unwrap()).body("secret of the receiver")
        }
        Manner::Redirect(to) => {
            Response::builder().status(StatusCode::FOUND).header(header::LOCATION, to).finish()
        }
        Manner::Hang => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            Response::builder().finish()
        }
        Manner::Slow(time) => {
            tokio::time::sleep(time).await;
            Response::builder().finish()
        }
        Manner::Pour => {
            let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 4_096]));
            Response::builder().body(poem::Body::from_bytes_stream(endless))
        }
    }
}
