use dispense::base::actor::Role;
use dispense::base::ids::OrderId;
use dispense::infra::effects::events::{self, Event, NewEvent};
use dispense::infra::effects::record::Nothing;
use dispense::orders::events::OrderEvent;
use serde_json::{Value, json};

use crate::harness::TestApp;

async fn pull(t: &TestApp, token: Option<&str>, query: &str) -> (u16, Value) {
    let url = format!("{}/events{query}", t.base);
    let mut request = t.http().get(url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

/// Rows: D9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_pulls_every_event_once_and_nobody_else_any() {
    let t = TestApp::start().await;
    t.person("admin@shop.example", &[Role::Admin]).await;
    t.buyer("buyer@shop.example").await;
    let admin = t.sign_in("admin@shop.example").await.tokens.access;
    let buyer = t.sign_in("buyer@shop.example").await.tokens.access;
    let tx = t.app.db.begin().await.unwrap();
    let claimed = || OrderEvent::Claimed(OrderId(t.app.clock.uuid()), Nothing {}).by("system");
    let batch: Vec<NewEvent> = (0..7).map(|_| claimed()).collect();
    events::append(&tx, &batch).await.unwrap();
    tx.commit().await.unwrap();
    t.drain().await;

    let mut after = 0;
    let mut seen = Vec::new();
    loop {
        let (status, page) = pull(&t, Some(admin.expose()), &format!("?after={after}&limit=3")).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(page["events"].as_array().unwrap().iter().cloned());
        after = page["next"].as_i64().unwrap();
        if page["more"] == false {
            break;
        }
    }
    let numbers: Vec<i64> = seen.iter().map(|e| e["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>());
    let tested: Vec<&Value> = seen.iter().filter(|e| e["kind"] == "order.claimed").collect();
    assert_eq!(tested.len(), 7);
    assert!(tested[0]["object"].as_str().unwrap().starts_with("ord_"), "{}", tested[0]);
    assert!(tested[0]["at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(pull(&t, Some(admin.expose()), &format!("?after={after}")).await.1["events"], json!([]));

    assert_eq!(pull(&t, None, "").await.0, 401);
    assert_eq!(pull(&t, Some(buyer.expose()), "").await.0, 403);
    let (status, problem) = pull(&t, Some(admin.expose()), "?after=x").await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("INVALID_CURSOR")));
    let (status, _) = pull(&t, Some(admin.expose()), "?limit=501").await;
    assert_eq!(status, 400);

    t.db.sql("delete from event where id = (select event_id from event_seq where seq = 1)").await;
    let (status, problem) = pull(&t, Some(admin.expose()), "?after=0").await;
    assert_eq!((status, problem["code"].as_str()), (410, Some("CURSOR_TOO_OLD")));
    t.finish().await;
}
