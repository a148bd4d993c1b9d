//! What is killed, and what it stands between: gateways, a supplier, a mail server, a receiver of events.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dispense::base::ids::VariantId;
use dispense::base::secret::Secret;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::faults::town::outbound;
use crate::goods::shop::Counter;
use crate::harness::{Front, Server, Setup, SmtpServer, TestDatabase};
use crate::hooks::receiver::Receiver;
use crate::payments::stories::chance::Chance;
use crate::payments::stories::shop::Shop;
use crate::payments::street::{GATEWAYS, Street, street_over};
use crate::suppliers::shop::Bazaar;

/// So that a notice outlives servers that are away for a second, and the last of them still comes in time.
const SPEED: f64 = 1_000.0;

/// Longest that anybody asks for the same thing before the shop is said not to recover.
const PATIENCE: Duration = Duration::from_secs(60);

/// In a hurry, and patient: gaps are short and there are many of them, so that a minute of kills uses up none.
const HURRIED: &str = "[worker]\njob_seconds = 4\nhook_seconds = 1\n\
    message_gaps = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n\
    hook_gaps = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n\
    payment_check_gaps = [1, 1, 2, 2, 3, 3, 5, 5, 5, 5, 5, 5, 5, 5, 5]\n";

/// The endpoints: one that wants its events in order, and one that takes them as they come.
pub const ENDPOINTS: [(&str, bool); 2] = [("/ordered", true), ("/any", false)];

/// What they hear of.
pub const EVENTS: [&str; 3] = ["order.placed", "order.paid", "line.assigned"];

#[derive(Default)]
pub struct Counts {
    pub kills: [AtomicUsize; 4],
    pub repeats: AtomicUsize,
    pub imports: AtomicUsize,
    pub troubles: AtomicUsize,
}

/// What is sold for a currency, and how.
#[derive(Clone, Copy, Debug)]
pub struct Goods {
    pub variant: VariantId,
    pub currency: &'static str,
    pub from_supplier: bool,
}

pub struct World {
    pub shop: Shop,
    pub front: Front,
    pub smtp: SmtpServer,
    pub receiver: Receiver,
    /// Two servers, then two workers.
    pub processes: [tokio::sync::Mutex<Option<Server>>; 4],
    pub goods: [Goods; 3],
    pub setup: Setup,
    /// Logs of processes that were killed.
    pub logs: Mutex<Vec<String>>,
    /// Texts that were brought in, by batch.
    pub brought: Mutex<HashMap<String, Vec<String>>>,
    pub counts: Counts,
    over: AtomicBool,
}

/// Connects the supplier and the endpoints; the variant that the supplier sells.
async fn connect(street: Street, receiver: &Receiver) -> (Street, VariantId) {
    let bazaar = Bazaar { counter: Counter::over(street.t).await, simulator: street.simulator };
    bazaar.t().canary("SUP-");
    bazaar.t().canary(bazaar.simulator.supplier("").1);
    let supplier = bazaar.connect("Gifts").await;
    let variant = bazaar.selling(&[&supplier]).await;
    let boss = bazaar.boss().await;
    for (path, ordered) in ENDPOINTS {
        let url = format!("{}{path}", receiver.url);
        let input = json!({ "url": url, "eventTypes": EVENTS, "ordered": ordered });
        let made = boss.act("hookEndpointCreate", input, "endpoint { id } signingSecret").await;
        bazaar.t().canary(made["signingSecret"].as_str().unwrap_or_else(|| panic!("{made}")));
    }
    let Bazaar { counter, simulator } = bazaar;
    (Street { t: counter.t, simulator }, variant)
}

