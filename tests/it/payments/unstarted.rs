//! Starts that nobody answered come to an end, and never keep others waiting.

use chrono::TimeDelta;
use dispense::base::actor::Actor;
use dispense::base::outcome::Failure;
use dispense::orders::place::Placed;
use dispense::payments::attempts::close;
use dispense::payments::attempts::start::{self, Start, StartOptions};
use serde_json::json;

use super::street::{Street, street, street_with};
use crate::graphql::client::Client;

/// What starting was answered: `started`, or the refusal's code.
async fn begin(street: &Street, placed: &Placed, method: &str, accepts: &[&str]) -> String {
    let options = StartOptions {
        method: method.into(),
        accepts: accepts.iter().map(|a| (*a).to_owned()).collect(),
        ..StartOptions::default()
    };
    let wish = Start {
        idempotency_key: format!("start-{}-{method}", placed.order.number),
        order_id: placed.order.id,
        access_token: Some(placed.access_token.expose().to_owned()),
        options,
    };
    match start::start(&street.t.app.payments, &Actor::guest(), wish).await {
        Ok(_) => "started".into(),
        Err(Failure::Refused(refusal)) => refusal.code.as_str().into(),
        Err(Failure::Fault(fault)) => panic!("{fault}"),
    }
}

async fn cancel(street: &Street, placed: &Placed) -> serde_json::Value {
    let query =
        "mutation($i: OrderCancelInput!) { orderCancel(input: $i) { order { state } userErrors { code } } }";
    let input = json!({ "i": { "orderId": placed.order.id.to_string(), "accessToken": placed.access_token.expose() } });
    Client::new(&street.t.app).data(query, input).await["orderCancel"].clone()
}

/// Gateways that are called to start, and how a client must ask for that.
const CALLED: [(&str, &[&str]); 7] = [
    ("stripe", &[]),
    ("generic", &[]),
    ("wechatpay", &[]),
    ("paypal", &[]),
    ("alipay", &["qr"]),
    ("epay_v1", &["qr"]),
    ("epay_v2", &["qr"]),
];

/// Rows: P2, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_gateway_a_start_without_an_answer_is_repeated_in_the_background_and_can_be_paid() {
    let street = street_with(|account| {
        if account.gateway.starts_with("epay") {
            account.settings.insert("type".into(), "alipay".into());
        }
    })
    .await;
    let t = &street.t;
    for (method, accepts) in CALLED {
        let variant = street.selling(method, 3, 990).await;
        // PayPal's token is there before the trouble begins.
        let warm = street.place(method, variant).await;
        assert_eq!(begin(&street, &warm, method, accepts).await, "started", "{method}");
        let (lost, never) = (street.place(method, variant).await, street.place(method, variant).await);
        // One arrived and its answer was lost, the other never arrived.
        street.simulator.set_trouble(json!({ "lose_answers": true })).unwrap();
        assert_eq!(begin(&street, &lost, method, accepts).await, "GATEWAY_OUTCOME_UNKNOWN", "{method}");
        street.simulator.set_trouble(json!({ "fail_calls": true })).unwrap();
        assert_eq!(begin(&street, &never, method, accepts).await, "GATEWAY_OUTCOME_UNKNOWN", "{method}");
        let state =
            |placed: &Placed| format!("select state from payment where order_id = '{}'", placed.order.id.0);
        assert_eq!(t.db.one(&state(&lost)).await, "unknown", "{method}");
        street.simulator.set_trouble(json!({})).unwrap();
        t.advance(TimeDelta::minutes(1)).await;
        t.drain().await;
        for placed in [&lost, &never] {
            let id = placed.order.id.0;
            let journal = street.simulator.journal();
            let payments = journal["payments"].as_array().unwrap();
            let number = placed.order.number.replace('-', "_");
            let there = payments.iter().filter(|p| p["number"] == number.as_str()).count();
            assert_eq!(there, 1, "{method}: one payment came of it");
            let known = format!("select action is not null from payment where order_id = '{id}'");
            // Where the first start is known at the gateway and may not be repeated, it is asked about until it ends.
            let kept = method.starts_with("epay") && placed.order.id == lost.order.id;
            assert_eq!(t.db.one(&known).await == "t", !kept, "{method}");
            street.act(&placed.order.number, "pay");
            street.settled().await;
            let reported = street.reported(&placed.order.number);
            assert_eq!(t.order_state(placed.order.id).await, "paid", "{method}: {reported}");
        }
    }
    street.t.finish_with_jobs().await;
}

