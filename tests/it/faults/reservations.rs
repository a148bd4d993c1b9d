//! The program is killed while it holds keys for an order, and while it gives them back.

use std::time::Duration;

use serde_json::{Value, json};

use super::shop::{durable, many_orders, server};
use crate::harness::Server;

async fn place(http: &reqwest::Client, server: &Server, variant: &str) -> Option<Value> {
    let query = "mutation($i: OrderPlaceInput!) { orderPlace(input: $i) { order { id } replayed userErrors { code } } }";
    let input = json!({
        "idempotencyKey": "the-same-key-of-a-buyer", "currency": "USD", "expectedTotal": "9.90",
        "lines": [{ "key": "1", "variantId": variant, "quantity": 1 }], "email": "ada@example.com",
    });
    let body = json!({ "query": query, "variables": { "i": input } }).to_string();
    let request = http.post(server.url("/graphql")).header("content-type", "application/json").body(body);
    let text = request.send().await.ok()?.text().await.ok()?;
    Some(serde_json::from_str::<Value>(&text).ok()?["data"]["orderPlace"].clone())
}

/// Rows: K8, O2, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_keys_are_held_or_given_back_leaves_none_held_for_nobody() {
    let (_cluster, t) = durable().await;
    let variant = t.selling_keys(1, 990).await;
    t.db.sql("update variant set reservation_minutes = 600").await;
    let id = variant.to_string();
    let mut dying = server(&t).arg("--no-worker").env("DISPENSE_FAULT", "order.placed").start();
    assert_eq!(place(t.http(), &dying, &id).await, None);
    assert!(dying.was_killed(Duration::from_secs(20)));
    assert_eq!(t.db.one("select state from vault_key").await, "available");
    let again = dying.setup().without_env("DISPENSE_FAULT").start();
    for replayed in [false, true] {
        let placed = place(t.http(), &again, &id).await.unwrap();
        assert_eq!((&placed["replayed"], &placed["userErrors"]), (&json!(replayed), &json!([])));
        assert_eq!(t.db.one("select state from vault_key").await, "reserved");
    }
    drop(again);
    // Its time passes, while somebody who has paid waits for a key.
    let waiting = many_orders(&t, variant, 1).await.remove(0);
    assert_eq!(t.notify(&waiting.paid()).await.0, 200);
    t.drain().await;
    assert_eq!(t.unit_states(waiting.id).await, "awaiting_stock:1");
    t.db.sql("update vault_key set reserved_until = app_now() - interval '1 minute'").await;
    let mut dying = server(&t).env("DISPENSE_FAULT", "reserve.lapsed").start();
    assert!(dying.was_killed(Duration::from_secs(20)));
    assert_eq!(t.db.one("select state from vault_key").await, "reserved");
    let again = dying.setup().without_env("DISPENSE_FAULT").start();
    t.wait_until("select exists (select 1 from vault_key where state = 'sold')").await;
    assert_eq!(t.unit_states(waiting.id).await, "assigned:1");
    assert_eq!(t.db.one("select count(*) from event where kind = 'line.released'").await, "1");
    t.search_log(&again.log());
    drop(again);
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}
