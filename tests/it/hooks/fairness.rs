//! One endpoint that hangs keeps no other waiting, and two workers send each event once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use dispense::worker;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::receiver::{Manner, Receiver};
use super::shop::Relay;
use crate::harness::TestDatabase;

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn came(receiver: &Receiver, path: &str) -> usize {
    receiver.seen(path).len()
}

/// Rows: D9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_that_hang_starve_no_other() {
    let shop = Relay::open_over(TestDatabase::migrated().await, |config| {
        config.worker.hook_concurrency = 8;
        config.worker.hook_concurrency_per_endpoint = 3;
        // Whoever hangs does so for as long as this test runs.
        config.worker.hook_seconds = 60;
    })
    .await;
    let t = &shop.t;
    let variant = shop.selling(30).await;
    let only = json!({ "eventTypes": ["order.paid"] });
    shop.receiver.answers("/hang", Manner::Hang);
    let (hanging, _) = shop.connect("/hang", only.clone()).await;
    // Six that fail already may have four places together.
    for number in 0..6 {
        let path = format!("/failing{number}");
        shop.receiver.answers(&path, Manner::Hang);
        shop.connect(&path, only.clone()).await;
    }
    t.db.sql("update hook_endpoint set failing_since = app_now() where url like '%/failing%'").await;
    let (well, _) = shop.connect("/well", only.clone()).await;
    for _ in 0..10 {
        t.paid_order(variant, 1).await;
    }
    let stop = CancellationToken::new();
    let working = tokio::spawn(worker::run(t.app.worker(), stop.clone()));
    until("the well one has all", || came(&shop.receiver, "/well") == 10).await;
    assert_eq!(shop.receiver.most_open("/hang"), 3, "a hanging endpoint has its own places alone");
    until("its state is stored", || came(&shop.receiver, "/hang") == 3).await;
    let failing: usize = (0..6).map(|n| shop.receiver.most_open(&format!("/failing{n}"))).sum();
    assert!((1..=4).contains(&failing), "{failing}");
    t.wait_until("select count(*) = 10 from hook_delivery where state = 'delivered'").await;
    assert_eq!(shop.states(&well).await, "delivered:10");
    assert_eq!(shop.states(&hanging).await, "queued:7 sending:3");
    working.abort();
    stop.cancel();
    t.db.sql("delete from hook_attempt where outcome is null; update hook_delivery set state = 'queued', attempts = 0 where state = 'sending'").await;
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}

/// Rows: D9, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_send_each_event_once_and_in_order_where_that_is_asked_for() {
    let shop = Relay::open().await;
    let t = &shop.t;
    let variant = shop.selling(20).await;
    shop.receiver.answers("/slow", Manner::Slow(Duration::from_millis(20)));
    let (ordered, _) = shop.connect("/ordered", json!({ "ordered": true })).await;
    let (slow, _) = shop.connect("/slow", json!({})).await;
    let (backend, other) = (t.app.worker(), t.app.worker());
    for _ in 0..6 {
        t.paid_order(variant, 2).await;
    }
    let (one, two) = tokio::join!(worker::drain(&backend), worker::drain(&other));
    one.unwrap();
    two.unwrap();
    t.drain().await;
    for (path, id) in [("/ordered", &ordered), ("/slow", &slow)] {
        let ids = shop.receiver.ids(path);
        assert!(ids.len() > 20, "{path}: {ids:?}");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{path}: each once");
        assert_eq!(shop.states(id).await, format!("delivered:{}", ids.len()));
    }
    let seqs: Vec<i64> = shop
        .receiver
        .seen("/ordered")
        .iter()
        .map(|message| super::receiver::body(message)["data"]["seq"].as_i64().unwrap())
        .collect();
    assert!(seqs.is_sorted(), "{seqs:?}");
    assert!(shop.receiver.most_open("/slow") <= 4);
    shop.sound().await;
}
