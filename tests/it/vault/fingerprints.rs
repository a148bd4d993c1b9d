//! Keys that were stored before marks around a text were dropped.

use dispense::base::actor::{Actor, Role};
use dispense::base::ids::{KeyId, VariantId};
use dispense::catalogue::intake;
use dispense::fulfilment::key_texts;
use dispense::infra::data_keys;
use dispense::infra::seal::SealedPlace;
use dispense::vault::batch::NewBatch;
use serde_json::{Value, json};

use super::fixture::{import, problems, sell, units, variant};
use crate::harness::TestApp;

const SHOP: uuid::Uuid = dispense::base::ids::SHOP.0;

/// Keys as a program of the earlier definition stores them.
pub async fn store_before(t: &TestApp, variant: VariantId, texts: &[&str]) -> Vec<KeyId> {
    let batch = intake::open_batch(&t.app, &Actor::system(), NewBatch::import(variant)).await.unwrap();
    let mut conn = t.app.db.conn().await.unwrap();
    let keys = data_keys::open(&mut conn, &t.app.sealer, [batch.data_key_id]).await.unwrap();
    data_keys::count_uses(&mut conn, batch.data_key_id, texts.len() as i64).await.unwrap();
    drop(conn);
    let mut ids = Vec::new();
    let mut rows = Vec::new();
    for text in texts {
        let id = t.app.clock.uuid();
        let place = SealedPlace { column: "vault_key.sealed", row: id, owner: variant.0 };
        let sealed = t.app.sealer.seal(&keys[&batch.data_key_id], place, text.as_bytes()).unwrap();
        let print = t.app.sealer.fingerprint_before(SHOP, text, false);
        rows.push(format!(
            "('{id}', '{SHOP}', '{}', '{}', '\\x{}', '{}', '\\x{}')",
            variant.0,
            batch.id.0,
            hex::encode(print),
            batch.data_key_id,
            hex::encode(sealed)
        ));
        ids.push(KeyId(id));
    }
    t.db.sql(&format!(
        "insert into vault_key (id, seller_id, variant_id, batch_id, fp, data_key_id, sealed) values {};
         update key_batch set added = {}, lines = {}, state = 'done', finished_at = app_now() where id = '{}'",
        rows.join(","),
        texts.len(),
        texts.len(),
        batch.id.0
    ))
    .await;
    ids
}

async fn states(t: &TestApp, keys: &[KeyId]) -> Vec<String> {
    let mut found = Vec::new();
    for key in keys {
        let sql = format!(
            "select state || coalesce(' ' || (fp_next is null)::text, '') from vault_key where id = '{}'",
            key.0
        );
        found.push(t.db.one(&sql).await);
    }
    found
}

async fn decide(t: &TestApp, token: &str, task: &str, decision: &str) -> Value {
    let query = "mutation($i: KeyTwinDecideInput!) { keyTwinDecide(input: $i) { task { state kind detail } userErrors { code field } } }";
    let input = json!({ "taskId": task, "decision": decision, "note": "looked at both" });
    let body = json!({ "query": query, "variables": { "i": input } });
    let request = t.http().post(format!("{}/graphql", t.base)).bearer_auth(token);
    let answer =
        request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
    let json: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    t.sent.record(query, None, &json);
    json["data"]["keyTwinDecide"].clone()
}

async fn tasks(t: &TestApp) -> Vec<String> {
    let rows = t.db.sql("select id from task where kind = 'key_text_twin' order by created_at, id").await;
    rows.into_iter()
        .map(|row| dispense::base::ids::TaskId(row[0].as_ref().unwrap().parse().unwrap()).to_string())
        .collect()
}

