//! One trade belongs to one attempt: reported by notice or by query, in one slice, over two servers, or by a gateway that
//! knows the number from another life.

use std::sync::Arc;

use chrono::TimeDelta;
use dispense::orders::place::Placed;
use dispense::payments::attempts::{ask, close};
use dispense::payments::gateways::gateway::{Evidence, Gateway};
use dispense::payments::notices::settle::{self, SliceResult};
use dispense::payments::report::{PaymentReport, Settled};
use serde_json::json;

use super::street::{GATEWAYS, street};
use crate::harness::shop::{GENERIC, generic_secret, notify};
use crate::harness::{Said, Server, TestApp, signing, with_generic};

async fn tasks(t: &TestApp, placed: &Placed) -> String {
    let sql = "select coalesce(string_agg(kind, ' ' order by kind), '') from task where order_id";
    t.db.one(&format!("{sql} = '{}'", placed.order.id.0)).await
}

/// Rows: P5, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_gateway_a_trade_that_another_order_has_pays_nothing_and_is_put_before_a_person() {
    let street = street().await;
    let t = &street.t;
    for method in GATEWAYS {
        let (first, first_payment) = street.bought(method).await;
        let variant = street.selling(method, 1, 990).await;
        let second = street.place(method, variant).await;
        let attempt = street.start(&second, method).await;
        // PayPal's money is taken by the shop: there the trade comes to be with the question.
        street.try_act(&second.order.number, "delay-notice", json!({ "delay_ms": 1_200 })).unwrap();
        let there = street.there(&second.order.number);
        let trade = there["captures"][0]["trade_no"].as_str();
        let known =
            |trade: &str| format!("update payment set trade_no = '{trade}' where id = '{}'", first_payment.0);
        if let Some(trade) = trade {
            t.db.sql(&known(trade)).await;
            // By query, then by notice.
            ask::check(&t.app.payments, attempt.payment.id).await.unwrap();
            assert_eq!(t.order_state(second.order.id).await, "pending_payment", "{method}: by query");
            assert_eq!(tasks(t, &second).await, "trade_of_another_payment", "{method}: by query");
        }
        street.simulator.settled().await;
        let reported = street.reported(&second.order.number);
        if trade.is_some() {
            assert_eq!(t.order_state(second.order.id).await, "pending_payment", "{method}: {reported}");
            assert_eq!(tasks(t, &second).await, "trade_of_another_payment", "{method}: {reported}");
            assert_eq!(t.unit_states(second.order.id).await, "unassigned:1", "{method}");
            assert!(
                !reported.contains("\"state\":\"sending\"") && reported.contains("\"state\":\"delivered\""),
                "{method}: {reported}"
            );
        }
        assert_eq!(t.order_state(first.order.id).await, "paid", "{method}");
        assert_eq!(t.db.one("select count(*) from notice where verdict = 'fault'").await, "0", "{method}");
        t.drain().await;
    }
    street.t.finish_with_jobs().await;
}

fn reports(t: &TestApp, said: &[Said]) -> Vec<PaymentReport> {
    let (account, gateway) = t.app.payments.accounts.find(GENERIC).unwrap();
    let report = |said: &Said| {
        let at = t.app.clock.unix();
        let raw = signing::webhook(&generic_secret(), &said.id, at, &said.body_of(at));
        let notice =
            Gateway::authenticate(gateway.as_ref(), &account.keys, &raw, &Evidence::default()).unwrap();
        PaymentReport::Notice { notice: Arc::new(notice), raw: Arc::new(raw), confirmed: None }
    };
    said.iter().map(report).collect()
}

/// Rows: P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_one_slice_the_first_word_about_a_trade_counts() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(4, 990).await;
    let (first, second) = (t.order(variant, 1).await, t.order(variant, 1).await);
    let other = Said { id: "evt_other".into(), ..Said::paid(&second, "T1") };
    let results =
        settle::settle(&t.app.payments, &reports(&t, &[Said::paid(&first, "T1"), other])).await.unwrap();
    let done = |settled| SliceResult::Done(settled);
    assert_eq!(results, [done(Settled::Applied), done(Settled::Recorded)]);
    assert_eq!(t.order_state(first.order.id).await, "paid");
    assert_eq!(t.order_state(second.order.id).await, "pending_payment");
    assert_eq!(tasks(&t, &second).await, "trade_of_another_payment");
    // Refunds and closings of a trade are no other order's either.
    let refunded = Said {
        id: "evt_refund".into(),
        kind: "payment.refunded",
        refunded_minor: Some(990),
        ..Said::paid(&second, "T1")
    };
    assert_eq!(t.notify(&refunded).await.0, 200);
    assert_eq!(t.unit_states(first.order.id).await, "assigned:1");
    assert_eq!(t.db.one("select sum(refunded_minor) from payment").await, "0");
    // The order itself can still be paid.
    assert_eq!(t.notify(&Said::paid(&second, "T2")).await.0, 200);
    assert_eq!(t.order_state(second.order.id).await, "paid");
    t.finish_with_jobs().await;
}

