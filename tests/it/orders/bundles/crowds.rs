//! Many buyers of a scarce bundle at once, and a program that is killed while it delivers one.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use super::shop::{Shelf, sound};
use crate::faults::shop::{durable, server};
use crate::harness::shop::notify;
use crate::harness::{Said, codes};

/// Rows: C2, K7, K9, P6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_thirty_who_pay_at_once_ten_get_a_bundle_whole_and_the_others_wait_for_its_scarce_part() {
    let shop = Shelf::open().await;
    let t = &shop.t;
    shop.consists_of(shop.bundle, &[(shop.key, 1), (shop.file, 1), (shop.secret, 1)]).await;
    t.import(shop.key, 10).await;
    let mut orders = Vec::new();
    for _ in 0..30 {
        orders.push(t.order(shop.bundle, 1).await);
    }
    let said: Vec<Said> =
        orders.iter().enumerate().map(|(n, placed)| Said::paid(placed, &format!("T{n}"))).collect();
    // Each gateway's notice comes twice.
    let answers = join_all(said.iter().chain(&said).map(|said| t.notify(said))).await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    let mut states: Vec<String> = Vec::new();
    for placed in &orders {
        states.push(t.unit_states(placed.order.id).await);
    }
    states.sort();
    let whole = states.iter().filter(|state| *state == "assigned:3").count();
    let waiting = states.iter().filter(|state| *state == "assigned:2 awaiting_stock:1").count();
    assert_eq!((whole, waiting), (10, 20), "{states:?}");
    let keys = "select count(*) || ' ' || count(distinct unit_id) from vault_key where state = 'sold'";
    assert_eq!(t.db.one(keys).await, "10 10");
    t.drain().await;
    shop.must_be_sound().await;
    t.import(shop.key, 20).await;
    t.drain().await;
    assert_eq!(t.db.one(keys).await, "30 30");
    assert_eq!(t.db.one("select count(*) from orders where delivered_at is not null").await, "30");
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}

/// Rows: C2, K8 (orderPlace, orderCancel).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_a_part_are_held_for_those_who_order_and_nobody_orders_more_than_there_are() {
    let shop = Shelf::open().await;
    let t = &shop.t;
    shop.consists_of(shop.bundle, &[(shop.key, 2), (shop.file, 1)]).await;
    t.import(shop.key, 7).await;
    assert_eq!(shop.edit(shop.key, json!({ "reservationMinutes": 30 })).await, Value::Null);
    let order = async |n: usize| {
        let visitor = t.visitor(&format!("192.0.2.{n}"));
        let email = json!({ "email": format!("b{n}@example.com") });
        visitor.order(&shop.bundle.to_string(), 1, "19.99", email).await
    };
    let placed = join_all((1..=12).map(order)).await;
    let (held, refused): (Vec<&Value>, Vec<&Value>) = placed.iter().partition(|p| codes(p).is_empty());
    assert_eq!((held.len(), refused.len()), (3, 9), "{placed:?}");
    let short = |p: &&&Value| codes(p) == ["OUT_OF_STOCK"];
    assert_eq!(refused.iter().filter(short).count(), 9, "{refused:?}");
    let keys = "select string_agg(state || ':' || n, ' ' order by state) from (select state, count(*) n from vault_key group by 1) s";
    assert_eq!(t.db.one(keys).await, "available:1 reserved:6");
    assert_eq!(shop.availability(shop.bundle).await["canBuy"], false, "one key is half of a bundle");
    shop.must_be_sound().await;
    let whose = t.visitor("192.0.2.1");
    let cancel = json!({ "orderId": held[0]["order"]["id"], "accessToken": held[0]["accessToken"] });
    assert_eq!(whose.act("orderCancel", cancel, "order { state }").await["order"]["state"], "CANCELLED");
    assert_eq!(t.db.one(keys).await, "available:3 reserved:4");
    for paying in &held[1..] {
        t.pay(paying).await;
    }
    assert_eq!(t.db.one(keys).await, "available:3 sold:4");
    // Nobody holds more than the caps by hiding keys in a bundle: 3 pieces an address, and 2 keys a bundle.
    let caps = &t.app.config.limits;
    assert!(caps.held_units_per_address >= 2, "a bundle can be held at all");
    let many = caps.held_units_per_address / 2 + 1;
    t.import(shop.key, 2 * many as usize).await;
    let total =
        dispense::base::money::Money::new(1_999 * many, dispense::base::money::Currency::USD).decimal();
    let large =
        whose.order(&shop.bundle.to_string(), many as i32, &total, json!({ "email": "c@example.com" })).await;
    assert_eq!(codes(&large), ["QUANTITY_TOO_LARGE"], "{large}");
    t.drain().await;
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}

/// Rows: C2, P3, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_a_bundle_is_settled_delivers_all_of_it_once() {
    let (_cluster, t) = durable().await;
    let shop = Shelf::over(t).await;
    let t = &shop.t;
    t.import(shop.key, 8).await;
    for (n, step) in ["settle.t2", "settle.t3", "settle.t5", "settle.t6"].into_iter().enumerate() {
        let placed = t.order(shop.bundle, 1).await;
        let said = Said::paid(&placed, &format!("T{n}"));
        let mut dying = server(t).arg("--no-worker").env("DISPENSE_FAULT", step).start();
        let answer = notify(t.http(), &dying.url(""), t.app.clock.unix(), &said).await;
        assert!(answer.is_err(), "{step}: {answer:?}");
        assert!(dying.was_killed(Duration::from_secs(10)), "{step}");
        let states = t.unit_states(placed.order.id).await;
        let before = if step == "settle.t6" { "assigned:4 awaiting_person:1" } else { "unassigned:5" };
        assert_eq!(states, before, "{step}: all or nothing");
        for _ in 0..2 {
            assert_eq!(t.notify(&said).await.0, 200, "{step}");
        }
        assert_eq!(t.unit_states(placed.order.id).await, "assigned:4 awaiting_person:1", "{step}");
    }
    assert_eq!(t.db.one("select count(*) from vault_key where state = 'sold'").await, "8");
    t.drain().await;
    sound(t).await;
    shop.t.finish_with_jobs().await;
}
