//! What the storm blows on: a durable cluster, two servers behind one address, the gateways, a mail server.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dispense::base::ids::VariantId;
use dispense::base::secret::Secret;
use serde_json::Value;

use crate::harness::{DurableCluster, Front, Server, SmtpServer, TestDatabase};
use crate::payments::stories::shop::Shop;
use crate::payments::street::{currency, street_over};

/// So that a notice outlives a server that is away for a second or two, and the last of them still comes in time.
const SPEED: f64 = 1_000.0;

/// Longest that anybody asks for the same thing before the shop is said not to recover.
const PATIENCE: Duration = Duration::from_secs(90);

/// What happened, for the last line.
#[derive(Default)]
pub struct Counts {
    pub kills: AtomicUsize,
    pub pauses: AtomicUsize,
    pub database_kills: AtomicUsize,
    pub repeats: AtomicUsize,
    pub refunds: AtomicUsize,
    pub imported: AtomicUsize,
}

pub struct World {
    pub shop: Shop,
    pub front: Front,
    pub smtp: SmtpServer,
    pub servers: [tokio::sync::Mutex<Option<Server>>; 2],
    pub cluster: tokio::sync::Mutex<DurableCluster>,
    /// What is sold, one thing for each currency.
    pub variants: [(&'static str, VariantId); 2],
    /// What buyers were shown: the order's number by the key's text.
    pub shown: Mutex<HashMap<String, Vec<String>>>,
    /// Logs of servers that were killed.
    pub logs: Mutex<Vec<String>>,
    pub counts: Counts,
    over: AtomicBool,
}

impl World {
    pub async fn open() -> Arc<Self> {
        let cluster = DurableCluster::start().await;
        let database = TestDatabase::durable(&cluster.database().await);
        let (smtp, front) = (SmtpServer::start().await, Front::start(2).await);
        let mail = format!("smtp://{}?tls=none", smtp.address);
        let (url, address) = (mail.clone(), front.url.clone());
        let street = street_over(
            database,
            SPEED,
            |_| {},
            |config| {
                config.mail.url = Some(Secret::new(url));
                config.server.public_url = address;
            },
        )
        .await;
        for name in super::super::street::GATEWAYS {
            street.simulator.set_notify_url(name, format!("{}/webhooks/{name}", front.url));
        }
        let mut variants = Vec::new();
        for method in ["stripe", "alipay"] {
            variants.push((currency(method), street.selling(method, 10, 1_900).await));
        }
        let shop = Shop::open(street).await;
        let config = format!(
            "[server]\npublic_url = \"{}\"\n[mail]\nurl = \"{mail}\"\n[shop]\nunpaid_orders_per_client = 100000\n\
             unpaid_orders_per_device = 100000\nresend_gap_seconds = 1\nresends_per_hour = 1000\n",
            front.url
        );
        // Each with a configuration file of its own: it is written at every start.
        let start = || shop.street.setup().data(shop.street.t.data.path()).config(&config).start();
        let servers = [start(), start()];
        for (place, server) in servers.iter().enumerate() {
            front.set(place, &server.address);
        }
        Arc::new(Self {
            shop,
            front,
            smtp,
            servers: servers.map(|server| tokio::sync::Mutex::new(Some(server))),
            cluster: tokio::sync::Mutex::new(cluster),
            variants: variants.try_into().unwrap(),
            shown: Mutex::default(),
            logs: Mutex::default(),
            counts: Counts::default(),
            over: AtomicBool::new(false),
        })
    }

    /// Nothing new is begun from now on.
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
            let token = token();
            match self.shop.ask_at(&self.front.url, query, variables.clone(), token.as_deref()).await {
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
}
