//! An act of a person whose server is killed before it commits leaves nothing, and is done once when it is repeated.

use std::time::Duration;

use dispense::base::actor::Role;
use dispense::base::ids::UnitId;
use serde_json::{Value, json};

use super::shop::{durable, server};
use crate::harness::{Server, TestApp};

const FULFIL: &str = "mutation($in: DeliveryFulfilManuallyInput!) { deliveryFulfilManually(input: $in) {
    line { state } userErrors { code field } } }";
const PUBLISH: &str = "mutation($in: SecretVersionPublishInput!) { secretVersionPublish(input: $in) {
    secretVersion { number } userErrors { code field } } }";
const TEXT: &str = "CANARY-ACT: account 71, password 4411";

/// The answer's data; none when the server is gone.
async fn act(t: &TestApp, server: &Server, token: &str, query: &str, input: &Value) -> Option<Value> {
    let body = json!({ "query": query, "variables": { "in": input } });
    let sent = t
        .http()
        .post(server.url("/graphql"))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await;
    let answer = sent.ok()?.text().await.ok()?;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(answer.get("errors").is_none(), "{answer}");
    Some(answer["data"].clone())
}

/// Rows: C2, K12, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_before_the_commit_of_an_act_leaves_nothing_and_its_repeat_does_it_once() {
    let (_cluster, t) = durable().await;
    t.canary("CANARY-ACT");
    t.person("boss@shop.example", &[Role::Admin]).await;
    let token = t.sign_in("boss@shop.example").await.tokens.access;
    let (by_hand, shared) = (t.variant_on_sale("manual", 500).await, t.variant_on_sale("secret", 500).await);
    let waiting = t.paid_order(by_hand, 1).await;
    let unit = t.db.one(&format!("select id from unit where order_id = '{}'", waiting.order.id.0)).await;
    let delivery = UnitId(unit.parse().unwrap()).to_string();
    for (point, query, input, stored, done) in [
        (
            "by_hand.fulfilled",
            FULFIL,
            json!({ "deliveryId": delivery, "secretText": TEXT }),
            "select count(*) from unit_secret",
            json!({ "deliveryFulfilManually": { "line": { "state": "ASSIGNED" }, "userErrors": [] } }),
        ),
        (
            "secret.published",
            PUBLISH,
            json!({ "variantId": shared.to_string(), "secretText": TEXT }),
            "select count(*) from secret_version",
            json!({ "secretVersionPublish": { "secretVersion": { "number": 1 }, "userErrors": [] } }),
        ),
    ] {
        let mut dying = server(&t).arg("--no-worker").env("DISPENSE_FAULT", point).start();
        assert_eq!(act(&t, &dying, token.expose(), query, &input).await, None, "{point}");
        assert!(dying.was_killed(Duration::from_secs(20)), "{point}");
        assert_eq!(t.db.one(stored).await, "0", "{point}");
        t.search_log(&dying.log());
        let again = dying.setup().without_env("DISPENSE_FAULT").start();
        for _ in 0..2 {
            let answer = act(&t, &again, token.expose(), query, &input).await.unwrap();
            assert_eq!(answer, done, "{point}");
        }
        assert_eq!(t.db.one(stored).await, "1", "{point}");
        t.search_log(&again.log());
    }
    assert_eq!(t.db.one("select count(*) from message where kind = 'order_delivered'").await, "1");
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.drain().await;
    t.finish_with_jobs().await;
}
