//! A WebSocket that speaks `graphql-transport-ws`. One task serves it; each operation runs in a task of its own and
//! sends its steps through a queue of few places, so that a client that does not read holds its operations up and, after
//! some seconds, is closed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use poem::Upgraded;
use serde_json::{Map, Value};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::base::caller::Caller;
use crate::base::clock;
use crate::base::error_code::ErrorCode;
use crate::base::text::Locale;
use crate::graphql::context::GraphqlBackend;
use crate::graphql::error::Refused;
use crate::graphql::live::follow::{Frame, Outlet};
use crate::graphql::live::frame::StreamStep;
use crate::graphql::live::message::{self, ClientMessage, Close};
use crate::graphql::live::operate;
use crate::graphql::live::slots::Entered;
use crate::graphql::viewer;
use crate::rest::credentials;

/// Steps that wait for a client.
const PLACES: usize = 8;

/// Signs of life of ours that may stay without an answer.
const UNANSWERED: u32 = 2;

/// How long a closed socket waits for the client's own end, and how many bytes of it are read away meanwhile: what lies
/// unread when the connection goes takes the reason with it.
const FAREWELL: Duration = Duration::from_secs(1);
const READ_AWAY: usize = 4 * 1024 * 1024;

/// Messages are counted over this time.
const WINDOW: Duration = Duration::from_secs(60);

/// How a socket ends.
enum SocketEnd {
    Closed(Close),
    /// The client went away.
    Gone,
    /// It does not read.
    Slow,
}

struct RunningOperation {
    serial: u64,
    task: AbortHandle,
}

/// What comes next on a socket.
enum SocketEvent {
    Message(Option<Result<Message, Error>>),
    Frame(Frame),
    Beat,
    Close(Close),
}

pub struct Socket {
    stream: WebSocketStream<Upgraded>,
    backend: Arc<GraphqlBackend>,
    caller: Caller,
    locale: Locale,
    entered: Entered,
    frames: mpsc::Sender<Frame>,
    read: mpsc::Receiver<Frame>,
    running: HashMap<String, RunningOperation>,
    tasks: JoinSet<()>,
    serial: u64,
    acknowledged: bool,
    /// Signs of life of ours since the client's last message.
    unanswered: u32,
    /// Messages since the window began.
    heard: (Instant, u32),
}

impl Socket {
    pub fn new(
        stream: WebSocketStream<Upgraded>,
        backend: Arc<GraphqlBackend>,
        caller: Caller,
        locale: Locale,
        entered: Entered,
    ) -> Self {
        let (frames, read) = mpsc::channel(PLACES);
        Self {
            stream,
            backend,
            caller,
            locale,
            entered,
            frames,
            read,
            running: HashMap::new(),
            tasks: JoinSet::new(),
            serial: 0,
            acknowledged: false,
            unanswered: 0,
            heard: (Instant::now(), 0),
        }
    }

    /// Serves it to its end.
    pub async fn run(mut self, speaks: bool) {
        let ended = if speaks { self.talk().await } else { SocketEnd::Closed(Close::no_protocol()) };
        self.tasks.abort_all();
        match ended {
            SocketEnd::Closed(close) => self.close(close).await,
            SocketEnd::Slow => self.entered.is_slow(),
            SocketEnd::Gone => {}
        }
    }

