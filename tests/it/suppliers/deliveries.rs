//! From the payment to the text that a supplier made.

use chrono::TimeDelta;
use serde_json::json;

use super::shop::Bazaar;
use crate::check::planted::{Planted, find_all};
use crate::harness::visitor::Visitor;

/// Rows: C2, D7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paid_piece_is_bought_once_at_the_supplier_and_shown_to_its_buyer() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let supplier = shop.connect("Gifts").await;
    let variant = shop.selling(&[&supplier]).await;
    let unpaid = t.order(variant, 1).await;
    let placed = t.paid_order(variant, 2).await;
    assert_eq!(t.unit_states(placed.order.id).await, "awaiting_supplier:2");
    assert_eq!(shop.counter.reveal(&placed).await["userErrors"][0]["code"], "NOT_READY");
    assert_eq!(
        t.db.one("select count(*) from message where kind like 'order_awaiting%'").await,
        "0",
        "it comes within a minute"
    );
    assert_eq!(shop.calls(), 0, "nothing is called while the payment is settled");
    t.drain().await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:2");
    let sold = shop.sold();
    assert_eq!(sold.len(), 2);
    let mut texts: Vec<&str> = sold.values().map(|sold| sold["texts"][0].as_str().unwrap()).collect();
    let mut shown = shop.counter.texts(&placed).await;
    texts.sort_unstable();
    shown.sort_unstable();
    assert_eq!(shown, texts);
    assert!(sold.values().all(|sold| sold["orders"] == 1 && sold["product"] == "GIFT"));
    assert_eq!(t.db.one("select count(*) from message where kind = 'order_delivered'").await, "2");
    assert_eq!(t.db.one("select delivered_at is not null from orders where paid_at is not null").await, "t");
    assert_eq!(shop.purchases(&unpaid).await, "", "nothing is bought for what nobody paid");
    let line = shop.counter.line(&placed).await;
    assert_eq!(line["kind"], "supplier");
    t.drain().await;
    t.sweep().await;
    assert_eq!(shop.calls(), 2, "nothing is asked about what is delivered");
    crate::check::clean::number(t).await;
    find_all(t, &PLANTED).await;
    shop.sound().await;
}

/// What can go wrong behind the program's back, and which question finds it.
const PLANTED: [Planted; 6] = [
    Planted {
        sql: "update vault_key set unit_id = null, sold_at = null, state = 'frozen' where id = (select key_id from
                supplier_purchase limit 1)",
        found_by: "a delivered unit of bought goods has a key, or a text of a person",
        names: "unit ",
    },
    Planted {
        sql: "update supplier_purchase set state = 'refused', key_id = null, reason = 'X' where id = (select id from
                supplier_purchase limit 1)",
        found_by: "a key from a supplier that may be sold or was sold is that of a purchase",
        names: "key ",
    },
    Planted {
        sql: "update supplier_purchase set price_minor = max_price_minor + 1 where id = (select id from
                supplier_purchase limit 1)",
        found_by: "nothing was bought above the price that was agreed",
        names: "purchase ",
    },
    Planted {
        sql: "update supplier_purchase set order_id = (select id from orders where paid_at is null limit 1)",
        found_by: "nothing is bought for an order that was never paid",
        names: "purchase ",
    },
    Planted {
        sql: "update unit set state = 'awaiting_supplier', assigned_at = null, revealed_at = null,
                waiting_since = app_now() where state in ('assigned', 'revealed')",
        found_by: "a unit that waits for a supplier is being bought, or somebody looks after it",
        names: "unit ",
    },
    Planted {
        sql: "update supplier set secret = set_byte(secret, 20, 255 - get_byte(secret, 20))",
        found_by: "the text of a secret opens in its row, under its variant, by its data key",
        names: "signing secret ",
    },
];