/// Rows: O5, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_whose_start_is_unknown_is_cancelled_once_its_gateway_answers() {
    let street = street().await;
    for (method, accepts) in CALLED.into_iter().filter(|(method, _)| !method.starts_with("epay")) {
        let variant = street.selling(method, 2, 990).await;
        let placed = street.place(method, variant).await;
        street.simulator.set_trouble(json!({ "fail_calls": true })).unwrap();
        // Before PayPal's token is there, nothing can have been sent.
        let unclear = if method == "paypal" { "GATEWAY_UNAVAILABLE" } else { "GATEWAY_OUTCOME_UNKNOWN" };
        assert_eq!(begin(&street, &placed, method, accepts).await, unclear, "{method}");
        // PayPal's money is taken by nobody but the shop: an order that it does not know of cannot be paid.
        if method != "paypal" {
            let refused = cancel(&street, &placed).await;
            assert_eq!(refused["userErrors"][0]["code"], "PAYMENT_IN_PROGRESS", "{method}");
            assert_eq!(street.t.order_state(placed.order.id).await, "pending_payment", "{method}");
        }
        street.simulator.set_trouble(json!({})).unwrap();
        let done = cancel(&street, &placed).await;
        assert_eq!(done, json!({ "order": { "state": "CANCELLED" }, "userErrors": [] }), "{method}");
        let journal = street.simulator.journal();
        let open = journal["payments"].as_array().unwrap().iter().filter(|p| p["status"] == "open").count();
        assert_eq!(open, 0, "{method}: nothing is left there to be paid");
    }
    street.t.finish_with_jobs().await;
}

/// Rows: O5, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_and_five_orders_whose_start_is_unknown_keep_no_other_from_expiring_and_end() {
    let street = street().await;
    let t = &street.t;
    let variant = t.selling_keys(3, 990).await;
    let stuck = "'stripe'";
    for _ in 0..105 {
        t.place(&[(variant, 1)]).await;
    }
    let unknown = format!(
        "insert into payment (id, order_id, account_id, account_snapshot, attempt, gateway_number, state, expected_minor,
           expected_currency, expires_at, next_check_at)
         select gen_random_uuid(), id, {stuck}, '{{}}', 1, number, 'unknown', total_minor, currency, pay_by, app_now()
         from orders"
    );
    t.db.sql(&unknown).await;
    t.advance(TimeDelta::minutes(1)).await;
    let later = t.place(&[(variant, 1)]).await;
    street.simulator.set_trouble(json!({ "fail_calls": true })).unwrap();
    t.advance(TimeDelta::hours(1)).await;
    assert_eq!(close::expire_overdue(&t.app.payments).await.unwrap(), 1, "the youngest is not kept waiting");
    assert_eq!(t.order_state(later.order.id).await, "expired");
    let tries =
        "select min(expiry_tries) || ' ' || max(expiry_tries) || ' ' || bool_and(next_expiry_at > app_now())
        from orders where state = 'pending_payment'";
    assert_eq!(t.db.one(tries).await, "1 1 true", "each has a next try of its own");
    assert_eq!(close::expire_overdue(&t.app.payments).await.unwrap(), 0, "which is not yet");
    let next = "select extract(epoch from max(next_expiry_at) - app_now())::int from orders where state = 'pending_payment'";
    let first: i64 = t.db.one(next).await.parse().unwrap();
    t.advance(TimeDelta::minutes(2)).await;
    assert_eq!(close::expire_overdue(&t.app.payments).await.unwrap(), 0);
    let second: i64 = t.db.one(next).await.parse().unwrap();
    assert!(second > first, "the gaps grow: {first}, {second}");
    // Another one falls due meanwhile, behind all of them.
    let last = t.place(&[(variant, 1)]).await;
    t.advance(TimeDelta::hours(1)).await;
    assert_eq!(close::expire_overdue(&t.app.payments).await.unwrap(), 1);
    assert_eq!(t.order_state(last.order.id).await, "expired");
    street.simulator.set_trouble(json!({})).unwrap();
    t.advance(TimeDelta::hours(1)).await;
    assert_eq!(close::expire_overdue(&t.app.payments).await.unwrap(), 105, "and they end");
    let left = "select count(*) from payment where state in ('started', 'pending', 'unknown')";
    assert_eq!(t.db.one(left).await, "0");
    street.t.finish_with_jobs().await;
}

