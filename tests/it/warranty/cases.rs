//! What buyers report, and what they are answered.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::shop::{line, states, texts};
use crate::graphql::doors::shop::{Bought, Shop, deliveries, denied, once, refusal, shop, sign_in};
use crate::harness::visitor::Visitor;

async fn report(shop: &Shop, bought: &Bought, piece: &str, wish: &str) -> Value {
    let who = if bought.token.is_null() { &shop.buyer } else { &shop.guest };
    let input = json!({ "idempotencyKey": once(), "deliveryId": piece, "accessToken": bought.token,
        "problem": "ALREADY_USED", "wish": wish, "text": "Somebody else has it." });
    who.act("deliveryReport", input, "line { canReport cases { state } }").await
}

async fn answer(who: &Visitor, case: &Value, action: &str, more: Value) -> Value {
    let mut input =
        json!({ "idempotencyKey": once(), "caseId": case, "action": action, "text": "Please look again." });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    who.act("caseAnswer", input, "replayed case { id state outcome answers { action } }").await
}

/// The seller's list.
async fn cases(who: &Visitor, arguments: &str) -> Value {
    let query = format!(
        "{{ seller {{ cases({arguments}) {{ totalCount pageInfo {{ hasNextPage endCursor }}
           nodes {{ id state wish deliveryId line {{ title order {{ email }} }} }} }} }} }}"
    );
    who.ask(&query, json!({})).await["seller"]["cases"].clone()
}

async fn mails(shop: &Shop, kind: &str) -> String {
    shop.t().db.one(&format!("select count(*) from message where kind = '{kind}'")).await
}

/// Rows: K13 (deliveryReport, caseAnswer, deliveryReveal), O2.
/// Sends: deliveryReport, caseAnswer, seller.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_answered_with_help_and_then_with_another_key() {
    let shop = shop().await;
    let bought = &shop.by_guest;
    let pieces = deliveries(&shop.see(bought).await, "key");
    assert_eq!(line(&shop, bought).await["canReport"], true);
    let said = report(&shop, bought, &pieces[0], "REPLACE").await;
    assert_eq!((refusal(&said).as_str(), &said["line"]["cases"]), ("done", &json!([{ "state": "OPEN" }])));
    assert_eq!(refusal(&report(&shop, bought, &pieces[0], "REFUND").await), "ALREADY_REPORTED");
    assert_eq!(mails(&shop, "case_opened").await, "1");
    let listed = cases(&shop.seller, "first: 5").await;
    assert_eq!((&listed["totalCount"], &listed["nodes"][0]["deliveryId"]), (&json!(1), &json!(pieces[0])));
    let email = listed["nodes"][0]["line"]["order"]["email"].as_str().unwrap_or_default();
    assert!(!email.contains("guest@"), "buyers are masked: {email}");
    let case = listed["nodes"][0]["id"].clone();

    let input = json!({ "idempotencyKey": once(), "caseId": case, "action": "HELP", "text": "x" });
    assert_eq!(denied(&shop.guest, "caseAnswer", input).await, "UNAUTHENTICATED");
    assert_eq!(refusal(&answer(&shop.buyer, &case, "HELP", json!({})).await), "NOT_FOUND caseId");
    assert_eq!(
        refusal(&answer(&shop.seller, &json!("nonsense"), "HELP", json!({})).await),
        "NOT_FOUND caseId"
    );
    assert_eq!(refusal(&answer(&shop.seller, &case, "HELP", json!({ "text": " " })).await), "INVALID text");
    let old = texts(&shop, bought).await;
    let pasted = json!({ "idempotencyKey": once(), "text": format!("Type {} without the dashes.", old[0]) });
    let helped = answer(&shop.seller, &case, "HELP", pasted.clone()).await;
    assert_eq!((refusal(&helped).as_str(), &helped["case"]["state"]), ("done", &json!("ANSWERED")));
    let again = answer(&shop.seller, &case, "HELP", pasted).await;
    assert_eq!((&again["replayed"], again["case"]["answers"].as_array().unwrap().len()), (&json!(true), 1));
    let seen = line(&shop, bought).await;
    let text = seen["cases"][0]["answers"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("Type ") && !text.contains("CANARY"), "{text}");

    // It did not help.
    assert_eq!(refusal(&report(&shop, bought, &pieces[0], "REPLACE").await), "done");
    let open = cases(&shop.seller, "first: 5, filter: {states: [OPEN], wishes: [REPLACE]}").await;
    let second = open["nodes"][0]["id"].clone();
    assert_eq!((&open["totalCount"], second == case), (&json!(1), false));
    let replaced = answer(&shop.support, &second, "REPLACE", json!({})).await;
    assert_eq!(
        (refusal(&replaced).as_str(), &replaced["case"]["state"], &replaced["case"]["outcome"]),
        ("done", &json!("CLOSED"), &json!("REPLACED"))
    );
    assert_eq!(
        refusal(&answer(&shop.support, &second, "REJECT", json!({})).await),
        "ILLEGAL_TRANSITION caseId"
    );
    let seen = line(&shop, bought).await;
    assert_eq!(states(&seen), "READY REPLACED REVEALED");
    let ends: Vec<&Value> = seen["cases"].as_array().unwrap().iter().map(|case| &case["outcome"]).collect();
    assert_eq!(ends, ["REPLACED", "REPLACED"], "both were about what is replaced now");
    let given: Vec<&Value> = seen["cases"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|case| case["answers"].as_array().unwrap())
        .collect();
    assert!(
        given.iter().any(|answer| answer["byStaff"] == true && answer["replacedBy"].is_string()),
        "{given:?}"
    );
    shop.street.settled().await;
    assert_eq!(
        (mails(&shop, "case_answered").await, mails(&shop, "delivery_replaced").await),
        ("2".into(), "1".into())
    );
    assert_eq!(shop.t().db.one("select count(*) from message where state <> 'sent'").await, "0");
    shop.sound().await;
}

