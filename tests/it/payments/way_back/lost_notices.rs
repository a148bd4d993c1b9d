//! A gateway that gives up on its notices: what has begun is asked about until it has ended.

use chrono::TimeDelta;
use serde_json::json;

use super::shop::{Bought, bought_at};

/// Gateways that have refunds and disputes of their own with names to ask for.
const GATEWAYS: [&str; 2] = ["stripe", "paypal"];

/// Sweeps run, and questions have their answers.
async fn later(shop: &Bought, by: TimeDelta) {
    shop.street.t.advance(by).await;
    shop.street.t.sweep().await;
    shop.street.settled().await;
}

/// Rows: P7, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_made_at_the_gateway_ends_although_no_notice_says_so() {
    for (gateway, act, after) in [
        ("stripe", "finish-refund", "7.00 [SUCCEEDED 7.00] PARTIALLY_REFUNDED"),
        ("stripe", "fail-refund", "0.00 [FAILED 7.00] CAPTURED"),
        ("paypal", "finish-refund", "7.00 [SUCCEEDED 7.00] PARTIALLY_REFUNDED"),
        ("paypal", "fail-refund", "0.00 [FAILED 7.00] CAPTURED"),
    ] {
        let shop = bought_at(gateway, 2).await;
        let number = shop.placed.order.number.clone();
        shop.street.try_act(&number, "refund-slow", json!({ "amount": 700 })).unwrap();
        shop.street.settled().await;
        assert_eq!(shop.money().await, "0.00 [PENDING 7.00] CAPTURED", "{gateway}");
        shop.street.act(&number, "hold-notices");
        shop.street.act(&number, act);
        later(&shop, TimeDelta::minutes(20)).await;
        assert_eq!(shop.money().await, after, "{gateway} {act}");
        assert_eq!(shop.street.t.db.one("select count(*) from hold").await, "0");
        // What comes after all changes nothing.
        shop.street.try_act(&number, "release-notices", json!({ "seed": 1 })).unwrap();
        shop.street.settled().await;
        assert_eq!(shop.money().await, after, "{gateway} {act}");
        shop.sound().await;
    }
}

/// Rows: P7, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispute_is_decided_although_no_notice_says_so() {
    for gateway in GATEWAYS {
        for (act, after) in
            [("dispute-lost", "5.00 [] PARTIALLY_REFUNDED"), ("dispute-won", "0.00 [] CAPTURED")]
        {
            let shop = bought_at(gateway, 2).await;
            let number = shop.placed.order.number.clone();
            shop.street.try_act(&number, "dispute-part", json!({ "amount": 500 })).unwrap();
            shop.street.settled().await;
            assert_eq!(shop.money().await, "0.00 [] DISPUTED", "{gateway}");
            shop.street.act(&number, "hold-notices");
            shop.street.act(&number, act);
            later(&shop, TimeDelta::minutes(20)).await;
            assert_eq!(shop.money().await, after, "{gateway} {act}: asked once soon after it began");
            assert_eq!(shop.street.t.db.one("select count(*) from hold").await, "0");
            shop.street.try_act(&number, "release-notices", json!({ "seed": 1 })).unwrap();
            shop.street.settled().await;
            assert_eq!(shop.money().await, after, "{gateway} {act}");
            shop.sound().await;
        }
    }
}

/// Rows: P7, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undecided_dispute_is_asked_about_once_a_day() {
    let shop = bought_at("stripe", 2).await;
    let number = shop.placed.order.number.clone();
    shop.street.try_act(&number, "dispute-part", json!({ "amount": 500 })).unwrap();
    shop.street.settled().await;
    later(&shop, TimeDelta::minutes(20)).await;
    shop.street.act(&number, "hold-notices");
    shop.street.act(&number, "dispute-lost");
    later(&shop, TimeDelta::hours(2)).await;
    assert_eq!(shop.money().await, "0.00 [] DISPUTED", "asked two hours ago");
    later(&shop, TimeDelta::hours(23)).await;
    assert_eq!(shop.money().await, "5.00 [] PARTIALLY_REFUNDED");
    shop.sound().await;
}

/// Stripe says of a charge only that it is disputed: the dispute of which no notice came gets its name and its end.
/// Rows: P7, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispute_of_which_nothing_was_heard_is_found_by_the_next_question() {
    let shop = bought_at("stripe", 2).await;
    let number = shop.placed.order.number.clone();
    shop.street.act(&number, "hold-notices");
    shop.street.try_act(&number, "dispute-part", json!({ "amount": 500 })).unwrap();
    shop.street.act(&number, "dispute-lost");
    shop.street.t.advance(TimeDelta::minutes(20)).await;
    // A refund that failed late makes the shop ask.
    shop.report(&shop.refund("refund.created", "re_9", 700, "succeeded", None, -600)).await;
    shop.report(&shop.refund("refund.failed", "re_9", 700, "failed", None, 0)).await;
    shop.street.settled().await;
    assert_eq!(shop.money().await, "0.00 [FAILED 7.00] DISPUTED");
    later(&shop, TimeDelta::minutes(20)).await;
    assert_eq!(shop.money().await, "5.00 [FAILED 7.00] PARTIALLY_REFUNDED");
    shop.sound().await;
}

/// A refund of which nothing at all was heard is in the statement of its day, and where a payment here is behind its
/// statement the gateway is asked.
/// Rows: P7, P8, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_of_which_nothing_was_heard_is_found_by_the_statement_of_its_day() {
    for gateway in GATEWAYS {
        let shop = bought_at(gateway, 2).await;
        let number = shop.placed.order.number.clone();
        shop.street.act(&number, "hold-notices");
        shop.street.try_act(&number, "refund-part", json!({ "amount": 700 })).unwrap();
        assert_eq!(shop.money().await, "0.00 [] CAPTURED", "{gateway}");
        for _ in 0..3 {
            later(&shop, TimeDelta::days(1)).await;
        }
        assert_eq!(shop.money().await, "7.00 [SUCCEEDED 7.00] PARTIALLY_REFUNDED", "{gateway}");
        assert_eq!(shop.street.t.db.one("select count(*) from hold").await, "0");
        shop.sound().await;
    }
}