/// Rows: K3 (keyTwinDecide), K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_keys_get_their_fingerprint_and_of_two_of_one_text_a_person_decides() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let old = store_before(&t, v, &["\u{feff}ONE-1", "TWO-2", "\u{200b}TWO-2", "\u{ad}THREE-3"]).await;
    let found = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    let names: Vec<_> = found.findings().map(|f| f.question).collect();
    assert_eq!(names, ["no text of a key is stored twice within a seller"], "{found}");

    // A file of the present program between: the text under its mark is not seen yet, so it is stored, and found.
    let fresh = import(&t, v, b"ONE-1\nTWO-2\nFOUR-4\n").await;
    assert_eq!((fresh.added, problems(&t, &fresh).await), (2, vec!["2:DUPLICATE".to_owned()]));
    while key_texts::sweep(&t.app).await.unwrap() > 0 {}
    // Of the two twins that nobody bought either may be the one that is asked about.
    let now = states(&t, &old).await;
    let (kept, asked_about) = if now[1] == "frozen true" { (2, 1) } else { (1, 2) };
    let seen = [0, kept, asked_about, 3].map(|place| now[place].as_str());
    assert_eq!(seen, ["frozen true", "available false", "frozen true", "available false"]);
    assert_eq!(tasks(&t).await.len(), 2);
    assert_eq!(key_texts::sweep(&t.app).await.unwrap(), 0, "nothing is asked twice");
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    // Both definitions are unique now.
    let again = import(&t, v, "THREE-3\n\u{ad}THREE-3\n\u{feff}ONE-1\nTWO-2\u{200b}\n".as_bytes()).await;
    assert_eq!((again.added, again.refused), (0, 4));

    t.person("boss@shop.example", &[Role::Admin]).await;
    let boss = t.sign_in("boss@shop.example").await.tokens.access;
    let asked = tasks(&t).await;
    let subject = t.db.one(&format!("select subject from task where body->>'key' = '{}'", old[0].0)).await;
    assert_eq!(subject, old[0].0.to_string());
    let of = async |key: KeyId| {
        let id = t.db.one(&format!("select id from task where subject = '{}'", key.0)).await;
        dispense::base::ids::TaskId(id.parse().unwrap()).to_string()
    };
    let voided = decide(&t, boss.expose(), &of(old[0]).await, "VOID").await;
    assert_eq!(
        (&voided["task"]["state"], &voided["userErrors"]),
        (&json!("RESOLVED"), &json!([])),
        "{voided}"
    );
    let released = decide(&t, boss.expose(), &of(old[asked_about]).await, "RELEASE").await;
    assert_eq!(released["task"]["state"], "RESOLVED", "{released}");
    let now = states(&t, &old).await;
    let seen = [0, kept, asked_about, 3].map(|place| now[place].as_str());
    assert_eq!(seen, ["voided true", "available false", "available true", "available false"]);
    for task in &asked {
        assert_eq!(
            decide(&t, boss.expose(), task, "VOID").await["userErrors"][0]["code"],
            "ILLEGAL_TRANSITION"
        );
    }
    assert_eq!(key_texts::sweep(&t.app).await.unwrap(), 0, "a decision stands");
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.buyer("ada@buyer.example").await;
    let buyer = t.sign_in("ada@buyer.example").await.tokens.access;
    assert!(decide(&t, buyer.expose(), &asked[0], "VOID").await.is_null(), "for staff");
    t.drain().await;
    t.finish_with_jobs().await;
}

/// Rows: K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sold_key_is_left_alone_and_its_free_twin_is_taken_out_of_sale() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let old = store_before(&t, v, &["AAA-1", "BBB-2"]).await;
    let sold = units(&t, v, 1).await;
    sell(&t, v, &sold).await;
    let sold_first = states(&t, &old).await[0] == "sold true";
    let twin = if sold_first { "\u{feff}AAA-1" } else { "\u{feff}BBB-2" };
    // The twin is met first, as its variant is another one.
    let other = variant(&t).await;
    let twins = store_before(&t, other, &[twin, "\u{feff}\u{200b}CCC-3", "\u{ad}CCC-3", "CCC-3\u{ad}"]).await;
    while key_texts::sweep(&t.app).await.unwrap() > 0 {}
    assert_eq!(states(&t, &twins).await[0].split(' ').next(), Some("frozen"));
    assert_eq!(t.db.one("select count(*) from vault_key where state = 'sold'").await, "1");
    assert_eq!(t.db.one("select count(*) from vault_key where state = 'frozen'").await, "3");
    assert_eq!(t.db.one("select count(*) from task where kind = 'key_text_twin'").await, "3");

    // Two that were sold: the task alone.
    let both = store_before(&t, v, &["DDD-4", "DDD-4\u{feff}"]).await;
    let buyers = units(&t, v, 3).await;
    t.db.sql("update vault_key set expires_at = app_now() + interval '1 day' where state = 'available' and fp_next is null").await;
    sell(&t, v, &buyers[..2]).await;
    assert_eq!(states(&t, &both).await, ["sold true", "sold true"]);
    while key_texts::sweep(&t.app).await.unwrap() > 0 {}
    assert_eq!(
        t.db.one("select count(*) from task where body->>'frozen' is null and kind = 'key_text_twin'").await,
        "1"
    );
    t.finish().await;
}

/// Rows: K3, K14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_keys_are_taken_in_steps_and_a_broken_or_held_one_stops_none() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let texts: Vec<String> = (0..450).map(|n| format!("\u{feff}KEY-{n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let keys = store_before(&t, v, &texts).await;
    t.db.sql(&format!("update vault_key set sealed = '\\x01' where id = '{}'", keys[7].0)).await;
    // Somebody is just taking this one.
    let (held, connection) = tokio_postgres::connect(&t.db.app_url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    held.batch_execute(&format!("begin; select 1 from vault_key where id = '{}' for update", keys[300].0))
        .await
        .unwrap();
    assert_eq!(key_texts::sweep(&t.app).await.unwrap(), 448);
    held.batch_execute("rollback").await.unwrap();
    assert_eq!(key_texts::sweep(&t.app).await.unwrap(), 1);
    assert_eq!(t.db.one("select count(*) from vault_key where fp_next is null").await, "1");
    assert_eq!(t.db.one("select count(*) from task where kind = 'seal_broken'").await, "1");
    t.finish().await;
}
