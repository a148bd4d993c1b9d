//! A gateway that does not answer, answers nonsense or lies (row I1), refunds whose server is killed at each step (row I2),
//! and what only a gateway's own books decide (rows B3 and B6).

use std::time::{Duration, Instant};

use dispense::base::actor::Role;
use dispense::orders::place::Placed;
use serde_json::{Value, json};

use crate::faults::town::{HURRIED, QUIET, check};
use crate::harness::visitor::Visitor;
use crate::harness::{Server, Setup, TestDatabase, signing};
use crate::payments::street::{HURRY, Street, street_of};

/// One whose refunds are named, and one that reports sums; neither needs keys that take long to make.
const GATEWAYS: [&str; 2] = ["generic", "stripe"];

struct Bank {
    street: Street,
    staff: Visitor,
    logs: Vec<String>,
}

impl Bank {
    async fn open() -> Self {
        let street = street_of(&GATEWAYS, TestDatabase::migrated().await, HURRY, |_| {}, |_| {}).await;
        street.t.person("support@shop.example", &[Role::Support]).await;
        let session = street.t.sign_in("support@shop.example").await;
        let staff = street.t.visitor("192.0.2.5").signed_in(&session.tokens.access);
        Self { street, staff, logs: Vec::new() }
    }

    fn setup(&self) -> Setup {
        self.street.setup().data(self.street.t.data.path()).config(HURRIED)
    }

    fn check(&self, what: &str) {
        check(&self.setup(), what);
        println!("{what}");
    }

    /// Ends a process and keeps its log.
    fn end(&mut self, mut server: Server) {
        server.kill();
        self.logs.push(server.log());
    }

