//! Sales that staff or a seller pauses: buyers read why, and what is paid is delivered.

use dispense::base::actor::Role;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::visitor::Visitor;
use crate::harness::{TestApp, TestDatabase, behind_a_proxy, codes, with_generic};
use crate::payments::street::{HURRY, street_of};

const NONE: [&str; 0] = [];

async fn shop() -> (TestApp, Visitor) {
    let t = TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
    })
    .await;
    t.person("boss@shop.example", &[Role::Admin, Role::Seller]).await;
    let boss = t.visitor("192.0.2.9").signed_in(&t.sign_in("boss@shop.example").await.tokens.access);
    (t, boss)
}

async fn buys(visitor: &Visitor, variant: &str) -> Value {
    visitor.order(variant, 1, "5.00", json!({ "email": "ada@example.com" })).await
}

async fn starts(visitor: &Visitor, placed: &Value, method: &str, key: &str) -> Value {
    let input = json!({
        "orderId": placed["order"]["id"], "accessToken": placed["accessToken"], "idempotencyKey": key,
        "options": { "methodId": method, "accepts": ["REDIRECT"] }
    });
    visitor.act("paymentStart", input, "payment { id action { ... on RedirectAction { url } } }").await
}

fn message(payload: &Value) -> &str {
    payload["userErrors"][0]["message"].as_str().unwrap_or_default()
}