/// Rows: K13 (caseAnswer, deliveryReport), P9.
/// Sends: caseAnswer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_gives_the_money_back_once_or_rejects_and_a_list_has_pages() {
    let shop = shop().await;
    let bought = &shop.by_guest;
    let pieces = deliveries(&shop.see(bought).await, "key");
    let own = deliveries(&shop.see(&shop.by_buyer).await, "key").remove(0);
    for (order, piece) in [(bought, &pieces[0]), (bought, &pieces[1]), (&shop.by_buyer, &own)] {
        assert_eq!(refusal(&report(&shop, order, piece, "REFUND").await), "done");
    }
    assert_eq!(line(&shop, bought).await["canReport"], false);
    let first = cases(&shop.seller, "first: 2").await;
    assert_eq!((&first["totalCount"], &first["pageInfo"]["hasNextPage"]), (&json!(3), &json!(true)));
    let after = format!("first: 2, after: {}", first["pageInfo"]["endCursor"]);
    let rest = cases(&shop.seller, &after).await;
    assert_eq!(
        (rest["nodes"].as_array().unwrap().len(), &rest["pageInfo"]["hasNextPage"]),
        (1, &json!(false))
    );
    assert_eq!(shop.buyer.ask("{ seller { cases { totalCount } } }", json!({})).await["seller"], Value::Null);
    let all = cases(&shop.seller, "first: 10").await["nodes"].as_array().unwrap().clone();
    let of = |piece: &str| all.iter().find(|case| case["deliveryId"] == piece).unwrap()["id"].clone();

    // Two answer at once.
    let case = of(&pieces[0]);
    let (one, other) = tokio::join!(
        answer(&shop.seller, &case, "REFUND", json!({})),
        answer(&shop.support, &case, "REFUND", json!({}))
    );
    let mut codes = [refusal(&one), refusal(&other)];
    codes.sort_unstable();
    assert_eq!(codes, ["ILLEGAL_TRANSITION caseId", "done"]);
    shop.street.settled().await;
    assert_eq!(shop.street.refunded(&bought.number), 1_250);
    assert_eq!(states(&line(&shop, bought).await), "READY REVOKED");
    let rejected = answer(&shop.seller, &of(&pieces[1]), "REJECT", json!({})).await;
    assert_eq!(rejected["case"]["outcome"], "REJECTED");

    // What cannot be done answers nothing.
    let refund =
        json!({ "idempotencyKey": once(), "orderId": shop.by_buyer.id, "units": [own], "reason": "x" });
    assert_eq!(refusal(&shop.support.act("orderRefund", refund, "").await), "done");
    shop.street.settled().await;
    let case = of(&own);
    assert!(refusal(&answer(&shop.seller, &case, "REPLACE", json!({})).await).starts_with("REFUNDED"));
    assert!(refusal(&answer(&shop.seller, &case, "REFUND", json!({})).await).starts_with("ALREADY_REFUNDED"));
    assert_eq!(refusal(&answer(&shop.seller, &case, "REJECT", json!({})).await), "done");
    assert_eq!(cases(&shop.seller, "first: 9, filter: {states: [OPEN]}").await["totalCount"], 0);
    shop.street.settled().await;
    shop.sound().await;
}

/// Rows: K13 (caseAnswer).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_answers_becomes_a_task_once_and_an_answer_ends_it() {
    let shop = shop().await;
    let t = shop.t();
    let pieces = deliveries(&shop.see(&shop.by_guest).await, "key");
    for piece in &pieces {
        assert_eq!(refusal(&report(&shop, &shop.by_guest, piece, "HELP").await), "done");
    }
    let tasks = async || {
        t.sweep().await;
        let sql = "select coalesce(string_agg(state, ' ' order by state), '') from task where kind = 'delivery_reported'";
        t.db.one(sql).await
    };
    assert_eq!(tasks().await, "");
    t.advance(TimeDelta::hours(49)).await;
    assert_eq!(tasks().await, "open open");
    assert_eq!(tasks().await, "open open");
    let support = sign_in(t, &shop.support.email).await;
    let list = cases(&*sign_in(t, &shop.seller.email).await, "first: 2").await["nodes"].clone();
    assert_eq!(refusal(&answer(&support, &list[0]["id"], "HELP", json!({})).await), "done");
    assert_eq!(tasks().await, "open resolved");
    let open = "{ desk { tasks(filter: {kinds: [\"delivery_reported\"]}) { nodes { id } } } }";
    let id = support.ask(open, json!({})).await["desk"]["tasks"]["nodes"][0]["id"].clone();
    let input = json!({ "taskId": id, "note": "the seller is on it" });
    assert_eq!(refusal(&support.act("taskResolve", input, "").await), "done");
    assert_eq!(tasks().await, "resolved resolved", "it is not asked about twice");
    shop.street.settled().await;
    shop.sound().await;
}
