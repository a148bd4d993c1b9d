//! Clients of both transports, as plain as they can be.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::harness::TestApp;
use crate::harness::sent::Sent;

pub const PROTOCOL: &str = "graphql-transport-ws";

/// What comes later than this does not come.
const PATIENCE: Duration = Duration::from_secs(15);

/// A socket.
pub struct Socket {
    pub stream: WebSocketStream<TcpStream>,
    /// The subprotocol that the server chose.
    pub protocol: Option<String>,
    sent: Option<Sent>,
    queries: Vec<(String, String)>,
}

/// What a server says next.
#[derive(Debug, PartialEq)]
pub enum Heard {
    Json(Value),
    Closed(u16, String),
    /// Without a word.
    Gone,
}

impl Socket {
    /// Opens one; the status and body of an answer that is no socket.
    pub async fn dial(base: &str, headers: &[(&str, &str)]) -> Result<Self, (u16, String)> {
        let address = base.trim_start_matches("http://");
        let mut request = format!("ws://{address}/graphql/ws").into_client_request().unwrap();
        for (name, value) in headers {
            let name: tokio_tungstenite::tungstenite::http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let raw = TcpStream::connect(address).await.unwrap();
        match tokio_tungstenite::client_async(request, raw).await {
            Ok((stream, response)) => {
                let protocol = response.headers().get("sec-websocket-protocol");
                let protocol = protocol.map(|p| p.to_str().unwrap().to_owned());
                Ok(Self { stream, protocol, sent: None, queries: Vec::new() })
            }
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8_lossy(&body).into_owned()))
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// One that offers these subprotocols or none, opened by hand: a client's library gives up when the server chooses
    /// none of its own.
    pub async fn offering(base: &str, protocols: Option<&str>) -> Self {
        let address = base.trim_start_matches("http://");
        let mut raw = TcpStream::connect(address).await.unwrap();
        let offer = protocols.map(|p| format!("sec-websocket-protocol: {p}\r\n")).unwrap_or_default();
        let request = format!(
            "GET /graphql/ws HTTP/1.1\r\nhost: {address}\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
        );
        raw.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(raw.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{head}");
        let protocol =
            head.lines().find_map(|l| l.strip_prefix("sec-websocket-protocol: ").map(str::to_owned));
        let stream = WebSocketStream::from_raw_socket(raw, Role::Client, None).await;
        Self { stream, protocol, sent: None, queries: Vec::new() }
    }

    /// One that has not sent anything yet.
    pub async fn silent(t: &TestApp) -> Self {
        let opened = Self::dial(&t.base, &[("sec-websocket-protocol", PROTOCOL)]).await;
        let mut socket = opened.unwrap_or_else(|(status, body)| panic!("{status}: {body}"));
        assert_eq!(socket.protocol.as_deref(), Some(PROTOCOL));
        socket.sent = Some(t.sent.clone());
        socket
    }

    /// One that is ready, with this payload of `connection_init`.
    pub async fn ready(t: &TestApp, payload: Value) -> Self {
        let mut socket = Self::silent(t).await;
        socket.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.hear().await, Heard::Json(json!({ "type": "connection_ack" })));
        socket
    }

    pub async fn open(t: &TestApp) -> Self {
        Self::ready(t, json!({})).await
    }

    pub async fn say(&mut self, message: Value) {
        self.stream.send(Message::text(message.to_string())).await.unwrap();
    }

    pub async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        self.queries.push((id.to_owned(), query.to_owned()));
        let payload = json!({ "query": query, "variables": variables });
        self.say(json!({ "id": id, "type": "subscribe", "payload": payload })).await;
    }

