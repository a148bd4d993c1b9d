//! What a follower is given.

use serde_json::{Value, json};

use super::client::{Events, Socket};
use super::{FOLLOW, LiveShop, WATCH, of, since};
use crate::harness::TestApp;
use crate::harness::with_generic;

const LIVE: &str = include_str!("../../operations/live.graphql");
const LIVE_STATUS: &str = include_str!("../../operations/live_status.graphql");

fn seen(payload: &Value) -> (Value, Value) {
    let change = &payload["data"]["orderChanged"];
    (change["event"].clone(), change["order"]["stage"].clone())
}

/// Rows: O7 (orderChanged, orderStatusChanged), K6.
/// Sends: orderChanged, orderStatusChanged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_followed_from_placing_to_delivery_over_both_transports() {
    let shop = LiveShop::open().await;
    let order = shop.order().await;
    let generation = order.order.access_generation;
    let (ticket, _) = dispense::orders::access::watch_ticket(&shop.t.app, order.order.id, generation);
    let mut socket = Socket::open(&shop.t).await;
    socket.subscribe("whole", LIVE, of(&order)).await;
    let first = socket.next("whole").await;
    socket.subscribe("status", LIVE_STATUS, json!({ "t": ticket })).await;
    let status = socket.next("status").await;
    let mut events = Events::open(&shop.t, FOLLOW, of(&order)).await;
    let posted = events.hear().await.unwrap();
    let mut watched = Events::get(&shop.t.base, WATCH, json!({ "t": ticket }), &[]).await.unwrap();
    let by_ticket = watched.next().await;
    // The present state first.
    assert_eq!(seen(&first), (Value::Null, json!("AWAITING_PAYMENT")), "{first}");
    assert_eq!(seen(&posted.data), (Value::Null, json!("AWAITING_PAYMENT")));
    let change = &first["data"]["orderChanged"];
    assert_eq!(change["cursor"], change["order"]["live"]["cursor"]);
    assert_eq!(posted.id.as_deref(), change["cursor"].as_str(), "the event's id is the cursor");
    assert_eq!(status["data"]["orderStatusChanged"]["status"]["stage"], "AWAITING_PAYMENT");
    let shown = &by_ticket["data"]["orderStatusChanged"]["status"];
    assert_eq!((&shown["__typename"], &shown["stage"]), (&json!("OrderStatus"), &json!("AWAITING_PAYMENT")));
    // Then what changed, then the end, because nothing more will happen.
    shop.pay(&order).await;
    let (mut whole, mut short) = (None, None);
    while whole.is_none() || short.is_none() {
        let message = socket.json().await;
        if message["type"] == "complete" {
            continue;
        }
        match message["id"].as_str() {
            Some("whole") => whole = Some(message["payload"].clone()),
            _ => short = Some(message["payload"].clone()),
        }
    }
    let (whole, short) = (whole.unwrap(), short.unwrap());
    assert_eq!(seen(&whole).1, "DELIVERED", "{whole}");
    assert!(seen(&whole).0.is_string(), "{whole}");
    let line = &whole["data"]["orderChanged"]["order"]["lines"][0];
    assert_eq!(line["deliveredQuantity"], 1);
    assert!(line["deliveries"]["nodes"][0]["masked"].as_str().unwrap().contains('*'), "{line}");
    assert_eq!(short["data"]["orderStatusChanged"]["status"]["live"]["pollAfterSeconds"], Value::Null);
    assert_eq!(seen(&events.next().await).1, "DELIVERED");
    events.complete().await;
    assert_eq!(watched.next().await["data"]["orderStatusChanged"]["status"]["stage"], "DELIVERED");
    watched.complete().await;
    shop.finish().await;
}

