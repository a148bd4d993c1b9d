//! Money that goes back, gateways' notices that are judged again, and their statements.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::shop::{Shop, deliveries, denied, once, refusal, shop, sign_in};
use crate::harness::visitor::Visitor;

const REFUND: &str = "refund { id state amount { amount } reason } order { number }";

async fn refund(shop: &Shop, who: &Visitor, more: Value) -> Value {
    let mut input = json!({ "idempotencyKey": once(), "orderId": shop.by_guest.id, "reason": "asked for" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let refund = who.act("orderRefund", input, REFUND).await;
    shop.street.settled().await;
    refund
}

/// The order's money and what became of its pieces.
async fn standing(shop: &Shop) -> (Value, Vec<Value>, Vec<Value>) {
    let order = shop.see(&shop.by_guest).await;
    let states =
        |list: &Value| list.as_array().unwrap().iter().map(|r| r["state"].clone()).collect::<Vec<_>>();
    let pieces = states(&order["lines"][0]["deliveries"]["nodes"]);
    (order["refunded"]["amount"].clone(), states(&order["refunds"]), pieces)
}

/// Rows: P9 (orderRefund, refundRetry).
/// Sends: orderRefund, refundRetry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn support_gives_one_of_two_keys_back_and_tries_again_what_the_gateway_refused() {
    let shop = shop().await;
    let pieces = deliveries(&shop.see(&shop.by_guest).await, "key");
    let input = json!({ "idempotencyKey": once(), "orderId": shop.by_guest.id });
    assert_eq!(denied(&shop.seller, "orderRefund", input).await, "FORBIDDEN");
    for (more, wanted) in [
        (json!({ "orderId": "nonsense" }), "NOT_FOUND orderId"),
        (json!({ "orderId": shop.unpaid.id }), "NOT_PAID orderId"),
        (json!({ "amount": "25.01" }), "REFUND_TOO_LARGE amount"),
        (json!({ "amount": "1.001" }), "INVALID amount"),
        (json!({ "units": [pieces[0], pieces[0]] }), "INVALID units"),
    ] {
        assert_eq!(refusal(&refund(&shop, &shop.support, more).await), wanted);
    }
    assert_eq!(standing(&shop).await, (json!("0.00"), vec![], vec![json!("READY"), json!("READY")]));

    shop.street.simulator.set_trouble(json!({ "refunds": "failed" })).unwrap();
    let failed = refund(&shop, &shop.support, json!({ "units": [pieces[0]] })).await;
    assert_eq!((refusal(&failed).as_str(), &failed["refund"]["amount"]["amount"]), ("done", &json!("12.50")));
    assert_eq!(standing(&shop).await.1, ["FAILED"]);
    shop.street.simulator.set_trouble(json!({})).unwrap();
    let retry = async |id: &Value| {
        let input = json!({ "idempotencyKey": once(), "refundId": id });
        let tried = shop.support.act("refundRetry", input, REFUND).await;
        shop.street.settled().await;
        tried
    };
    let input = json!({ "idempotencyKey": once(), "refundId": failed["refund"]["id"] });
    assert_eq!(denied(&shop.buyer, "refundRetry", input).await, "FORBIDDEN");
    assert_eq!(refusal(&retry(&json!("nonsense")).await), "NOT_FOUND refundId");
    let again = retry(&failed["refund"]["id"]).await;
    assert_eq!((refusal(&again).as_str(), &again["order"]["number"]), ("done", &json!(shop.by_guest.number)));
    let (money, refunds, states) = standing(&shop).await;
    assert_eq!((money, refunds.len()), (json!("12.50"), 2));
    assert_eq!(states, ["REVOKED", "READY"], "the piece that was named");
    assert_eq!(refusal(&retry(&again["refund"]["id"]).await), "ILLEGAL_TRANSITION refundId");
    assert_eq!(
        refusal(&refund(&shop, &shop.support, json!({ "units": [pieces[0]] })).await),
        "ALREADY_REFUNDED units"
    );
    shop.sound().await;
}

/// Sends: refundConclude.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn support_says_how_a_refund_ended_that_the_gateway_leaves_open() {
    let shop = shop().await;
    shop.street.simulator.set_trouble(json!({ "refunds": "pending" })).unwrap();
    let open = refund(&shop, &shop.support, json!({})).await;
    assert_eq!((refusal(&open).as_str(), standing(&shop).await.0), ("done", json!("0.00")));
    let conclude = async |id: &Value, outcome: &str, reason: &str| {
        let input = json!({ "refundId": id, "outcome": outcome, "reason": reason });
        refusal(&shop.support.act("refundConclude", input, REFUND).await)
    };
    let id = &open["refund"]["id"];
    let input = json!({ "refundId": id, "outcome": "SUCCEEDED", "reason": "x" });
    assert_eq!(denied(&shop.guest, "refundConclude", input).await, "FORBIDDEN");
    assert_eq!(conclude(id, "SUCCEEDED", " ").await, "REASON_REQUIRED reason");
    assert_eq!(conclude(&json!("nonsense"), "SUCCEEDED", "seen").await, "NOT_FOUND refundId");
    assert_eq!(conclude(id, "SUCCEEDED", "seen in the console").await, "done");
    assert_eq!(
        standing(&shop).await,
        (json!("25.00"), vec![json!("SUCCEEDED")], vec![json!("REVOKED"), json!("REVOKED")])
    );
    assert_eq!(conclude(id, "FAILED", "after all").await, "ILLEGAL_TRANSITION refundId");
    shop.sound().await;
}

