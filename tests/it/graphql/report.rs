//! The buyer says that a key does not work.

use serde_json::json;

use super::client::Client;
use crate::harness::{Said, TestApp, with_generic};

const REPORT: &str = "mutation($in: DeliveryReportInput!) { deliveryReport(input: $in) { line { id } userErrors { code field } } }";

/// The report that nobody answers reaches staff once, whatever is repeated, never with the key's text in it, and nobody else can make one.
/// Rows: O2, L8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_key_is_reported_once_and_its_text_is_not_repeated_in_the_queue() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(1, 1_250).await;
    let client = Client::new(&t.app);
    let placed = client
        .data(
            "mutation($in: OrderPlaceInput!) { orderPlace(input: $in) { accessToken order { number lines { id deliveries { nodes { id } } } } } }",
            json!({ "in": {
                "idempotencyKey": "a key of the test 0001", "currency": "USD", "expectedTotal": "12.50",
                "lines": [{ "key": "a", "variantId": variant.to_string(), "quantity": 1 }], "email": "guest@example.com",
            } }),
        )
        .await["orderPlace"]
        .clone();
    let token = placed["accessToken"].as_str().unwrap().to_owned();
    t.canary(&token);
    let number = placed["order"]["number"].as_str().unwrap();
    let line = placed["order"]["lines"][0]["id"].clone();
    let see = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { lines { deliveries { nodes { id } } } } }";
    t.db.sql(&format!(
        "insert into payment (id, order_id, account_id, account_snapshot, attempt, gateway_number, expected_minor, expected_currency)
         select '{}', id, 'generic', '{{}}', 1, number, total_minor, currency from orders where number = '{number}'",
        t.app.clock.uuid()
    ))
    .await;
    let said = Said {
        id: "evt_1".into(),
        kind: "payment.succeeded",
        number: number.into(),
        trade_no: "T1".into(),
        amount_minor: 1_250,
        currency: "USD",
        refunded_minor: None,
    };
    let delivery =
        |order: serde_json::Value| order["order"]["lines"][0]["deliveries"]["nodes"][0]["id"].clone();
    let about = |id: &serde_json::Value, key: &str, token: Option<&str>, text: &str| {
        json!({ "in": { "idempotencyKey": key, "deliveryId": id, "accessToken": token, "problem": "INVALID_KEY",
            "wish": "REPLACE", "text": text } })
    };
    assert_eq!(t.notify(&said).await.0, 200);
    let id = delivery(client.data(see, json!({ "n": number, "t": token })).await);
    let stranger = client.data(REPORT, about(&id, "report of a stranger", None, "give me one")).await;
    assert_eq!(stranger["deliveryReport"]["userErrors"][0]["code"], "NOT_FOUND");
    let long = "x".repeat(2_001);
    let refused = client.data(REPORT, about(&id, "report number 000001", Some(&token), &long)).await;
    assert_eq!(refused["deliveryReport"]["userErrors"][0], json!({ "code": "INVALID", "field": ["text"] }));

    let reveal = "mutation($line: ID!, $t: String) { deliveryReveal(input: {target: {lineId: $line}, accessToken: $t}) { secrets { text } } }";
    let shown = client.data(reveal, json!({ "line": line, "t": token })).await;
    let key = shown["deliveryReveal"]["secrets"][0]["text"].as_str().unwrap().to_owned();
    let words = format!("The key {key} is refused.");
    for _ in 0..2 {
        let reported = client.data(REPORT, about(&id, "report number 000001", Some(&token), &words)).await;
        assert_eq!(reported["deliveryReport"], json!({ "line": { "id": line }, "userErrors": [] }));
    }
    let other = client.data(REPORT, about(&id, "report number 000002", Some(&token), "still")).await;
    assert_eq!(other["deliveryReport"]["userErrors"][0]["code"], "ALREADY_REPORTED");
    assert_eq!(t.db.one("select count(*) from task where kind = 'delivery_reported'").await, "0");
    t.advance(chrono::TimeDelta::days(3)).await;
    t.sweep().await;
    t.sweep().await;
    let bodies =
        t.db.one("select string_agg(body::text, ' ') from task where kind = 'delivery_reported'").await;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&bodies).unwrap(),
        json!({ "problem": "invalid_key", "wish": "replace", "text": "The key […] is refused." })
    );
    t.finish_with_jobs().await;
}