/// Rows: O7 (orderChanged).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_gives_what_happened_since_as_one_state_and_an_unknown_one_the_present_state() {
    let shop = LiveShop::open().await;
    let order = shop.order().await;
    let mut events = Events::open(&shop.t, FOLLOW, of(&order)).await;
    let first = events.next().await["data"]["orderChanged"]["cursor"].clone();
    drop(events);
    let mut socket = Socket::open(&shop.t).await;
    // Nothing happened: silence, until something does.
    socket.subscribe("same", FOLLOW, since(&order, &first)).await;
    socket.subscribe("foreign", FOLLOW, since(&order, &json!("999999"))).await;
    let foreign = socket.next("foreign").await;
    assert_eq!(foreign["data"]["orderChanged"]["cursor"], first, "the first that was silent is still");
    for unknown in ["", "0", "nonsense", "-1", "99999999999999999999"] {
        socket.subscribe(unknown, FOLLOW, since(&order, &json!(unknown))).await;
        if unknown.is_empty() {
            assert_eq!(socket.closed().await, 4400, "an id is not empty");
            socket = Socket::open(&shop.t).await;
            socket.subscribe("same", FOLLOW, since(&order, &first)).await;
            continue;
        }
        assert_eq!(seen(&socket.next(unknown).await).1, "AWAITING_PAYMENT", "{unknown}");
        socket.say(json!({ "id": unknown, "type": "complete" })).await;
    }
    shop.touch(&order).await;
    let touched = socket.next("same").await;
    assert_eq!(seen(&touched), (json!("order.mail_asked_again"), json!("AWAITING_PAYMENT")));
    drop(socket);
    // Everything that happened while nobody listened is one state, and the id of an event counts above the argument.
    shop.touch(&order).await;
    shop.pay(&order).await;
    for (headers, variables) in [
        (vec![("last-event-id", first.as_str().unwrap())], of(&order)),
        (vec![("last-event-id", first.as_str().unwrap())], since(&order, &json!("nonsense"))),
        (vec![], since(&order, &first)),
    ] {
        let mut again = Events::post(&shop.t.base, FOLLOW, variables, &headers).await.unwrap();
        let last = again.hear().await.unwrap();
        assert_eq!(seen(&last.data).1, "DELIVERED");
        again.complete().await;
        // And who knows that already is reported that it is over.
        let id = last.id.unwrap();
        let mut over =
            Events::post(&shop.t.base, FOLLOW, of(&order), &[("last-event-id", &id)]).await.unwrap();
        over.complete().await;
    }
    shop.finish().await;
}

/// Rows: O7 (orderChanged).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_hears_no_notifications_looks_by_itself() {
    let t = TestApp::start_with(with_generic).await;
    let keys = t.selling_keys(2, 990).await;
    let order = t.order(keys, 1).await;
    t.drain().await;
    assert!(!t.app.bell.numbering().borrow().heard);
    let mut events = Events::open(&t, FOLLOW, of(&order)).await;
    assert_eq!(seen(&events.next().await).1, "AWAITING_PAYMENT");
    let paid = crate::harness::Said::paid(&order, "T1");
    assert_eq!(t.notify(&paid).await.0, 200);
    t.drain().await;
    assert_eq!(seen(&events.next().await).1, "DELIVERED");
    events.complete().await;
    t.finish_with_jobs().await;
}

/// Rows: O7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_events_as_well_as_json_gets_each_where_it_belongs() {
    let shop = LiveShop::open().await;
    let order = shop.order().await;
    let send = async |accept: &str, query: &str, variables: Value| {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = shop.t.http().post(format!("{}/graphql", shop.t.base)).header("accept", accept);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap().to_owned(), answer)
    };
    let both = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed";
    let (status, kind, _) = send(both, FOLLOW, of(&order)).await;
    assert_eq!((status, kind.as_str()), (200, "text/event-stream; charset=utf-8"));
    let (status, kind, _) = send(both, "{ shop { name } }", json!({})).await;
    assert_eq!((status, kind.as_str()), (200, "application/graphql-response+json; charset=utf-8"));
    let (status, _, answer) = send("application/json", FOLLOW, of(&order)).await;
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (200, &json!("VALIDATION_FAILED")));
    // A query as events is one result.
    let mut events = Events::post(&shop.t.base, "{ shop { name } }", json!({}), &[]).await.unwrap();
    assert_eq!(events.next().await["data"]["shop"]["name"], "Dispense");
    events.complete().await;
    // What cannot run is answered with a status.
    for (query, code) in [
        ("subscription { nothing }", None),
        ("subscription {", Some("VALIDATION_FAILED")),
        ("subscription { a: shopAlerts { cursor } b: shopAlerts { cursor } }", Some("VALIDATION_FAILED")),
        ("subscription { __typename }", Some("VALIDATION_FAILED")),
    ] {
        match (Events::post(&shop.t.base, query, json!({}), &[]).await, code) {
            (Ok(mut events), None) => assert_eq!(events.error().await, "VALIDATION_FAILED"),
            (Err((status, body)), Some(code)) => {
                assert_eq!(
                    (status, &body["errors"][0]["extensions"]["code"]),
                    (400, &json!(code)),
                    "{query}"
                );
            }
            (opened, _) => panic!("{query}: {}", opened.is_ok()),
        }
    }
    shop.finish().await;
}