    async fn talk(&mut self) -> SocketEnd {
        let live = self.backend.live.clone();
        let config = self.backend.config.live.clone();
        let started = Instant::now();
        let beat = Duration::from_secs(config.heartbeat_seconds.max(1));
        let mut beats = interval_at(started + beat, beat);
        // A server that stood still for several beats makes them up at once otherwise, and takes all its clients for gone.
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let init = started + Duration::from_secs(config.init_seconds);
        let end = started + Duration::from_secs(config.stream_seconds).mul_f64(clock::jitter() - 0.2);
        loop {
            let event = tokio::select! {
                message = self.stream.next() => SocketEvent::Message(message),
                Some(frame) = self.read.recv() => SocketEvent::Frame(frame),
                _ = beats.tick() => SocketEvent::Beat,
                () = sleep_until(init), if !self.acknowledged => SocketEvent::Close(Close::init_timeout()),
                () = sleep_until(end) => SocketEvent::Close(Close::again()),
                () = live.closing.cancelled() => SocketEvent::Close(Close::again()),
            };
            let done = match event {
                SocketEvent::Message(message) => self.hear(message).await,
                SocketEvent::Frame(frame) => self.pass_on(frame).await,
                SocketEvent::Beat => self.beat().await,
                SocketEvent::Close(close) => Err(SocketEnd::Closed(close)),
            };
            if let Err(ended) = done {
                return ended;
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    async fn send(&mut self, text: String) -> Result<(), SocketEnd> {
        let patience = Duration::from_secs(self.backend.config.live.send_seconds);
        match timeout(patience, self.stream.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(SocketEnd::Gone),
            Err(_) => Err(SocketEnd::Slow),
        }
    }

    async fn beat(&mut self) -> Result<(), SocketEnd> {
        if self.unanswered >= UNANSWERED {
            return Err(SocketEnd::Gone);
        }
        self.unanswered += 1;
        self.send(message::ping()).await
    }

    async fn hear(&mut self, message: Option<Result<Message, Error>>) -> Result<(), SocketEnd> {
        let message = match message {
            None => return Err(SocketEnd::Gone),
            Some(Ok(message)) => message,
            Some(Err(Error::Capacity(_))) => return Err(SocketEnd::Closed(Close::too_large())),
            Some(Err(Error::Utf8(_))) => return Err(SocketEnd::Closed(Close::bad("text must be UTF-8"))),
            Some(Err(_)) => return Err(SocketEnd::Gone),
        };
        self.unanswered = 0;
        self.count()?;
        match message {
            Message::Text(text) => {
                let heard = message::read(text.as_str());
                self.answer(heard.map_err(|text| SocketEnd::Closed(Close::bad(text)))?).await
            }
            Message::Binary(_) => Err(SocketEnd::Closed(Close::bad("messages are text"))),
            Message::Close(_) => Err(SocketEnd::Gone),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
        }
    }

    fn count(&mut self) -> Result<(), SocketEnd> {
        if self.heard.0.elapsed() >= WINDOW {
            self.heard = (Instant::now(), 0);
        }
        self.heard.1 += 1;
        if self.heard.1 > self.backend.config.live.messages_per_minute {
            return Err(SocketEnd::Closed(Close::flood()));
        }
        Ok(())
    }

    async fn answer(&mut self, heard: ClientMessage) -> Result<(), SocketEnd> {
        match heard {
            ClientMessage::Init(_) if self.acknowledged => Err(SocketEnd::Closed(Close::second_init())),
            ClientMessage::Init(payload) => Box::pin(self.open(payload)).await,
            ClientMessage::Ping(payload) => self.send(message::pong(payload)).await,
            ClientMessage::Pong => Ok(()),
            ClientMessage::Subscribe { .. } if !self.acknowledged => {
                Err(SocketEnd::Closed(Close::unauthorized()))
            }
            ClientMessage::Subscribe { id, payload } => self.subscribe(id, payload).await,
            ClientMessage::Complete { id } => {
                if let Some(running) = self.running.remove(&id) {
                    running.task.abort();
                }
                Ok(())
            }
        }
    }

    /// Takes the credentials of `connection_init`, each in place of the header of the same name.
    async fn open(&mut self, payload: Map<String, Value>) -> Result<(), SocketEnd> {
        for (name, value) in &payload {
            let Some(text) = value.as_str() else { continue };
            match name.to_ascii_lowercase().as_str() {
                "authorization" => self.caller.bearer = Some(credentials::bearer_of(text)),
                credentials::ORDER_TOKEN => {
                    self.caller.order_tokens = credentials::order_tokens_of(std::iter::once(text));
                }
                "accept-language" => self.locale = Locale::negotiate(text).unwrap_or(self.locale),
                _ => {}
            }
        }
        match viewer::read(&self.backend, &self.caller, self.locale).await {
            Ok(_) => {}
            Err(refused) if refused.code == ErrorCode::Unavailable => {
                return Err(SocketEnd::Closed(Close::again()));
            }
            Err(refused) => return Err(SocketEnd::Closed(forbidden(&refused))),
        }
        self.acknowledged = true;
        self.send(message::ack()).await
    }

    async fn subscribe(&mut self, id: String, payload: Map<String, Value>) -> Result<(), SocketEnd> {
        if self.running.contains_key(&id) {
            return Err(SocketEnd::Closed(Close::duplicate(&id)));
        }
        let config = &self.backend.config.live;
        if self.running.len() >= config.operations_per_connection {
            let text = format!("a socket has at most {} operations", config.operations_per_connection);
            let step =
                StreamStep::refused(Refused::new(ErrorCode::RateLimited, text), &self.caller.request_id);
            return self.say(&id, step).await;
        }
        self.serial += 1;
        let outlet = Outlet {
            serial: self.serial,
            frames: self.frames.clone(),
            // The socket itself is closed earlier.
            patience: Duration::from_secs(config.send_seconds) * 2,
            own: None,
        };
        let running = operate::run(self.backend.clone(), self.caller.clone(), self.locale, payload, outlet);
        let task = self.tasks.spawn(running);
        self.running.insert(id, RunningOperation { serial: self.serial, task });
        Ok(())
    }

    /// Passes a step on, unless its operation was given up.
    async fn pass_on(&mut self, frame: Frame) -> Result<(), SocketEnd> {
        let running = self.running.iter().find(|(_, running)| running.serial == frame.serial);
        let Some(id) = running.map(|(id, _)| id.clone()) else { return Ok(()) };
        if matches!(frame.step, StreamStep::Failed(_) | StreamStep::Complete) {
            self.running.remove(&id);
        }
        self.say(&id, frame.step).await
    }

    async fn say(&mut self, id: &str, step: StreamStep) -> Result<(), SocketEnd> {
        let text = match step {
            StreamStep::Next { text, .. } => message::next(id, &text),
            StreamStep::Failed(errors) => message::error(id, &errors),
            StreamStep::Complete => message::complete(id),
            StreamStep::Beat => message::ping(),
            StreamStep::Again => return Err(SocketEnd::Closed(Close::again())),
            StreamStep::Unbelieved(refused) => return Err(SocketEnd::Closed(forbidden(&refused))),
        };
        self.send(text).await
    }

    async fn close(mut self, close: Close) {
        let frame = CloseFrame { code: close.code.into(), reason: close.reason.into() };
        let farewell = async {
            if self.stream.send(Message::Close(Some(frame))).await.is_err() {
                return;
            }
            let (raw, mut bytes, mut read) = (self.stream.get_mut(), vec![0; 4096], 0);
            while let Ok(more) = raw.read(&mut bytes).await {
                read += more;
                if more == 0 || read > READ_AWAY {
                    return;
                }
            }
        };
        let _ = timeout(FAREWELL, farewell).await;
    }
}

/// Why the credentials are not believed, by its code, which says what to do.
fn forbidden(refused: &Refused) -> Close {
    Close::forbidden(format!("{}: {}", refused.code, refused.message))
}
