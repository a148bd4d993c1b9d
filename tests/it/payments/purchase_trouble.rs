//! What may go wrong between a gateway and the shop, at every gateway: forged, repeated, late and disordered notices,
//! too little money, money that comes twice; and the gateway's statement of the day.

use chrono::TimeDelta;
use dispense::base::actor::Actor;
use dispense::payments::attempts::ask;
use dispense::payments::gateways::gateway::{Call, Stated, Statement};
use dispense::payments::refunds::{request, work};
use serde_json::json;

use super::street::{GATEWAYS, Street, currency, refund, street};

/// Rows: P11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_has_exactly_the_buttons_that_the_documentation_promises() {
    let street = street().await;
    let text = include_str!("../../../docs/SANDBOX.md");
    let cells = |line: &'static str| line.split('|').map(str::trim).collect::<Vec<_>>();
    let mut rows =
        text.lines().filter(|line| line.starts_with("| act ") || line.starts_with("| `")).map(cells);
    let head = rows.next().unwrap();
    let rows: Vec<_> = rows.filter(|row| row.len() == head.len()).collect();
    for method in GATEWAYS {
        let column = head.iter().position(|name| *name == method).unwrap();
        let variant = street.selling(method, 1, 990).await;
        let placed = street.place(method, variant).await;
        street.start(&placed, method).await;
        let id = street.there(&placed.order.number)["id"].as_str().unwrap().to_owned();
        let page = format!("http://{}/pay/{id}", street.simulator.address());
        let page = street.t.http().get(page).send().await.unwrap().text().await.unwrap();
        let promised: Vec<&str> =
            rows.iter().filter(|row| row[column] == "✓").map(|row| row[1].trim_matches('`')).collect();
        let shown: Vec<&str> =
            page.split("<button id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(shown, promised, "{method}");
        assert!(page.contains("9.90"), "{method}: the amount as people read it");
    }
    street.t.finish_with_jobs().await;
}

/// Whether the gateway offers an act for this payment.
fn offers(street: &Street, number: &str, act: &str) -> bool {
    match street.try_act(number, act, json!({})) {
        Ok(_) => true,
        Err(message) if message.contains("has nothing like this") => false,
        Err(message) => panic!("{act}: {message}"),
    }
}

