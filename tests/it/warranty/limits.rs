//! What is not replaced, and what staff may let pass.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::shop::{line, promise, replace};
use crate::graphql::doors::shop::{Bought, GUEST, Shop, deliveries, order, pay, refusal, shop, sign_in};

async fn bought(shop: &Shop) -> Bought {
    let bought = order(&shop.street, &shop.guest, &[(&shop.keys, 1)], "12.50", Some(GUEST)).await;
    pay(&shop.street, &bought).await;
    bought
}

/// The delivery of an order's first line that is not replaced.
async fn current(shop: &Shop, bought: &Bought) -> String {
    let line = line(shop, bought).await;
    let nodes = line["deliveries"]["nodes"].as_array().unwrap().clone();
    let node = nodes.iter().find(|node| node["replacedBy"].is_null()).unwrap();
    node["id"].as_str().unwrap().to_owned()
}

/// Each piece as often as was promised when it was bought; replacements that staff let pass are not counted against it.
/// Rows: K13 (deliveryReplace), K15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_piece_is_replaced_as_often_as_promised_and_staff_may_let_more_pass() {
    let shop = shop().await;
    promise(&shop, &shop.keys, json!({ "warrantyDays": 30, "replacementLimit": 1 })).await;
    let (one, other) = (bought(&shop).await, bought(&shop).await);
    // What is offered later is no concern of those who bought before.
    promise(&shop, &shop.keys, json!({ "warrantyDays": 1, "replacementLimit": 0 })).await;
    let strict = bought(&shop).await;
    let over = json!({ "overrideLimits": true });
    let seller = &shop.seller;
    assert_eq!(
        refusal(&replace(seller, &current(&shop, &strict).await, json!({})).await),
        "REPLACEMENT_LIMIT_REACHED deliveryId"
    );
    assert_eq!(refusal(&replace(seller, &current(&shop, &one).await, json!({})).await), "done");
    let second = current(&shop, &one).await;
    assert_eq!(refusal(&replace(seller, &second, json!({})).await), "REPLACEMENT_LIMIT_REACHED deliveryId");
    assert_eq!(refusal(&replace(seller, &second, over.clone()).await), "FORBIDDEN overrideLimits");
    assert_eq!(refusal(&replace(&shop.support, &second, over.clone()).await), "done");
    assert_eq!(shop.t().db.one("select count(*) from replacement where overridden").await, "1");
    assert_eq!(refusal(&replace(seller, &current(&shop, &other).await, json!({})).await), "done");

    shop.t().advance(TimeDelta::days(31)).await;
    let (seller, support) =
        (sign_in(shop.t(), &shop.seller.email).await, sign_in(shop.t(), &shop.support.email).await);
    let late = current(&shop, &other).await;
    assert_eq!(
        refusal(&replace(&seller, &late, json!({})).await),
        "WARRANTY_OVER deliveryId",
        "the replacement begins no warranty of its own"
    );
    assert_eq!(refusal(&replace(&support, &late, over).await), "done");
    shop.street.settled().await;
    shop.sound().await;
}

/// Rows: K13 (deliveryReplace).
/// Sends: deliveryReplace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_delivered_or_is_taken_back_is_not_replaced() {
    let shop = shop().await;
    let own = shop.see(&shop.by_buyer).await;
    let (file, key) = (deliveries(&own, "file").remove(0), deliveries(&own, "key").remove(0));
    let unpaid = deliveries(&shop.see(&shop.unpaid).await, "key").remove(0);
    let pieces = deliveries(&shop.see(&shop.by_guest).await, "key");
    let refund = json!({ "idempotencyKey": crate::graphql::doors::shop::once(), "orderId": shop.by_guest.id,
        "units": [pieces[1]], "reason": "asked for" });
    assert_eq!(refusal(&shop.support.act("orderRefund", refund, "").await), "done");
    shop.street.settled().await;
    let long = "x".repeat(501);
    for (delivery, more, wanted) in [
        ("nonsense", json!({}), "NOT_FOUND deliveryId"),
        (&shop.by_guest.id, json!({}), "NOT_FOUND deliveryId"),
        (&unpaid, json!({}), "NOT_PAID deliveryId"),
        (&file, json!({}), "INVALID deliveryId"),
        (&pieces[1], json!({}), "REFUNDED deliveryId"),
        (&key, json!({ "reason": " " }), "REASON_REQUIRED reason"),
        (&key, json!({ "reason": long }), "INVALID reason"),
        (&key, json!({ "idempotencyKey": "short" }), "INVALID idempotencyKey"),
    ] {
        let said: Value = replace(&shop.seller, delivery, more.clone()).await;
        assert_eq!(refusal(&said), wanted, "{delivery} {more}");
    }
    // A dispute of the payment keeps everything as it is.
    shop.street.act(&shop.by_buyer.number, "dispute");
    shop.street.settled().await;
    let disputed = refusal(&replace(&shop.support, &key, json!({ "overrideLimits": true })).await);
    assert!(disputed.ends_with(" deliveryId"), "{disputed}");
    assert_eq!(shop.t().db.one("select count(*) from replacement").await, "0");
    assert_eq!(refusal(&replace(&shop.seller, &pieces[0], json!({})).await), "done");
    shop.street.settled().await;
    shop.sound().await;
}