/// Sends: paymentRefund.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn support_gives_the_second_payment_of_one_order_back_and_the_goods_stay() {
    let shop = shop().await;
    shop.street.act(&shop.by_guest.number, "pay-twice");
    shop.street.settled().await;
    let payments = shop.see(&shop.by_guest).await["payments"].clone();
    let second =
        payments.as_array().unwrap().iter().find(|p| p["id"] != *shop.by_guest.payment).unwrap()["id"]
            .clone();
    let give = async |id: &Value, amount: Value| {
        let input = json!({ "idempotencyKey": once(), "paymentId": id, "amount": amount });
        let given = shop.support.act("paymentRefund", input, REFUND).await;
        shop.street.settled().await;
        given
    };
    let input = json!({ "idempotencyKey": once(), "paymentId": second });
    assert_eq!(denied(&shop.buyer, "paymentRefund", input).await, "FORBIDDEN");
    assert_eq!(refusal(&give(&json!("nonsense"), Value::Null).await), "NOT_FOUND paymentId");
    assert_eq!(refusal(&give(&second, json!("25.01")).await), "REFUND_TOO_LARGE amount");
    assert_eq!(refusal(&give(&json!(shop.unpaid.payment), Value::Null).await), "NOT_PAID paymentId");
    let given = give(&second, Value::Null).await;
    assert_eq!((refusal(&given).as_str(), &given["refund"]["amount"]["amount"]), ("done", &json!("25.00")));
    let seen = shop.see(&shop.by_guest).await;
    let state = |id: &Value| {
        seen["payments"].as_array().unwrap().iter().find(|p| p["id"] == *id).unwrap()["state"].clone()
    };
    assert_eq!(
        (state(&second), state(&json!(shop.by_guest.payment))),
        (json!("REFUNDED"), json!("CAPTURED"))
    );
    assert_eq!(
        (&seen["stage"], standing(&shop).await.2),
        (&json!("DELIVERED"), vec![json!("READY"), json!("READY")])
    );
    shop.sound().await;
}

/// Rows: P3 (noticeReplay), P8 (statementImport).
/// Sends: noticeReplay, statementImport.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn support_has_a_notice_judged_again_and_a_day_of_the_gateway_compared() {
    let shop = shop().await;
    let t = shop.t();
    let filter = json!({ "orderNumber": shop.by_guest.number });
    let query = "query($f: DeskNoticeFilter) { desk { notices(filter: $f) { nodes { id verdict orderId repeats } } } }";
    let notices = async |who: &Visitor| {
        let found = who.ask(query, json!({ "f": filter })).await["desk"]["notices"]["nodes"].clone();
        found.as_array().unwrap().clone()
    };
    let found = notices(&shop.support).await;
    let applied = found.iter().find(|n| n["verdict"] == "applied").unwrap()["id"].clone();
    let replay = async |ids: Value| {
        let fields = "results { id verdict notice { verdict } userErrors { code field } }";
        shop.support.act("noticeReplay", json!({ "ids": ids }), fields).await
    };
    assert_eq!(denied(&shop.seller, "noticeReplay", json!({ "ids": [applied] })).await, "FORBIDDEN");
    assert_eq!(refusal(&replay(json!(vec!["x"; 101])).await), "INVALID ids");
    let mixed = replay(json!([applied, "nonsense"])).await;
    assert_eq!(
        (&mixed["results"][0]["verdict"], refusal(&mixed["results"][1]).as_str()),
        (&json!("duplicate"), "NOT_FOUND")
    );
    let listed: Vec<Value> =
        notices(&shop.support).await.into_iter().map(|n| json!([n["verdict"], n["repeats"]])).collect();
    assert_eq!(listed, [json!(["applied", "1"])], "what was judged again is counted at the first");
    assert_eq!(shop.see(&shop.by_guest).await["paid"]["amount"], "25.00");

    let day = t.app.clock.now().date_naive();
    t.advance(TimeDelta::days(2)).await;
    let support = sign_in(t, &shop.support.email).await;
    let import = async |account: &str, day: String| {
        let fields = "run { id state accountId day }";
        support.act("statementImport", json!({ "accountId": account, "day": day }), fields).await
    };
    let input = json!({ "accountId": "stripe", "day": day.to_string() });
    assert_eq!(denied(&shop.guest, "statementImport", input).await, "FORBIDDEN");
    assert_eq!(refusal(&import("nowhere", day.to_string()).await), "NOT_FOUND accountId");
    assert_eq!(refusal(&import("stripe", "yesterday".into()).await), "INVALID day");
    assert_eq!(refusal(&import("stripe", (day + TimeDelta::days(30)).to_string()).await), "INVALID day");
    let asked = import("stripe", day.to_string()).await;
    assert_eq!((refusal(&asked).as_str(), &asked["run"]["state"]), ("done", &json!("REQUESTED")));
    shop.street.settled().await;
    let query = "{ desk { statements { nodes { id state lines matched source counts { kind count } } } } }";
    let runs = support.ask(query, json!({})).await["desk"]["statements"]["nodes"].clone();
    assert_eq!(
        runs,
        json!([{ "id": asked["run"]["id"], "state": "DONE", "lines": 2, "matched": 2, "source": "gateway", "counts": [] }])
    );
    shop.sound().await;
}
