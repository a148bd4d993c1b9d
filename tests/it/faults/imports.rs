//! The program is killed while it takes keys in, and the seller goes on, by either way.

use std::time::Duration;

use dispense::base::actor::{Actor, Role};
use dispense::catalogue::intake;
use dispense::fulfilment::commit_import;
use dispense::vault::batch::NewBatch;
use serde_json::{Value, json};

use super::shop::{durable, server};
use crate::harness::{Server, TestApp};

async fn send(
    t: &TestApp,
    server: &Server,
    path: &str,
    token: &str,
    offset: Option<&str>,
    body: String,
) -> Option<Value> {
    let mut request = t.http().post(server.url(path)).bearer_auth(token).header("content-type", "text/plain");
    if let Some(offset) = offset {
        request = request.header("upload-offset", offset);
    }
    let answer = request.body(body).send().await.ok()?;
    serde_json::from_str(&answer.text().await.ok()?).ok()
}

/// Rows: K2, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_within_or_behind_a_chunk_loses_no_key_whichever_way_the_file_goes_on() {
    let (_cluster, t) = durable().await;
    let variant = t.variant_on_sale("key", 990).await;
    t.person("boss@shop.example", &[Role::Admin]).await;
    let token = t.sign_in("boss@shop.example").await.tokens.access;
    let mut expected = 0;
    for (round, (point, stored)) in [
        ("restock.chunk:2", 1_000),
        ("restock.chunk:2", 1_000),
        ("restock.stored:2", 2_000),
        ("restock.stored:3", 2_300),
    ]
    .into_iter()
    .enumerate()
    {
        let opened = intake::open_batch(&t.app, &Actor::system(), NewBatch::import(variant)).await.unwrap();
        let path = format!("/keys/import/{}", opened.id);
        let file: String = (0..2_300).map(|n| format!("KEY-{round}-{n:05}\n")).collect();
        let mut dying = server(&t).arg("--no-worker").env("DISPENSE_FAULT", point).start();
        assert_eq!(send(&t, &dying, &path, token.expose(), None, file.clone()).await, None, "{point}");
        assert!(dying.was_killed(Duration::from_secs(20)), "{point}");
        let kept = format!(
            "select lines || ' ' || added || ' ' || state from key_batch where id = '{}'",
            opened.id.0
        );
        assert_eq!(t.db.one(&kept).await, format!("{stored} {stored} running"), "{point}");
        let again = dying.setup().without_env("DISPENSE_FAULT").start();
        let look = t.http().head(again.url(&path)).bearer_auth(token.expose()).send().await.unwrap();
        let offset = look.headers()["upload-offset"].to_str().unwrap().to_owned();
        let rest = file[offset.parse().unwrap()..].to_owned();
        let by_rest = round % 2 == 0;
        if by_rest {
            let lost = send(&t, &again, &path, token.expose(), None, rest.clone() + "KEY\n").await.unwrap();
            assert_eq!(lost["code"], "IMPORT_OTHER_FILE", "{point}");
        }
        let (offset, body) = if by_rest { (Some(offset.as_str()), rest) } else { (None, file) };
        let report = send(&t, &again, &path, token.expose(), offset, body).await.unwrap();
        assert_eq!((&report["lines"], &report["added"]), (&json!(2_300), &json!(2_300)), "{point}: {report}");
        assert_eq!(report["storedBefore"], json!(stored));
        assert_eq!(report["skipped"], if by_rest { json!(0) } else { json!(stored) });
        expected += 2_300;
        assert_eq!(t.db.one("select count(*) from vault_key").await, expected.to_string(), "{point}");
    }
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}

/// Rows: K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_goes_on_with_a_batch() {
    let t = TestApp::start().await;
    let variant = t.variant_on_sale("key", 990).await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("keys.txt");
    let file: String = (0..1_200).map(|n| format!("KEY-{n:05}\n")).collect();
    std::fs::write(&place, &file).unwrap();
    let run = |setup: crate::harness::Setup, arguments: &[&str]| {
        let output = setup.command(&[&["keys", "import"], arguments].concat()).output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let setup = || Server::of(&t.db.app_url());
    let (variant, place) = (variant.to_string(), place.to_str().unwrap());
    let dying = setup().env("DISPENSE_FAULT", "restock.stored");
    let (killed, _, reported) = run(dying, &[&variant, place]);
    assert!(!killed);
    let batch = reported
        .lines()
        .find_map(|line| line.strip_prefix("batch "))
        .unwrap_or_else(|| panic!("{reported}"))
        .to_owned();
    let (done, _, reported) = run(setup(), &[&variant, place, "--batch", &batch, "--line", "1003"]);
    assert!(!done && reported.contains("IMPORT_GAP"), "{reported}");
    let (done, reported, _) = run(setup(), &[&variant, place, "--batch", &batch]);
    assert!(
        done && reported.contains("1000 lines were stored before, 1000 of them skipped here"),
        "{reported}"
    );
    assert!(reported.contains("1200 keys added, 0 lines refused"), "{reported}");
    let (done, _, reported) = run(setup(), &[&variant, place, "--batch", "bat_1"]);
    assert!(!done && reported.contains("bat_1"), "{reported}");
    assert_eq!(t.db.one("select count(*) from vault_key").await, "1200");
    t.finish_with_jobs().await;
}

/// Rows: K2, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_an_import_is_committed_or_cleared_is_gone_on_from_by_the_job() {
    let (_cluster, t) = durable().await;
    let variant = t.variant_on_sale("key", 990).await;
    for (round, (point, cancelled)) in
        [("import.committing", false), ("import.committing:2", false), ("import.clearing", true)]
            .into_iter()
            .enumerate()
    {
        let new = NewBatch { preview: true, ..NewBatch::import(variant) };
        let opened = intake::open_batch(&t.app, &Actor::system(), new).await.unwrap();
        let file: String = (0..2_300).map(|n| format!("KEY-{round}-{n:05}\n")).collect();
        let actor = Actor::system();
        dispense::fulfilment::restock::import(&t.app, &actor, opened.id, std::io::Cursor::new(file))
            .await
            .unwrap();
        match cancelled {
            true => drop(commit_import::cancel(&t.app, &actor, opened.id).await.unwrap()),
            false => drop(commit_import::commit(&t.app, &actor, opened.id).await.unwrap()),
        }
        t.db.sql("update job set run_at = app_now() where state = 'queued'").await;
        let mut dying = server(&t).env("DISPENSE_FAULT", point).start();
        assert!(dying.was_killed(Duration::from_secs(20)), "{point}");
        let counted = format!("select staged || ' ' || added from key_batch where id = '{}'", opened.id.0);
        let left = match point {
            "import.committing:2" => "1300 1000",
            _ => "2300 0",
        };
        assert_eq!(t.db.one(&counted).await, left, "{point}");
        // The job's lease of a dead worker runs out.
        t.db.sql("update job set state = 'queued', run_at = app_now(), leased_until = null, leased_by = null where state = 'running'").await;
        let again = dying.setup().without_env("DISPENSE_FAULT").start();
        t.wait_until(&format!("select staged = 0 from key_batch where id = '{}'", opened.id.0)).await;
        let state =
            format!("select state in ('done', 'cancelled') from key_batch where id = '{}'", opened.id.0);
        t.wait_until(&state).await;
        drop(again);
        assert_eq!(t.db.one(&counted).await, if cancelled { "0 0" } else { "0 2300" }, "{point}");
        assert_eq!(t.db.one("select count(*) from staged_key").await, "0");
    }
    t.drain().await;
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}
