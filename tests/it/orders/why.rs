//! What a buyer reads of an order that is not all delivered: when that changes, and where something can be done about it.

use chrono::{DateTime, TimeDelta, Utc};
use dispense::base::actor::Role;
use dispense::base::ids::VariantId;
use dispense::base::secret::Secret;
use dispense::config::Config;
use dispense::orders::place::Placed;
use serde_json::{Value, json};

use crate::harness::visitor::Visitor;
use crate::harness::{SmtpServer, TestApp, Trouble, codes, with_generic};
use crate::suppliers::shop::Bazaar;

const WHY: &str = "code message expectedAt actionUrl";

fn with_pages(config: &mut Config) {
    with_generic(config);
    config.shop.order_url = Some("https://shop.example/orders/{number}".into());
    config.shop.support_email = Some("help@shop.example".into());
}

async fn boss(t: &TestApp) -> Visitor {
    t.person("boss@shop.example", &[Role::Admin, Role::Seller]).await;
    t.visitor("192.0.2.9").signed_in(&t.sign_in("boss@shop.example").await.tokens.access)
}

/// The explanation of the order, that of its first line, and that of its watch ticket.
async fn why(t: &TestApp, placed: &Placed) -> (Value, Value, Value) {
    let guest = t.visitor("203.0.113.7");
    let query = format!(
        "query($n: String!, $t: String!) {{ order(number: $n, accessToken: $t) {{ whyNotDelivered {{ {WHY} }}
            lines {{ whyNotDelivered {{ {WHY} }} }} live {{ watchTicket }} }} }}"
    );
    let token = placed.access_token.expose();
    let order = guest.ask(&query, json!({ "n": placed.order.number, "t": token })).await["order"].clone();
    let query = format!("query($t: String!) {{ orderStatus(ticket: $t) {{ whyNotDelivered {{ {WHY} }} }} }}");
    let status = guest.ask(&query, json!({ "t": order["live"]["watchTicket"] })).await;
    let line = order["lines"][0]["whyNotDelivered"].clone();
    (order["whyNotDelivered"].clone(), line, status["orderStatus"]["whyNotDelivered"].clone())
}

async fn restock(boss: &Visitor, variant: VariantId, at: Value) -> Value {
    let edit = json!({ "variantId": variant.to_string(), "fields": { "restockExpectedAt": at } });
    boss.act("variantUpdate", edit, "variant { id }").await
}

async fn availability(t: &TestApp, variant: VariantId) -> Value {
    let query = "query($id: ID!) { node(id: $id) { ... on Variant { availability { level restockExpectedAt }
        product { availability { restockExpectedAt } } } } }";
    t.visitor("203.0.113.7").ask(query, json!({ "id": variant.to_string() })).await["node"].clone()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap_or_else(|| panic!("no time: {value}")).parse().unwrap()
}

/// Rows: O7, C2 (variantUpdate).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_stock_is_expected_when_its_seller_says_so_and_at_no_other_time() {
    let t = TestApp::start_with(with_pages).await;
    let boss = boss(&t).await;
    let variant = t.variant_on_sale("key", 500).await;
    let placed = t.waiting_orders(variant, 1).await.remove(0);
    t.drain().await;
    let (order, line, status) = why(&t, &placed).await;
    assert_eq!((&order["code"], &order["expectedAt"]), (&json!("AWAITING_STOCK"), &Value::Null));
    assert_eq!(order["actionUrl"], Value::Null, "a buyer can do nothing about it");
    assert_eq!((&line, &status), (&order, &order));

    let at = t.app.clock.now() + TimeDelta::days(2);
    for wrong in [json!("2020-01-01T00:00:00Z"), json!(t.app.clock.now().to_rfc3339())] {
        let refused = restock(&boss, variant, wrong).await;
        let field = refused["userErrors"][0]["field"].as_array().and_then(|path| path.last()).cloned();
        assert_eq!(
            (codes(&refused), field),
            (vec!["INVALID"], Some(json!("restockExpectedAt"))),
            "{refused}"
        );
    }
    let by_hand = t.variant_on_sale("manual", 500).await;
    assert_eq!(codes(&restock(&boss, by_hand, json!(at.to_rfc3339())).await), ["INVALID"]);
    assert_eq!(codes(&restock(&boss, variant, json!(at.to_rfc3339())).await), [""; 0]);
    for seen in [why(&t, &placed).await.0, why(&t, &placed).await.1, why(&t, &placed).await.2] {
        assert_eq!(time(&seen["expectedAt"]).timestamp(), at.timestamp(), "{seen}");
    }
    let shown = availability(&t, variant).await;
    assert_eq!(shown["availability"]["level"], "OUT_OF_STOCK");
    assert_eq!(time(&shown["availability"]["restockExpectedAt"]).timestamp(), at.timestamp());
    assert_eq!(time(&shown["product"]["availability"]["restockExpectedAt"]).timestamp(), at.timestamp());
    // A time that has passed is none, and what is in stock is not expected.
    t.advance(TimeDelta::days(3)).await;
    assert_eq!(why(&t, &placed).await.0["expectedAt"], Value::Null);
    assert_eq!(availability(&t, variant).await["availability"]["restockExpectedAt"], Value::Null);
    let boss = t.visitor("192.0.2.9").signed_in(&t.sign_in("boss@shop.example").await.tokens.access);
    let at = json!((t.app.clock.now() + TimeDelta::days(2)).to_rfc3339());
    assert_eq!(codes(&restock(&boss, variant, at).await), [""; 0]);
    assert!(why(&t, &placed).await.0["expectedAt"].is_string());
    assert_eq!(codes(&restock(&boss, variant, Value::Null).await), [""; 0]);
    assert_eq!(why(&t, &placed).await.0["expectedAt"], Value::Null);
    t.import(variant, 2).await;
    t.drain().await;
    assert_eq!(why(&t, &placed).await.0, Value::Null);
    t.finish_with_jobs().await;
}

