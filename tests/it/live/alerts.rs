//! What staff follows.

use dispense::base::actor::Role;
use serde_json::{Value, json};

use super::LiveShop;
use super::client::{Events, Socket};
use crate::graphql::wire::Wire;

const ALERTS: &str = "subscription($after: String) { shopAlerts(after: $after) {
    cursor event at objectId orderId openTasks task { id kind state } } }";

async fn alert(socket: &mut Socket) -> Value {
    socket.next("a").await["data"]["shopAlerts"].clone()
}

/// Rows: O7 (shopAlerts), D4.
/// Sends: shopAlerts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_hears_of_each_task_and_goes_on_from_a_cursor() {
    let shop = LiveShop::open().await;
    let by_hand = shop.t.variant_on_sale("manual", 500).await;
    shop.t.person("support@example.com", &[Role::Support]).await;
    shop.t.buyer("buyer@example.com").await;
    let token = async |email: &str| format!("Bearer {}", shop.t.sign_in(email).await.tokens.access.expose());
    let (support, buyer) = (token("support@example.com").await, token("buyer@example.com").await);
    for payload in [json!({}), json!({ "authorization": buyer })] {
        let mut socket = Socket::ready(&shop.t, payload).await;
        socket.subscribe("a", ALERTS, json!({})).await;
        assert_eq!(socket.error("a").await, "FORBIDDEN");
    }
    shop.t.drain().await;
    let mut socket = Socket::ready(&shop.t, json!({ "authorization": support })).await;
    socket.subscribe("a", ALERTS, json!({})).await;
    let first = alert(&mut socket).await;
    assert_eq!(
        (&first["event"], &first["openTasks"], &first["task"]),
        (&Value::Null, &json!("0"), &Value::Null)
    );
    // A person has to deliver something.
    let order = shop.t.paid_order(by_hand, 1).await;
    shop.t.drain().await;
    let opened = alert(&mut socket).await;
    assert_eq!((&opened["event"], &opened["openTasks"]), (&json!("task.opened"), &json!("1")), "{opened}");
    assert_eq!(opened["orderId"], json!(order.order.id.to_string()));
    assert_eq!((&opened["task"]["id"], &opened["task"]["state"]), (&opened["objectId"], &json!("OPEN")));
    // Somebody takes it and gives it back.
    let wire = Wire::new(&shop.t).with("authorization", &support);
    let take = "mutation($i: ID!) { taskTake(input: {taskIds: [$i]}) { userErrors { code } } }";
    let release = "mutation($i: ID!) { taskRelease(input: {taskId: $i}) { userErrors { code } } }";
    for (act, state) in [(take, "TAKEN"), (release, "OPEN")] {
        let done = wire.ask(act, json!({ "i": opened["objectId"] })).await;
        assert!(done.text.contains("\"userErrors\":[]"), "{}", done.text);
        shop.t.drain().await;
        let heard = alert(&mut socket).await;
        assert_eq!(heard["task"]["state"], state, "{heard}");
    }
    drop(socket);
    // Whoever was away hears of each by itself, in order, and then of what comes.
    let headers = [("authorization", support.as_str()), ("last-event-id", first["cursor"].as_str().unwrap())];
    let mut events = Events::post(&shop.t.base, ALERTS, json!({}), &headers).await.unwrap();
    let mut kinds = Vec::new();
    for _ in 0..3 {
        kinds.push(events.next().await["data"]["shopAlerts"]["event"].clone());
    }
    assert_eq!(kinds, [json!("task.opened"), json!("task.taken"), json!("task.released")]);
    // An unknown cursor is as good as none.
    let headers = [("authorization", support.as_str()), ("last-event-id", "999999999")];
    let mut events = Events::post(&shop.t.base, ALERTS, json!({}), &headers).await.unwrap();
    assert_eq!(events.next().await["data"]["shopAlerts"]["event"], Value::Null);
    shop.finish().await;
}