/// Rows: D7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_supplier_sells_goes_to_a_person_who_delivers_it_or_has_all_tried_again() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let (first, second) = (shop.connect("First").await, shop.connect("Second").await);
    let variant = shop.selling(&[&first, &second]).await;
    shop.trouble(&["refuse"]);
    let placed = t.paid_order(variant, 1).await;
    t.drain().await;
    assert_eq!(shop.purchases(&placed).await, "refused:OUT_OF_STOCK delivered", "the second sold it");
    assert_eq!(shop.counter.texts(&placed).await.len(), 1);

    shop.trouble(&["refuse", "refuse"]);
    let nobody = t.paid_order(variant, 1).await;
    t.drain().await;
    assert_eq!(shop.purchases(&nobody).await, "refused:OUT_OF_STOCK refused:OUT_OF_STOCK");
    assert_eq!(t.unit_states(nobody.order.id).await, "awaiting_person:1");
    assert_eq!(t.db.one("select count(*) from message where kind = 'order_awaiting_person'").await, "1");
    let task = "select state from task where kind = 'delivery_by_hand'";
    assert_eq!(t.db.one(task).await, "open");
    let unit = shop.units(nobody.order.id).await[0].to_string();
    let again = retry(&shop.boss().await, &unit).await;
    assert_eq!(again, json!([{ "deliveryId": unit, "queued": true, "userErrors": [] }]));
    t.drain().await;
    assert_eq!(t.unit_states(nobody.order.id).await, "assigned:1");
    assert_eq!(t.db.one(task).await, "resolved");
    assert!(shop.sold_of(&format!("{unit}-2")).is_some(), "another round is another purchase");

    shop.trouble(&["refuse", "refuse"]);
    let by_hand = t.paid_order(variant, 1).await;
    t.drain().await;
    let unit = shop.units(by_hand.order.id).await[0].to_string();
    t.canary("CANARY-HAND");
    let answer = shop.counter.fulfil(&shop.counter.boss, &unit, "CANARY-HAND 1").await;
    assert_eq!(answer["userErrors"], json!([]));
    assert_eq!(shop.counter.texts(&by_hand).await, ["CANARY-HAND 1"]);
    assert_eq!(retry(&shop.boss().await, &unit).await[0]["userErrors"][0]["code"], "ALREADY_DELIVERED");
    t.drain().await;
    shop.sound().await;
}

async fn retry(by: &Visitor, unit: &str) -> serde_json::Value {
    let document = "mutation($in: DeliveryRetryInput!) { deliveryRetry(input: $in) {
        results { deliveryId queued userErrors { code } } userErrors { code } } }";
    by.ask(document, json!({ "in": { "deliveryIds": [unit] } })).await["deliveryRetry"]["results"].clone()
}

/// The money goes back while the supplier is asked: what it delivers is stock, and the next buyer's.
/// Rows: D7, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goods_that_come_for_a_refunded_piece_are_stock_and_given_to_the_next_buyer() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let supplier = shop.connect("Gifts").await;
    let variant = shop.selling(&[&supplier]).await;
    shop.trouble(&["pending"]);
    let back = t.paid_order(variant, 1).await;
    t.drain().await;
    assert_eq!(shop.purchases(&back).await, "pending");
    shop.counter.refund(&back).await;
    assert_eq!(t.unit_states(back.order.id).await, "cancelled:1");
    shop.pass(TimeDelta::seconds(20)).await;
    assert_eq!(shop.purchases(&back).await, "delivered", "what was accepted is followed to its end");
    assert_eq!(t.db.one("select state from vault_key").await, "available");
    let next = t.paid_order(variant, 1).await;
    assert_eq!(t.unit_states(next.order.id).await, "assigned:1", "at once, with the payment");
    assert_eq!(shop.sold().len(), 1, "nothing more was bought");
    t.drain().await;
    let unsent = t.paid_order(variant, 1).await;
    shop.counter.refund(&unsent).await;
    t.drain().await;
    assert_eq!(shop.purchases(&unsent).await, "abandoned:NOT_WANTED");
    assert_eq!(shop.sold().len(), 1);
    shop.sound().await;
}

/// Rows: D7, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_bought_or_given_while_the_money_may_go_back_and_all_goes_on_when_it_does_not() {
    let shop = Bazaar::open().await;
    let t = shop.t();
    let supplier = shop.connect("Gifts").await;
    let variant = shop.selling(&[&supplier]).await;
    shop.trouble(&["pending", "pending"]);
    let (before, during) = (t.paid_order(variant, 1).await, t.paid_order(variant, 1).await);
    t.drain().await;
    let later = t.paid_order(variant, 1).await;
    for placed in [&during, &later] {
        let (order, cause) = (placed.order.id.0, t.app.clock.uuid());
        t.db.sql(&format!(
            "insert into hold (order_id, cause, cause_id) values ('{order}', 'dispute', '{cause}')"
        ))
        .await;
    }
    shop.pass(TimeDelta::seconds(30)).await;
    assert_eq!(t.unit_states(before.order.id).await, "assigned:1");
    assert_eq!(shop.purchases(&during).await, "delivered");
    assert_eq!(t.unit_states(during.order.id).await, "awaiting_supplier:1", "bought, and not given");
    assert_eq!(shop.purchases(&later).await, "queued");
    t.db.sql("delete from hold").await;
    shop.pass(TimeDelta::minutes(3)).await;
    for placed in [&during, &later] {
        assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    }
    shop.sound().await;
}
