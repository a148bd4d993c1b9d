//! The hosted page of a payment, and the way back from a gateway.

use dispense::base::ids::PaymentId;
use dispense::payments::attempts::hosted;
use serde_json::{Value, json};

use crate::harness::{Said, TestApp, with_generic};

async fn with_action(t: &TestApp, id: PaymentId, action: &Value, options: &Value) {
    let sql = format!("update payment set action = '{action}', options = '{options}' where id = '{}'", id.0);
    t.db.sql(&sql).await;
}

fn path(t: &TestApp, id: PaymentId) -> String {
    hosted::url(&t.app.payments, id).strip_prefix(t.app.public_url()).unwrap().to_owned()
}

/// Rows: P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hosted_page_leads_on_posts_forms_and_shows_codes_and_texts() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(1, 500).await;
    let placed = t.place(&[(variant, 1)]).await;
    let id = t.attempt(&placed, 1).await;
    let page = path(&t, id);
    let none = json!({});

    with_action(&t, id, &json!({ "kind": "redirect", "url": "https://gateway.example/p/1" }), &none).await;
    let answer = t.get(&page).await;
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "https://gateway.example/p/1");

    let form =
        json!({ "kind": "form", "url": "https://gateway.example/submit", "fields": [["a", "1\"><script>"]] });
    with_action(&t, id, &form, &none).await;
    let answer = t.get(&page).await;
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let text = answer.text().await.unwrap();
    assert!(text.contains("action=\"https://gateway.example/submit\""), "{text}");
    assert!(text.contains("value=\"1&quot;&gt;&lt;script&gt;\""), "{text}");
    let nonce = text.split("<script nonce=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.contains(&format!("script-src 'nonce-{nonce}'")), "{policy}");

    with_action(&t, id, &json!({ "kind": "qr", "text": "https://pay.example/qr?<1>" }), &none).await;
    let text = t.get(&page).await.text().await.unwrap();
    assert!(text.contains("https://pay.example/qr?&lt;1&gt;") && !text.contains("<script"), "{text}");
    let drawn = text.split("<svg ").nth(1).unwrap().split("</svg>").next().unwrap();
    assert!(drawn.contains("viewBox=") && drawn.matches("<path d=\"M").count() == 1, "{drawn}");
    for never in ["script", "style", "href", " on", "pay.example"] {
        assert!(!drawn.contains(never), "{never} in {drawn}");
    }
    let picture = t.get(&format!("{page}/code.svg?utm_source=x")).await;
    assert_eq!(picture.headers()["content-type"], "image/svg+xml");
    assert!(picture.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(picture.text().await.unwrap().contains(drawn));
    let long = "9".repeat(9_000);
    with_action(&t, id, &json!({ "kind": "qr", "text": long }), &none).await;
    let text = t.get(&page).await.text().await.unwrap();
    assert!(text.contains(&long) && !text.contains("<svg"), "too long for a code, so the text alone");

    with_action(&t, id, &json!({ "kind": "instructions", "text": "Transfer to 12-34." }), &none).await;
    assert!(t.get(&page).await.text().await.unwrap().contains("Transfer to 12-34."));
    assert_eq!(t.get(&format!("{page}/code.svg")).await.status(), 404);

    assert_eq!(t.get("/pay/v1.x.y.z").await.status(), 404);
    assert_eq!(t.notify(&Said::paid(&placed, "T1")).await.0, 200);
    let answer = t.get(&page).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("This order is paid."));
    t.finish_with_jobs().await;
}

/// Rows: P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_back_leads_to_the_client_with_the_order_and_a_ticket_that_only_watches() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(1, 500).await;
    let placed = t.place(&[(variant, 1)]).await;
    let id = t.attempt(&placed, 1).await;
    let options = json!({ "method": "generic", "accepts": [], "return_url": "myapp://done?from=shop" });
    with_action(&t, id, &json!({ "kind": "redirect", "url": "https://gateway.example/p/1" }), &options).await;
    let answer = t.get(&format!("/return/{id}")).await;
    assert_eq!(answer.status(), 303);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let wanted = format!("myapp://done?from=shop&order={}&ticket=wat_", placed.order.number);
    assert!(location.starts_with(&wanted), "{location}");

    t.db.sql(&format!("update payment set options = '{{}}' where id = '{}'", id.0)).await;
    let answer = t.get(&format!("/return/{id}")).await;
    assert_eq!(answer.status(), 200);
    let missing = PaymentId(t.app.clock.uuid());
    assert_eq!(t.get(&format!("/return/{missing}")).await.status(), 404);
    t.finish_with_jobs().await;
}
