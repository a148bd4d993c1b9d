//! What a person makes for each buyer.

use dispense::base::ids::UnitId;
use dispense::orders::place::Placed;
use serde_json::json;

use super::shop::Counter;
use crate::check::planted::{Planted, find_all};

const TEXT: &str = "CANARY-HAND: topped up 50.\nReference 8812.";

async fn delivery(shop: &Counter, placed: &Placed) -> String {
    let sql = format!("select id from unit where order_id = '{}'", placed.order.id.0);
    UnitId(shop.t.db.one(&sql).await.parse().unwrap()).to_string()
}

/// Rows: C2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_makes_waits_for_a_person_and_is_handed_over_once() {
    let shop = Counter::open().await;
    let t = &shop.t;
    t.canary("CANARY-HAND");
    let variant = t.shelf("manual", 500).await;
    let placed = t.paid_order(variant, 1).await;
    t.drain().await;
    t.sweep().await;
    assert_eq!(t.unit_states(placed.order.id).await, "awaiting_person:1");
    let task = "select kind || ' ' || state from task where kind = 'delivery_by_hand'";
    assert_eq!(t.db.one(task).await, "delivery_by_hand open");
    assert_eq!(shop.reveal(&placed).await["userErrors"][0]["code"], "NOT_READY");
    let unit = delivery(&shop, &placed).await;

    let refused = |answer: serde_json::Value| answer["userErrors"][0].clone();
    let of = |code: &str, field: &str| json!({ "code": code, "field": [field] });
    assert_eq!(refused(shop.fulfil(&shop.buyer, &unit, TEXT).await), of("NOT_FOUND", "deliveryId"));
    assert_eq!(refused(shop.fulfil(&shop.boss, &unit, "").await), of("INVALID", "secretText"));
    let none = UnitId(t.app.clock.uuid()).to_string();
    assert_eq!(refused(shop.fulfil(&shop.boss, &none, TEXT).await), of("NOT_FOUND", "deliveryId"));

    let (one, other) = tokio::join!(
        shop.fulfil(&shop.boss, &unit, TEXT),
        shop.fulfil(&shop.boss, &unit, "CANARY-HAND: something else")
    );
    let mut codes = [one["userErrors"][0]["code"].clone(), other["userErrors"][0]["code"].clone()];
    codes.sort_by_key(|code| code.is_null());
    assert_eq!(codes, [json!("ALREADY_DELIVERED"), json!(null)], "exactly one is delivered");
    let kept = if one["userErrors"] == json!([]) { TEXT } else { "CANARY-HAND: something else" };
    let repeat = shop.fulfil(&shop.boss, &unit, kept).await;
    assert_eq!(repeat, json!({ "line": { "state": "ASSIGNED" }, "userErrors": [] }));
    assert_eq!(t.db.one("select count(*) from message where kind = 'order_delivered'").await, "1");
    assert_eq!(t.db.one(task).await, "delivery_by_hand resolved");
    assert_eq!(t.db.one("select delivered_at is not null from orders").await, "t");
    assert_eq!(shop.texts(&placed).await, [kept]);
    assert_eq!(shop.fulfil(&shop.boss, &unit, kept).await["line"]["state"], "REVEALED");
    t.drain().await;
    assert_eq!(t.db.one("select mailed_at is not null from unit_secret").await, "t");
    shop.must_be_sound().await;
    crate::check::clean::number(t).await;
    let faults = [
        Planted {
            sql: "delete from unit_secret",
            found_by: "a delivered unit of a person's work has a text of its own",
            names: "unit ",
        },
        Planted {
            sql: "update unit_secret set sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20))",
            found_by: "the text of a secret opens in its row, under its variant, by its data key",
            names: "unit ",
        },
    ];
    find_all(t, &faults).await;
    shop.t.finish_with_jobs().await;
}

/// Rows: C2, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_handed_over_by_hand_that_is_unpaid_held_given_back_or_comes_by_itself() {
    let shop = Counter::open().await;
    let t = &shop.t;
    t.canary("CANARY-HAND");
    let variant = t.shelf("manual", 500).await;
    let keys = t.selling_keys(0, 500).await;
    let code = async |placed: &Placed| {
        let unit = delivery(&shop, placed).await;
        shop.fulfil(&shop.boss, &unit, TEXT).await["userErrors"][0]["code"].clone()
    };
    assert_eq!(code(&t.order(variant, 1).await).await, "NOT_PAID");
    let held = t.paid_order(variant, 1).await;
    let (order, cause) = (held.order.id.0, t.app.clock.uuid());
    t.db.sql(&format!(
        "insert into hold (order_id, cause, cause_id) values ('{order}', 'dispute', '{cause}')"
    ))
    .await;
    assert_eq!(code(&held).await, "REVOKED");
    t.db.sql("update hold set cause = 'refund'").await;
    assert_eq!(code(&held).await, "REFUNDED");
    t.db.sql("delete from hold").await;
    assert_eq!(code(&held).await, json!(null), "the hold was lifted");
    let back = t.paid_order(variant, 1).await;
    shop.refund(&back).await;
    assert_eq!(t.unit_states(back.order.id).await, "cancelled:1");
    assert_eq!(code(&back).await, "REVOKED");
    t.import(keys, 1).await;
    let key = t.paid_order(keys, 1).await;
    assert_eq!(code(&key).await, "INVALID");
    assert_eq!(t.db.one("select count(*) from unit_secret").await, "1");
    t.drain().await;
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}
