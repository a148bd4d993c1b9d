//! The worker is killed at each step of a purchase (FAULTS F2): it goes on where it was, and buys once.

use std::time::Duration;

use chrono::TimeDelta;

use super::shop::Bazaar;
use crate::faults::shop::generic_account;
use crate::harness::{DurableCluster, Server, TestDatabase};

/// Rows: D7, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_step_of_a_purchase_buys_nothing_twice_and_loses_nothing() {
    let cluster = DurableCluster::start().await;
    let database = cluster.database().await;
    let shop = Bazaar::open_over(TestDatabase::durable(&database)).await;
    let t = shop.t();
    let supplier = shop.connect("Gifts").await;
    let variant = shop.selling(&[&supplier]).await;
    let outbound = format!(
        "[outbound]\nprivate_networks = [\"127.0.0.0/8\"]\nplain_http = true\nports = [{}]\n{}",
        shop.simulator.address().port(),
        generic_account()
    );
    // Where the worker dies, how often the supplier was called by then, and what the purchase is then.
    let steps = [
        ("supplier.stored", 0, "sending"),
        ("supplier.heard", 1, "sending"),
        ("supplier.applied", 1, "sending"),
    ];
    for (step, calls, state) in steps {
        let placed = t.paid_order(variant, 1).await;
        let before = shop.calls();
        let mut server = Server::of(&t.db.app_url()).config(&outbound).env("DISPENSE_FAULT", step).start();
        assert!(server.was_killed(Duration::from_secs(20)), "{step}");
        assert_eq!(shop.calls() - before, calls, "{step}");
        assert_eq!(shop.purchases(&placed).await, state, "{step}");
        t.search_log(&server.log());
        // Its lease is over.
        t.db.sql(
            "update job set state = 'queued', run_at = app_now(), leased_until = null, leased_by = null,
               lease_generation = lease_generation + 1 where state = 'running'",
        )
        .await;
        shop.pass(TimeDelta::minutes(2)).await;
        assert_eq!(shop.purchases(&placed).await, "delivered", "{step}");
        assert_eq!(t.unit_states(placed.order.id).await, "assigned:1", "{step}");
        let unit = shop.units(placed.order.id).await[0].to_string();
        assert_eq!(shop.sold_of(&unit).unwrap()["orders"], 1, "{step}: ordered once");
    }
    shop.sound().await;
}
