//! Keys that leave in a form that comes in again.

use chrono::TimeDelta;
use dispense::base::actor::Role;
use serde_json::{Value, json};

use super::desk::Desk;
use crate::harness::{Server, codes};

const FILE: &str = "{\"key\": \"CANARY-1\"}\n{\"key\": \"CANARY-2, \\\"quoted\\\"\", \"expires_at\": \"2099-01-31T10:00:00.123456Z\"}\n\
    {\"key\": \"CANARY-3\\nof two lines\"}\n{\"key\": \"CANARY-é ✓\\tuser\"}\n";

/// Rows: K2 (keysExport, keyImportCreate), K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_exported_comes_in_again_byte_for_byte_in_another_shop() {
    let (here, there) = (Desk::open().await, Desk::open().await);
    here.t.canary("CANARY-");
    there.t.canary("CANARY-");
    let variant = here.t.variant_on_sale("key", 500).await;
    here.take(variant, json!({ "format": "JSONL" }), "application/jsonl", FILE).await;
    let many: String = (0..1_300).map(|n| format!("CANARY-M{n:05}\n")).collect();
    here.take(variant, json!({}), "text/plain", many).await;
    for (format, kind) in [("CSV", "text/csv"), ("JSONL", "application/jsonl")] {
        let file = here.export(variant, format).await;
        let copy = there.t.variant_on_sale("key", 500).await;
        let report = there.take(copy, json!({ "format": format }), kind, file.clone()).await;
        assert_eq!((&report["added"], &report["refused"]), (&json!(1_304), &json!(0)), "{report}");
        assert_eq!(there.export(copy, format).await, file, "{format}");
        assert_eq!(there.keys(copy).await, here.keys(variant).await);
        // One seller has a text once: make room for the next round.
        there.t.db.sql("truncate vault_key cascade; update key_batch set added = 0").await;
    }
    let reported =
        "select string_agg(kind || ' ' || coalesce(body ->> 'keys', '-'), ', ' order by id) from event
        where kind like 'keys.export%'";
    let once = "keys.export_asked -, keys.export_begun 0, keys.exported 1304";
    assert_eq!(here.t.db.one(reported).await, [once; 4].join(", "));
    here.sound().await;
    here.t.finish_with_jobs().await;
    there.t.finish_with_jobs().await;
}

/// Rows: K2 (keysExport), K4.
/// Sends: keysExport.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_leave_for_a_reason_for_whoever_asked_and_for_an_hour() {
    let desk = Desk::open().await;
    let t = &desk.t;
    let (variant, files) = (t.selling_keys(3, 500).await, t.variant_on_sale("file", 500).await);
    let ask = async |fields: Value| {
        let mut input = json!({ "variantId": variant.to_string(), "format": "CSV", "reason": "we move" });
        input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        desk.seller.act("keysExport", input, "resultUrl resultExpiresAt").await
    };
    for (fields, code, field) in [
        (json!({ "reason": " " }), "REASON_REQUIRED", "reason"),
        (json!({ "reason": "x".repeat(501) }), "INVALID", "reason"),
        (json!({ "format": "TEXT" }), "INVALID", "format"),
        (json!({ "format": "BLOCKS" }), "INVALID", "format"),
        (json!({ "states": [] }), "INVALID", "states"),
        (json!({ "variantId": files.to_string() }), "INVALID", "variantId"),
        (json!({ "variantId": "var_1" }), "NOT_FOUND", "variantId"),
    ] {
        let refused = ask(fields.clone()).await;
        assert_eq!(
            (codes(&refused), &refused["userErrors"][0]["field"]),
            (vec![code], &json!([field])),
            "{fields}"
        );
    }
    t.paid_order(variant, 1).await;
    let url = ask(json!({ "states": ["SOLD"] })).await["resultUrl"].as_str().unwrap().to_owned();
    let answer = desk.fetch(&url, &desk.token).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert!(answer.headers()["content-disposition"].to_str().unwrap().ends_with(".csv\""));
    let file = answer.text().await.unwrap();
    assert!(file.starts_with("key,expires_at,state\nCANARY-KEY-") && file.ends_with(",,sold\n"), "one row");
    assert_eq!(file.lines().count(), 2);
    let none = ask(json!({ "states": ["VOIDED"], "format": "JSONL" })).await["resultUrl"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(desk.fetch(&none, &desk.token).await.text().await.unwrap(), "");
    // Nobody else, however much they may.
    t.person("second@shop.example", &[Role::Admin, Role::Seller]).await;
    let second = t.sign_in("second@shop.example").await.tokens.access;
    t.buyer("eve@example.com").await;
    let eve = t.sign_in("eve@example.com").await.tokens.access;
    assert_eq!(desk.fetch(&url, second.expose()).await.status(), 404);
    assert_eq!(desk.fetch(&url, eve.expose()).await.status(), 403);
    assert_eq!(t.http().get(&url).send().await.unwrap().status(), 401);
    let input = json!({ "variantId": variant.to_string(), "format": "CSV", "reason": "mine" });
    let stranger = t.visitor("192.0.2.66").signed_in(&eve);
    assert_eq!(codes(&stranger.act("keysExport", input, "resultUrl").await), ["NOT_FOUND"]);
    assert_eq!(t.get("/jobs/kex_1/result").await.status(), 401);
    assert_eq!(desk.fetch(&format!("{}/jobs/kex_1/result", t.base), &desk.token).await.status(), 404);
    t.advance(TimeDelta::minutes(61)).await;
    let later = t.sign_in("boss@shop.example").await.tokens.access;
    let over = desk.fetch(&url, later.expose()).await;
    assert_eq!(over.status(), 410);
    let over: Value = serde_json::from_str(&over.text().await.unwrap()).unwrap();
    assert_eq!(over["code"], "LINK_EXPIRED");
    assert_eq!(t.db.one("select count(*) from event where kind = 'keys.export_begun'").await, "2");
    desk.sound().await;
    desk.t.finish_with_jobs().await;
}

