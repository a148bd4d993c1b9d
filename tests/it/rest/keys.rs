//! `POST /keys/import/{id}`.

use dispense::base::actor::{Actor, Role};
use dispense::catalogue::intake;
use dispense::vault::batch::NewBatch;
use serde_json::{Value, json};

use crate::harness::TestApp;

async fn send(t: &TestApp, path: &str, token: Option<&str>, kind: &str, body: String) -> (u16, Value) {
    let mut request = t.http().post(format!("{}{path}", t.base)).header("content-type", kind).body(body);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
}

/// Rows: K2, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_keys_is_taken_line_by_line_and_its_problems_are_named_without_their_text() {
    let t = TestApp::start().await;
    let variant = t.variant_on_sale("key", 500).await;
    let opened = intake::open_batch(&t.app, &Actor::system(), NewBatch::import(variant)).await.unwrap();
    t.person("boss@shop.example", &[Role::Admin]).await;
    let token = t.sign_in("boss@shop.example").await.tokens.access;
    let path = format!("/keys/import/{}", opened.id);
    for key in ["FIRST-KEY-11111", "SECOND-KEY-2222"] {
        t.canary(key);
    }
    let body = "FIRST-KEY-11111\n\nSECOND-KEY-2222\nFIRST-KEY-11111\n".to_owned();
    let (status, report) =
        send(&t, &path, Some(token.expose()), "text/plain; charset=utf-8", body.clone()).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!((&report["lines"], &report["added"], &report["refused"]), (&json!(4), &json!(2), &json!(1)));
    assert_eq!(report["problems"], json!([{ "line": 4, "code": "DUPLICATE" }]));

    let (status, again) = send(&t, &path, Some(token.expose()), "text/plain", body).await;
    assert!(status == 200 || again["code"] == "IMPORT_ALREADY_COMMITTED", "{status} {again}");
    assert_eq!(t.db.one("select count(*) from vault_key").await, "2");
    t.finish_with_jobs().await;
}

/// Rows: K2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_buyers_and_other_content_types_bring_no_keys() {
    let t = TestApp::start().await;
    let variant = t.variant_on_sale("key", 500).await;
    let opened = intake::open_batch(&t.app, &Actor::system(), NewBatch::import(variant)).await.unwrap();
    let path = format!("/keys/import/{}", opened.id);
    t.buyer("ada@buyer.example").await;
    let buyer = t.sign_in("ada@buyer.example").await.tokens.access;
    t.person("boss@shop.example", &[Role::Admin]).await;
    let boss = t.sign_in("boss@shop.example").await.tokens.access;
    let key = || "SOME-KEY-123456".to_owned();
    assert_eq!(send(&t, &path, None, "text/plain", key()).await.0, 401);
    assert_eq!(send(&t, &path, Some(buyer.expose()), "text/plain", key()).await.0, 403);
    assert_eq!(send(&t, &path, Some(boss.expose()), "application/json", key()).await.0, 415);
    let missing = format!("/keys/import/{}", dispense::base::ids::BatchId(t.app.clock.uuid()));
    assert_eq!(send(&t, &missing, Some(boss.expose()), "text/plain", key()).await.0, 404);
    t.finish_with_jobs().await;
}
