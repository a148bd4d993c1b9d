//! A bad key is replaced, and the old one is never good again.

use serde_json::json;

use super::shop::{line, piece, replace, reveal, states, texts};
use crate::graphql::doors::shop::{deliveries, denied, import, once, refusal, shop};
use crate::harness::TestApp;
use crate::licences::shop::LicenceShop;

async fn messages(t: &TestApp, kind: &str) -> String {
    let sql = format!("select coalesce(string_agg(state, ' '), '') from message where kind = '{kind}'");
    t.db.one(&sql).await
}

/// Rows: K13 (deliveryReplace, deliveryReveal).
/// Sends: deliveryReplace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seller_replaces_a_key_once_and_the_old_one_is_never_sold_again() {
    let shop = shop().await;
    let (t, bought) = (shop.t(), &shop.by_guest);
    let old = texts(&shop, bought).await;
    let pieces = deliveries(&shop.see(bought).await, "key");
    let bad = &pieces[0];
    let input = json!({ "idempotencyKey": once(), "deliveryId": bad, "reason": "x" });
    assert_eq!(denied(&shop.guest, "deliveryReplace", input).await, "UNAUTHENTICATED");
    assert_eq!(refusal(&replace(&shop.buyer, bad, json!({})).await), "NOT_FOUND deliveryId");

    let more = json!({ "idempotencyKey": once() });
    let made = replace(&shop.seller, bad, more.clone()).await;
    assert_eq!((refusal(&made).as_str(), &made["replayed"]), ("done", &json!(false)));
    let new = made["delivery"]["id"].as_str().unwrap().to_owned();
    assert_eq!((made["delivery"]["state"].as_str(), new == *bad), (Some("READY"), false));
    let again = replace(&shop.seller, bad, more).await;
    assert_eq!((&again["delivery"]["id"], &again["replayed"]), (&json!(new), &json!(true)));
    assert_eq!(refusal(&replace(&shop.support, bad, json!({})).await), "REPLACED deliveryId");

    let seen = line(&shop, bought).await;
    assert_eq!(states(&seen), "READY REPLACED REVEALED");
    assert_eq!(piece(&seen, bad)["replacedBy"], json!(new));
    assert_eq!(seen["deliveredQuantity"], 2);
    let shut = reveal(&shop, bought, json!({ "deliveryIds": [bad] })).await;
    assert!(refusal(&shut).starts_with("REPLACED"), "{shut}");
    let now = texts(&shop, bought).await;
    let gone: Vec<String> = old.iter().filter(|text| !now.contains(text)).cloned().collect();
    assert_eq!((now.len(), gone.len()), (2, 1));

    // It is known for ever: nobody brings it in again.
    let imported = import(t, &shop.seller, &shop.keys.variant, &gone).await;
    assert_eq!(imported["added"], 0, "{imported}");
    shop.street.settled().await;
    assert_eq!(messages(t, "delivery_replaced").await, "sent");
    let events = "select string_agg(kind, ' ' order by id) from event where kind = 'delivery.replaced'";
    assert_eq!(t.db.one(events).await, "delivery.replaced");
    let timeline = shop.see_as(&shop.support, bought).await["timeline"].clone();
    assert!(timeline.as_array().unwrap().iter().any(|entry| entry["source"] == "STAFF"), "{timeline}");
    let act = "select reason from staff_act where kind = 'delivery_replaced'";
    assert_eq!(t.db.one(act).await, "its publisher refuses it");
    shop.sound().await;
}

/// Rows: K13, K16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_licence_validates_no_more_from_the_answer_on() {
    let s = LicenceShop::open(2, Some(1)).await;
    let t = &s.shop.t;
    let sold = s.buy().await;
    assert_eq!(s.activate(&sold, "a device").await.0, 201);
    let unit = super::shop::units(t, "select id from unit where state = 'revealed'").await.remove(0);
    let session = t.sign_in("boss@shop.example").await;
    let boss = t.visitor("198.51.100.9").signed_in(&session.tokens.access);
    assert_eq!(refusal(&replace(&boss, &unit, json!({})).await), "done");
    // Before any job has run.
    for device in [None, Some("a device"), Some("another")] {
        assert_eq!(s.code(&sold, device).await, "REPLACED");
    }
    assert_eq!(s.activate(&sold, "another").await.1["code"], "REPLACED");
    t.drain().await;
    assert_eq!(t.db.one("select count(*) from licence_activation where removed_at is null").await, "0");
    let new = crate::licences::shop::Sold {
        key: s.shop.texts(&sold.placed).await.remove(0),
        placed: sold.placed.clone(),
    };
    assert_ne!(new.key, sold.key);
    assert_eq!(s.activate(&new, "a device").await.0, 201, "the new one begins without devices");
    assert_eq!(s.code(&new, Some("a device")).await, "VALID");
    s.sound().await;
}

/// One text for many buyers, and what a person made: each is taken back from this buyer alone.
/// Rows: K13, K12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_text_is_replaced_by_its_newest_version_and_work_by_new_work() {
    let shop = crate::goods::shop::Counter::open().await;
    let t = &shop.t;
    for text in ["CANARY-ONE", "CANARY-TWO", "CANARY-WORK", "CANARY-AGAIN"] {
        t.canary(text);
    }
    let boss = t.visitor("198.51.100.9").signed_in(&t.sign_in("boss@shop.example").await.tokens.access);
    let shared = t.variant_on_sale("secret", 500).await;
    shop.publish(&shop.boss, shared, "CANARY-ONE").await;
    let (bad, other) = (t.paid_order(shared, 1).await, t.paid_order(shared, 1).await);
    assert_eq!(shop.texts(&bad).await, ["CANARY-ONE"]);
    shop.publish(&shop.boss, shared, "CANARY-TWO").await;
    let of = |order: &dispense::orders::place::Placed| {
        format!(
            "select id from unit where order_id = '{}' and state in ('assigned', 'revealed')",
            order.order.id.0
        )
    };
    let unit = super::shop::units(t, &of(&bad)).await.remove(0);
    let made = replace(&boss, &unit, json!({})).await;
    assert_eq!((refusal(&made).as_str(), &made["delivery"]["state"]), ("done", &json!("READY")));
    assert_eq!(shop.texts(&bad).await, ["CANARY-TWO"]);
    assert_eq!(shop.texts(&other).await.len(), 1, "nothing of another buyer's is taken back");

    let manual = t.variant_on_sale("manual", 900).await;
    let work = t.paid_order(manual, 1).await;
    t.drain().await;
    let waiting =
        format!("select id from unit where order_id = '{}' and state = 'awaiting_person'", work.order.id.0);
    let first = super::shop::units(t, &waiting).await.remove(0);
    assert_eq!(shop.fulfil(&shop.boss, &first, "CANARY-WORK").await["userErrors"], json!([]));
    let made = replace(&boss, &first, json!({})).await;
    assert_eq!((refusal(&made).as_str(), &made["delivery"]["state"]), ("done", &json!("PENDING")));
    t.drain().await;
    let second = super::shop::units(t, &waiting).await.remove(0);
    assert_eq!(made["delivery"]["id"], json!(second));
    assert_eq!(shop.fulfil(&shop.boss, &second, "CANARY-AGAIN").await["userErrors"], json!([]));
    assert_eq!(shop.texts(&work).await, ["CANARY-AGAIN"]);
    t.drain().await;
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}
