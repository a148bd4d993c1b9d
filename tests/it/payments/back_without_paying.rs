//! A buyer who comes back from the gateway without having paid can pay or cancel; nobody says that money is on its way.

use chrono::TimeDelta;
use dispense::base::ids::PaymentId;
use dispense::orders::place::Placed;
use serde_json::{Value, json};

use super::street::{GATEWAYS, Street, street};
use crate::graphql::client::Client;

const SEEN: &str =
    "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { id stage canCancel canPay
    live { pollAfterSeconds } payments { id state failure { code message } } } }";

async fn seen(street: &Street, placed: &Placed) -> Value {
    let variables = json!({ "n": placed.order.number, "t": placed.access_token.expose() });
    Client::new(&street.t.app).data(SEEN, variables).await["order"].clone()
}

async fn comes_back(street: &Street, id: PaymentId) -> String {
    let answer = street.t.get(&format!("/return/{id}")).await;
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

fn reported(order: &Value) -> (&str, bool, i64) {
    let poll = order["live"]["pollAfterSeconds"].as_i64().unwrap();
    (order["stage"].as_str().unwrap(), order["canCancel"].as_bool().unwrap(), poll)
}

/// Rows: P7, O5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_without_paying_may_pay_or_cancel_at_every_gateway() {
    let street = street().await;
    let t = &street.t;
    for method in GATEWAYS {
        let (placed, attempt) = street.started(method, 1, 990).await;
        assert_eq!(reported(&seen(&street, &placed).await), ("AWAITING_PAYMENT", true, 5), "{method}");
        let page = comes_back(&street, attempt.payment.id).await;
        assert!(page.contains("not paid yet") && page.contains("/pay/"), "{method}: {page}");
        let order = seen(&street, &placed).await;
        assert_eq!(reported(&order), ("AWAITING_PAYMENT", true, 2), "{method}");
        assert_eq!(
            (&order["payments"][0]["state"], &order["canPay"]),
            (&json!("STARTED"), &json!(true)),
            "{method}"
        );
        t.advance(TimeDelta::seconds(170)).await;
        assert_eq!(reported(&seen(&street, &placed).await).2, 2, "{method}: for three minutes");
        t.advance(TimeDelta::seconds(15)).await;
        assert_eq!(reported(&seen(&street, &placed).await), ("AWAITING_PAYMENT", true, 5), "{method}");
        // An earlier word that money was coming is taken back by the gateway's own.
        street.payment(attempt.payment.id, "state").await;
        t.db.sql(&format!("update payment set state = 'pending' where id = '{}'", attempt.payment.id.0))
            .await;
        assert_eq!(reported(&seen(&street, &placed).await), ("CONFIRMING_PAYMENT", false, 2), "{method}");
        comes_back(&street, attempt.payment.id).await;
        assert_eq!(reported(&seen(&street, &placed).await), ("AWAITING_PAYMENT", true, 2), "{method}");
        let cancel = "mutation($in: OrderCancelInput!) { orderCancel(input: $in) { order { stage } userErrors { code } } }";
        let input = json!({ "orderId": order["id"], "accessToken": placed.access_token.expose() });
        let gone = Client::new(&t.app).data(cancel, json!({ "in": input })).await["orderCancel"].clone();
        assert_eq!(gone, json!({ "order": { "stage": "CANCELLED" }, "userErrors": [] }), "{method}");
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_is_on_its_way_is_confirmed_and_cannot_be_cancelled() {
    let street = street().await;
    let t = &street.t;
    // Those whose query distinguishes a slow payment from an open one.
    for method in ["stripe", "generic", "wechatpay", "paypal"] {
        let (placed, attempt) = street.started(method, 1, 990).await;
        if street.try_act(&placed.order.number, "pend", json!({})).is_err() {
            continue;
        }
        street.settled().await;
        t.advance(TimeDelta::seconds(10)).await;
        let page = comes_back(&street, attempt.payment.id).await;
        assert!(page.contains("being confirmed"), "{method}: {page}");
        assert_eq!(reported(&seen(&street, &placed).await), ("CONFIRMING_PAYMENT", false, 2), "{method}");
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_nobody_knows_never_reads_declined_and_each_cause_has_its_own_words() {
    let street = street().await;
    let t = &street.t;
    let (placed, attempt) = street.started("generic", 1, 990).await;
    let mut messages = Vec::new();
    for (state, noted, code) in [
        ("unknown", "'unknown'", Some("GATEWAY_OUTCOME_UNKNOWN")),
        ("failed", "'unsupported'", Some("METHOD_NOT_AVAILABLE")),
        ("failed", "'payer_needed'", Some("PAYER_ID_REQUIRED")),
        ("failed", "'amount_inexpressible'", Some("AMOUNT_NOT_SUPPORTED")),
        ("failed", "'card_declined'", Some("GATEWAY_DECLINED")),
        ("failed", "null", Some("GATEWAY_DECLINED")),
        // What was noted on the way says nothing once it is decided.
        ("started", "'unknown'", None),
        ("expired", "'unknown'", None),
    ] {
        let sql = format!(
            "update payment set state = '{state}', failure_code = {noted} where id = '{}'",
            attempt.payment.id.0
        );
        t.db.sql(&sql).await;
        for language in ["en", "zh"] {
            let variables = json!({ "n": placed.order.number, "t": placed.access_token.expose() });
            let body = json!({ "query": SEEN, "variables": variables }).to_string();
            let headers = [("content-type", "application/json"), ("accept-language", language)];
            let client = Client::new(&t.app);
            let reply = client.send(poem::http::Method::POST, "/graphql", &headers, body.into()).await.json();
            let failure = reply["data"]["order"]["payments"][0]["failure"].clone();
            let Some(code) = code else {
                assert_eq!(failure, Value::Null, "{state} {noted}");
                continue;
            };
            assert_eq!(failure["code"], code, "{state} {noted}: {reply}");
            let message = failure["message"].as_str().unwrap().to_owned();
            let declined = ["declined", "拒绝"].iter().any(|word| message.contains(word));
            assert_eq!(declined, code == "GATEWAY_DECLINED", "{message}");
            assert_eq!(message.is_ascii(), language == "en", "{message}");
            messages.push((code, message));
        }
    }
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), 10, "one text a code and language: {messages:?}");
    street.t.finish_with_jobs().await;
}
