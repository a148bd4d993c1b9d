//! The simulator as a running thing: its listener, its routes, what all handlers share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::{Data, Json, Path};
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Route, Server, get, handler, post};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::acts::{self, Input};
use super::book::Book;
use super::chaos::{self, Stories};
use super::drawer::Drawer;
use super::played::{AskedQuestion, Played, Reply};
use super::supplier::{SupplierSide, Wanted};
use super::trouble::Trouble;
use super::{notices, page, sides, supplier};
use crate::base::clock::Clock;
use crate::base::outcome::Fault;
use crate::config::Account;
use crate::infra::outbound::Outbound;

/// How a simulator is to be started.
pub struct SimulatorConfig {
    /// A loopback address; port 0 picks one.
    pub listen: SocketAddr,
    /// Names of the gateways to be played, as in a shop's configuration; empty: all.
    pub gateways: Vec<String>,
    /// What is not in it is made.
    pub secrets: Drawer,
    pub clock: Clock,
    /// How much faster than the gateways' own their gaps between attempts of a notice pass.
    pub speed: f64,
    /// Where the books are kept over restarts; none: in memory.
    pub state_file: Option<PathBuf>,
}

impl SimulatorConfig {
    /// These gateways on a free port, in a great hurry, nothing kept.
    pub fn new(gateways: &[&str], secrets: Drawer, clock: Clock) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            gateways: gateways.iter().map(|name| (*name).to_owned()).collect(),
            secrets,
            clock,
            speed: 100_000.0,
            state_file: None,
        }
    }
}

/// What all handlers share.
pub(super) struct Desk {
    pub clock: Clock,
    pub outbound: Outbound,
    /// `http://127.0.0.1:port`.
    pub base: String,
    sides: Vec<Arc<dyn Played>>,
    pub supplier: SupplierSide,
    speed: f64,
    /// Where notices go of gateways for which this is set in their dashboard, by the gateway's name.
    notify: Mutex<BTreeMap<String, String>>,
    trouble: Mutex<Trouble>,
    stories: Mutex<Stories>,
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

    /// The random stories; they are not kept over a restart.
    pub fn stories(&self) -> MutexGuard<'_, Stories> {
        lock(&self.stories)
    }

    pub fn trouble(&self) -> Trouble {
        *lock(&self.trouble)
    }

    pub fn notify_url(&self, side: &str) -> Option<String> {
        lock(&self.notify).get(side).cloned()
    }

    /// The gateway of this name, when it is played.
    pub fn side(&self, name: &str) -> Option<Arc<dyn Played>> {
        self.sides.iter().find(|side| side.name() == name).cloned()
    }

    /// A gap of the gateway's own, in seconds, as it passes here.
    pub fn fast(&self, gap: u32) -> Duration {
        Duration::from_secs_f64(f64::from(gap) / self.speed)
    }

    /// Address of a payment's page.
    pub fn page(&self, id: &str) -> String {
        format!("{}/pay/{id}", self.base)
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
    secrets: Drawer,
}

