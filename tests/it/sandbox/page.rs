//! The page per payment and the JSON API, as browsers and test scripts use them.

use dispense::infra::outbound::{HttpAnswer, Method, Outbound, Request};
use serde_json::{Value, json};

use super::play::{Side, simulator, usd};

async fn call(method: Method, url: String, body: &str) -> HttpAnswer {
    let request = Request {
        method,
        url,
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.as_bytes().to_vec(),
        timeout: std::time::Duration::from_secs(10),
        largest_answer: 1 << 20,
    };
    Outbound::new().unwrap().call(request).await.unwrap()
}

/// Rows: P11.
#[tokio::test]
async fn the_page_has_a_button_for_everything_and_paying_leads_back_to_the_shop() {
    let simulator = simulator().await;
    let side = Side::generic(&simulator);
    let reference = side.start("D1", usd(1999)).await;
    let page = format!("http://{}/pay/{reference}", simulator.address());
    let shown = call(Method::Get, page.clone(), "").await;
    let html = String::from_utf8(shown.body).unwrap();
    assert!(html.contains("Two keys &amp; a file") && html.contains("19.99 USD"));
    for act in ["pay", "pay-twice", "pay-late", "wrong-amount", "lose-notice", "refund"] {
        assert!(html.contains(&format!("action=\"/pay/{reference}/{act}\"")), "no button {act}");
    }
    let paid = call(Method::Post, format!("{page}/pay"), "").await;
    assert_eq!((paid.status, paid.header("location")), (303, Some("http://127.0.0.1:9/return/1")));
    let again = call(Method::Post, format!("{page}/pay"), "").await;
    assert_eq!(again.status, 409);
    assert!(String::from_utf8(again.body).unwrap().contains("not open"));
    let index = call(Method::Get, format!("http://{}/", simulator.address()), "").await;
    assert!(String::from_utf8(index.body).unwrap().contains("D1"));
}

/// Rows: P11.
#[tokio::test]
async fn tests_press_the_same_buttons_by_json_and_read_the_journal() {
    let simulator = simulator().await;
    let side = Side::stripe(&simulator);
    side.start("D1", usd(1999)).await;
    let act = |act: &str| format!("http://{}/sandbox/payments/D1/{act}", simulator.address());
    let done = call(Method::Post, act("wrong-amount"), r#"{"amount":7}"#).await;
    let done: Value = serde_json::from_slice(&done.body).unwrap();
    assert_eq!(
        (&done["payment"]["captures"][0]["amount"], &done["payment"]["status"]),
        (&json!(7), &json!("paid"))
    );
    assert_eq!(done["notices"].as_array().unwrap().len(), 1);
    assert_eq!(call(Method::Post, act("explode"), "").await.status, 404);
    assert_eq!(call(Method::Post, act("pay"), "{\"amnt\":1}").await.status, 400);
    let journal = call(Method::Get, format!("http://{}/sandbox/journal", simulator.address()), "").await;
    let journal: Value = serde_json::from_slice(&journal.body).unwrap();
    assert_eq!(journal["payments"][0]["captures"], simulator.journal()["payments"][0]["captures"]);
    let what: Vec<&str> =
        journal["entries"].as_array().unwrap().iter().map(|e| e["what"].as_str().unwrap()).collect();
    assert_eq!(what[..2], ["started", "captured"]);
    assert!(!journal.to_string().contains("whsec_"), "the journal holds no secret");
}
