//! A supplier that is down is left alone for a while, and others are asked in its place.

use chrono::TimeDelta;
use serde_json::json;

use super::shop::Bazaar;

/// Rows: D7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supplier_that_fails_in_a_row_is_left_alone_and_one_call_tries_when_its_time_is_over() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    // Nothing listens there: each call fails before anything is sent.
    let mut input = shop.connection("Dead");
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    input["url"] = json!(format!("http://{dead}/orders"));
    let refused = shop.create(&shop.boss().await, input.clone()).await;
    assert_eq!(refused["userErrors"], json!([{ "code": "URL_NOT_ALLOWED", "field": ["url"] }]), "its port");
    let supplier = shop.connect("Flaky").await;
    let variant = shop.selling(&[&supplier]).await;
    let breaker =
        "select failures || ' ' || (open_until is not null and open_until > app_now()) from supplier";
    shop.always(Some("down"));
    let mut orders = Vec::new();
    for _ in 0..5 {
        orders.push(t.paid_order(variant, 1).await);
        t.drain().await;
    }
    assert_eq!(t.db.one(breaker).await, "5 true");
    assert_eq!(t.db.one("select state from task where kind = 'supplier_down'").await, "open");
    let calls = shop.calls();
    for _ in 0..3 {
        orders.push(t.paid_order(variant, 1).await);
        t.drain().await;
    }
    assert_eq!(shop.calls(), calls, "no purchase is sent while it is open");
    let seen = shop.update(&supplier, json!({})).await["supplier"].clone();
    assert_eq!(seen["down"], true);
    assert!(seen["downUntil"].is_string());
    shop.pass(TimeDelta::minutes(2)).await;
    assert!(t.db.one("select failures from supplier").await.parse::<i32>().unwrap() > 5);
    shop.always(None);
    shop.pass(TimeDelta::hours(2)).await;
    assert_eq!(t.db.one(breaker).await, "0 false");
    assert_eq!(t.db.one("select state from task where kind = 'supplier_down'").await, "resolved");
    for placed in &orders {
        assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    }
    assert_eq!(shop.sold().len(), orders.len(), "each was bought once");
    shop.sound().await;
}

/// Rows: D7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_sent_goes_to_the_next_supplier_and_what_may_be_bought_stays() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let (first, second) = (shop.connect("First").await, shop.connect("Second").await);
    let variant = shop.selling(&[&first, &second]).await;
    t.db.sql("update supplier set failures = 5, open_until = app_now() + interval '10 minutes' where name = 'First'")
        .await;
    let placed = t.paid_order(variant, 1).await;
    t.drain().await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    let from = "select s.name from supplier_purchase p join supplier s on s.id = p.supplier_id where p.state = 'delivered'";
    assert_eq!(t.db.one(from).await, "Second");
    // Both are down: the piece is waited for, and is sold only where the seller says so.
    t.db.sql("update supplier set failures = 5, open_until = app_now() + interval '10 minutes'").await;
    let waits = t.paid_order(variant, 1).await;
    t.drain().await;
    assert_eq!(t.unit_states(waits.order.id).await, "awaiting_supplier:1");
    let product =
        "query($id: ID!) { node(id: $id) { ... on Variant { availability { level canBuy reason } } } }";
    let seen = shop.counter.guest.data(product, json!({ "id": variant.to_string() })).await;
    assert_eq!(seen["node"]["availability"], json!({ "level": "ON_DEMAND", "canBuy": true, "reason": null }));
    assert_eq!(shop.counter.edit(variant, json!({ "soldWhileDown": false })).await, None);
    let seen = shop.counter.guest.data(product, json!({ "id": variant.to_string() })).await;
    assert_eq!(
        seen["node"]["availability"],
        json!({ "level": "OUT_OF_STOCK", "canBuy": false, "reason": "OUT_OF_STOCK" })
    );
    let keys = t.selling_keys(0, 500).await;
    let refused = shop.counter.edit(keys, json!({ "soldWhileDown": false })).await.unwrap();
    assert_eq!(refused, json!({ "code": "INVALID", "field": ["fields", "soldWhileDown"] }));
    shop.pass(TimeDelta::minutes(11)).await;
    assert_eq!(t.unit_states(waits.order.id).await, "assigned:1");
    shop.sound().await;
}
