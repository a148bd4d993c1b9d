//! What a person makes for each buyer.

use dispense::base::actor::Role;
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
    let variant = t.variant_on_sale("manual", 500).await;
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
    let variant = t.variant_on_sale("manual", 500).await;
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

/// Support, which is staff, delivers; a person who sells for nobody here does not, whatever they sell elsewhere; the
/// seller's own people do.
/// Rows: C2, C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn support_and_the_sellers_own_people_deliver_and_nobody_else() {
    let shop = Counter::open().await;
    let t = &shop.t;
    t.canary("CANARY-HAND");
    let variant = t.variant_on_sale("manual", 500).await;
    t.person("sue@shop.example", &[Role::Support]).await;
    let other = t.person("olga@other.example", &[Role::Seller]).await;
    t.person("sam@shop.example", &[Role::Seller]).await;
    // Whoever becomes a seller here sells for the shop; she sells for somebody else.
    t.db.sql(&format!(
        "insert into seller (id, slug, name) values ('{0}', 'another', 'Another');
         update seller_member set seller_id = '{0}' where user_id = '{1}'",
        t.app.clock.uuid(),
        other.0
    ))
    .await;
    for (email, refused) in [
        ("olga@other.example", json!([{ "code": "NOT_FOUND", "field": ["deliveryId"] }])),
        ("sam@shop.example", json!([])),
        ("sue@shop.example", json!([])),
    ] {
        let placed = t.paid_order(variant, 1).await;
        let by = shop.guest.with(t.sign_in(email).await.tokens.access.expose());
        let answer = shop.fulfil(&by, &delivery(&shop, &placed).await, TEXT).await;
        assert_eq!(answer["userErrors"], refused, "{email}");
    }
    t.drain().await;
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}

/// A person delivers while the money goes back: whichever is first, the buyer does not keep both.
/// Rows: C2, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_by_hand_races_with_a_refund() {
    let shop = Counter::open().await;
    let t = &shop.t;
    t.canary("CANARY-HAND");
    let variant = t.variant_on_sale("manual", 500).await;
    for round in 0..12 {
        let placed = t.paid_order(variant, 1).await;
        let unit = delivery(&shop, &placed).await;
        // Either has a head start in half of the rounds.
        let fulfil = async {
            tokio::time::sleep(std::time::Duration::from_millis(3 * (round % 3))).await;
            shop.fulfil(&shop.boss, &unit, TEXT).await["userErrors"][0]["code"].clone()
        };
        let refund = async {
            tokio::time::sleep(std::time::Duration::from_millis(3 * ((round + 1) % 3))).await;
            shop.refund(&placed).await;
        };
        let (answer, ()) = tokio::join!(fulfil, refund);
        let states = t.unit_states(placed.order.id).await;
        match answer.as_str() {
            None => assert_eq!(states, "revoked:1", "delivered first, then taken back"),
            Some("REVOKED" | "REFUNDED") => assert_eq!(states, "cancelled:1", "gone before it was delivered"),
            Some(other) => panic!("{other}"),
        }
        let shown = shop.reveal(&placed).await["userErrors"][0]["code"].clone();
        assert!(shown == "REFUNDED" || shown == "REVOKED", "{shown}");
    }
    t.drain().await;
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}
