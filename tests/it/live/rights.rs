//! Who may follow what, and until when.

use chrono::TimeDelta;
use dispense::base::secret::Secret;
use serde_json::json;

use super::client::{Events, Heard, Socket};
use super::{FOLLOW, LiveShop, WATCH, of};
use crate::graphql::wire::Wire;

/// Rows: O7 (orderChanged, orderStatusChanged), L2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_order_looks_like_a_missing_one_and_a_ticket_opens_the_state_alone() {
    let shop = LiveShop::open_with(|config| config.live.heartbeat_seconds = 2).await;
    let (order, other) = (shop.order().await, shop.order().await);
    let token = order.access_token.expose();
    let (ticket, _) =
        dispense::orders::access::watch_ticket(&shop.t.app, order.order.id, order.order.access_generation);
    shop.t.buyer("stranger@example.com").await;
    let stranger = shop.t.sign_in("stranger@example.com").await.tokens.access;
    let bearer = format!("Bearer {}", stranger.expose());
    let mut socket = Socket::ready(&shop.t, json!({ "Authorization": bearer })).await;
    let mut errors = Vec::new();
    for (query, variables) in [
        (FOLLOW, json!({ "n": "D-0" })),
        (FOLLOW, json!({ "n": other.order.number })),
        (FOLLOW, json!({ "n": other.order.number, "t": token })),
        (FOLLOW, json!({ "n": order.order.number, "t": ticket })),
        (WATCH, json!({ "t": token })),
        (WATCH, json!({ "t": "wat_nonsense" })),
        (WATCH, json!({ "t": format!("{ticket}0") })),
    ] {
        socket.subscribe("x", query, variables.clone()).await;
        let mut message = socket.json().await;
        assert_eq!(message["type"], "error", "{variables}: {message}");
        message["payload"][0]["extensions"].as_object_mut().unwrap().remove("requestId");
        message["payload"][0].as_object_mut().unwrap().remove("locations");
        message["payload"][0].as_object_mut().unwrap().remove("path");
        errors.push(message["payload"].clone());
        let mut events = Events::open(&shop.t, query, variables).await;
        assert_eq!(events.error().await, "FORBIDDEN");
    }
    assert_eq!(errors[0][0]["extensions"]["code"], "FORBIDDEN");
    assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");
    // By the header, and by its name in `connection_init`.
    let by_number = json!({ "n": order.order.number });
    let mut beside = Socket::ready(&shop.t, json!({ "dispense-order-token": token })).await;
    beside.subscribe("o", FOLLOW, by_number.clone()).await;
    beside.next("o").await;
    let headers = [("dispense-order-token", token)];
    Events::post(&shop.t.base, FOLLOW, by_number, &headers).await.unwrap().next().await;
    // In a URL a ticket may stand and a token may not.
    let (status, body) = Events::get(&shop.t.base, FOLLOW, of(&order), &[]).await.err().unwrap();
    assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (400, &json!("SECRET_IN_URL")));
    let watched = Events::get(&shop.t.base, WATCH, json!({ "t": ticket }), &[]).await.unwrap();
    let mut watched = watched.recorded(&shop.t, WATCH);
    assert_eq!(watched.next().await["data"]["orderStatusChanged"]["status"]["number"], order.order.number);
    // The ticket's hour ends.
    shop.t.advance(TimeDelta::minutes(71)).await;
    assert_eq!(watched.error().await, "TOKEN_EXPIRED");
    shop.finish().await;
}

