//! Imports that are looked at before their keys are sold.

use chrono::TimeDelta;
use dispense::base::actor::Role;
use serde_json::{Value, json};

use super::desk::{Desk, problems, raw};
use crate::harness::codes;

async fn commit(desk: &Desk, batch: &str) -> Value {
    desk.seller
        .act(
            "keyImportCommit",
            json!({ "importId": batch }),
            "batch { state added staged refused duplicates }",
        )
        .await
}

async fn cancel(desk: &Desk, batch: &str) -> Value {
    desk.seller.act("keyImportCancel", json!({ "importId": batch }), "batch { state added staged }").await
}

/// Rows: K2 (keyImportCreate, keyImportCommit, seller), K10.
/// Sends: keyImportCommit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_looked_at_are_not_sold_until_the_import_is_committed() {
    let desk = Desk::open().await;
    let t = &desk.t;
    let variant = t.selling_keys(1, 500).await;
    t.canary("CANARY-");
    let batch = desk.import(variant, json!({ "preview": true, "note": "spring" })).await;
    let early = commit(&desk, &batch).await;
    assert_eq!(
        (codes(&early), &early["userErrors"][0]["field"]),
        (vec!["IMPORT_NOT_READY"], &json!(["importId"]))
    );
    let file: String = (0..1_500)
        .map(|n| format!("CANARY-{n:05}\n"))
        .chain(["CANARY-00007\n".into(), "bad\u{7}\n".into()])
        .collect();
    let (status, report) = desk.send(&batch, "text/plain", file.clone()).await;
    assert_eq!(
        (status, &report["state"], &report["staged"], &report["added"]),
        (200, &json!("ready"), &json!(1_500), &json!(0))
    );
    assert_eq!(problems(&report), ["1501:DUPLICATE", "1502:CONTROL_CHARACTER"]);
    let fields = "state preview staged added refused duplicates problems(first: 5) { line code }";
    let seen = desk.batch(&batch, fields).await;
    assert_eq!(
        (&seen["state"], &seen["preview"], &seen["staged"], &seen["duplicates"]),
        (&json!("READY"), &json!(true), &json!("1500"), &json!("1"))
    );
    // The file again changes nothing, another one is another import.
    assert_eq!(desk.send(&batch, "text/plain", file).await.0, 200);
    assert_eq!(desk.send(&batch, "text/plain", "CANARY-X\n").await.1["code"], "IMPORT_OTHER_FILE");
    let stock = desk.seller.ask("{ seller { stock { nodes { available } } } }", json!({})).await;
    assert_eq!(stock["seller"]["stock"]["nodes"][0]["available"], "1");
    desk.sound().await;
    // Somebody waits; the same text comes in by another import meanwhile.
    let waiting = crate::faults::shop::many_orders(t, variant, 3).await;
    for order in &waiting {
        assert_eq!(t.notify(&order.paid()).await.0, 200);
    }
    t.drain().await;
    assert_eq!(t.db.one("select count(*) from unit where state = 'awaiting_stock'").await, "2");
    let other = t.variant_on_sale("key", 500).await;
    desk.take(other, json!({}), "text/plain", "CANARY-00003\n").await;

    let done = commit(&desk, &batch).await;
    assert_eq!(codes(&done), [""; 0]);
    assert_eq!(
        done["batch"],
        json!({ "state": "DONE", "added": "1499", "staged": "0", "refused": "3", "duplicates": "2" })
    );
    assert_eq!(desk.batch(&batch, fields).await["problems"][0], json!({ "line": "4", "code": "DUPLICATE" }));
    assert_eq!(t.db.one("select count(*) from unit where state = 'awaiting_stock'").await, "0");
    assert_eq!(commit(&desk, &batch).await["batch"]["state"], "DONE", "twice changes nothing");
    assert_eq!(codes(&cancel(&desk, &batch).await), ["IMPORT_ALREADY_COMMITTED"]);
    assert_eq!(t.db.one("select count(*) from staged_key").await, "0");
    // In the order of their lines.
    assert_eq!(desk.keys(variant).await.first().map(String::as_str), Some("CANARY-00002"));
    desk.sound().await;
    desk.t.finish_with_jobs().await;
}

