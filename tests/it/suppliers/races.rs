//! Purchases, callbacks, refunds and workers at the same time.

use dispense::worker;
use serde_json::json;

use super::shop::Bazaar;
use crate::harness::Said;

/// Rows: D7, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_races_with_the_answer_and_with_a_refund() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let supplier = shop.connect("Racer").await;
    for round in 0..10_u64 {
        // What came for a refunded piece is stock of its variant.
        let variant = shop.selling(&[&supplier]).await;
        shop.trouble(&["pending"]);
        let placed = t.paid_order(variant, 1).await;
        t.drain().await;
        let unit = shop.units(placed.order.id).await[0];
        let name = unit.to_string();
        t.db.sql("update supplier_purchase set next_at = app_now()").await;
        let ask = async {
            tokio::time::sleep(std::time::Duration::from_millis(3 * (round % 3))).await;
            dispense::fulfilment::supplier::run(&t.app.worker().kit, unit).await.unwrap()
        };
        let called = async {
            tokio::time::sleep(std::time::Duration::from_millis(3 * ((round + 1) % 3))).await;
            shop.simulator.supplier_calls_back(&name, None).await
        };
        let refund = async {
            if round % 2 == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(3 * ((round + 2) % 3))).await;
                shop.counter.refund(&placed).await;
            }
        };
        let (_, answer, ()) = tokio::join!(ask, called, refund);
        assert_eq!(answer, Ok(204));
        assert_eq!(shop.purchases(&placed).await, "delivered");
        let states = t.unit_states(placed.order.id).await;
        match round % 2 {
            0 => assert!(states == "revoked:1" || states == "cancelled:1", "{states}"),
            _ => assert_eq!(states, "assigned:1"),
        }
        t.drain().await;
    }
    shop.sound().await;
}

/// Two workers, many buyers, a supplier in trouble: each piece is bought once.
/// Rows: D7, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_buyers_and_two_workers_buy_each_piece_once() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let (first, second) = (shop.connect("First").await, shop.connect("Second").await);
    let variant = shop.selling(&[&first, &second]).await;
    let mut placed = Vec::new();
    for _ in 0..12 {
        placed.push(t.order(variant, 2).await);
    }
    let said: Vec<Said> = placed.iter().map(|p| Said::paid(p, &format!("T{}", p.order.number))).collect();
    shop.trouble(&["refuse", "none", "pending", "spoil", "refuse", "refuse", "none", "bad_json", "pending"]);
    let pay = futures::future::join_all(said.iter().chain(&said).map(|one| t.notify(one)));
    let backend = t.app.worker();
    let (answers, ..) = tokio::join!(pay, worker::drain(&backend), worker::drain(&backend));
    assert!(answers.iter().all(|(status, _)| *status == 200));
    shop.pass(chrono::TimeDelta::minutes(10)).await;
    let journal = shop.sold();
    assert!(journal.values().all(|sold| sold["orders"] == 1), "{journal:?}");
    let mut texts = Vec::new();
    for order in &placed {
        let states = t.unit_states(order.order.id).await;
        assert!(
            states.split(' ').all(|s| s.starts_with("assigned") || s.starts_with("awaiting_person")),
            "{states}"
        );
        if states == "assigned:2" {
            texts.extend(shop.counter.texts(order).await);
        }
    }
    let count = texts.len();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), count, "no text was sold twice");
    assert!(count > 0, "{}", json!(journal));
    shop.sound().await;
}
