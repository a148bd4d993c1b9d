//! The simulator as a running thing: its listener, its routes, what all handlers share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::{Data, Json, Path};
use poem::{EndpointExt, IntoResponse, Response, Route, Server, get, handler, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::acts::{self, Input};
use super::book::Book;
use super::{generic, notices, page, stripe};
use crate::base::clock::Clock;
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::infra::outbound::Outbound;

/// The Stripe that is played.
pub struct StripeSide {
    /// The endpoint's signing secret, `whsec_…`.
    pub secret: Secret,
    /// What the shop must send as bearer.
    pub api_key: Secret,
    /// Where events go; can be told later, when the shop listens.
    pub notify_url: Option<String>,
    /// What events say about the mode; a shop's test account expects false.
    pub livemode: bool,
}

/// The generic gateway that is played; payments bring their own notify address.
pub struct GenericSide {
    pub secret: Secret,
}

pub struct SimulatorConfig {
    /// A loopback address; port 0 picks one.
    pub listen: SocketAddr,
    pub stripe: Option<StripeSide>,
    pub generic: Option<GenericSide>,
    pub clock: Clock,
    /// Gaps between attempts of a notice. After the last it is given up.
    pub retry_gaps: Vec<Duration>,
    /// Where the books are kept over restarts; none: in memory.
    pub state_file: Option<PathBuf>,
}

impl SimulatorConfig {
    /// Both gateways on a free port, nothing kept.
    pub fn new(stripe: StripeSide, generic: GenericSide, clock: Clock) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            stripe: Some(stripe),
            generic: Some(generic),
            clock,
            retry_gaps: [50, 100, 200, 400, 800, 1_600, 3_200].map(Duration::from_millis).to_vec(),
            state_file: None,
        }
    }
}

/// How the simulator misbehaves when asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", default)]
pub(super) struct Trouble {
    /// Acts on a call of the API and never answers it.
    pub lose_answers: bool,
    /// Answers every call with 503 and does nothing.
    pub fail_calls: bool,
    /// Answers with somebody else's signature (the generic gateway).
    pub forge_answers: bool,
    /// What becomes of a refund asked for by API: `succeeded` by default, `pending`, `failed`.
    pub refunds: Option<RefundCourse>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefundCourse {
    Succeeded,
    Pending,
    Failed,
}

impl RefundCourse {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Pending => "pending",
            Self::Failed => "failed",
        }
    }
}

/// What all handlers share.
pub(super) struct Desk {
    pub clock: Clock,
    pub outbound: Outbound,
    pub stripe: Option<StripeSide>,
    pub generic: Option<GenericSide>,
    pub retry_gaps: Vec<Duration>,
    /// `http://127.0.0.1:port`.
    pub base: String,
    notify: Mutex<Option<String>>,
    trouble: Mutex<Trouble>,
    book: Mutex<Book>,
    state_file: Option<PathBuf>,
    stop: watch::Receiver<bool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    pub fn read<T>(&self, question: impl FnOnce(&Book) -> T) -> T {
        question(&lock(&self.book))
    }

    /// One change of the books, kept before anybody hears of it.
    pub fn change<T>(&self, change: impl FnOnce(&mut Book) -> T) -> T {
        let mut book = lock(&self.book);
        let done = change(&mut book);
        if let Some(path) = &self.state_file
            && let Err(error) = book.save(path)
        {
            tracing::warn!(error, "the simulator could not keep its books");
        }
        done
    }

    pub fn trouble(&self) -> Trouble {
        *lock(&self.trouble)
    }

    pub fn stripe_notify_url(&self) -> Option<String> {
        lock(&self.notify).clone()
    }

    /// Returns when the simulator is being stopped.
    pub async fn stopping(&self) {
        let mut stop = self.stop.clone();
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// A running simulator; dropping it stops it.
pub struct Simulator {
    address: SocketAddr,
    desk: Arc<Desk>,
    stop: watch::Sender<bool>,
}

impl Simulator {
    /// Refuses any address but loopback: whoever reaches it can make payments.
    pub async fn start(config: SimulatorConfig) -> Result<Self, Fault> {
        if !config.listen.ip().is_loopback() {
            return Err(Fault::setup("the simulator listens on loopback only"));
        }
        let book = match &config.state_file {
            Some(path) => Book::load(path).map_err(Fault::Bug)?,
            None => Book::default(),
        };
        let acceptor = TcpListener::bind(config.listen)
            .into_acceptor()
            .await
            .map_err(|e| Fault::Upstream(format!("the simulator cannot listen on {}: {e}", config.listen)))?;
        let address = acceptor
            .local_addr()
            .first()
            .and_then(|local| local.as_socket_addr().copied())
            .ok_or_else(|| Fault::bug("a listener without an address"))?;
        let (stop, stopped) = watch::channel(false);
        let notify = config.stripe.as_ref().and_then(|s| s.notify_url.clone());
        let desk = Arc::new(Desk {
            clock: config.clock,
            outbound: Outbound::new()?,
            stripe: config.stripe,
            generic: config.generic,
            retry_gaps: config.retry_gaps,
            base: format!("http://{address}"),
            notify: Mutex::new(notify),
            trouble: Mutex::default(),
            book: Mutex::new(book),
            state_file: config.state_file,
            stop: stopped,
        });
        let ending = desk.clone();
        let server = Server::new_with_acceptor(acceptor).run_with_graceful_shutdown(
            routes(desk.clone()),
            async move { ending.stopping().await },
            Some(Duration::ZERO),
        );
        tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the simulator ended");
            }
        });
        notices::resume(&desk);
        Ok(Self { address, desk, stop })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `api_url` of an account at the simulated Stripe.
    pub fn stripe_url(&self) -> String {
        self.desk.base.clone()
    }

