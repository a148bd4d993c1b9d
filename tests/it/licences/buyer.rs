//! What a buyer sees of a licence, and frees.

use dispense::base::actor::Role;
use serde_json::{Value, json};

use super::shop::LicenceShop;
use crate::harness::Said;
use crate::harness::visitor::codes;

const NODE: &str = "query($id: ID!) { node(id: $id) { __typename ... on Activation { id device } } }";

/// Rows: K16.
/// Sends: activationRemove.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_sees_the_devices_of_a_licence_and_frees_one() {
    let s = LicenceShop::open(2, Some(2)).await;
    let t = &s.shop.t;
    let sold = s.buy().await;
    let empty = json!({ "status": "VALID", "activationLimit": 2, "activationsUsed": 0, "activations": [] });
    assert_eq!(s.seen(&sold).await, empty);
    let mut asked = s.asks(&sold.key, "d-1");
    asked["name"] = json!("Desk");
    let (_, desk) = super::shop::send(t, "activate", &asked).await;
    let (_, other) = s.activate(&sold, "d-2").await;
    let seen = s.seen(&sold).await;
    assert_eq!((&seen["activationsUsed"], &seen["status"]), (&json!(2), &json!("VALID")));
    let devices: Vec<&Value> = seen["activations"].as_array().unwrap().iter().collect();
    assert_eq!(devices.iter().map(|d| d["device"].as_str().unwrap()).collect::<Vec<_>>(), ["d-2", "Desk"]);
    assert_eq!(devices[1]["id"], desk["activation"]["id"]);
    assert!(devices[1]["lastSeenAt"].is_string() && devices[1]["activatedAt"].is_string());

    // Who may not: nobody's, another order's, a watch ticket's.
    let token = sold.placed.access_token.expose().to_owned();
    let foreign = s.buy().await.placed.access_token.expose().to_owned();
    let order = &sold.placed.order;
    let (ticket, _) = dispense::orders::access::watch_ticket(&t.app, order.id, order.access_generation);
    let guest = t.visitor("198.51.100.9");
    let id = desk["activation"]["id"].as_str().unwrap().to_owned();
    let remove = async |by: &crate::harness::visitor::Visitor, id: &str, token: Option<&str>| {
        let input = json!({ "activationId": id, "accessToken": token });
        by.act(
            "activationRemove",
            input,
            "line { id deliveries { nodes { ... on SecretDelivery { licence { activationsUsed } } } } }",
        )
        .await
    };
    let none = dispense::base::ids::ActivationId(t.app.clock.uuid()).to_string();
    for (id, token, code) in [
        (id.as_str(), None, "NOT_FOUND"),
        (id.as_str(), Some(foreign.as_str()), "NOT_FOUND"),
        (id.as_str(), Some(ticket.as_str()), "FORBIDDEN"),
        (none.as_str(), Some(token.as_str()), "NOT_FOUND"),
        ("act_1", Some(token.as_str()), "NOT_FOUND"),
    ] {
        let no = remove(&guest, id, token).await;
        assert_eq!(codes(&no), [code], "{no}");
    }
    t.buyer("eve@buyer.example").await;
    let eve = guest.signed_in(&t.sign_in("eve@buyer.example").await.tokens.access);
    assert_eq!(codes(&remove(&eve, &id, None).await), ["NOT_FOUND"]);
    assert_eq!(eve.ask(NODE, json!({ "id": id })).await["node"], json!(null));
    assert_eq!(s.code(&sold, Some("d-1")).await, "VALID");

    for _ in 0..2 {
        let done = remove(&guest, &id, Some(&token)).await;
        assert_eq!(codes(&done), [""; 0], "{done}");
        assert_eq!(done["line"]["deliveries"]["nodes"][0]["licence"]["activationsUsed"], 1);
    }
    assert_eq!(s.code(&sold, Some("d-1")).await, "DEVICE_NOT_ACTIVATED");
    assert_eq!(s.activate(&sold, "d-3").await.0, 201, "its place is free");

    // Staff too.
    t.person("sue@shop.example", &[Role::Support]).await;
    let sue = guest.signed_in(&t.sign_in("sue@shop.example").await.tokens.access);
    let other = other["activation"]["id"].as_str().unwrap();
    let found = sue.ask(NODE, json!({ "id": other })).await["node"].clone();
    assert_eq!(found, json!({ "__typename": "Activation", "id": other, "device": "d-2" }));
    assert_eq!(codes(&remove(&sue, other, None).await), [""; 0]);
    assert_eq!(sue.ask(NODE, json!({ "id": other })).await["node"], json!(null), "it is gone");
    let freed =
        "select count(*) || ' ' || count(distinct actor) from event where kind = 'licence.deactivated'";
    assert_eq!(t.db.one(freed).await, "2 2");
    s.sound().await;
}

/// Rows: K16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_licence_or_not_delivered_has_none() {
    let s = LicenceShop::open(1, Some(2)).await;
    let t = &s.shop.t;
    let waits = t.order(s.variant, 1).await;
    t.paid_order(s.variant, 1).await;
    assert_eq!(t.notify(&Said::paid(&waits, "LATE")).await.0, 200);
    let plain = t.selling_keys(1, 500).await;
    let secret = t.variant_on_sale("secret", 500).await;
    t.canary("CANARY-SHARED-");
    s.shop.publish(&s.shop.boss, secret, "CANARY-SHARED-1").await;
    let others = [t.paid_order(plain, 1).await, t.paid_order(secret, 1).await];
    for (placed, state) in [(&waits, "AWAITING_STOCK"), (&others[0], "ASSIGNED"), (&others[1], "ASSIGNED")] {
        let line = s.shop.line(placed).await;
        assert_eq!(
            (&line["state"], &line["deliveries"]["nodes"][0]["licence"]),
            (&json!(state), &json!(null))
        );
    }
    t.drain().await;
    s.shop.t.finish_with_jobs().await;
}
