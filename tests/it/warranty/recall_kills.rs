//! The worker is killed in the middle of a recall: it goes on where it was, and sees to everybody once.

use std::time::Duration;

use super::shop::{boss, progress, recall};
use crate::faults::shop::{durable, server};
use crate::graphql::doors::shop::refusal;

/// Rows: K13 (keyBatchRecall), X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_step_of_a_recall_forgets_nobody_and_replaces_nothing_twice() {
    let (_cluster, t) = durable().await;
    let boss = boss(&t).await;
    for step in ["recall.piece", "recall.handled", "recall.ended"] {
        let variant = t.selling_keys(3, 500).await;
        t.paid_order(variant, 3).await;
        t.import(variant, 3).await;
        t.drain().await;
        let sql =
            format!("select batch_id from vault_key where state = 'sold' and variant_id = '{}'", variant.0);
        let batch = dispense::base::ids::BatchId(super::shop::ids(&t, &sql).await.remove(0)).to_string();
        assert_eq!(refusal(&recall(&boss, &batch, "REPLACE").await), "done");
        let mut server = server(&t).env("DISPENSE_FAULT", step).start();
        assert!(server.was_killed(Duration::from_secs(20)), "{step}");
        t.search_log(&server.log());
        let open = match step {
            "recall.piece" => "REPLACE of 3: open 3",
            "recall.handled" => "REPLACE of 3: open 2, replaced 1",
            _ => "REPLACE of 3: replaced 3",
        };
        assert_eq!(progress(&boss, &batch).await, open, "{step}");
        // Its lease is over.
        t.db.sql(
            "update job set state = 'queued', run_at = app_now(), leased_until = null, leased_by = null,
               lease_generation = lease_generation + 1 where state = 'running'",
        )
        .await;
        t.drain_all().await;
        assert_eq!(progress(&boss, &batch).await, "REPLACE of 3: replaced 3", "{step}");
        let of = |sql: &str| format!("select count(*) from {sql} and variant_id = '{}'", variant.0);
        assert_eq!(t.db.one(&of("unit where state = 'assigned'")).await, "3", "{step}");
        assert_eq!(t.db.one(&of("unit where state = 'replaced'")).await, "3", "{step}");
        assert_eq!(t.db.one(&of("vault_key where state = 'voided'")).await, "3", "{step}");
    }
    assert_eq!(t.db.one("select count(*) from event where kind = 'batch.recall_ended'").await, "3");
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}

/// A recall whose job is gone is taken up again.
/// Rows: K13 (keyBatchRecall).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recall_without_a_job_goes_on_by_the_sweep() {
    let t = crate::harness::TestApp::start_with(crate::harness::with_generic).await;
    let variant = t.selling_keys(4, 500).await;
    t.paid_order(variant, 2).await;
    t.import(variant, 2).await;
    t.drain().await;
    let (boss, batch) = (boss(&t).await, super::shop::sold_batch(&t).await);
    assert_eq!(refusal(&recall(&boss, &batch, "REPLACE").await), "done");
    t.db.sql("delete from job where kind = 'delivery.recall'").await;
    t.drain().await;
    assert_eq!(progress(&boss, &batch).await, "REPLACE of 2: open 2");
    t.sweep().await;
    t.drain().await;
    assert_eq!(progress(&boss, &batch).await, "REPLACE of 2: replaced 2");
    t.finish_with_jobs().await;
}