impl Simulator {
    /// Refuses any address but loopback: whoever reaches it can make payments.
    pub async fn start(config: SimulatorConfig) -> Result<Self, Fault> {
        let listen = config.listen;
        if !listen.ip().is_loopback() {
            return Err(Fault::setup("the simulator listens on loopback only"));
        }
        let book = match &config.state_file {
            Some(path) => Book::load(path).map_err(Fault::Bug)?,
            None => Book::default(),
        };
        let acceptor = TcpListener::bind(listen)
            .into_acceptor()
            .await
            .map_err(|e| Fault::Upstream(format!("the simulator cannot listen on {listen}: {e}")))?;
        let address = acceptor
            .local_addr()
            .first()
            .and_then(|local| local.as_socket_addr().copied())
            .ok_or_else(|| Fault::bug("a listener without an address"))?;
        let mut secrets = config.secrets;
        let gateways = config.gateways;
        // Making RSA keys takes its time.
        let made = tokio::task::spawn_blocking(move || {
            let sides = sides::played(&gateways, &mut secrets)?;
            let supplier = SupplierSide::new(&mut secrets)?;
            Ok::<_, Fault>((sides, supplier, secrets))
        });
        let (sides, supplier, secrets) = made.await.map_err(|e| Fault::bug(e.to_string()))??;
        let (stop, stopped) = watch::channel(false);
        let desk = Arc::new(Desk {
            clock: config.clock,
            outbound: Outbound::new()?,
            base: format!("http://{address}"),
            sides,
            supplier,
            speed: config.speed,
            notify: Mutex::default(),
            trouble: Mutex::default(),
            stories: Mutex::default(),
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
        Ok(Self { address, desk, stop, secrets })
    }

    /// All secrets as they are now, to be kept for another start.
    pub fn secrets(&self) -> &Drawer {
        &self.secrets
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The account a shop's configuration needs for this gateway, without currencies; none when it is not played.
    pub fn account(&self, gateway: &str) -> Option<Account> {
        self.desk.side(gateway).map(|side| side.account(&self.desk.base))
    }

    /// The accounts of all gateways that are played.
    pub fn accounts(&self) -> Vec<Account> {
        self.desk.sides.iter().map(|side| side.account(&self.desk.base)).collect()
    }

    /// Whether a gateway that is played takes a currency.
    pub fn takes(&self, gateway: &str, currency: &str) -> bool {
        self.desk.side(gateway).is_some_and(|side| side.takes(currency))
    }

    /// Where a gateway's notices go, as one would set it in its dashboard. Most gateways get it with each payment.
    pub fn set_notify_url(&self, gateway: &str, url: impl Into<String>) {
        lock(&self.desk.notify).insert(gateway.to_owned(), url.into());
    }

    /// The books: `payments` (with captures and refunds), `notices` (with every attempt and answer), `entries` (what
    /// happened, in order).
    pub fn journal(&self) -> Value {
        self.desk.read(Book::journal)
    }

    /// The same as `GET /sandbox/payments/{id}`: one payment as the journal has it, with its `notices`.
    pub fn payment(&self, id: &str) -> Option<Value> {
        self.desk.read(|book| book.page_of(id))
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

    /// The address of the supplier of this name, and the signing secret of all that are played.
    pub fn supplier(&self, name: &str) -> (String, String) {
        (format!("{}/supplier/{name}/orders", self.desk.base), self.desk.supplier.secret.clone())
    }

    /// What suppliers sold: `sold` by name and request id, and all `calls`.
    pub fn supplier_journal(&self) -> Value {
        self.desk.supplier.journal()
    }

    /// The same as `POST /sandbox/supplier/trouble`.
    pub fn set_supplier_trouble(&self, wanted: Value) -> Result<(), String> {
        let wanted: Wanted = serde_json::from_value(wanted).map_err(|e| e.to_string())?;
        self.desk.supplier.set_trouble(wanted.next, wanted.always);
        Ok(())
    }

    /// The supplier calls the shop back about a purchase, with what it is now or with `said`; the shop's status.
    pub async fn supplier_calls_back(&self, id: &str, said: Option<Value>) -> Result<u16, String> {
        supplier::call_back(&self.desk, id, said).await
    }

    /// Begins a story about these payments, by id or number; its number is what [`Simulator::next_step`] takes.
    pub fn begin_story(&self, seed: u64, payments: &[&str], steps: u64) -> Result<usize, String> {
        let payments: Vec<String> = payments.iter().map(|p| (*p).to_owned()).collect();
        chaos::start(&self.desk, seed, &payments, steps)
    }

    /// Plays a story's next step and answers what was done; `over` says that there is none.
    pub fn next_step(&self, story: usize) -> Result<Value, String> {
        chaos::next(&self.desk, story)
    }

    /// From now on a random story is played about each few payments that were paid, by this seed, a step a second.
    pub fn unleash_chaos(&self, seed: u64) {
        chaos::unleash(&self.desk, seed);
    }

    /// Returns once no notice is on its way: each was taken, lost or given up.
    pub async fn settled(&self) {
        loop {
            let waiting = self.desk.read(|book| book.notices.iter().any(|n| n.state == "sending"));
            if !waiting {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

fn routes(desk: Arc<Desk>) -> impl poem::Endpoint {
    let own = Route::new()
        .at("/", get(page::index))
        .at("/pay/:id", get(page::show))
        .at("/pay/:id/:act", post(page::press))
        .at("/supplier/:name/orders", post(supplier::take_order))
        .at("/supplier/:name/orders/:id", get(supplier::answer_status))
        .at("/sandbox/supplier", get(supplier::show))
        .at("/sandbox/supplier/trouble", post(supplier::make_trouble))
        .at("/sandbox/supplier/:id/deliver", post(supplier::press))
        .at("/sandbox/journal", get(journal))
        .at("/sandbox/trouble", post(make_trouble))
        .at("/sandbox/chaos", post(chaos::begin))
        .at("/sandbox/chaos/:story/:how", post(chaos::go_on))
        .at("/sandbox/payments/:id", get(show_payment))
        .at("/sandbox/payments/:id/:act", post(by_json));
    let sides = desk.sides.clone();
    let add = |routes: Route, side: Arc<dyn Played>| {
        routes.at(format!("/{}/*path", side.root()), SideEndpoint { desk: desk.clone(), side })
    };
    sides.into_iter().fold(own, add).data(desk.clone())
}

/// Where one gateway's calls come in, and where trouble ordered for it comes about.
struct SideEndpoint {
    desk: Arc<Desk>,
    side: Arc<dyn Played>,
}

impl Endpoint for SideEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let trouble = self.desk.trouble();
        if trouble.fail_calls {
            let reply = Reply::json(503, &json!({ "code": "OUT_OF_ORDER", "message": "try again later" }));
            return Ok(reply.into_response());
        }
        let (parts, body) = request.into_parts();
        let uri = &parts.uri;
        let segments = uri.path().trim_matches('/').split('/').skip(1).map(str::to_owned).collect();
        let asked = AskedQuestion {
            method: parts.method.clone(),
            target: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            path: segments,
            query: uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
            body: body.into_bytes_limit(1 << 20).await?.to_vec(),
            now: self.desk.clock.unix(),
        };
        let reply = self.side.answer(&self.desk, &asked);
        if trouble.spoil_answers {
            return Ok(Reply::bytes(502, "text/html", "<h1>502 Bad Gateway</h1>").into_response());
        }
        if trouble.lose_answers {
            self.desk.stopping().await;
        }
        Ok(reply.into_response())
    }
}

#[handler]
fn journal(desk: Data<&Arc<Desk>>) -> Json<Value> {
    Json(desk.read(Book::journal))
}

#[handler]
fn show_payment(desk: Data<&Arc<Desk>>, id: Path<String>) -> Response {
    match desk.read(|book| book.page_of(&id)) {
        Some(page) => Json(page).into_response(),
        None => poem::http::StatusCode::NOT_FOUND.into_response(),
    }
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
