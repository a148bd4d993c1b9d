//! A gateway of a few lines: keeps every request and answers what the test says.

use std::sync::{Arc, Mutex};

use poem::http::StatusCode;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::Data;
use poem::{EndpointExt, Request, Response, Server, handler};

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Path and query as they stood in the request's line.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// Names and values of query and form, decoded.
    pub fn fields(&self) -> Vec<(String, String)> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        [query.as_bytes(), &self.body]
            .iter()
            .flat_map(|part| url::form_urlencoded::parse(part).into_owned().collect::<Vec<_>>())
            .collect()
    }
}

/// What is answered.
pub struct Said {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Said {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }
}

type Answers = dyn Fn(&Seen) -> Said + Send + Sync;

#[derive(Clone)]
pub struct Played {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Played {
    pub async fn start(answer: impl Fn(&Seen) -> Said + Send + Sync + 'static) -> Self {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let answer: Arc<Answers> = Arc::new(answer);
        tokio::spawn(Server::new_with_acceptor(acceptor).run(take.data((seen.clone(), answer))));
        Self { url: format!("http://{address}"), seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().unwrap().clone()
    }
}

/// What was asked, and what is answered.
type Kept = (Arc<Mutex<Vec<Seen>>>, Arc<Answers>);

#[handler]
fn take(played: Data<&Kept>, request: &Request, body: Vec<u8>) -> Response {
    let headers = request.headers().iter();
    let seen = Seen {
        method: request.method().to_string(),
        target: request.original_uri().path_and_query().unwrap().to_string(),
        headers: headers.map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect(),
        body,
    };
    played.0.0.lock().unwrap().push(seen.clone());
    let said = (played.0.1)(&seen);
    let status = StatusCode::from_u16(said.status).unwrap();
    let builder = Response::builder().status(status);
    said.headers.iter().fold(builder, |b, (n, v)| b.header(n, v)).body(said.body)
}