/// Rows: O1 (orderPlace, quote).
/// Sends: shopPause, shopResume.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_shop_sells_nothing_and_delivers_what_was_paid() {
    let (t, boss) = shop().await;
    let variant = t.selling_keys(3, 500).await.to_string();
    let ada = t.visitor("192.0.2.1");
    let before = buys(&ada, &variant).await;
    assert_eq!(codes(&before), NONE);

    let stranger =
        ada.raw("mutation { shopPause(input: { reason: \"no\" }) { userErrors { code } } }", json!({})).await;
    assert_eq!(stranger["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let stranger = ada.raw("mutation { shopResume { userErrors { code } } }", json!({})).await;
    assert_eq!(stranger["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let fields = "shop { pause { reason } }";
    assert_eq!(codes(&boss.act("shopPause", json!({ "reason": " " }), fields).await), ["REASON_REQUIRED"]);
    let long = "x".repeat(501);
    assert_eq!(codes(&boss.act("shopPause", json!({ "reason": long }), fields).await), ["INVALID"]);
    let reason = "We move house until noon. <b>Sorry</b>";
    // Two members of staff at once, and a repeat: one pause, one event.
    let asked = join_all((0..4).map(|_| boss.act("shopPause", json!({ "reason": reason }), fields))).await;
    for done in &asked {
        assert_eq!((codes(done), &done["shop"]["pause"]["reason"]), (NONE.to_vec(), &json!(reason)));
    }
    assert_eq!(t.db.one("select count(*) from event where kind = 'shop.paused'").await, "1");
    let seen = ada.ask("{ shop { pause { reason since } } }", json!({})).await;
    assert_eq!(seen["shop"]["pause"]["reason"], reason);

    let refused = buys(&ada, &variant).await;
    assert_eq!((codes(&refused), message(&refused)), (vec!["NOT_ON_SALE"], reason));
    let cart = json!({ "lines": [{ "key": "1", "variantId": variant, "quantity": 1 }], "currency": "USD" });
    let query = "query($i: QuoteInput!) { quote(input: $i) { canPlace problems { code message } } }";
    let quoted = ada.ask(query, json!({ "i": cart })).await["quote"].clone();
    assert_eq!(
        quoted,
        json!({ "canPlace": false, "problems": [{ "code": "NOT_ON_SALE", "message": reason }] })
    );
    let started = starts(&ada, &before, "mth_generic", "a-key-of-sixteen-or-more").await;
    assert_eq!((codes(&started), message(&started)), (vec!["METHOD_NOT_AVAILABLE"], reason));
    // A payment that the gateway reports all the same is money: it is settled and delivered.
    t.pay(&before).await;
    assert_eq!(t.db.one("select count(*) from vault_key where state = 'sold'").await, "1");

    let resumed = boss
        .raw("mutation { shopResume { shop { pause { reason } } userErrors { code } } }", json!({}))
        .await;
    assert_eq!(resumed["data"]["shopResume"], json!({ "shop": { "pause": null }, "userErrors": [] }));
    assert_eq!(codes(&buys(&ada, &variant).await), NONE);
    assert_eq!(t.db.one("select count(*) from event where kind = 'shop.resumed'").await, "1");
    t.finish_with_jobs().await;
}

/// Whether the list shows any product that is in stock, and any that is not.
async fn in_stock(visitor: &Visitor) -> (bool, bool) {
    let list = "query { yes: products(filter: { inStock: true }) { nodes { id } } \
                no: products(filter: { inStock: false }) { nodes { id } } }";
    let seen = visitor.ask(list, json!({})).await;
    let any = |name: &str| !seen[name]["nodes"].as_array().unwrap().is_empty();
    (any("yes"), any("no"))
}

/// Rows: C1 (orderPlace).
/// Sends: productPause, productResume.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_product_stays_visible_and_says_why_it_cannot_be_bought() {
    let (t, boss) = shop().await;
    let variant = t.selling_keys(2, 500).await;
    let product = t.db.one(&format!("select product_id from variant where id = '{}'", variant.0)).await;
    let id = dispense::base::ids::ProductId(product.parse().unwrap()).to_string();
    let variant = variant.to_string();
    let ada = t.visitor("192.0.2.1");
    let before = buys(&ada, &variant).await;
    let reason = "密钥有误，正在更换。";
    let pause = json!({ "productId": id, "reason": reason });
    let fields = "product { onSale pause { reason since } availability { canBuy text } }";

    t.buyer("other@shop.example").await;
    let stranger = t.visitor("192.0.2.8").signed_in(&t.sign_in("other@shop.example").await.tokens.access);
    assert_eq!(codes(&stranger.act("productPause", pause.clone(), fields).await), ["NOT_FOUND"]);
    assert_eq!(
        codes(&stranger.act("productResume", json!({ "productId": id }), fields).await),
        ["NOT_FOUND"]
    );
    let silent = json!({ "productId": id, "reason": "" });
    assert_eq!(codes(&boss.act("productPause", silent, fields).await), ["REASON_REQUIRED"]);

    let paused = boss.act("productPause", pause.clone(), fields).await;
    assert_eq!(codes(&paused), NONE);
    assert_eq!(paused["product"]["onSale"], false);
    let again = boss.act("productPause", pause, fields).await;
    assert_eq!(again["product"]["pause"], paused["product"]["pause"], "a repeat changes nothing");
    assert_eq!(t.db.one("select count(*) from event where kind = 'product.paused'").await, "1");

    let seen = ada
        .ask("query($id: ID!) { node(id: $id) { ... on Product { onSale pause { reason } availability { canBuy text } } } }", json!({ "id": id }))
        .await;
    let expected = json!({ "onSale": false, "pause": { "reason": reason }, "availability": { "canBuy": false, "text": reason } });
    assert_eq!(seen["node"], expected, "it stays where buyers find it");
    assert_eq!(in_stock(&ada).await, (false, true), "and counts as what nobody can buy");
    let refused = buys(&ada, &variant).await;
    assert_eq!((codes(&refused), message(&refused)), (vec!["NOT_ON_SALE"], reason));
    let started = starts(&ada, &before, "mth_generic", "a-key-of-sixteen-or-more").await;
    assert_eq!((codes(&started), message(&started)), (vec!["METHOD_NOT_AVAILABLE"], reason));
    t.pay(&before).await;
    assert_eq!(t.db.one("select count(*) from vault_key where state = 'sold'").await, "1");

    let resumed = boss.act("productResume", json!({ "productId": id }), fields).await;
    assert_eq!((codes(&resumed), &resumed["product"]["pause"]), (NONE.to_vec(), &Value::Null));
    assert_eq!(in_stock(&ada).await, (true, false));
    assert_eq!(codes(&buys(&ada, &variant).await), NONE);
    t.finish_with_jobs().await;
}

/// Rows: P1 (paymentMethods, paymentStart).
/// Sends: paymentMethodPause, paymentMethodResume.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_way_to_pay_starts_nothing_and_still_takes_money_that_comes() {
    let s = street_of(&["stripe"], TestDatabase::migrated().await, HURRY, |_| {}, |_| {}).await;
    let t = &s.t;
    t.person("boss@shop.example", &[Role::Admin]).await;
    let boss = t.visitor("192.0.2.9").signed_in(&t.sign_in("boss@shop.example").await.tokens.access);
    let variant = t.selling_keys(3, 500).await.to_string();
    let ada = t.visitor("192.0.2.1");
    let (first, second) = (buys(&ada, &variant).await, buys(&ada, &variant).await);
    let begun = starts(&ada, &first, "mth_stripe", "a-key-of-sixteen-or-more").await;
    assert_eq!(codes(&begun), NONE);
    let reason = "The bank has maintenance until 14:00.";
    let pause = json!({ "paymentMethodId": "mth_stripe", "reason": reason });
    let fields = "paymentMethod { id available reason pause { reason since } }";

    let stranger =
        "mutation($i: PaymentMethodPauseInput!) { paymentMethodPause(input: $i) { userErrors { code } } }";
    let refused = ada.raw(stranger, json!({ "i": pause })).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    for unknown in ["mth_nowhere", "stripe", "prd_0", ""] {
        let input = json!({ "paymentMethodId": unknown, "reason": reason });
        assert_eq!(codes(&boss.act("paymentMethodPause", input, fields).await), ["NOT_FOUND"], "{unknown}");
        let input = json!({ "paymentMethodId": unknown });
        assert_eq!(codes(&boss.act("paymentMethodResume", input, fields).await), ["NOT_FOUND"], "{unknown}");
    }
    let silent = json!({ "paymentMethodId": "mth_stripe", "reason": "\n" });
    assert_eq!(codes(&boss.act("paymentMethodPause", silent, fields).await), ["REASON_REQUIRED"]);
    let paused = boss.act("paymentMethodPause", pause.clone(), fields).await;
    assert_eq!(codes(&paused), NONE);
    let again = boss.act("paymentMethodPause", pause, fields).await;
    assert_eq!(again["paymentMethod"], paused["paymentMethod"], "a repeat changes nothing");
    assert_eq!(t.db.one("select count(*) from event where kind = 'method.paused'").await, "1");

    let seen = ada.ask("{ paymentMethods { id available reason pause { reason } } }", json!({})).await;
    let expected = json!([{ "id": "mth_stripe", "available": false, "reason": "METHOD_NOT_AVAILABLE", "pause": { "reason": reason } }]);
    assert_eq!(seen["paymentMethods"], expected);
    let refused = starts(&ada, &second, "mth_stripe", "another-key-of-sixteen").await;
    assert_eq!((codes(&refused), message(&refused)), (vec!["METHOD_NOT_AVAILABLE"], reason));
    // What was begun is paid and delivered.
    s.visit(begun["payment"]["action"]["url"].as_str().unwrap()).await;
    s.act(first["order"]["number"].as_str().unwrap(), "pay");
    s.settled().await;
    t.wait_until("select count(*) = 1 from vault_key where state = 'sold'").await;

    let resumed = boss.act("paymentMethodResume", json!({ "paymentMethodId": "mth_stripe" }), fields).await;
    assert_eq!((codes(&resumed), &resumed["paymentMethod"]["pause"]), (NONE.to_vec(), &Value::Null));
    assert_eq!(codes(&starts(&ada, &second, "mth_stripe", "a-third-key-of-sixteen").await), NONE);
    s.t.finish_with_jobs().await;
}