    async fn until(&self, what: &str, sql: &str) {
        let deadline = Instant::now() + Duration::from_secs(40);
        while self.street.t.db.one(sql).await != "t" {
            assert!(Instant::now() < deadline, "{what}: never came true: {sql}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// An order whose buyer stands at the gateway.
    async fn started(&self, gateway: &str) -> Placed {
        let variant = self.street.selling(gateway, 1, 990).await;
        let placed = self.street.place(gateway, variant).await;
        self.street.start(&placed, gateway).await;
        placed
    }

    /// Waits until a query answers true, while the time at which gateways are asked about payments comes again and again.
    async fn until_asked(&self, what: &str, sql: &str) {
        let due = "update job set run_at = app_now() where state = 'queued' and kind = 'payment.check'";
        let deadline = Instant::now() + Duration::from_secs(40);
        while self.street.t.db.one(sql).await != "t" {
            assert!(Instant::now() < deadline, "{what}: never came true: {sql}");
            self.street.t.db.sql(due).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Questions that were asked about an order's payment so far.
    async fn checks(&self, placed: &Placed) -> i64 {
        let sql = format!("select max(checks) from payment where order_id = '{}'", placed.order.id.0);
        self.street.t.db.one(&sql).await.parse().unwrap()
    }

    async fn finish(self) {
        for log in &self.logs {
            self.street.t.search_log(log);
        }
        self.street.t.finish_with_jobs().await;
    }
}

/// Rows: P7, P6, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_down_or_talks_nonsense_leaves_the_payment_open_until_it_says_what_is_so() {
    let mut bank = Bank::open().await;
    let worker = bank.setup().works().start();
    for gateway in GATEWAYS {
        // An answer that never comes is waited for until the job's own time ends it: that is long enough once.
        let troubles = ["fail_calls", "spoil_answers", "lose_answers"];
        for trouble in &troubles[..if gateway == "generic" { 3 } else { 2 }] {
            let what = format!("I1: {gateway}: {trouble}");
            let placed = bank.started(gateway).await;
            bank.street.simulator.set_trouble(json!({ *trouble: true })).unwrap();
            bank.street.act(&placed.order.number, "lose-notice");
            let before = bank.checks(&placed).await;
            let id = placed.order.id.0;
            let asked = format!(
                "select max(checks) > {before} or exists (select 1 from job where kind = 'payment.check' and last_error is not null and state <> 'done')
                 from payment where order_id = '{id}'"
            );
            bank.until_asked(&what, &asked).await;
            assert_eq!(
                bank.street.t.order_state(placed.order.id).await,
                "pending_payment",
                "{what}: no guess"
            );
            assert_eq!(bank.street.t.unit_states(placed.order.id).await, "unassigned:1", "{what}");
            bank.check(&format!("{what}, while it lasts"));
            bank.street.simulator.set_trouble(json!({})).unwrap();
            bank.until_asked(&what, &format!("select state = 'paid' from orders where id = '{id}'")).await;
            assert_eq!(bank.street.t.unit_states(placed.order.id).await, "assigned:1", "{what}");
            bank.check(&what);
        }
    }
    bank.end(worker);
    bank.finish().await;
}

/// Where the server dies in a refund, and how often the gateway has been asked for it by then.
const STEPS: [(&str, usize); 4] = [("refund.r1", 0), ("", 1), ("refund.r3", 1), ("refund.r4", 1)];

const REFUND: &str = "mutation($in: OrderRefundInput!) { orderRefund(input: $in) {
    refund { id state amount { amount } } userErrors { code } } }";

/// Sends it without waiting for more than its end; none: the server died.
async fn refund(bank: &Bank, server: &Server, input: &Value) -> Option<Value> {
    let (by, input) = (bank.staff.at(&server.url("")), json!({ "in": input }));
    let asked = tokio::spawn(async move { by.ask(REFUND, input).await });
    asked.await.ok().map(|answer| answer["orderRefund"].clone())
}

/// Rows: P7, P9, X4 (orderRefund).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_whose_server_dies_at_any_step_or_that_is_asked_for_twice_is_made_once() {
    let mut bank = Bank::open().await;
    let servers = [bank.setup().arg("--no-worker").start(), bank.setup().arg("--no-worker").start()];
    for gateway in GATEWAYS {
        for (step, there) in STEPS {
            let what =
                format!("I2: {gateway}: killed at {}", if step.is_empty() { "refund.r2" } else { step });
            let placed = bank.started(gateway).await;
            let number = placed.order.number.clone();
            bank.street.act(&number, "pay");
            bank.street.settled().await;
            assert_eq!(bank.street.t.unit_states(placed.order.id).await, "assigned:1", "{what}");
            // What the gateway says by itself of the refund would be faster than its answer.
            bank.street.act(&number, "hold-notices");
            let key = format!("a refund of {number}");
            let input =
                json!({ "orderId": placed.order.id.to_string(), "idempotencyKey": key, "reason": "a fault" });
            let mut setup = bank.setup().arg("--no-worker");
            if step.is_empty() {
                bank.street.simulator.set_trouble(json!({ "lose_answers": true })).unwrap();
            } else {
                setup = setup.env("DISPENSE_FAULT", step);
            }
            let mut dying = setup.start();
            let killed = async {
                if step.is_empty() {
                    let deadline = Instant::now() + Duration::from_secs(20);
                    while bank.street.there(&number)["refunds"].as_array().is_none_or(Vec::is_empty) {
                        assert!(Instant::now() < deadline, "{what}: the gateway was never asked");
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            };
            let asked = {
                let server = &dying;
                let asking = refund(&bank, server, &input);
                tokio::pin!(asking);
                tokio::select! {
                    answer = &mut asking => answer,
                    () = killed, if step.is_empty() => {
                        server.signal(nix::sys::signal::Signal::SIGKILL);
                        asking.await
                    }
                }
            };
            assert_eq!(asked, None, "{what}");
            assert!(dying.was_killed(Duration::from_secs(20)), "{what}");
            bank.logs.push(dying.log());
            bank.street.simulator.set_trouble(json!({})).unwrap();
            // There may be none.
            let _ = bank.street.try_act(&number, "release-notices", json!({}));
            let made = bank.street.there(&number)["refunds"].as_array().map_or(0, Vec::len);
            assert_eq!(made, there, "{what}");
            // Staff clicks again, twice, at two servers.
            let (one, two) =
                tokio::join!(refund(&bank, &servers[0], &input), refund(&bank, &servers[1], &input));
            let (one, two) = (one.unwrap(), two.unwrap());
            for answer in [&one, &two] {
                let code = answer["userErrors"][0]["code"].as_str();
                assert!(code.is_none() || code == Some("IN_PROGRESS"), "{what}: {answer}");
            }
            let worker = bank.setup().works().start();
            let id = placed.order.id.0;
            let ended = format!(
                "select count(*) = 1 and bool_and(state = 'succeeded') from refund where order_id = '{id}'"
            );
            bank.until(&what, &ended).await;
            bank.street.simulator.settled().await;
            bank.until(&what, QUIET).await;
            bank.end(worker);
            assert_eq!(bank.street.refunded(&number), 990, "{what}: by the gateway's books");
            assert_eq!(bank.street.there(&number)["refunds"].as_array().map(Vec::len), Some(1), "{what}");
            assert_eq!(bank.street.t.unit_states(placed.order.id).await, "revoked:1", "{what}");
            bank.check(&what);
        }
    }
    for server in servers {
        bank.end(server);
    }
    bank.finish().await;
}

/// Rows: P4, P5, O6, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_is_heard_before_its_payment_gives_no_key_and_another_modes_money_is_foreign() {
    let mut bank = Bank::open().await;
    let server = bank.setup().arg("--no-worker").start();
    for gateway in GATEWAYS {
        bank.street.simulator.set_notify_url(gateway, server.url(&format!("/webhooks/{gateway}")));
        let what = format!("B3: {gateway}: refunded before paid");
        let placed = bank.started(gateway).await;
        bank.street.act(&placed.order.number, "refund-first");
        bank.street.simulator.settled().await;
        let worker = bank.setup().works().start();
        bank.until(&what, QUIET).await;
        bank.end(worker);
        assert_eq!(bank.street.t.unit_states(placed.order.id).await, "unassigned:1", "{what}: no key");
        let left = format!(
            "select coalesce(sum(amount_minor), 0) from ledger_entry where order_id = '{}' and book = 'gateway'",
            placed.order.id.0
        );
        assert_eq!(bank.street.t.db.one(&left).await, "0", "{what}: the money went back");
        bank.check(&what);
    }
    let placed = bank.started("stripe").await;
    let t = &bank.street.t;
    let event = json!({
        "id": "evt_of_the_live_mode", "object": "event", "livemode": true, "created": t.app.clock.unix(),
        "type": "checkout.session.completed", "data": { "object": {
            "id": "cs_live", "object": "checkout.session", "amount_total": 990, "currency": "usd",
            "client_reference_id": placed.order.number, "livemode": true, "payment_intent": "pi_live",
            "payment_status": "paid", "status": "complete", "mode": "payment" } }
    });
    let secret = &bank.street.simulator.account("stripe").unwrap().secrets[0];
    let raw = signing::stripe(secret.expose(), t.app.clock.unix(), &event.to_string());
    let mut request = t.http().post(server.url("/webhooks/stripe")).body(raw.body);
    for (name, value) in raw.headers {
        request = request.header(name, value);
    }
    assert_eq!(request.send().await.unwrap().status(), 200, "the gateway need not come again");
    assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
    assert_eq!(t.db.one("select count(*) from task where kind = 'notice_foreign'").await, "1");
    let money = format!("select count(*) from ledger_entry where order_id = '{}'", placed.order.id.0);
    assert_eq!(t.db.one(&money).await, "0");
    bank.check("B6: another mode");
    bank.end(server);
    bank.finish().await;
}