/// Rows: P1, P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_notice_pays_nothing_and_the_genuine_one_after_it_does() {
    let street = street().await;
    let t = &street.t;
    for method in GATEWAYS {
        let variant = street.selling(method, 1, 990).await;
        let placed = street.place(method, variant).await;
        street.start(&placed, method).await;
        street.act(&placed.order.number, "forge-notice");
        street.settled().await;
        assert_eq!(t.order_state(placed.order.id).await, "pending_payment", "{method}");
        assert_eq!(t.unit_states(placed.order.id).await, "unassigned:1", "{method}");
        let verdicts = format!("select string_agg(verdict, ',') from notice where account_id = '{method}'");
        assert_eq!(t.db.one(&verdicts).await, "forged", "{method}");
        street.act(&placed.order.number, "pay");
        street.settled().await;
        let reported = street.reported(&placed.order.number);
        assert_eq!(t.order_state(placed.order.id).await, "paid", "{method}: {reported}");
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P5, P6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_and_older_news_after_the_money_change_nothing() {
    let street = street().await;
    let t = &street.t;
    for method in GATEWAYS {
        let variant = street.selling(method, 3, 990).await;
        let placed = street.place(method, variant).await;
        let attempt = street.start(&placed, method).await;
        if method == "paypal" || !offers(&street, &placed.order.number, "stale-pending") {
            street.act(&placed.order.number, "pay");
        }
        street.settled().await;
        if method == "paypal" {
            street.act(&placed.order.number, "stale-pending");
        }
        street.settled().await;
        for _ in 0..3 {
            street.act(&placed.order.number, "repeat-notice");
        }
        street.settled().await;
        let row =
            street.payment(attempt.payment.id, "state || ' ' || allocated || ' ' || received_minor").await;
        assert_eq!(row, "captured true 990", "{method}: {}", street.reported(&placed.order.number));
        assert_eq!(t.unit_states(placed.order.id).await, "assigned:1", "{method}");
        let sold =
            format!("select count(*) from vault_key where variant_id = '{}' and state = 'sold'", variant.0);
        assert_eq!(t.db.one(&sold).await, "1", "{method}");
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P4, P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_little_money_and_money_that_comes_twice_go_to_a_person_and_not_to_the_goods() {
    let street = street().await;
    let t = &street.t;
    for method in GATEWAYS {
        let variant = street.selling(method, 3, 990).await;
        let (short, twice) = (street.place(method, variant).await, street.place(method, variant).await);
        let short_attempt = street.start(&short, method).await;
        street.start(&twice, method).await;
        street.act(&short.order.number, "wrong-amount");
        street.settled().await;
        assert_eq!(t.order_state(short.order.id).await, "pending_payment", "{method}");
        let row = street.payment(short_attempt.payment.id, "received_minor || ' ' || allocated").await;
        assert_eq!(row, "989 false", "{method}");
        street.act(&twice.order.number, "pay-twice");
        street.settled().await;
        let reported = street.reported(&twice.order.number);
        assert_eq!(t.order_state(twice.order.id).await, "paid", "{method}: {reported}");
        let tasks = format!(
            "select string_agg(kind, ',' order by kind) from task where order_id in ('{}', '{}')",
            short.order.id.0, twice.order.id.0
        );
        // Epay's first generation is asked before its notice is believed, and knows one trade of a number.
        let kinds = match method {
            "epay_v1" => "payment_wrong_amount",
            _ => "payment_double,payment_wrong_amount",
        };
        assert_eq!(t.db.one(&tasks).await, kinds, "{method}");
        let sold =
            format!("select count(*) from vault_key where variant_id = '{}' and state = 'sold'", variant.0);
        assert_eq!(t.db.one(&sold).await, "1", "{method}");
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_statement_of_the_day_has_every_payment_and_every_refund() {
    let street = street().await;
    let t = &street.t;
    for method in GATEWAYS {
        let (account, gateway) = t.app.payments.accounts.find(method).unwrap();
        if !gateway.abilities(&account.keys).statement {
            continue;
        }
        let (kept, _) = street.bought(method).await;
        let (back, payment_id) = street.bought(method).await;
        let wish = refund(payment_id, method, Some(400));
        request::request(&t.app.payments, &Actor::system(), wish).await.unwrap();
        street.settled().await;
        assert_eq!(
            street.payment(payment_id, "state || refunded_minor").await,
            "partially_refunded400",
            "{method}"
        );
        assert_eq!(t.unit_states(back.order.id).await, "assigned:1", "{method}: a part leaves the goods");
        assert_eq!(street.refunded(&back.order.number), 400, "{method}");
        // Chinese gateways count their days in China.
        let hours = if currency(method) == "CNY" { 8 } else { 0 };
        let day = (t.app.clock.now() + TimeDelta::hours(hours)).date_naive();
        t.advance(TimeDelta::days(2)).await;
        let call = Call {
            keys: &account.keys,
            now_unix: t.app.clock.unix(),
            timeout: std::time::Duration::from_secs(10),
        };
        let Statement::Entries(entries) = gateway.statement(&call, day).await else {
            panic!("{method}: no statement")
        };
        let lines = super::stated::lines(&entries);
        for (number, amount, stated) in [
            (&kept.order.number, 990, Stated::Payment),
            (&back.order.number, 990, Stated::Payment),
            (
                &back.order.number,
                400,
                if method.starts_with("epay") { Stated::RefundSum } else { Stated::Refund },
            ),
        ] {
            let trade = street.there(number)["captures"][0]["trade_no"].clone();
            let is = |l: &&dispense::payments::gateways::gateway::StatementLine| {
                l.stated == stated && trade == l.trade_no
            };
            let found: Vec<_> = lines.iter().filter(is).collect();
            assert_eq!(found.len(), 1, "{method} {number} {stated:?}: {lines:?}");
            assert_eq!(found[0].amount_minor, amount, "{method}");
        }
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P9, P2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_takes_its_time_revokes_once_the_gateway_has_done_it() {
    let street = street().await;
    let t = &street.t;
    // Epay's first generation refunds at once or not at all.
    for method in GATEWAYS.into_iter().filter(|method| *method != "epay_v1") {
        let (placed, payment_id) = street.bought(method).await;
        street.simulator.set_trouble(json!({ "refunds": "pending" })).unwrap();
        let wish = refund(payment_id, method, None);
        let asked = request::request(&t.app.payments, &Actor::system(), wish).await.unwrap();
        street.simulator.set_trouble(json!({})).unwrap();
        street.settled().await;
        assert_eq!(asked.state.as_str(), "pending", "{method}");
        assert_eq!(t.unit_states(placed.order.id).await, "assigned:1", "{method}");
        street.act(&placed.order.number, "finish-refund");
        street.settled().await;
        // Where the gateway does not say, the shop asks.
        work::work(&t.app.payments, asked.id).await.unwrap();
        let reported = street.reported(&placed.order.number);
        assert_eq!(
            street.payment(payment_id, "state || refunded_minor").await,
            "refunded990",
            "{method}: {reported}"
        );
        assert_eq!(t.unit_states(placed.order.id).await, "revoked:1", "{method}: {reported}");
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispute_that_is_won_gives_the_payment_back_and_one_that_is_lost_takes_the_goods() {
    let street = street().await;
    let t = &street.t;
    for method in ["stripe", "paypal"] {
        for (end, state, units) in
            [("dispute-won", "captured", "assigned:1"), ("dispute-lost", "lost", "revoked:1")]
        {
            let (placed, payment_id) = street.bought(method).await;
            street.act(&placed.order.number, "dispute");
            street.settled().await;
            assert_eq!(street.payment(payment_id, "state").await, "disputed", "{method}");
            street.act(&placed.order.number, end);
            street.settled().await;
            let reported = street.reported(&placed.order.number);
            assert_eq!(street.payment(payment_id, "state").await, state, "{method} {end}: {reported}");
            assert_eq!(t.unit_states(placed.order.id).await, units, "{method} {end}");
        }
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P11, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_that_comes_late_finds_what_the_shop_has_already_asked_for() {
    let street = street().await;
    let t = &street.t;
    for method in GATEWAYS {
        let (placed, attempt) = street.started(method, 1, 990).await;
        street.try_act(&placed.order.number, "delay-notice", json!({ "delay_ms": 1_500 })).unwrap();
        ask::check(&t.app.payments, attempt.payment.id).await.unwrap();
        t.drain().await;
        assert_eq!(t.order_state(placed.order.id).await, "paid", "{method}");
        street.settled().await;
        let reported = street.reported(&placed.order.number);
        assert_eq!(street.payment(attempt.payment.id, "state").await, "captured", "{method}: {reported}");
        assert_eq!(t.unit_states(placed.order.id).await, "assigned:1", "{method}");
        assert_eq!(t.db.one("select count(*) from task").await, "0", "{method}: {reported}");
    }
    street.t.finish_with_jobs().await;
}
