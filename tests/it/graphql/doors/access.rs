//! The way to a guest's order: lost, found, revoked, and claimed by an account.

use dispense::people::code::Purpose;
use serde_json::{Value, json};

use super::shop::{BUYER, GUEST, denied, once, order, pay, refusal, shop};
use crate::harness::visitor::Visitor;

/// Sends: orderAccessRequest, orderAccessRedeem, orderAccessRevoke.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_who_lost_the_way_finds_the_order_again_and_shuts_others_out() {
    let shop = shop().await;
    let t = shop.t();
    let request = async |email: &str| {
        refusal(&shop.guest.act("orderAccessRequest", json!({ "email": email }), "").await)
    };
    assert_eq!(request("no address").await, "EMAIL_INVALID email");
    assert_eq!(request("nobody@people.example").await, "done", "whether it exists is not said");
    assert_eq!(request(GUEST).await, "done");
    let code = t.mailed_code(Purpose::OrderAccess, GUEST).await;
    let redeem = async |email: &str, code: &str| {
        let input = json!({ "email": email, "code": code });
        shop.guest.act("orderAccessRedeem", input, "orders { accessToken order { number } }").await
    };
    assert_eq!(refusal(&redeem(GUEST, "AAAAA-AAAAA").await), "ACCESS_CODE_WRONG code");
    assert_eq!(refusal(&redeem("late@people.example", code.expose()).await), "ACCESS_CODE_WRONG code");
    let found = redeem(GUEST, code.expose()).await;
    assert_eq!(refusal(&found), "done");
    let orders = found["orders"].as_array().unwrap();
    assert_eq!((orders.len(), &orders[0]["order"]["number"]), (1, &json!(shop.by_guest.number)));

    let bought = &shop.by_guest;
    let opens = async |token: &Value| {
        let query = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { id } }";
        !shop.guest.ask(query, json!({ "n": bought.number, "t": token })).await["order"].is_null()
    };
    let token = orders[0]["accessToken"].clone();
    assert!(opens(&token).await);
    let revoke = async |who: &Visitor, token: &Value, key: &str| {
        let input = json!({ "orderId": bought.id, "accessToken": token, "idempotencyKey": key });
        who.act("orderAccessRevoke", input, "accessToken order { number }").await
    };
    assert_eq!(refusal(&revoke(&shop.guest, &Value::Null, &once()).await), "NOT_FOUND orderId");
    assert_eq!(refusal(&revoke(&shop.buyer, &json!("oat_0"), &once()).await), "NOT_FOUND orderId");
    assert_eq!(refusal(&revoke(&shop.guest, &token, "short").await), "INVALID idempotencyKey");
    let revoked = revoke(&shop.guest, &token, &once()).await;
    assert_eq!((refusal(&revoked).as_str(), &revoked["order"]["number"]), ("done", &json!(bought.number)));
    let new = revoked["accessToken"].clone();
    t.canary(new.as_str().unwrap());
    assert_eq!((opens(&token).await, opens(&bought.token).await, opens(&new).await), (false, false, true));
    let by_staff = revoke(&shop.support, &Value::Null, &once()).await;
    assert_eq!((refusal(&by_staff).as_str(), &by_staff["accessToken"]), ("done", &Value::Null));
    assert!(!opens(&new).await);
    shop.sound().await;
}

/// Sends: orderClaim.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_claims_a_guests_order_of_its_own_address_and_no_other() {
    let shop = shop().await;
    let own = order(&shop.street, &shop.guest, &[(&shop.book, 1)], "3.00", Some(BUYER)).await;
    pay(&shop.street, &own).await;
    let claim = async |who: &Visitor, order: &str, token: &Value| {
        let input = json!({ "orderId": order, "accessToken": token });
        who.act("orderClaim", input, "order { number }").await
    };
    let input = json!({ "orderId": own.id, "accessToken": own.token });
    assert_eq!(denied(&shop.guest, "orderClaim", input).await, "UNAUTHENTICATED");
    assert_eq!(refusal(&claim(&shop.buyer, &own.id, &Value::Null).await), "NOT_FOUND orderId");
    let foreign = claim(&shop.buyer, &shop.by_guest.id, &shop.by_guest.token).await;
    assert_eq!(refusal(&foreign), "CLAIM_EMAIL_MISMATCH");
    let mine = async || {
        shop.buyer.ask("{ myOrders { nodes { number } } }", json!({})).await["myOrders"]["nodes"].clone()
    };
    assert_eq!(mine().await, json!([{ "number": shop.by_buyer.number }]));
    assert_eq!(claim(&shop.buyer, &own.id, &own.token).await["order"]["number"], json!(own.number));
    assert_eq!(mine().await, json!([{ "number": own.number }, { "number": shop.by_buyer.number }]));
    assert_eq!(shop.see_as(&shop.guest, &own).await, Value::Null, "the guest's token has ended");
    assert_eq!(shop.see_as(&shop.support, &own).await["state"], "PAID");
    shop.sound().await;
}