/// The other transaction has the trade and is not committed yet.
/// Rows: P5, P6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_that_another_transaction_is_writing_is_waited_for_and_recorded() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(4, 990).await;
    let (first, second) = (t.paid_order(variant, 1).await, t.order(variant, 1).await);
    let held = t.db.client().await;
    let write = format!("begin; update payment set trade_no = 'T1' where order_id = '{}'", first.order.id.0);
    held.batch_execute(&write).await.unwrap();
    let said = Said::paid(&second, "T1");
    let release = async {
        t.wait_until(
            "select exists (select 1 from pg_stat_activity
               where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0)",
        )
        .await;
        held.batch_execute("commit").await.unwrap();
    };
    let (answer, ()) = tokio::join!(t.notify(&said), release);
    assert_eq!(answer.0, 200);
    assert_eq!(t.order_state(second.order.id).await, "pending_payment");
    assert_eq!(tasks(&t, &second).await, "trade_of_another_payment");
    assert_eq!(t.db.one("select string_agg(verdict, ' ' order by id) from notice").await, "applied recorded");
    t.finish_with_jobs().await;
}

/// Rows: P5, P6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_that_hear_of_one_trade_for_two_orders_at_once_believe_one() {
    let t = TestApp::start_with(with_generic).await;
    let account = format!(
        "[[accounts]]\nid = \"{GENERIC}\"\ngateway = \"generic\"\ncurrencies = [\"USD\", \"EUR\", \"CNY\"]\nsecrets = [{:?}]\n\
         sandbox = true\n",
        generic_secret()
    );
    let mut server = Server::of(&t.db.app_url()).config(&account).arg("--no-worker").start();
    let variant = t.selling_keys(30, 990).await;
    for round in 0..10 {
        let (one, two) = (t.order(variant, 1).await, t.order(variant, 1).await);
        let trade = format!("T{round}");
        let other = Said { id: format!("evt_other_{round}"), ..Said::paid(&two, &trade) };
        let (said, base) = (Said::paid(&one, &trade), format!("http://{}", server.address));
        let (here, there) =
            tokio::join!(t.notify(&said), notify(t.http(), &base, t.app.clock.unix(), &other));
        assert_eq!((here.0, there.unwrap().0), (200, 200), "round {round}: {}", server.log());
        let states = [t.order_state(one.order.id).await, t.order_state(two.order.id).await];
        assert!(states.contains(&"paid".into()) && states.contains(&"pending_payment".into()), "{states:?}");
    }
    let kinds = "select count(*) || ' ' || string_agg(distinct kind, ' ') from task";
    assert_eq!(t.db.one(kinds).await, "10 trade_of_another_payment");
    assert_eq!(
        t.db.one("select count(*) from notice where verdict not in ('applied', 'recorded')").await,
        "0"
    );
    assert!(server.terminate().success());
    t.finish_with_jobs().await;
}

/// As after a restore: the gateway knows the attempt's number from before the attempt was started.
/// Rows: P4, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_gateway_a_trade_that_is_older_than_the_attempt_is_never_believed_and_the_order_ends() {
    let street = street().await;
    let t = &street.t;
    for method in GATEWAYS {
        let (placed, attempt) = street.started(method, 1, 990).await;
        let id = attempt.payment.id;
        t.db.sql(&format!(
            "update payment set started_at = app_now() + interval '10 minutes' where id = '{}'",
            id.0
        ))
        .await;
        // Epay's second generation gives no time in its notices: there the question is what is not believed.
        let input =
            if method == "epay_v2" { json!({ "delay_ms": 60_000 }) } else { json!({ "delay_ms": 300 }) };
        street.try_act(&placed.order.number, "delay-notice", input).unwrap();
        ask::check(&t.app.payments, id).await.unwrap();
        if method != "epay_v2" {
            street.simulator.settled().await;
        }
        t.drain().await;
        let reported = street.reported(&placed.order.number);
        assert_eq!(t.order_state(placed.order.id).await, "pending_payment", "{method}: {reported}");
        assert_eq!(tasks(t, &placed).await, "trade_older_than_attempt", "{method}: {reported}");
        assert!(street.payment(id, "received_minor is null").await == "t", "{method}");
        // Nothing can be paid under that number any more: the order is not kept waiting for it.
        t.db.sql(&format!(
            "update orders set pay_by = app_now() - interval '1 second' where id = '{}'",
            placed.order.id.0
        ))
        .await;
        assert!(close::expire(&t.app.payments, placed.order.id).await.unwrap(), "{method}: {reported}");
        assert_eq!(t.order_state(placed.order.id).await, "expired", "{method}");
        assert_eq!(t.unit_states(placed.order.id).await, "unassigned:1", "{method}");
    }
    assert_eq!(t.db.one("select count(*) from ledger_entry").await, "0");
    street.t.finish_with_jobs().await;
}

/// Rows: P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_that_began_a_moment_before_the_attempt_by_the_gateways_clock_is_believed() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(4, 990).await;
    let at = async |minutes: i64, trade: &str| {
        let placed = t.order(variant, 1).await;
        let now = t.app.clock.unix();
        let said = Said::paid(&placed, trade);
        let body = said.body_of(now - minutes * 60);
        let raw = signing::webhook(&generic_secret(), &said.id, now, &body);
        let request = t.http().post(format!("{}/webhooks/{GENERIC}", t.base)).body(body);
        let request =
            raw.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
        (t.order_state(placed.order.id).await, tasks(&t, &placed).await)
    };
    assert_eq!(at(4, "T1").await, ("paid".into(), String::new()));
    assert_eq!(at(6, "T2").await, ("pending_payment".into(), "trade_older_than_attempt".into()));
    // Reported again later, a trade that is known is no news and no trouble.
    t.advance(TimeDelta::minutes(30)).await;
    assert_eq!(at(0, "T3").await.0, "paid");
    t.finish_with_jobs().await;
}
