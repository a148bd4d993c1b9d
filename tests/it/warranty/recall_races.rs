//! A batch is recalled while its keys are being sold.

use dispense::orders::place::Placed;
use futures::future::join_all;
use serde_json::json;

use super::shop::{boss, keys, recall, sold_batch};
use crate::graphql::doors::shop::refusal;
use crate::harness::{Said, TestApp, with_generic};

async fn pay(t: &TestApp, order: &Placed) -> u16 {
    t.notify(&Said::paid(order, &format!("T{}", order.order.number))).await.0
}

/// Every key either was sold before, and its buyer is listed, or is never sold.
/// Rows: K13 (keyBatchRecall), D1, K8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recall_at_the_moment_of_sale_forgets_no_buyer_and_frees_what_was_held() {
    for minutes in [0, 30] {
        let t = TestApp::start_with(with_generic).await;
        let variant = t.selling_keys(12, 500).await;
        if minutes > 0 {
            t.db.sql(&format!("update variant set reservation_minutes = {minutes}")).await;
        }
        let first = t.paid_order(variant, 1).await;
        let mut orders = Vec::new();
        for _ in 0..8 {
            orders.push(t.order(variant, 1).await);
        }
        let (boss, batch) = (boss(&t).await, sold_batch(&t).await);
        let recalled = async {
            loop {
                let said = refusal(&recall(&boss, &batch, "LIST_ONLY").await);
                if said != "IN_PROGRESS" {
                    return said;
                }
            }
        };
        let (early, said, late) =
            tokio::join!(join_all(orders[..4].iter().map(|order| pay(&t, order))), recalled, async {
                tokio::task::yield_now().await;
                join_all(orders[4..].iter().map(|order| pay(&t, order))).await
            });
        assert_eq!(said, "done");
        assert!(early.iter().chain(&late).all(|status| *status == 200), "{early:?} {late:?}");
        t.drain().await;
        let count = async |sql: &str| t.db.one(&format!("select count(*) from {sql}")).await;
        assert_eq!(
            count("vault_key where state in ('available', 'reserved')").await,
            "0",
            "{}",
            keys(&t).await
        );
        assert_eq!(count("orders where state = 'paid'").await, "9");
        let sold = count("vault_key where state = 'sold'").await;
        assert_eq!(count("recall_piece").await, sold, "{}", keys(&t).await);
        assert_eq!(t.unit_states(first.order.id).await, "assigned:1");
        let waiting = 9 - sold.parse::<usize>().unwrap();
        assert_eq!(count("unit where state = 'awaiting_stock'").await, waiting.to_string());
        t.import(variant, 9).await;
        t.drain().await;
        assert_eq!(count("unit where state = 'assigned'").await, "9");
        let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
        assert!(report.is_clean(), "{report}");
        t.finish_with_jobs().await;
    }
}

/// Nothing of a batch that is still being read is sold either, and two who recall it recall it once.
/// Rows: K13 (keyBatchRecall).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_recalls_at_once_are_one_and_an_import_cannot_go_on() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(3, 500).await;
    t.paid_order(variant, 2).await;
    let (boss, batch) = (boss(&t).await, sold_batch(&t).await);
    let said = join_all(["REPLACE", "REFUND", "LIST_ONLY"].map(|action| recall(&boss, &batch, action))).await;
    let done = said.iter().filter(|made| refusal(made) == "done").count();
    // Only listing may come before another action.
    assert!((1..=2).contains(&done), "{said:?}");
    assert_eq!(t.db.one("select count(*) from batch_recall").await, "1");
    t.drain().await;

    let opened = boss
        .act("keyImportCreate", json!({ "variantId": variant.to_string() }), "uploadUrl batch { id }")
        .await;
    let running = opened["batch"]["id"].as_str().unwrap();
    assert_eq!(refusal(&recall(&boss, running, "LIST_ONLY").await), "done");
    let session = t.sign_in("boss@shop.example").await;
    let upload =
        t.http().post(opened["uploadUrl"].as_str().unwrap()).bearer_auth(session.tokens.access.expose());
    let answer = upload.header("content-type", "text/plain").body("CANARY-LATE-0001").send().await.unwrap();
    assert!(answer.status().is_client_error(), "{}", answer.status());
    assert_eq!(t.db.one("select count(*) from vault_key where state in ('available', 'loading')").await, "0");
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}
