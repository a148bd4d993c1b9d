//! The buyer's address as gateways get it.

use dispense::base::secret::Secret;
use dispense::config::Account;
use serde_json::json;

use super::loopback::{Loopback, Seen};
use super::small_paypal::Small;
use crate::harness::{TestApp, codes};

/// Rows: P1, C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_get_the_address_in_ascii_or_not_at_all() {
    let stripe = Loopback::start(|_: &Seen| (400, "{}".into())).await;
    let generic = Loopback::start(|_: &Seen| (400, "{}".into())).await;
    let small = Small::start().await;
    small.side.answer_by(|seen: &Seen| match seen.what.as_str() {
        "POST /v1/oauth2/token" => (200, r#"{"access_token":"token-1","expires_in":3600}"#.into()),
        _ => (400, "{}".into()),
    });
    let account = |gateway: &str, base: &str| Account {
        id: gateway.into(),
        gateway: gateway.into(),
        currencies: vec!["USD".into()],
        secrets: vec![Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
        api_key: Some(Secret::new("sk_test_of_the_buyers_address")),
        api_url: Some(base.to_owned()),
        sandbox: true,
        ..Account::default()
    };
    let accounts = vec![account("stripe", &stripe.base), account("generic", &generic.base), small.account()];
    let t = TestApp::start_with(|config| {
        config.accounts = accounts;
        config.mail.smtputf8 = true;
    })
    .await;
    let visitor = t.visitor("192.0.2.1");
    for (typed, sent) in [
        ("Ada@b\u{fc}cher.example", Some("Ada@xn--bcher-kva.example")),
        ("ada@example.com", Some("ada@example.com")),
        ("zo\u{eb}@example.com", None),
    ] {
        let variant = t.selling_keys(1, 500).await.to_string();
        let order = visitor.order(&variant, 1, "5.00", json!({ "email": typed })).await;
        for method in ["stripe", "generic", "paypal"] {
            let input = json!({ "idempotencyKey": format!("start-by-{method}-{typed}"), "orderId": order["order"]["id"],
                "accessToken": order["accessToken"], "options": { "methodId": format!("mth_{method}"), "accepts": ["REDIRECT"] } });
            let started = visitor.act("paymentStart", input, "payment { state }").await;
            assert!(!codes(&started).is_empty(), "{method}: {started}");
        }
        let sent = sent.map(str::to_owned);
        assert_eq!(stripe.last("POST /v1/checkout/sessions").parameter("customer_email"), sent, "{typed}");
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        assert_eq!(text(&generic.last("POST /payments").json()["email"]), sent, "{typed}");
        let paypal = small.side.last("POST /v2/checkout/orders").json();
        assert_eq!(text(&paypal["payment_source"]["paypal"]["email_address"]), sent, "{typed}");
    }
    t.finish_with_jobs().await;
}