/// Rows: K2, K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_takes_rows_looks_at_them_and_hands_them_out_again() {
    let desk = Desk::open().await;
    let t = &desk.t;
    t.canary("CANARY-");
    let variant = t.variant_on_sale("key", 500).await.to_string();
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(place("in.csv"), "code;until\nCANARY-1;\n\"CANARY;2\";2099-01-01\nCANARY-1;\n").unwrap();
    let run = |arguments: &[&str]| {
        let output = Server::of(&t.db.app_url()).command(&[&["keys"], arguments].concat()).output().unwrap();
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        t.search_log(&err);
        (output.status.success(), out, err)
    };
    let input = place("in.csv");
    let laid_out = [
        "--format",
        "csv",
        "--separator",
        ";",
        "--key-column",
        "code",
        "--expiry-column",
        "until",
        "--preview",
    ];
    let (done, out, _) = run(&[&["import", &variant, &input], &laid_out[..]].concat());
    assert!(done && out.contains("2 keys wait for `dispense keys commit bat_"), "{out}");
    let batch = out.split("keys commit ").nth(1).unwrap().split('`').next().unwrap().to_owned();
    let (done, out, _) = run(&["commit", &batch]);
    assert!(done && out.contains("2 keys added, 1 lines refused"), "{out}");
    let (done, _, err) = run(&["cancel", &batch]);
    assert!(!done && err.contains("IMPORT_ALREADY_COMMITTED"), "{err}");
    let (out_file, again) = (place("out.csv"), place("again.csv"));
    let (done, _, err) = run(&["export", &variant, &out_file, "--reason", "moving"]);
    assert!(done && err.contains("2 keys exported"), "{err}");
    let file = std::fs::read_to_string(&out_file).unwrap();
    assert_eq!(file, "key,expires_at,state\nCANARY-1,,available\nCANARY;2,2099-01-01T00:00:00Z,available\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&out_file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(!run(&["export", &variant, &out_file, "--reason", "moving"]).0, "nothing is overwritten");
    let (done, _, err) = run(&["export", &variant, &again, "--reason", " "]);
    assert!(!done && err.contains("REASON_REQUIRED"), "{err}");
    for wrong in [["--format", "text"], ["--format", "xml"], ["--state", "stolen"]] {
        assert!(!run(&[&["export", &variant, &again, "--reason", "x"], &wrong[..]].concat()).0, "{wrong:?}");
    }
    let (done, out, _) = run(&[
        "export",
        &variant,
        "-",
        "--reason",
        "x",
        "--format",
        "jsonl",
        "--state",
        "available",
        "--state",
        "sold",
    ]);
    assert!(done && out.lines().count() == 2, "{out}");
    desk.sound().await;
    desk.t.finish_with_jobs().await;
}
