//! A whole batch is recalled.

use dispense::base::ids::KeyId;
use dispense::vault::freeze;
use serde_json::{Value, json};

use super::shop::{keys, line, progress, recall, sold_batch, states};
use crate::graphql::doors::shop::{denied, import, new_keys, once, pay, refusal, shop};
use crate::harness::visitor::Visitor;

async fn job(who: &Visitor, id: &Value) -> Value {
    let query =
        "query($id: ID!) { job(id: $id) { id kind state done total resultUrl problems { subject code } } }";
    who.ask(query, json!({ "id": id })).await["job"].clone()
}

/// Rows: K13 (keyBatchRecall, job).
/// Sends: keyBatchRecall, job.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recalled_batch_sells_nothing_and_its_holders_get_other_keys_as_they_come() {
    let shop = shop().await;
    let t = shop.t();
    let batch = sold_batch(t).await;
    import(t, &shop.seller, &shop.keys.variant, &new_keys(t, 1)).await;
    let input = json!({ "idempotencyKey": once(), "batchId": batch, "action": "REPLACE", "reason": "x" });
    assert_eq!(denied(&shop.guest, "keyBatchRecall", input.clone()).await, "UNAUTHENTICATED");
    assert_eq!(refusal(&recall(&shop.buyer, &batch, "REPLACE").await), "NOT_FOUND batchId");
    assert_eq!(refusal(&recall(&shop.seller, "nonsense", "REPLACE").await), "NOT_FOUND batchId");
    let nameless = json!({ "idempotencyKey": once(), "batchId": batch, "action": "REPLACE", "reason": " " });
    assert_eq!(refusal(&shop.seller.act("keyBatchRecall", nameless, "").await), "REASON_REQUIRED reason");

    let made = shop
        .seller
        .act("keyBatchRecall", input.clone(), "recall { id frozen holders } job { id state kind }")
        .await;
    assert_eq!((refusal(&made).as_str(), &made["recall"]["holders"]), ("done", &json!("3")));
    assert_eq!((&made["recall"]["frozen"], &made["job"]["state"]), (&json!("7"), &json!("RUNNING")));
    assert_eq!(keys(t).await, "available:1 frozen:7 sold:3", "before any job has run");
    let again = shop.seller.act("keyBatchRecall", input, "recall { id }").await;
    assert_eq!(again["recall"]["id"], made["recall"]["id"]);
    assert_eq!(refusal(&recall(&shop.support, &batch, "REFUND").await), "BATCH_ALREADY_RECALLED batchId");

    shop.street.settled().await;
    assert_eq!(progress(&shop.seller, &batch).await, "REPLACE of 3: replaced 1, waiting 2");
    let seen = job(&shop.seller, &made["job"]["id"]).await;
    assert_eq!((&seen["state"], &seen["done"], &seen["total"]), (&json!("DONE"), &json!("3"), &json!("3")));
    assert_eq!((&seen["kind"], &seen["problems"]), (&json!("KEY_RECALL"), &json!([])));
    for other in [&*shop.buyer, &shop.guest] {
        assert_eq!(job(other, &made["job"]["id"]).await, Value::Null);
    }
    assert_eq!(job(&shop.support, &json!(batch)).await["kind"], "KEY_IMPORT");
    assert_eq!(job(&shop.support, &json!("nonsense")).await, Value::Null);
    // Nobody sells one of its keys by thawing, and who pays later waits behind those who had one.
    let frozen = super::shop::ids(t, "select id from vault_key where state = 'frozen'").await;
    let frozen: Vec<KeyId> = frozen.into_iter().map(KeyId).collect();
    assert!(freeze::thaw(&mut t.app.db.conn().await.unwrap(), &frozen, "test").await.unwrap().is_empty());
    pay(&shop.street, &shop.unpaid).await;
    assert_eq!(states(&line(&shop, &shop.unpaid).await), "PENDING");
    import(t, &shop.seller, &shop.keys.variant, &new_keys(t, 2)).await;
    shop.street.settled().await;
    assert_eq!(progress(&shop.seller, &batch).await, "REPLACE of 3: replaced 3");
    assert_eq!(states(&line(&shop, &shop.by_guest).await), "READY READY REPLACED REPLACED");
    assert_eq!(states(&line(&shop, &shop.unpaid).await), "PENDING");
    assert_eq!(keys(t).await, "frozen:7 sold:3 voided:3");
    let pieces = "query($id: ID!) { node(id: $id) { ... on KeyBatch { recalledAt recall {
        pieces(first: 2) { deliveryId state replacedBy code line { title } } } } } }";
    let batch_seen = shop.seller.ask(pieces, json!({ "id": batch })).await["node"].clone();
    assert!(batch_seen["recalledAt"].is_string());
    let listed = batch_seen["recall"]["pieces"].as_array().unwrap();
    assert!(
        listed.len() == 2 && listed.iter().all(|p| p["state"] == "REPLACED" && p["replacedBy"].is_string())
    );
    let events = "select string_agg(kind, ' ' order by id) from event where kind in ('batch.recalled', 'batch.recall_ended')";
    assert_eq!(t.db.one(events).await, "batch.recalled batch.recall_ended");
    shop.sound().await;
}

