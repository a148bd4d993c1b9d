//! The desk of support and admins, and its manual queue.

use serde_json::{Value, json};

use super::shop::{Shop, deliveries, denied, once, refusal, shop};
use crate::harness::visitor::Visitor;

/// Sends: desk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_desk_shows_staff_the_whole_shop_and_nobody_else_anything() {
    let shop = shop().await;
    let all = "{ desk { orders { totalCount nodes { number email state } } users { totalCount nodes { email roles } }
        tasks { totalCount } notices { totalCount nodes { accountId verdict } } statements { totalCount }
        gatewayAccounts { accountId gateway canRefund sandbox retired currencies }
        health { openTasks jobsDead paymentsUnknown deliveriesWaiting configurationFaults } } }";
    for nobody in [&shop.guest, &*shop.buyer, &*shop.seller] {
        assert_eq!(nobody.ask(all, json!({})).await["desk"], Value::Null);
    }
    let desk = shop.support.ask(all, json!({})).await["desk"].clone();
    assert_eq!(shop.admin.ask(all, json!({})).await["desk"], desk);
    let number = |bought: &super::shop::Bought, state: &str, email: &str| json!({ "number": bought.number, "state": state, "email": email });
    assert_eq!(
        desk["orders"]["nodes"],
        json!([
            number(&shop.unpaid, "PENDING_PAYMENT", "late@people.example"),
            number(&shop.by_buyer, "PAID", "buyer@people.example"),
            number(&shop.by_guest, "PAID", "guest@people.example"),
        ])
    );
    assert_eq!(desk["users"]["totalCount"], 4);
    assert_eq!(desk["users"]["nodes"][3], json!({ "email": "admin@people.example", "roles": ["ADMIN"] }));
    assert!(desk["notices"]["totalCount"].as_i64().unwrap() >= 2, "{desk}");
    assert_eq!(
        desk["gatewayAccounts"],
        json!([{ "accountId": "stripe", "gateway": "stripe", "canRefund": true,
        "sandbox": true, "retired": false, "currencies": ["USD"] }])
    );
    assert_eq!(
        desk["health"],
        json!({ "openTasks": "0", "jobsDead": "0", "paymentsUnknown": "0",
        "deliveriesWaiting": "0", "configurationFaults": [] })
    );
    for (search, found) in [(shop.by_guest.number.as_str(), 1), ("guest@", 1), ("nobody@", 0)] {
        let query = "query($s: String) { desk { orders(search: $s) { totalCount } } }";
        let count =
            shop.support.ask(query, json!({ "s": search })).await["desk"]["orders"]["totalCount"].clone();
        assert_eq!(count, found, "{search}");
    }
    let bad = shop.support.raw("{ desk { orders(after: \"nonsense\") { totalCount } } }", json!({})).await;
    assert_eq!(bad["errors"][0]["extensions"]["code"], "INVALID_CURSOR", "{bad}");
    shop.sound().await;
}

/// The only task of the desk, with its taker.
async fn task(shop: &Shop) -> Value {
    shop.desk("tasks { nodes { id state takenBy kind orderId } }").await["tasks"]["nodes"][0].clone()
}

/// Whoever sells it has not answered in time.
async fn unanswered(shop: &Shop) {
    let t = shop.t();
    t.db.sql("update delivery_case set opened_at = app_now() - interval '3 days'").await;
    t.sweep().await;
}

/// Sends: taskTake, taskRelease, taskResolve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complaint_is_taken_given_back_and_ended_by_staff() {
    let shop = shop().await;
    let piece = deliveries(&shop.see(&shop.by_guest).await, "key")[1].clone();
    let input = json!({ "idempotencyKey": once(), "deliveryId": piece, "accessToken": shop.by_guest.token,
        "problem": "INVALID_KEY", "wish": "HELP" });
    assert_eq!(refusal(&shop.guest.act("deliveryReport", input, "").await), "done");
    unanswered(&shop).await;
    let open = task(&shop).await;
    assert_eq!((&open["state"], &open["orderId"]), (&json!("OPEN"), &json!(shop.by_guest.id)));
    let id = open["id"].clone();

    let take = async |who: &Visitor, ids: Value| {
        let fields = "results { taskId task { state } userErrors { code field } }";
        who.act("taskTake", json!({ "taskIds": ids }), fields).await
    };
    assert_eq!(denied(&shop.seller, "taskTake", json!({ "taskIds": [id] })).await, "FORBIDDEN");
    assert_eq!(refusal(&take(&shop.support, json!(vec![id.clone(); 101])).await), "INVALID taskIds");
    let taken = take(&shop.support, json!([id, "nonsense"])).await;
    let results: Vec<String> = taken["results"].as_array().unwrap().iter().map(refusal).collect();
    assert_eq!(results, ["done", "NOT_FOUND taskIds.1"]);
    let seen = task(&shop).await;
    assert_eq!((&seen["state"], &seen["takenBy"]), (&json!("TAKEN"), &json!(shop.support.id)));
    assert_eq!(refusal(&take(&shop.admin, json!([id])).await["results"][0]), "TASK_TAKEN");

    let release = async |who: &Visitor, id: &Value| {
        refusal(&who.act("taskRelease", json!({ "taskId": id }), "task { state }").await)
    };
    assert_eq!(denied(&shop.buyer, "taskRelease", json!({ "taskId": id })).await, "FORBIDDEN");
    assert_eq!(release(&shop.admin, &id).await, "TASK_TAKEN");
    assert_eq!(release(&shop.support, &json!("nonsense")).await, "NOT_FOUND taskId");
    assert_eq!(release(&shop.support, &id).await, "done");
    let seen = task(&shop).await;
    assert_eq!((&seen["state"], &seen["takenBy"]), (&json!("OPEN"), &Value::Null));

    let resolve = async |who: &Visitor, note: &str| {
        refusal(
            &who.act("taskResolve", json!({ "taskId": id, "note": note }), "task { state resolvedAt }").await,
        )
    };
    let input = json!({ "taskId": id, "note": "x" });
    assert_eq!(denied(&shop.guest, "taskResolve", input).await, "FORBIDDEN");
    assert_eq!(resolve(&shop.admin, " ").await, "REASON_REQUIRED note");
    assert_eq!(resolve(&shop.admin, "explained how to type it in").await, "done");
    assert_eq!(release(&shop.admin, &id).await, "ILLEGAL_TRANSITION");
    assert_eq!(task(&shop).await, Value::Null, "what is resolved is not listed by default");
    let done =
        shop.desk("tasks(filter: { states: [RESOLVED] }) { nodes { id state } } health { openTasks }").await;
    assert_eq!(done["tasks"]["nodes"], json!([{ "id": id, "state": "RESOLVED" }]));
    assert_eq!(done["health"]["openTasks"], "0");
    shop.sound().await;
}
