//! A key of idempotency is good for its days: afterwards the same request is a new one, where that gives and pays nothing twice.

use chrono::TimeDelta;
use dispense::base::actor::Role;
use serde_json::{Value, json};

use crate::graphql::client::Client;
use crate::harness::{TestApp, with_generic};

const PLACE: &str = "mutation($in: OrderPlaceInput!) { orderPlace(input: $in) { replayed order { id number state }
    userErrors { code } } }";
const REFUND: &str = "mutation($in: OrderRefundInput!) { orderRefund(input: $in) { refund { id amount { amount } }
    userErrors { code field message } } }";

async fn admin(t: &TestApp) -> Client {
    let token = t.sign_in("admin@shop.example").await.tokens.access;
    Client::new(&t.app).with(token.expose())
}

/// Rows: O2, D8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_placed_anew_after_a_week_and_not_while_it_may_be_paid_for() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(5, 990).await;
    let client = Client::new(&t.app);
    let input = json!({ "in": {
        "idempotencyKey": "a key of the test 0001", "currency": "USD", "expectedTotal": "9.90", "email": "guest@example.com",
        "lines": [{ "key": "a", "variantId": variant.to_string(), "quantity": 1 }],
    } });
    let place = async || client.data(PLACE, input.clone()).await["orderPlace"].clone();
    let first = place().await;
    assert_eq!((&first["replayed"], &first["userErrors"]), (&json!(false), &json!([])));
    let same = async || place().await["order"]["number"] == first["order"]["number"];

    // Six days later it is still the same order, which is over by now.
    t.advance(TimeDelta::days(6)).await;
    t.retain().await;
    assert!(same().await);
    // An order that waits for its money longer than that keeps its key.
    t.advance(TimeDelta::days(4)).await;
    t.retain().await;
    assert_eq!(place().await["replayed"], true);
    assert!(same().await);
    t.sweep().await;
    assert_eq!(t.db.one("select state from orders").await, "expired");
    t.retain().await;
    let anew = place().await;
    assert_eq!((&anew["replayed"], &anew["userErrors"]), (&json!(false), &json!([])));
    assert_ne!(anew["order"]["number"], first["order"]["number"]);
    assert_eq!(t.db.one("select count(*) from orders").await, "2");
    t.finish_with_jobs().await;
}

/// Rows: O2, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_is_asked_for_once_however_long_ago_it_was() {
    let t = TestApp::start_with(with_generic).await;
    t.person("admin@shop.example", &[Role::Admin]).await;
    let variant = t.selling_keys(2, 990).await;
    let placed = t.paid_order(variant, 1).await;
    let payment = t.db.one("select id from payment").await;
    let input = json!({ "in": {
        "idempotencyKey": "a refund of the test 1", "reason": "asked for", "amount": { "amount": "2.00", "currency": "USD" },
        "target": { "paymentId": dispense::base::ids::PaymentId(payment.parse().unwrap()).to_string() },
    } });
    let refund = async |desk: Client| -> Value { desk.data(REFUND, input.clone()).await["orderRefund"].clone() };
    let first = refund(admin(&t).await).await;
    assert_eq!(first["userErrors"], json!([]), "{first}");
    t.advance(TimeDelta::days(800)).await;
    t.retain().await;
    let again = refund(admin(&t).await).await;
    assert_eq!(again["refund"]["id"], first["refund"]["id"], "{again}");
    assert_eq!(t.db.one("select count(*) from refund").await, "1");
    assert_eq!(t.db.one("select count(*) from idempotency where operation = 'orderRefund'").await, "1");
    assert_eq!(placed.order.total_minor, 990);
    t.finish_with_jobs().await;
}
