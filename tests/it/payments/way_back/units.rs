//! A unit is refunded once, for no more than it cost, on the line and seller it belongs to.

use futures::future::join_all;
use serde_json::{Value, json};

use super::shop::bought;

fn code(answer: &Value) -> &str {
    answer["userErrors"][0]["code"].as_str().unwrap_or("done")
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_is_refunded_once_whoever_asks_and_for_no_more_than_it_cost() {
    let shop = bought(&[(2, 1_900), (1, 500)]).await;
    let (first, second) = (shop.deliveries(0).await, shop.deliveries(1).await);
    let too_much = shop.staff_refund(json!({ "units": [first[0]], "amount": "19.01" })).await;
    assert_eq!(
        (code(&too_much), &too_much["userErrors"][0]["field"]),
        ("REFUND_TOO_LARGE", &json!(["amount"]))
    );
    let crowd = (0..8).map(|_| shop.staff_refund(json!({ "units": [first[0]] })));
    let mut codes: Vec<String> = join_all(crowd).await.iter().map(|a| code(a).to_owned()).collect();
    codes.sort();
    assert_eq!((codes[7].as_str(), codes.iter().filter(|c| *c == "ALREADY_REFUNDED").count()), ("done", 7));
    shop.street.settled().await;
    let again = shop.staff_refund(json!({ "units": [first[1], first[0]] })).await;
    assert_eq!((code(&again), &again["userErrors"][0]["field"]), ("ALREADY_REFUNDED", &json!(["units"])));
    assert_eq!(shop.money().await, "19.00 [SUCCEEDED 19.00] PARTIALLY_REFUNDED");
    assert_eq!(shop.units().await, "assigned:2 revoked:1");
    let order = shop.order().await;
    let lines: Vec<&Value> =
        order["lines"].as_array().unwrap().iter().map(|l| &l["refunded"]["amount"]).collect();
    assert_eq!(lines, ["19.00", "0.00"], "booked on the line it belongs to");
    // Less than the unit cost is possible: the difference stays with the shop.
    let part = shop.staff_refund(json!({ "units": [second[0]], "amount": "3.00" })).await;
    assert_eq!(part["refund"]["amount"]["amount"], "3.00");
    shop.street.settled().await;
    let order = shop.order().await;
    let lines: Vec<&Value> =
        order["lines"].as_array().unwrap().iter().map(|l| &l["refunded"]["amount"]).collect();
    assert_eq!(lines, ["19.00", "3.00"]);
    assert_eq!(shop.units().await, "assigned:1 revoked:2");
    shop.sound().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lines_show_as_refunded_sums_to_the_order_for_every_amount() {
    let shop = bought(&[(1, 333), (2, 250), (1, 1)]).await;
    for amount in ["0.01", "1.00", "2.50", "3.33"] {
        let done = shop.staff_refund(json!({ "amount": amount })).await;
        assert_eq!(done["userErrors"], json!([]), "{amount}");
        shop.street.settled().await;
        let order = shop.order().await;
        let minor = |v: &Value| v["amount"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
        let lines: i64 = order["lines"].as_array().unwrap().iter().map(|l| minor(&l["refunded"])).sum();
        assert_eq!(lines, minor(&order["refunded"]), "{amount}");
    }
    // The rest by amount: everything went back, so the deliveries follow.
    shop.staff_refund(json!({})).await;
    shop.street.settled().await;
    let order = shop.order().await;
    assert_eq!((&order["stage"], &order["refunded"]["amount"]), (&json!("REFUNDED"), &json!("8.34")));
    assert_eq!(shop.units().await, "revoked:4");
    shop.sound().await;
}
