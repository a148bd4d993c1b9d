//! Money of pieces that were replaced: it goes back once, and takes back what the buyer has now.

use serde_json::{Value, json};

use super::shop::{line, piece, replace, states};
use crate::graphql::doors::shop::{Bought, Shop, deliveries, once, refusal, shop};
use crate::harness::visitor::Visitor;

async fn refund(who: &Visitor, bought: &Bought, unit: &str) -> Value {
    let input =
        json!({ "idempotencyKey": once(), "orderId": bought.id, "units": [unit], "reason": "asked for" });
    who.act("orderRefund", input, "refund { amount { amount } }").await
}

async fn given_back(shop: &Shop) -> i64 {
    shop.street.settled().await;
    shop.street.refunded(&shop.by_guest.number)
}

/// Whichever of the two it names, the piece that the buyer has now is taken back, and the money goes back once.
/// Rows: K13 (deliveryReplace, orderRefund), P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_of_a_replaced_piece_takes_its_successor_back_and_pays_once() {
    let shop = shop().await;
    let pieces = deliveries(&shop.see(&shop.by_guest).await, "key");
    let made = replace(&shop.seller, &pieces[0], json!({})).await;
    let new = made["delivery"]["id"].as_str().unwrap().to_owned();
    let given = refund(&shop.support, &shop.by_guest, &pieces[0]).await;
    assert_eq!((refusal(&given).as_str(), &given["refund"]["amount"]["amount"]), ("done", &json!("12.50")));
    assert_eq!(given_back(&shop).await, 1_250);
    let seen = line(&shop, &shop.by_guest).await;
    assert_eq!(states(&seen), "READY REPLACED REVOKED");
    assert_eq!(
        (&piece(&seen, &new)["state"], &piece(&seen, &pieces[0])["state"]),
        (&json!("REVOKED"), &json!("REPLACED"))
    );
    for unit in [&new, &pieces[0]] {
        assert_eq!(refusal(&refund(&shop.support, &shop.by_guest, unit).await), "ALREADY_REFUNDED units");
    }
    assert_eq!(refusal(&replace(&shop.seller, &new, json!({})).await), "REFUNDED deliveryId");
    // The rest of the order is what the other piece cost.
    let rest = json!({ "idempotencyKey": once(), "orderId": shop.by_guest.id });
    let rest = shop.support.act("orderRefund", rest, "refund { amount { amount } }").await;
    assert_eq!(rest["refund"]["amount"]["amount"], "12.50");
    assert_eq!(given_back(&shop).await, 2_500);
    assert_eq!(states(&line(&shop, &shop.by_guest).await), "REPLACED REVOKED REVOKED");
    shop.sound().await;
}

/// Rows: K13 (deliveryReplace, orderRefund), D1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replacement_and_a_refund_at_once_leave_the_buyer_with_one_of_the_two() {
    let shop = shop().await;
    let pieces = deliveries(&shop.see(&shop.by_guest).await, "key");
    for (index, unit) in pieces.iter().enumerate() {
        let (made, given) =
            tokio::join!(replace(&shop.seller, unit, json!({})), refund(&shop.support, &shop.by_guest, unit));
        assert_eq!(refusal(&given), "done");
        assert_eq!(given_back(&shop).await, 1_250 * (index as i64 + 1), "each once");
        match refusal(&made).as_str() {
            "done" => {
                let new = made["delivery"]["id"].as_str().unwrap();
                assert_eq!(piece(&line(&shop, &shop.by_guest).await, new)["state"], "REVOKED");
            }
            refused => {
                assert!(refused.ends_with(" deliveryId"), "{refused}");
                assert_eq!(piece(&line(&shop, &shop.by_guest).await, unit)["state"], "REVOKED");
            }
        }
    }
    assert_eq!(
        shop.t().db.one("select count(*) from vault_key where state = 'sold'").await,
        "1",
        "the other buyer's"
    );
    shop.sound().await;
}