/// Rows: O7 (orderChanged).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_the_token_that_opened_it() {
    let shop = LiveShop::open_with(|config| config.live.heartbeat_seconds = 2).await;
    let order = shop.order().await;
    let buyer = shop.t.buyer("buyer@example.com").await;
    let own = format!("update orders set user_id = '{}' where id = '{}'", buyer.0, order.order.id.0);
    shop.t.db.sql(&own).await;
    let number = json!({ "n": order.order.number });
    let open = async || {
        let tokens = shop.t.sign_in("buyer@example.com").await.tokens;
        let bearer = format!("Bearer {}", tokens.access.expose());
        let mut socket = Socket::ready(&shop.t, json!({ "authorization": bearer })).await;
        socket.subscribe("o", FOLLOW, number.clone()).await;
        socket.next("o").await;
        let headers = [("authorization", bearer.as_str())];
        let mut events = Events::post(&shop.t.base, FOLLOW, number.clone(), &headers).await.unwrap();
        events.next().await;
        (tokens, socket, events)
    };
    // It expires.
    let (old, mut socket, mut events) = open().await;
    shop.t.advance(TimeDelta::minutes(11)).await;
    let Heard::Closed(code, reason) = socket.hear().await else { panic!("not closed") };
    assert_eq!(code, 4403);
    assert!(reason.starts_with("TOKEN_EXPIRED"), "{reason}");
    assert_eq!(events.error().await, "TOKEN_EXPIRED");
    // With one that is over, or none of ours, nothing begins.
    for (token, code) in
        [(old.access.expose().to_owned(), "TOKEN_EXPIRED"), ("nonsense".into(), "UNAUTHENTICATED")]
    {
        let mut refused = Socket::silent(&shop.t).await;
        let payload = json!({ "Authorization": format!("Bearer {token}") });
        refused.say(json!({ "type": "connection_init", "payload": payload })).await;
        let Heard::Closed(closed, reason) = refused.hear().await else { panic!("not closed") };
        assert_eq!(closed, 4403);
        assert!(reason.starts_with(code), "{reason}");
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let refused = Events::post(&shop.t.base, FOLLOW, number.clone(), &headers).await.err().unwrap();
        assert_eq!((refused.0, &refused.1["errors"][0]["extensions"]["code"]), (401, &json!(code)));
    }
    // The person signs out: seen when something happens.
    let (tokens, mut socket, mut events) = open().await;
    let out = "mutation($t: String!) { sessionRevoke(input: {refreshToken: $t}) { userErrors { code } } }";
    let out = Wire::new(&shop.t).data(out, json!({ "t": tokens.refresh.expose() })).await;
    assert_eq!(out["sessionRevoke"]["userErrors"], json!([]));
    shop.touch(&order).await;
    assert_eq!(socket.closed().await, 4403);
    assert_eq!(events.error().await, "UNAUTHENTICATED");
    shop.finish().await;
}

/// Rows: O7 (orderChanged, orderStatusChanged).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guests_token_that_was_replaced_shows_nothing_more() {
    let shop = LiveShop::open().await;
    let order = shop.order().await;
    let id = order.order.id;
    let (ticket, _) = dispense::orders::access::watch_ticket(&shop.t.app, id, order.order.access_generation);
    let mut socket = Socket::open(&shop.t).await;
    socket.subscribe("o", FOLLOW, of(&order)).await;
    socket.next("o").await;
    let mut watched = Events::open(&shop.t, WATCH, json!({ "t": ticket })).await;
    watched.next().await;
    let token = order.access_token.expose();
    let revoke = include_str!("../../operations/revoke_access.graphql");
    let input =
        json!({ "orderId": id.to_string(), "accessToken": token, "idempotencyKey": "a key of this test" });
    let revoked = Wire::new(&shop.t).data(revoke, json!({ "in": input })).await;
    let payload = revoked.as_object().unwrap().values().next().unwrap().clone();
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    let fresh = payload["accessToken"].as_str().unwrap().to_owned();
    shop.t.canary(fresh.clone());
    shop.t.drain().await;
    shop.touch(&order).await;
    assert_eq!(socket.error("o").await, "FORBIDDEN");
    assert_eq!(watched.error().await, "FORBIDDEN");
    // The socket itself goes on, with the new token.
    let again = Secret::new(fresh);
    socket.subscribe("o", FOLLOW, json!({ "n": order.order.number, "t": again.expose() })).await;
    socket.next("o").await;
    shop.finish().await;
}