    /// The next message that is no sign of life; those are answered.
    pub async fn hear(&mut self) -> Heard {
        loop {
            let heard = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("silence");
            match heard {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(text.as_str()).unwrap();
                    if message["type"] == "ping" {
                        self.say(json!({ "type": "pong" })).await;
                        continue;
                    }
                    return Heard::Json(message);
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Heard::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_)) | Some(Err(_)) | None => return Heard::Gone,
            }
        }
    }

    pub async fn json(&mut self) -> Value {
        match self.hear().await {
            Heard::Json(message) => message,
            other => panic!("no message: {other:?}"),
        }
    }

    /// The payload of the next result of this operation.
    pub async fn next(&mut self, id: &str) -> Value {
        let message = self.json().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("next"), &json!(id)), "{message}");
        let payload = message["payload"].clone();
        if let (Some(sent), Some((_, query))) =
            (&self.sent, self.queries.iter().rev().find(|(known, _)| known == id))
        {
            sent.record(query, name_of(query), &payload);
        }
        payload
    }

    /// The code of the error that this operation ends with.
    pub async fn error(&mut self, id: &str) -> String {
        let message = self.json().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!(id)), "{message}");
        assert!(message["payload"][0]["extensions"]["requestId"].is_string(), "{message}");
        message["payload"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }

    pub async fn complete(&mut self, id: &str) {
        assert_eq!(self.json().await, json!({ "id": id, "type": "complete" }));
    }

    /// The code with which it is closed.
    pub async fn closed(&mut self) -> u16 {
        match self.hear().await {
            Heard::Closed(code, _) => code,
            other => panic!("not closed: {other:?}"),
        }
    }
}

/// A stream of events.
pub struct Events {
    response: reqwest::Response,
    text: String,
    sent: Option<(Sent, String)>,
    /// Signs of life that came.
    pub beats: usize,
}

/// One event.
#[derive(Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

impl Events {
    /// A stream over POST; the status and body of an answer that is none.
    pub async fn post(
        base: &str,
        query: &str,
        variables: Value,
        headers: &[(&str, &str)],
    ) -> Result<Self, (u16, Value)> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = client().post(format!("{base}/graphql")).header("content-type", "application/json");
        Self::of(request.body(body), headers).await
    }

    /// A stream over GET, as `EventSource` opens it.
    pub async fn get(
        base: &str,
        query: &str,
        variables: Value,
        headers: &[(&str, &str)],
    ) -> Result<Self, (u16, Value)> {
        let pairs = [("query", query.to_owned()), ("variables", variables.to_string())];
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Self::of(client().get(format!("{base}/graphql?{text}")), headers).await
    }

    async fn of(
        mut request: reqwest::RequestBuilder,
        headers: &[(&str, &str)],
    ) -> Result<Self, (u16, Value)> {
        request = request.header("accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        if status != 200 {
            return Err((status, serde_json::from_str(&response.text().await.unwrap()).unwrap()));
        }
        assert_eq!(kind, "text/event-stream; charset=utf-8");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Ok(Self { response, text: String::new(), sent: None, beats: 0 })
    }

    /// A guest's stream of this query.
    pub async fn open(t: &TestApp, query: &str, variables: Value) -> Self {
        let events = Self::post(&t.base, query, variables, &[]).await.unwrap();
        assert_eq!(events.response.headers()["x-accel-buffering"], "no");
        events.recorded(t, query)
    }

    /// What comes is recorded as this shop's.
    pub fn recorded(mut self, t: &TestApp, query: &str) -> Self {
        self.sent = Some((t.sent.clone(), query.to_owned()));
        self
    }

    /// The next event; none when the stream has ended.
    pub async fn hear(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    block.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':').map(str::trim_start))
                };
                let Some(data) = field("data") else {
                    self.beats += 1;
                    continue;
                };
                let data = if data.is_empty() { Value::Null } else { serde_json::from_str(data).unwrap() };
                let name = field("event").unwrap().to_owned();
                if let Some((sent, query)) = &self.sent {
                    sent.record(query, name_of(query), &data);
                }
                return Some(Event { name, id: field("id").map(str::to_owned), data });
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("silence");
            match chunk {
                Ok(Some(bytes)) => self.text.push_str(std::str::from_utf8(&bytes).unwrap()),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The data of the next result.
    pub async fn next(&mut self) -> Value {
        let event = self.hear().await.expect("the stream has ended");
        assert_eq!(event.name, "next", "{event:?}");
        event.data
    }

    /// The code of the error that it ends with.
    pub async fn error(&mut self) -> String {
        let data = self.next().await;
        assert!(data.get("data").is_none(), "{data}");
        let code = data["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned();
        self.complete().await;
        code
    }

    pub async fn complete(&mut self) {
        let event = self.hear().await.expect("the stream has ended without a word");
        assert_eq!((event.name.as_str(), &event.data), ("complete", &Value::Null));
        assert_eq!(self.hear().await, None);
    }
}

/// The name of a document's only operation.
fn name_of(query: &str) -> Option<&str> {
    let name = query.trim_start().strip_prefix("subscription ")?.split(['(', ' ', '{']).next();
    name.filter(|name| !name.is_empty())
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}
