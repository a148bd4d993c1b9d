//! A shop of processes, with everything around it that they speak to: a supplier, a mail server, a receiver of events. The
//! test itself is the gateway, the buyers and the seller; its own `TestApp` writes what is there before and reads what is
//! there after.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use dispense::base::ids::OrderId;
use dispense::orders::place::Placed;
use dispense::sandbox::Simulator;
use serde_json::{Value, json};

use super::shop::generic_account;
use crate::harness::shop::notify;
use crate::harness::visitor::Visitor;
use crate::harness::{Said, Server, Setup, SmtpServer, TestApp, TestDatabase};
use crate::hooks::receiver::Receiver;
use crate::suppliers::shop::Bazaar;

/// Longest until something that must come has come.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Gaps and times of a shop that is in a hurry: a job has five seconds, its lease lasts eleven; what failed is tried again
/// a second later, so often that no row uses it up. A transaction of a process that stands still is ended after five seconds.
pub const HURRIED: &str = "[database]\nstatement_timeout_ms = 2400\nlock_timeout_ms = 2000\n[worker]\njob_seconds = 5\nhook_seconds = 1\nmessage_gaps = [1, 1, 1, 1, 1, 1, 1]\n\
    hook_gaps = [1, 1, 1, 1, 1, 1, 1]\npayment_check_gaps = [1, 1, 1, 1, 1, 1, 1, 1]\n";

/// Nothing that is due is left: no job, no event without its number, nothing on its way to anybody.
pub const QUIET: &str = "select not exists (select 1 from job where state = 'running'
        or (state = 'queued' and run_at <= app_now() + interval '1 second'))
      and not exists (select 1 from event e where not exists (select 1 from event_seq s where s.event_id = e.id))
      and not exists (select 1 from event_cursor where seq < (select seq from event_head where id = 1))
      and not exists (select 1 from hook_delivery d join hook_endpoint e on e.id = d.endpoint_id
        where d.state in ('queued', 'sending') and e.state = 'active')
      and not exists (select 1 from message where state in ('queued', 'sending'))
      and not exists (select 1 from supplier_purchase where state in ('queued', 'sending', 'unknown', 'pending'))";

pub struct Town {
    pub shop: Bazaar,
    pub smtp: SmtpServer,
    pub receiver: Receiver,
    config: String,
    /// Seconds by which the database's clock is ahead.
    ahead: AtomicI64,
}

impl Town {
    pub async fn open() -> Self {
        Self::open_over(TestDatabase::migrated().await).await
    }

    pub async fn open_over(database: TestDatabase) -> Self {
        let (smtp, receiver) = (SmtpServer::start().await, Receiver::start().await);
        let port = receiver.port;
        let shop = Bazaar::open_with(database, |config| config.outbound.ports.push(port)).await;
        let config = format!(
            "{}[mail]\nurl = \"smtp://{}?tls=none\"\ntimeout_seconds = 1\n{HURRIED}{}",
            outbound(&shop.simulator, receiver.port),
            smtp.address,
            generic_account()
        );
        Self { shop, smtp, receiver, config, ahead: AtomicI64::new(0) }
    }

    pub fn t(&self) -> &TestApp {
        self.shop.t()
    }

    fn setup(&self) -> Setup {
        Server::of(&self.t().db.app_url()).data(self.t().data.path()).config(&self.config)
    }

    /// A server that leaves the background work to others.
    pub fn server(&self) -> Setup {
        self.setup().arg("--no-worker")
    }

    pub fn worker(&self) -> Setup {
        self.setup().works()
    }

    /// An endpoint for events of these types at a path of the receiver.
    pub async fn connect_hook(&self, path: &str, types: &[&str], ordered: bool) {
        let url = format!("{}{path}", self.receiver.url);
        let input = json!({ "url": url, "eventTypes": types, "ordered": ordered });
        let made =
            self.shop.boss().await.act("hookEndpointCreate", input, "endpoint { id } signingSecret").await;
        self.t().canary(made["signingSecret"].as_str().unwrap_or_else(|| panic!("{made}")));
    }

    /// The gateway says at a server that an order was paid; the status of its answer.
    pub async fn pay(&self, server: &Server, placed: &Placed) -> u16 {
        self.say(server, &Said::paid(placed, &format!("T{}", placed.order.number))).await
    }

    /// A notice at a server; the status of its answer.
    pub async fn say(&self, server: &Server, said: &Said) -> u16 {
        let t = self.t();
        notify(t.http(), &server.url(""), t.app.clock.unix(), said).await.unwrap().0
    }

    /// Moves the clock of the database, by which leases end and things become due, and no process's own.
    pub async fn pass(&self, seconds: i64) {
        let ahead = self.ahead.fetch_add(seconds, Ordering::SeqCst) + seconds;
        self.t().db.set_clock_offset(ahead * 1_000_000).await;
    }

    /// Waits until a query answers true, for as long as real processes may need.
    pub async fn until(&self, what: &str, sql: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.t().db.one(sql).await != "t" {
            assert!(Instant::now() < deadline, "{what}: never came true: {sql}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until nothing that is due is left.
    pub async fn settled(&self, what: &str) {
        self.until(what, QUIET).await;
    }

    /// `dispense check`, as an operator runs it: nothing that must always hold is broken.
    pub fn check(&self, what: &str) {
        check(&self.setup(), what);
    }

    pub async fn states(&self, order: OrderId) -> String {
        self.t().unit_states(order).await
    }

    /// What a buyer is shown of the goods of an order.
    pub async fn reveal(&self, buyer: &Visitor, placed: &Placed) -> Value {
        let pieces: Vec<String> =
            self.shop.units(placed.order.id).await.iter().map(ToString::to_string).collect();
        let token = placed.access_token.expose();
        let input = json!({ "target": { "deliveryIds": pieces }, "accessToken": token });
        buyer.act("deliveryReveal", input, "secrets { text }").await
    }

    /// Looks for secrets in what processes have logged, and ends the shop.
    pub async fn finish(self, logs: &[String]) {
        logs.iter().for_each(|log| self.t().search_log(log));
        self.shop.sound().await;
    }
}

/// Lets processes call the supplier and the receiver on loopback.
pub fn outbound(simulator: &Simulator, receiver: u16) -> String {
    format!(
        "[outbound]\nprivate_networks = [\"127.0.0.0/8\"]\nplain_http = true\nports = [{}, {receiver}]\n",
        simulator.address().port()
    )
}

/// `dispense check` of a shop: its report when something is broken.
pub fn checked(setup: &Setup) -> Result<(), String> {
    let output = setup.command(&["check"]).output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

pub fn check(setup: &Setup, what: &str) {
    if let Err(report) = checked(setup) {
        panic!("{what}:\n{report}");
    }
}