/// Rows: K2 (keyImportCancel).
/// Sends: keyImportCancel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_given_up_leaves_nothing_behind_and_its_texts_may_come_again() {
    let desk = Desk::open().await;
    let t = &desk.t;
    let variant = t.variant_on_sale("key", 500).await;
    let file: String = (0..6_000).map(|n| format!("AGAIN-{n:05}\n")).collect();
    let batch = desk.import(variant, json!({ "preview": true })).await;
    assert_eq!(desk.send(&batch, "text/plain", file.clone()).await.1["staged"], 6_000);
    let edit = json!({ "variantId": variant.to_string(), "fields": { "foldCase": true } });
    assert_eq!(
        codes(&desk.seller.act("variantUpdate", edit, "variant { id }").await),
        ["INVALID"],
        "their prints are made"
    );
    for _ in 0..2 {
        let given_up = cancel(&desk, &batch).await;
        assert_eq!((codes(&given_up), &given_up["batch"]["state"]), (vec![], &json!("CANCELLED")));
    }
    assert_eq!(codes(&commit(&desk, &batch).await), ["IMPORT_ALREADY_COMMITTED"]);
    assert_eq!(desk.send(&batch, "text/plain", file.clone()).await.1["code"], "IMPORT_ALREADY_COMMITTED");
    desk.sound().await;
    t.drain().await;
    assert_eq!(t.db.one("select count(*) from staged_key").await, "0");
    assert_eq!(t.db.one("select count(*) from vault_key").await, "0");
    assert_eq!(desk.take(variant, json!({}), "text/plain", file).await["added"], 6_000);
    // What is on sale already cannot be given up, nor can what is made here.
    let sold = desk.import(variant, json!({})).await;
    assert_eq!(codes(&cancel(&desk, &sold).await), ["IMPORT_ALREADY_COMMITTED"]);
    for id in ["bat_1", &dispense::base::ids::BatchId(t.app.clock.uuid()).to_string()] {
        assert!(["NOT_FOUND", "INVALID"].contains(&codes(&cancel(&desk, id).await)[0]), "{id}");
        assert!(["NOT_FOUND", "INVALID"].contains(&codes(&commit(&desk, id).await)[0]), "{id}");
    }
    // Nobody else's.
    let own = desk.import(variant, json!({ "preview": true })).await;
    t.buyer("eve@example.com").await;
    let eve = t.visitor("192.0.2.66").signed_in(&t.sign_in("eve@example.com").await.tokens.access);
    for name in ["keyImportCommit", "keyImportCancel"] {
        assert_eq!(codes(&eve.act(name, json!({ "importId": own }), "batch { id }").await), ["NOT_FOUND"]);
    }
    // A week later nobody has committed it.
    assert_eq!(desk.send(&own, "text/plain", "NEVER-LOOKED-AT\n").await.1["staged"], 1);
    t.advance(TimeDelta::days(8)).await;
    t.sweep().await;
    t.drain().await;
    let left = format!("select state || ' ' || staged from key_batch where id = '{}'", raw(&own));
    assert_eq!(t.db.one(&left).await, "cancelled 0");
    desk.sound().await;
    desk.t.finish_with_jobs().await;
}

/// Rows: K2 (keyImportCommit), X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_who_commit_at_once_do_it_once_and_one_who_cancels_meanwhile_is_too_late_or_first() {
    let desk = Desk::open().await;
    let t = &desk.t;
    let variant = t.variant_on_sale("key", 500).await;
    for round in 0..4 {
        let batch = desk.import(variant, json!({ "preview": true })).await;
        let file: String = (0..1_200).map(|n| format!("R{round}-{n:05}\n")).collect();
        assert_eq!(desk.send(&batch, "text/plain", file).await.0, 200);
        let (one, two, three) =
            futures::join!(commit(&desk, &batch), commit(&desk, &batch), cancel(&desk, &batch));
        t.drain_all().await;
        let state = desk.batch(&batch, "state added staged").await;
        match state["state"].as_str().unwrap() {
            "DONE" => assert_eq!(
                (&state["added"], codes(&three)),
                (&json!("1200"), vec!["IMPORT_ALREADY_COMMITTED"])
            ),
            "CANCELLED" => {
                assert_eq!(codes(&one), ["IMPORT_ALREADY_COMMITTED"]);
                assert_eq!(codes(&two), ["IMPORT_ALREADY_COMMITTED"]);
                assert_eq!(state["added"], "0");
            }
            other => panic!("{other}"),
        }
        assert_eq!(state["staged"], "0");
        desk.sound().await;
    }
    // A variant that takes no keys any more takes none of a preview either; it can still be given up.
    let batch = desk.import(variant, json!({ "preview": true })).await;
    assert_eq!(desk.send(&batch, "text/plain", "LATE-1\n").await.0, 200);
    t.db.sql(&format!("update variant set state = 'retired' where id = '{}'", variant.0)).await;
    let refused = commit(&desk, &batch).await;
    assert_eq!(
        (codes(&refused), &refused["userErrors"][0]["field"]),
        (vec!["INVALID"], &json!(["importId"]))
    );
    assert_eq!(cancel(&desk, &batch).await["batch"]["state"], "CANCELLED");
    t.drain_all().await;
    desk.sound().await;
    desk.t.finish_with_jobs().await;
}

/// Rows: K2 (seller).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_of_imports_has_what_was_brought_in_and_not_what_was_made() {
    let desk = Desk::open().await;
    let variant = desk.t.variant_on_sale("key", 500).await;
    let made = json!({ "variantId": variant.to_string(), "quantity": 3 });
    assert_eq!(codes(&desk.seller.act("keysGenerate", made, "batch { format }").await), [""; 0]);
    for n in 0..3 {
        desk.take(variant, json!({ "format": "BLOCKS" }), "text/plain", format!("B-{n}\n")).await;
    }
    let query = "query($a: String) { seller { imports(first: 2, after: $a) { totalCount nodes { origin format } pageInfo { endCursor hasNextPage } }
        keyBatches { totalCount nodes { format } } } }";
    let first = desk.seller.ask(query, json!({})).await["seller"].clone();
    assert_eq!((&first["imports"]["totalCount"], &first["keyBatches"]["totalCount"]), (&json!(3), &json!(4)));
    assert_eq!(first["keyBatches"]["nodes"][3]["format"], Value::Null);
    let next = desk.seller.ask(query, json!({ "a": first["imports"]["pageInfo"]["endCursor"] })).await;
    assert_eq!(next["seller"]["imports"]["nodes"], json!([{ "origin": "IMPORT", "format": "BLOCKS" }]));
    desk.t.person("other@shop.example", &[Role::Support]).await;
    desk.t.finish_with_jobs().await;
}