/// Rows: O7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_looks_after_names_where_to_ask_and_what_is_unpaid_where_to_pay() {
    let t = TestApp::start_with(with_pages).await;
    let by_hand = t.variant_on_sale("manual", 500).await;
    let placed = t.order(by_hand, 1).await;
    let (order, line, status) = why(&t, &placed).await;
    assert_eq!(order["code"], "AWAITING_PAYMENT");
    let page = format!("https://shop.example/orders/{}", placed.order.number);
    assert_eq!(order["actionUrl"], json!(page), "the attempt has no page of its own");
    assert_eq!((&line, &status["actionUrl"]), (&Value::Null, &json!(page)), "a ticket does not pay");
    let paid = crate::harness::Said::paid(&placed, "T1");
    assert_eq!(t.notify(&paid).await.0, 200);
    t.drain().await;
    let (order, line, status) = why(&t, &placed).await;
    assert_eq!(order["code"], "AWAITING_PERSON");
    assert_eq!(order["actionUrl"], "mailto:help@shop.example");
    assert_eq!((&line, &status), (&order, &order));
    t.finish_with_jobs().await;
    // The page where buyers find help goes before the address.
    let t = TestApp::start_with(|config| {
        with_pages(config);
        config.shop.support_url = Some("https://shop.example/help".into());
    })
    .await;
    let variant = t.variant_on_sale("manual", 500).await;
    let placed = t.paid_order(variant, 1).await;
    t.drain().await;
    assert_eq!(why(&t, &placed).await.0["actionUrl"], "https://shop.example/help");
    let shop = t.visitor("203.0.113.7").ask("{ shop { supportUrl supportEmail } }", json!({})).await;
    assert_eq!(shop["shop"]["supportUrl"], "https://shop.example/help");
    t.finish_with_jobs().await;
}

/// Rows: O7, D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_is_tried_again_says_when_and_where_the_goods_are_meanwhile() {
    let server = SmtpServer::start().await;
    let t = TestApp::start_with(|config| {
        with_pages(config);
        config.mail.url = Some(Secret::new(format!("smtp://{}?tls=none", server.address)));
        config.mail.timeout_seconds = 2;
    })
    .await;
    let variant = t.selling_keys(1, 500).await;
    server.next(Trouble::Say("RCPT", "451 later please"));
    let placed = t.paid_order(variant, 1).await;
    t.drain().await;
    let (order, line, _) = why(&t, &placed).await;
    assert_eq!((&order["code"], &line), (&json!("MAIL_DELAYED"), &Value::Null), "{order}");
    assert!(time(&order["expectedAt"]) > t.app.clock.now());
    let page = format!("https://shop.example/orders/{}", placed.order.number);
    assert_eq!(order["actionUrl"], json!(page));
    t.drain_all().await;
    assert_eq!(why(&t, &placed).await.0, Value::Null);
    t.finish().await;
}

/// Rows: O7, D7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_supplier_makes_is_expected_when_it_is_asked_next() {
    let shop = Bazaar::open().await;
    let supplier = shop.connect("Gifts").await;
    let variant = shop.selling(&[&supplier]).await;
    shop.trouble(&["pending"]);
    let placed = shop.t().paid_order(variant, 1).await;
    shop.t().drain().await;
    let (order, line, status) = why(shop.t(), &placed).await;
    assert_eq!(order["code"], "AWAITING_SUPPLIER", "{order}");
    let next = "select extract(epoch from next_at)::bigint from supplier_purchase";
    let next: i64 = shop.t().db.one(next).await.parse().unwrap();
    assert!((time(&order["expectedAt"]).timestamp() - next).abs() <= 1, "{order}");
    assert_eq!((&line, &status), (&order, &order));
    shop.pass(TimeDelta::hours(2)).await;
    assert_eq!(why(shop.t(), &placed).await.0, Value::Null);
    shop.sound().await;
}

/// Rows: O7, P3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unpaid_order_leads_to_the_page_on_which_its_payment_goes_on() {
    let shop = crate::graphql::doors::shop::shop().await;
    let query = "query($n: String!, $t: String!) { order(number: $n, accessToken: $t) { canPay whyNotDelivered { code actionUrl }
        payments { action { hostedUrl } } live { watchTicket } } }";
    let seen =
        shop.guest.ask(query, json!({ "n": shop.unpaid.number, "t": shop.unpaid.token })).await["order"]
            .clone();
    assert_eq!(
        (&seen["canPay"], &seen["whyNotDelivered"]["code"]),
        (&json!(true), &json!("AWAITING_PAYMENT"))
    );
    assert!(seen["whyNotDelivered"]["actionUrl"].is_string());
    assert_eq!(seen["whyNotDelivered"]["actionUrl"], seen["payments"][0]["action"]["hostedUrl"]);
    let status = "query($t: String!) { orderStatus(ticket: $t) { whyNotDelivered { code actionUrl } } }";
    let status =
        shop.guest.ask(status, json!({ "t": seen["live"]["watchTicket"] })).await["orderStatus"].clone();
    assert_eq!(status["whyNotDelivered"], json!({ "code": "AWAITING_PAYMENT", "actionUrl": Value::Null }));
    shop.sound().await;
}