impl World {
    pub async fn open() -> Arc<Self> {
        let (smtp, receiver, front) =
            (SmtpServer::start().await, Receiver::start().await, Front::start(2).await);
        let mail = format!("smtp://{}?tls=none", smtp.address);
        let (url, address, port) = (mail.clone(), front.url.clone(), receiver.port);
        let street = street_over(
            TestDatabase::migrated().await,
            SPEED,
            |_| {},
            |config| {
                config.mail.url = Some(Secret::new(url));
                config.server.public_url = address;
                let gateways = url::Url::parse(config.accounts[0].api_url.as_deref().unwrap()).unwrap();
                config.outbound.private_networks = vec!["127.0.0.0/8".into()];
                config.outbound.plain_http = true;
                config.outbound.ports = vec![gateways.port().unwrap(), port];
            },
        )
        .await;
        for name in GATEWAYS {
            street.simulator.set_notify_url(name, format!("{}/webhooks/{name}", front.url));
        }
        let keys = |method: &'static str| {
            let street = &street;
            async move {
                let variant = street.selling(method, 10, 1_900).await;
                Goods { variant, currency: crate::payments::street::currency(method), from_supplier: false }
            }
        };
        let (dollars, yuan) = (keys("stripe").await, keys("alipay").await);
        let (street, variant) = connect(street, &receiver).await;
        let sql = format!("update price set unit_minor = 1900 where variant_id = '{}'", variant.0);
        street.t.db.sql(&sql).await;
        let gifts = Goods { variant, currency: "USD", from_supplier: true };
        let config = format!(
            "[server]\npublic_url = \"{}\"\n{}[mail]\nurl = \"{mail}\"\ntimeout_seconds = 1\n{HURRIED}\
             [shop]\nunpaid_orders_per_client = 100000\nunpaid_orders_per_device = 100000\n",
            front.url,
            outbound(&street.simulator, receiver.port),
        );
        let shop = Shop::open(street).await;
        // Each with a configuration file of its own: it is written at every start.
        let setup = || shop.street.setup().data(shop.street.t.data.path()).config(&config);
        let server = || setup().arg("--no-worker").start();
        let processes = [server(), server(), setup().works().start(), setup().works().start()];
        let setup = setup();
        for (place, server) in processes[..2].iter().enumerate() {
            front.set(place, &server.address);
        }
        Arc::new(Self {
            shop,
            front,
            smtp,
            receiver,
            processes: processes.map(|process| tokio::sync::Mutex::new(Some(process))),
            goods: [dollars, yuan, gifts],
            setup,
            logs: Mutex::default(),
            brought: Mutex::default(),
            counts: Counts::default(),
            over: AtomicBool::new(false),
        })
    }

    /// Nothing new is begun from now on, and nobody is killed.
    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Asks until there is an answer, as a client does that has kept its idempotency key.
    pub async fn insist(&self, query: &str, variables: Value, token: impl Fn() -> Option<String>) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.shop.ask_at(&self.front.url, query, variables.clone(), token().as_deref()).await {
                Ok(data) => return data,
                Err(said) => {
                    assert!(Instant::now() < deadline, "never answered {variables}: {said}");
                    assert!(!said.contains("INVALID"), "{said}");
                }
            }
            self.counts.repeats.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills the process in this place, and starts it again at once. One that is being started is not there to be killed: then
    /// it is the next one's turn.
    async fn kill(&self, place: usize) {
        let there =
            (0..4).map(|n| (place + n) % 4).find_map(|at| Some((at, self.processes[at].try_lock().ok()?)));
        let Some((place, mut held)) = there else { return };
        let mut process = held.take().unwrap();
        process.kill();
        self.logs.lock().unwrap().push(process.log());
        self.counts.kills[place].fetch_add(1, Ordering::Relaxed);
        let started = tokio::task::spawn_blocking(move || process.start_again()).await.unwrap();
        if place < 2 {
            self.front.set(place, &started.address);
        }
        *held = Some(started);
    }
}

/// Kills one of the four every second, whether the last one is back or not.
pub async fn kill(world: Arc<World>, seed: u64) {
    let mut chance = Chance::of(seed ^ 0x0dead);
    let (mut next, mut starting) = (Instant::now(), JoinSet::new());
    while !world.is_over() {
        next += Duration::from_secs(1);
        tokio::time::sleep_until(next.into()).await;
        let (world, place) = (world.clone(), chance.below(4));
        starting.spawn(async move { world.kill(place).await });
    }
    starting.join_all().await;
}
