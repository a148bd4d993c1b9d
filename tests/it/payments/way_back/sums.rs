//! One refund reported twice, sums before and after the refunds that they are made of, repeats and every order.

use super::shop::{Event, bought};

fn permutations(events: &[Event]) -> Vec<Vec<Event>> {
    let [first, rest @ ..] = events else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for shorter in permutations(rest) {
        for place in 0..=shorter.len() {
            let mut longer = shorter.clone();
            longer.insert(place, first.clone());
            all.push(longer);
        }
    }
    all
}

/// Rows: P5, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_refund_reported_as_a_sum_and_by_itself_is_one_refund_in_every_order() {
    let mut order = 0;
    loop {
        let shop = bought(&[(2, 1_900)]).await;
        let events = [
            shop.sum(1_900, 1),
            shop.refund("refund.created", "re_1", 1_900, "succeeded", None, 1),
            shop.refund("refund.updated", "re_1", 1_900, "succeeded", None, 2),
        ];
        let orders = permutations(&events);
        for event in &orders[order] {
            shop.report(event).await;
        }
        for event in &orders[order] {
            shop.report(event).await;
        }
        assert_eq!(shop.money().await, "19.00 [SUCCEEDED 19.00] PARTIALLY_REFUNDED", "{:?}", orders[order]);
        assert_eq!(shop.units().await, "assigned:2");
        assert_eq!(
            (shop.mails("refund_made").await, shop.tasks().await),
            ("1".into(), "refund_units_unknown".into())
        );
        shop.sound().await;
        order += 1;
        if order == orders.len() {
            break;
        }
    }
}

/// Rows: P5, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_refunds_and_their_sums_come_to_the_same_in_every_order() {
    let mut order = 0;
    loop {
        let shop = bought(&[(2, 1_900)]).await;
        // A day lies between the two: the first sum cannot have known the second refund.
        let events = [
            shop.sum(500, -86_400),
            shop.refund("refund.created", "re_1", 500, "succeeded", None, -86_400),
            shop.sum(1_200, 0),
            shop.refund("refund.created", "re_2", 700, "succeeded", None, 0),
        ];
        let orders = permutations(&events);
        for event in &orders[order] {
            shop.report(event).await;
        }
        let wanted = "12.00 [SUCCEEDED 5.00, SUCCEEDED 7.00] PARTIALLY_REFUNDED";
        assert_eq!(shop.money().await, wanted, "{:?}", orders[order]);
        assert_eq!(shop.units().await, "assigned:2");
        shop.sound().await;
        // Each run has a shop of its own: a third of the orders is enough to meet every pair both ways round.
        order += 3;
        if order >= orders.len() {
            break;
        }
    }
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_of_ours_that_its_sum_overtakes_is_counted_once_and_keeps_the_goods() {
    let shop = bought(&[(2, 1_900)]).await;
    shop.street.simulator.set_trouble(serde_json::json!({ "refunds": "pending" })).unwrap();
    let asked = shop.staff_refund(serde_json::json!({ "amount": "5.00" })).await;
    let ours = asked["refund"]["id"].as_str().unwrap().to_owned();
    assert_eq!(asked["refund"]["state"], "PENDING");
    shop.report(&shop.sum(500, 1)).await;
    // Stripe counts a refund from the moment it is made: its end is still to come.
    assert_eq!(shop.money().await, "0.00 [PENDING 5.00] CAPTURED");
    let there = shop.street.there(&shop.placed.order.number)["refunds"][0]["id"].as_str().unwrap().to_owned();
    shop.report(&shop.refund("refund.updated", &there, 500, "succeeded", Some(&ours), 1)).await;
    assert_eq!(shop.money().await, "5.00 [SUCCEEDED 5.00] PARTIALLY_REFUNDED");
    assert_eq!(shop.units().await, "assigned:2");
    assert_eq!((shop.mails("refund_made").await, shop.tasks().await), ("1".into(), String::new()));
    shop.sound().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sum_above_what_was_received_takes_no_more_than_that() {
    let shop = bought(&[(1, 1_900)]).await;
    shop.report(&shop.refund("refund.created", "re_1", 1_900, "succeeded", None, 0)).await;
    shop.report(&shop.refund("refund.created", "re_2", 1_900, "succeeded", None, 0)).await;
    let seen = shop.order().await;
    assert_eq!((&seen["refunded"]["amount"], &seen["stage"]), (&"19.00".into(), &"REFUNDED".into()));
    assert_eq!(shop.units().await, "revoked:1");
    // The first of the two had failed before the second was made.
    shop.report(&shop.refund("refund.failed", "re_1", 1_900, "failed", None, 0)).await;
    assert_eq!(shop.money().await, "19.00 [FAILED 19.00, SUCCEEDED 19.00] REFUNDED");
    shop.sound().await;
}

/// Rows: P9, M1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sum_that_may_count_a_refund_on_its_way_is_mailed_about_when_more_is_known() {
    // The refund that it counted fails: its buyer never had the money.
    let shop = bought(&[(2, 1_900)]).await;
    shop.report(&shop.sum(500, 0)).await;
    assert_eq!(shop.mails("refund_made").await, "0");
    shop.report(&shop.refund("refund.created", "re_1", 500, "pending", None, 0)).await;
    shop.report(&shop.refund("refund.failed", "re_1", 500, "failed", None, 60)).await;
    assert_eq!(shop.money().await, "0.00 [FAILED 5.00] CAPTURED");
    assert_eq!(shop.mails("refund_made").await, "0");
    shop.sound().await;
    // Nothing more comes: the buyer is written to in the end.
    let shop = bought(&[(2, 1_900)]).await;
    let number = shop.placed.order.number.clone();
    shop.street.try_act(&number, "refund-sum-alone", serde_json::json!({ "amount": 500 })).unwrap();
    shop.street.settled().await;
    assert_eq!(
        (shop.money().await.as_str(), shop.mails("refund_made").await.as_str()),
        ("5.00 [SUCCEEDED 5.00] PARTIALLY_REFUNDED", "0")
    );
    shop.street.t.advance(chrono::TimeDelta::minutes(10)).await;
    shop.street.settled().await;
    assert_eq!(shop.mails("refund_made").await, "1");
    shop.sound().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sum_that_overtakes_our_own_refund_of_all_takes_no_goods_before_its_end_is_known() {
    let shop = bought(&[(1, 1_900)]).await;
    shop.street
        .simulator
        .set_trouble(serde_json::json!({ "refunds": "pending", "report": "sum_first" }))
        .unwrap();
    let asked = shop.staff_refund(serde_json::json!({})).await;
    assert_eq!(asked["refund"]["state"], "PENDING");
    shop.street.settled().await;
    assert_eq!(shop.money().await, "0.00 [PENDING 19.00] CAPTURED");
    assert_eq!(shop.units().await, "assigned:1");
    let number = shop.placed.order.number.clone();
    let there = shop.street.there(&number)["refunds"][0]["id"].clone();
    shop.street.try_act(&number, "fail-refund", serde_json::json!({ "refund": there })).unwrap();
    shop.street.settled().await;
    assert_eq!(shop.money().await, "0.00 [FAILED 19.00] CAPTURED");
    assert_eq!((shop.units().await.as_str(), shop.tasks().await.as_str()), ("assigned:1", "refund_failed"));
    shop.sound().await;
}
