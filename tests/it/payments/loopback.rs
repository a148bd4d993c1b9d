//! Another side on loopback: answers what the test says and remembers what it was asked.

use std::sync::{Arc, Mutex};

use poem::http::StatusCode;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::Data;
use poem::{EndpointExt, Request, Response, Route, Server, handler};

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET /path`, without the query.
    pub what: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// A parameter of the query or of a form in the body.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let text = if self.body.is_empty() { &self.query } else { &self.body };
        url::form_urlencoded::parse(text.as_bytes()).find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
    }
}

type Answerer = dyn Fn(&Seen) -> (u16, String) + Send + Sync;

/// Listens until the test ends.
#[derive(Clone)]
pub struct Loopback {
    /// `http://127.0.0.1:PORT`.
    pub base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<Mutex<Arc<Answerer>>>,
}

impl Loopback {
    pub async fn start(answer: impl Fn(&Seen) -> (u16, String) + Send + Sync + 'static) -> Self {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
        let answer: Arc<Answerer> = Arc::new(answer);
        let side = Self {
            base: format!("http://{address}"),
            seen: Arc::default(),
            answer: Arc::new(Mutex::new(answer)),
        };
        let app = Route::new().at("/*path", take).data(side.clone());
        tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
        side
    }

    /// From now on it answers so.
    pub fn answer_by(&self, answer: impl Fn(&Seen) -> (u16, String) + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How often this was asked, as `POST /path`.
    pub fn count(&self, what: &str) -> usize {
        self.seen().iter().filter(|seen| seen.what == what).count()
    }

    /// The newest request of a kind.
    pub fn last(&self, what: &str) -> Seen {
        let seen = self.seen();
        let found = seen.iter().rev().find(|seen| seen.what == what);
        found.unwrap_or_else(|| panic!("never asked {what}: {seen:?}")).clone()
    }
}

#[handler]
fn take(side: Data<&Loopback>, request: &Request, body: Vec<u8>) -> Response {
    let headers = request.headers().iter();
    let seen = Seen {
        what: format!("{} {}", request.method(), request.uri().path()),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: headers.map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect(),
        body: String::from_utf8(body).unwrap(),
    };
    side.seen.lock().unwrap().push(seen.clone());
    let answer = side.answer.lock().unwrap().clone();
    let (status, body) = answer(&seen);
    Response::builder().status(StatusCode::from_u16(status).unwrap()).body(body)
}