/// Rows: P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_was_never_answered_ends_when_no_gateway_keeps_one_open_so_long() {
    let street = street().await;
    let t = &street.t;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.place(&[(variant, 1)]).await;
    street.simulator.set_trouble(json!({ "fail_calls": true })).unwrap();
    assert_eq!(begin(&street, &placed, "stripe", &[]).await, "GATEWAY_OUTCOME_UNKNOWN");
    t.advance(TimeDelta::hours(20)).await;
    assert_eq!(close::expire_overdue(&t.app.payments).await.unwrap(), 0, "it may still be paid there");
    t.advance(TimeDelta::hours(8)).await;
    assert_eq!(close::expire_overdue(&t.app.payments).await.unwrap(), 1);
    assert_eq!(t.order_state(placed.order.id).await, "expired");
    street.t.finish_with_jobs().await;
}

/// Rows: P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_whose_question_faults_does_not_stand_before_the_forgotten_ones_behind_it() {
    let street = street().await;
    let t = &street.t;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.place(&[(variant, 1)]).await;
    let insert = "insert into payment (id, order_id, account_id, account_snapshot, attempt, gateway_number, expected_minor,
        expected_currency, next_check_at)
      select gen_random_uuid(), o.id, 'stripe', '{}', n, o.number || n, 990, 'USD', app_now() - make_interval(hours => 200 - n)
      from orders o, generate_series(1, 130) n";
    t.db.sql(insert).await;
    assert_eq!(dispense::payments::attempts::ask::sweep_forgotten(&t.app.payments).await.unwrap(), 100);
    // Their jobs are lost again.
    t.db.sql("delete from job").await;
    assert_eq!(
        dispense::payments::attempts::ask::sweep_forgotten(&t.app.payments).await.unwrap(),
        30,
        "the others come next"
    );
    assert_eq!(
        t.db.one("select count(*) from payment where next_check_at < app_now() - interval '10 minutes'")
            .await,
        "0"
    );
    assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
    street.t.finish_with_jobs().await;
}

/// Rows: P2, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_comes_while_its_start_is_not_answered_is_not_recorded_as_an_unknown_start() {
    let street = street().await;
    let variant = street.selling("stripe", 1, 990).await;
    let placed = street.place("stripe", variant).await;
    street.simulator.set_trouble(json!({ "lose_answers": true })).unwrap();
    let pay = async {
        let number = placed.order.number.clone();
        let begun = || street.simulator.journal()["payments"].as_array().is_some_and(|p| !p.is_empty());
        while !begun() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        street.simulator.set_trouble(json!({})).unwrap();
        street.act(&number, "pay");
        street.settled().await;
    };
    let (answered, ()) = tokio::join!(begin(&street, &placed, "stripe", &[]), pay);
    assert_eq!(answered, "ALREADY_PAID");
    let db = &street.t.db;
    assert_eq!(db.one("select state from payment").await, "captured");
    let kinds = "select string_agg(kind, ' ' order by id) from event where kind like 'payment.%'";
    assert_eq!(db.one(kinds).await, "payment.started payment.captured");
    assert_eq!(street.t.order_state(placed.order.id).await, "paid");
    street.t.finish_with_jobs().await;
}