    /// `api_url` of an account at the simulated generic gateway.
    pub fn generic_url(&self) -> String {
        format!("{}/generic", self.desk.base)
    }

    /// Where Stripe's events go, as one would set it in Stripe's dashboard.
    pub fn set_stripe_notify_url(&self, url: impl Into<String>) {
        *lock(&self.desk.notify) = Some(url.into());
    }

    /// The books: `payments` (with captures and refunds), `notices` (with every attempt and answer), `entries` (what
    /// happened, in order).
    pub fn journal(&self) -> Value {
        self.desk.read(Book::journal)
    }

    /// The same as `POST /sandbox/payments/{id}/{act}`; the error is the act's refusal.
    pub fn act(&self, id: &str, act: &str, input: Value) -> Result<Value, String> {
        let input: Input = serde_json::from_value(input).map_err(|e| e.to_string())?;
        acts::act(&self.desk, id, act, &input).map_err(|refusal| refusal.message)
    }

    /// The same as `POST /sandbox/trouble`.
    pub fn set_trouble(&self, trouble: Value) -> Result<(), String> {
        *lock(&self.desk.trouble) = serde_json::from_value(trouble).map_err(|e| e.to_string())?;
        Ok(())
    }

    /// Returns once no notice is on its way: each was taken, lost or given up.
    pub async fn settled(&self) {
        loop {
            let waiting = self.desk.read(|book| book.notices.iter().any(|n| n.state == "sending"));
            if !waiting {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

fn routes(desk: Arc<Desk>) -> impl poem::Endpoint {
    Route::new()
        .at("/", get(page::index))
        .at("/pay/:id", get(page::show))
        .at("/pay/:id/:act", post(page::press))
        .at("/sandbox/journal", get(journal))
        .at("/sandbox/trouble", post(make_trouble))
        .at("/sandbox/payments/:id/:act", post(by_json))
        .at("/v1/checkout/sessions", post(stripe::create_session))
        .at("/v1/checkout/sessions/:id", get(stripe::show_session))
        .at("/v1/checkout/sessions/:id/expire", post(stripe::expire_session))
        .at("/v1/refunds", get(stripe::list_refunds).post(stripe::create_refund))
        .at("/v1/refunds/:id", get(stripe::show_refund))
        .at("/generic/payments", post(generic::create_payment))
        .at("/generic/payments/:id", get(generic::show_payment))
        .at("/generic/payments/:id/close", post(generic::close_payment))
        .at("/generic/refunds", post(generic::create_refund))
        .at("/generic/refunds/:id", get(generic::show_refund))
        .data(desk)
}

#[handler]
fn journal(desk: Data<&Arc<Desk>>) -> Json<Value> {
    Json(desk.read(Book::journal))
}

#[handler]
fn make_trouble(desk: Data<&Arc<Desk>>, wanted: Json<Trouble>) -> Json<Value> {
    *lock(&desk.trouble) = wanted.0;
    Json(json!({ "ok": true }))
}

#[handler]
async fn by_json(desk: Data<&Arc<Desk>>, Path((id, act)): Path<(String, String)>, body: Vec<u8>) -> Response {
    let input = if body.is_empty() { Ok(Input::default()) } else { serde_json::from_slice(&body) };
    match input.map_err(|e| e.to_string()).map(|input| acts::act(&desk, &id, &act, &input)) {
        Ok(Ok(done)) => Json(done).into_response(),
        Ok(Err(refusal)) => {
            Json(json!({ "error": refusal.message })).with_status(refusal.status).into_response()
        }
        Err(error) => {
            Json(json!({ "error": error })).with_status(poem::http::StatusCode::BAD_REQUEST).into_response()
        }
    }
}
