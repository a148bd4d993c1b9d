//! A key of idempotency is good for its days: afterwards the same request is a new one, where that gives and pays nothing twice.

use chrono::TimeDelta;
use serde_json::json;

use crate::graphql::client::Client;
use crate::harness::{TestApp, with_generic};

const PLACE: &str =
    "mutation($in: OrderPlaceInput!) { orderPlace(input: $in) { replayed order { id number state }
    userErrors { code } } }";

/// Rows: O2, D8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_placed_anew_after_a_week_and_not_while_it_may_be_paid_for() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(5, 990).await;
    let client = Client::new(&t.app);
    let input = json!({ "in": {
        "idempotencyKey": "a key of the test 0001", "currency": "USD", "expectedTotal": "9.90", "email": "guest@example.com",
        "lines": [{ "key": "a", "variantId": variant.to_string(), "quantity": 1 }],
    } });
    let place = async || client.data(PLACE, input.clone()).await["orderPlace"].clone();
    let first = place().await;
    assert_eq!((&first["replayed"], &first["userErrors"]), (&json!(false), &json!([])));
    let same = async || place().await["order"]["number"] == first["order"]["number"];

    // Six days later it is still the same order, which is over by now.
    t.advance(TimeDelta::days(6)).await;
    t.retain().await;
    assert!(same().await);
    // An order that waits for its money longer than that keeps its key.
    t.advance(TimeDelta::days(4)).await;
    t.retain().await;
    assert_eq!(place().await["replayed"], true);
    assert!(same().await);
    t.sweep().await;
    assert_eq!(t.db.one("select state from orders").await, "expired");
    t.retain().await;
    let anew = place().await;
    assert_eq!((&anew["replayed"], &anew["userErrors"]), (&json!(false), &json!([])));
    assert_ne!(anew["order"]["number"], first["order"]["number"]);
    assert_eq!(t.db.one("select count(*) from orders").await, "2");
    t.finish_with_jobs().await;
}

/// Rows: O2, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_pay_or_give_twice_is_known_for_ever() {
    let t = TestApp::start_with(with_generic).await;
    let operations =
        ["caseAnswer", "deliveryReplace", "deliveryReport", "keyBatchRecall", "orderRefund", "paymentStart"];
    for operation in operations {
        t.db.sql(&format!(
            "insert into idempotency (scope, operation, key, request_digest, result_id)
               values ('x', '{operation}', 'a key of the test 0001', '', gen_random_uuid())"
        ))
        .await;
    }
    let known = "select string_agg(operation, ' ' order by operation) from idempotency";
    t.advance(TimeDelta::days(6)).await;
    t.retain().await;
    assert_eq!(t.db.one(known).await, operations.join(" "));
    t.advance(TimeDelta::days(800)).await;
    t.retain().await;
    assert_eq!(t.db.one(known).await, "caseAnswer deliveryReplace keyBatchRecall orderRefund");
    t.finish_with_jobs().await;
}
