//! The worker is killed at each step: no event is lost, and the receiver sees one name for it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::shop::Relay;
use crate::faults::shop::generic_account;
use crate::harness::{DurableCluster, Server, TestDatabase};

/// Rows: D9, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_step_loses_no_event_and_gives_none_a_second_name() {
    let cluster = DurableCluster::start().await;
    let database = cluster.database().await;
    let shop = Relay::open_over(TestDatabase::durable(&database), |_| {}).await;
    let t = &shop.t;
    let variant = shop.selling(9).await;
    let (id, _) = shop.connect("/one", json!({ "eventTypes": ["order.paid"] })).await;
    let config = format!(
        "[outbound]\nprivate_networks = [\"127.0.0.0/8\"]\nplain_http = true\nports = [{}, 443]\n{}",
        shop.receiver.port,
        generic_account()
    );
    // Where the worker dies, how often the receiver was called by then, and what the delivery is then.
    let steps = [
        ("hooks.fanned_out", 0, ""),
        ("hooks.begun", 0, "sending:1"),
        ("hooks.sent", 1, "sending:1"),
        ("hooks.recorded", 1, ""),
    ];
    let mut delivered = 0;
    for (step, calls, open) in steps {
        t.paid_order(variant, 1).await;
        let before = shop.receiver.seen("/one").len();
        let mut server = Server::of(&t.db.app_url()).config(&config).env("DISPENSE_FAULT", step).start();
        assert!(server.was_killed(Duration::from_secs(20)), "{step}");
        assert_eq!(shop.receiver.seen("/one").len() - before, calls, "{step}");
        let states = shop.states(&id).await;
        let wanted = match (delivered, open) {
            (0, open) => open.to_owned(),
            (done, "") if step == "hooks.recorded" => format!("delivered:{}", done + 1),
            (done, open) => format!("delivered:{done} {open}"),
        };
        assert_eq!(states, wanted, "{step}");
        t.search_log(&server.log());
        t.advance(chrono::TimeDelta::minutes(2)).await;
        t.drain().await;
        delivered += 1;
        assert_eq!(shop.states(&id).await, format!("delivered:{delivered}"), "{step}");
    }
    let ids = shop.receiver.ids("/one");
    assert_eq!(ids.len(), 5, "sent twice where nobody knew whether it was taken: {ids:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 4, "{ids:?}");
    let lost = t.db.one("select count(*) from hook_attempt where outcome = 'lost'").await;
    assert_eq!(lost, "2");
    shop.sound().await;
}
