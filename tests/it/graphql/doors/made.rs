//! Goods that are neither keys nor files: one text for many buyers, and what a person makes.

use serde_json::{Value, json};

use super::shop::{GUEST, Shop, deliveries, denied, draft, order, pay, put_on_sale, refusal, shop};
use crate::harness::visitor::Visitor;

const TEXT: &str = "CANARY-SHARED: the code of the door is 4711";
const WORK: &str = "CANARY-WORK: your portrait is drawn";

/// The texts that an order's first line shows to its guest.
async fn texts(shop: &Shop, bought: &super::shop::Bought) -> Vec<Value> {
    let line = shop.see(bought).await["lines"][0]["id"].clone();
    let input = json!({ "target": { "lineId": line }, "accessToken": bought.token });
    let shown = shop.guest.act("deliveryReveal", input, "secrets { text }").await;
    shown["secrets"].as_array().unwrap().iter().map(|secret| secret["text"].clone()).collect()
}

/// Rows: K12 (secretVersionPublish, deliveryReveal), C2 (secretVersionPublish).
/// Sends: secretVersionPublish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seller_publishes_one_text_that_every_buyer_gets() {
    let shop = shop().await;
    shop.t().canary("CANARY-SHARED");
    let goods = draft(&shop.seller, "door", "A door", "secret", "2.00").await;
    let publish = async |who: &Visitor, variant: &str, text: &str| {
        let input = json!({ "variantId": variant, "secretText": text });
        who.act("secretVersionPublish", input, "secretVersion { number }").await
    };
    let input = json!({ "variantId": goods.variant, "secretText": TEXT });
    assert_eq!(denied(&shop.guest, "secretVersionPublish", input).await, "UNAUTHENTICATED");
    assert_eq!(refusal(&publish(&shop.buyer, &goods.variant, TEXT).await), "NOT_FOUND variantId");
    assert_eq!(refusal(&publish(&shop.seller, &goods.variant, "").await), "INVALID secretText");
    assert_eq!(refusal(&publish(&shop.seller, &shop.keys.variant, TEXT).await), "INVALID variantId");
    assert_eq!(publish(&shop.seller, &goods.variant, TEXT).await["secretVersion"]["number"], 1);
    assert_eq!(publish(&shop.seller, &goods.variant, TEXT).await["secretVersion"]["number"], 1);
    put_on_sale(&shop.seller, &shop.support, &goods).await;
    for _ in 0..2 {
        let bought = order(&shop.street, &shop.guest, &[(&goods, 1)], "2.00", Some(GUEST)).await;
        pay(&shop.street, &bought).await;
        assert_eq!(texts(&shop, &bought).await, [TEXT]);
    }
    shop.sound().await;
}

/// Rows: C2 (deliveryFulfilManually, deliveryReveal).
/// Sends: deliveryFulfilManually.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seller_delivers_what_a_person_made() {
    let shop = shop().await;
    shop.t().canary("CANARY-WORK");
    let goods = draft(&shop.seller, "portrait", "A portrait", "manual", "40.00").await;
    put_on_sale(&shop.seller, &shop.support, &goods).await;
    let bought = order(&shop.street, &shop.guest, &[(&goods, 1)], "40.00", Some(GUEST)).await;
    let fulfil = async |who: &Visitor, delivery: &str, text: &str| {
        let input = json!({ "deliveryId": delivery, "secretText": text });
        who.act("deliveryFulfilManually", input, "line { state }").await
    };
    pay(&shop.street, &bought).await;
    let waiting = deliveries(&shop.see(&bought).await, "manual").remove(0);
    let input = json!({ "deliveryId": waiting, "secretText": WORK });
    assert_eq!(denied(&shop.guest, "deliveryFulfilManually", input).await, "UNAUTHENTICATED");
    assert_eq!(refusal(&fulfil(&shop.buyer, &waiting, WORK).await), "NOT_FOUND deliveryId");
    assert_eq!(refusal(&fulfil(&shop.seller, &waiting, " ").await), "INVALID secretText");
    let key = deliveries(&shop.see(&shop.by_guest).await, "key").remove(0);
    assert_eq!(refusal(&fulfil(&shop.support, &key, WORK).await), "INVALID deliveryId");
    assert_eq!(fulfil(&shop.seller, &waiting, WORK).await["line"]["state"], "ASSIGNED");
    assert_eq!(texts(&shop, &bought).await, [WORK]);
    assert_eq!(refusal(&fulfil(&shop.support, &waiting, "another").await), "ALREADY_DELIVERED deliveryId");
    shop.sound().await;
}