/// Rows: K13 (keyBatchRecall), P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holders_are_listed_first_and_get_their_money_back_once_later() {
    let shop = shop().await;
    let t = shop.t();
    let batch = sold_batch(t).await;
    let listed = recall(&shop.seller, &batch, "LIST_ONLY").await;
    assert_eq!((refusal(&listed).as_str(), &listed["job"]["state"]), ("done", &json!("DONE")));
    shop.street.settled().await;
    assert_eq!(states(&line(&shop, &shop.by_guest).await), "READY READY");
    assert_eq!(refusal(&recall(&shop.seller, &batch, "LIST_ONLY").await), "BATCH_ALREADY_RECALLED batchId");
    // One of them was replaced meanwhile, one refunded.
    let own = line(&shop, &shop.by_buyer).await["deliveries"]["nodes"][0]["id"].as_str().unwrap().to_owned();
    let one = line(&shop, &shop.by_guest).await["deliveries"]["nodes"][0]["id"].clone();
    assert_eq!(refusal(&super::shop::replace(&shop.seller, &own, json!({})).await), "done");
    let refund =
        json!({ "idempotencyKey": once(), "orderId": shop.by_guest.id, "units": [one], "reason": "x" });
    assert_eq!(refusal(&shop.support.act("orderRefund", refund, "").await), "done");
    shop.street.settled().await;
    assert_eq!(keys(t).await, "frozen:7 sold:1 voided:2", "a key that came back unseen is not sold again");
    assert_eq!(refusal(&recall(&shop.support, &batch, "REFUND").await), "done");
    shop.street.settled().await;
    assert_eq!(progress(&shop.seller, &batch).await, "REFUND of 3: refunded 1, skipped 2");
    assert_eq!(shop.street.refunded(&shop.by_guest.number), 2_500);
    assert_eq!(
        shop.street.refunded(&shop.by_buyer.number),
        0,
        "its replacement is of another batch, to come"
    );
    assert_eq!(states(&line(&shop, &shop.by_guest).await), "REVOKED REVOKED");
    shop.sound().await;
}

/// A refund that the gateway refuses is counted as failed, and the operator has a task.
/// Rows: K13 (keyBatchRecall, job).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_recall_could_not_do_is_a_persons() {
    let shop = shop().await;
    let t = shop.t();
    let batch = sold_batch(t).await;
    shop.street.act(&shop.by_guest.number, "dispute");
    shop.street.settled().await;
    let made = recall(&shop.support, &batch, "REFUND").await;
    assert_eq!(refusal(&made), "done");
    shop.street.settled().await;
    assert_eq!(progress(&shop.seller, &batch).await, "REFUND of 3: refunded 1, failed 2");
    assert_eq!(shop.street.refunded(&shop.by_buyer.number), 1_250);
    let seen = job(&shop.support, &made["job"]["id"]).await;
    assert_eq!((&seen["state"], seen["problems"].as_array().unwrap().len()), (&json!("DONE"), 2), "{seen}");
    let tasks = "select count(*) from task where kind = 'recall_not_handled' and state = 'open'";
    assert_eq!(t.db.one(tasks).await, "1");
    shop.sound().await;
}
