use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use dispense::base::actor::Actor;
use dispense::base::outcome::Failure;
use dispense::catalogue::intake;
use dispense::vault::batch::NewBatch;
use dispense::vault::import::{CHUNK, LONGEST_LINE};
use tokio::io::{AsyncRead, ReadBuf};

use super::fixture::{go_on, import, insert_chunk, problems, reader, variant};
use crate::harness::TestApp;

/// Rows: K2, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_lines_are_reported_by_number_and_never_lose_the_good_ones() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let long = "x".repeat(LONGEST_LINE + 1);
    let mut file =
        format!("\u{feff}CANARY-ONE\r\n\n  CANARY-TWO  \nCANARY-ONE\n{long}\nA\u{200b}B\n").into_bytes();
    file.extend_from_slice(
        b"bad \xff utf8\nnul\x00byte\n   \t \nCANARY-cafe\xcc\x81\nCANARY-caf\xc3\xa9\nCANARY-LAST",
    );
    let batch = import(&t, v, &file).await;
    let report = problems(&t, &batch).await;
    let expected = [
        "4:DUPLICATE",
        "5:TOO_LONG",
        "6:HIDDEN_CHARACTER",
        "7:INVALID_UTF8",
        "8:CONTROL_CHARACTER",
        "11:DUPLICATE",
    ];
    assert_eq!(report, expected);
    assert_eq!((batch.lines, batch.added, batch.refused), (12, 4, 6));
    ["CANARY-ONE", "CANARY-TWO", "CANARY-LAST", "CANARY-caf"].into_iter().for_each(|c| t.canary(c));
    t.finish().await;
}

/// Rows: K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_file_again_brings_nothing_and_names_every_line() {
    let t = TestApp::start().await;
    let (v, other) = (variant(&t).await, variant(&t).await);
    assert_eq!(import(&t, v, b"AAAA-1\nAAAA-2\n").await.added, 2);
    let again = import(&t, other, b"AAAA-3\nAAAA-2\n AAAA-1\n").await;
    assert_eq!(again.added, 1, "one seller, whatever the variant");
    assert_eq!(problems(&t, &again).await, ["2:DUPLICATE", "3:DUPLICATE"]);
    t.finish().await;
}

/// Rows: K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_tells_keys_apart_unless_the_variant_folds_it() {
    let t = TestApp::start().await;
    let (exact, folded) = (variant(&t).await, variant(&t).await);
    t.db.sql(&format!("update variant set fold_case = true where id = '{}'", folded.0)).await;
    assert_eq!(import(&t, exact, b"Abcd\naBCD\n").await.added, 2);
    let batch = import(&t, folded, b"Wxyz\nwXYZ\n").await;
    assert_eq!((batch.added, problems(&t, &batch).await), (1, vec!["2:DUPLICATE".into()]));
    t.finish().await;
}

/// Rows: K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_imports_of_the_same_keys_at_once_store_each_key_once() {
    let t = TestApp::start().await;
    let (v, other) = (variant(&t).await, variant(&t).await);
    let forward: String = (0..3_000).map(|n| format!("KEY-{n}\n")).collect();
    let backward: String = (0..3_000).rev().map(|n| format!("KEY-{n}\n")).collect();
    let (a, b) = tokio::join!(import(&t, v, forward.as_bytes()), import(&t, other, backward.as_bytes()));
    assert_eq!(a.added + b.added, 3_000);
    assert_eq!(a.refused + b.refused, 3_000);
    assert_eq!(t.db.one("select count(*) from vault_key").await, "3000");
    t.finish().await;
}

/// Rows: K2, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_cut_goes_on_after_its_last_chunk() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let file: String = (0..2_300).map(|n| format!("KEY-{n}\n")).collect();
    let open = intake::open_batch(&t.app, &Actor::system(), NewBatch::import(v)).await.unwrap();
    let chunk = reader(&t, &open, file.as_bytes()).next().await.unwrap().unwrap();
    let mut tx = t.app.db.begin().await.unwrap();
    insert_chunk(&mut tx, &t, &open, chunk).await.unwrap();
    drop(tx);
    assert_eq!(
        t.db.one("select count(*) from vault_key").await,
        "0",
        "a chunk is stored whole or not at all"
    );
    let chunk = reader(&t, &open, file.as_bytes()).next().await.unwrap().unwrap();
    let mut tx = t.app.db.begin().await.unwrap();
    let first = insert_chunk(&mut tx, &t, &open, chunk).await.unwrap().batch;
    tx.commit().await.unwrap();
    assert_eq!(first.lines, 1_000);

    // A second run that does not know of the first one's chunk is turned away.
    let chunk = reader(&t, &open, file.as_bytes()).next().await.unwrap().unwrap();
    let mut tx = t.app.db.begin().await.unwrap();
    match insert_chunk(&mut tx, &t, &open, chunk).await {
        Err(Failure::Refused(refusal)) => assert_eq!(refusal.code.as_str(), "IN_PROGRESS"),
        other => panic!("{other:?}"),
    }
    drop(tx);

    let ended = go_on(&t, first, file.as_bytes()).await;
    assert_eq!((ended.lines, ended.added, ended.refused), (2_300, 2_300, 0));
    assert_eq!(t.db.one("select string_agg(state, '') from key_batch").await, "done");
    t.finish().await;
}

/// Rows: K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_sold_in_the_order_of_the_file() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let file: String = (0..50).map(|n| format!("KEY-{n}\n")).collect();
    import(&t, v, file.as_bytes()).await;
    let units = super::fixture::units(&t, v, 50).await;
    super::fixture::sell(&t, v, &units).await;
    let mut conn = t.app.db.conn().await.unwrap();
    let mut opened = dispense::vault::reveal::open(&mut conn, &t.app, &units).await.unwrap();
    opened.sort_by_key(|k| units.iter().position(|u| *u == k.unit_id));
    let texts: Vec<String> = opened.iter().map(|k| k.text.expose().to_owned()).collect();
    assert_eq!(texts, (0..50).map(|n| format!("KEY-{n}")).collect::<Vec<_>>());
    drop(conn);
    t.finish().await;
}

/// Gives endless lines a few bytes at a time and counts what was asked of it.
struct Endless {
    at: usize,
    lines: usize,
    given: Arc<AtomicUsize>,
}

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        while out.remaining() > 64 && self.at < self.lines {
            // Every tenth line repeats the one before it.
            let n = if self.at % 10 == 9 { self.at - 1 } else { self.at };
            let line = format!("STREAM-{n:08}\n");
            out.put_slice(line.as_bytes());
            self.at += 1;
            self.given.fetch_add(line.len(), Ordering::SeqCst);
        }
        Poll::Ready(Ok(()))
    }
}

/// Rows: K2, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_lines_stream_through_with_never_more_than_a_chunk_in_memory() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let given = Arc::new(AtomicUsize::new(0));
    let input = Endless { at: 0, lines: 20_000, given: given.clone() };
    let mut batch = intake::open_batch(&t.app, &Actor::system(), NewBatch::import(v)).await.unwrap();
    let mut reader = reader(&t, &batch, input);
    let mut used = 0;
    while let Some(chunk) = reader.next().await.unwrap() {
        assert!(chunk.keys.len() <= CHUNK);
        used += CHUNK * "STREAM-00000000\n".len();
        let ahead = given.load(Ordering::SeqCst).saturating_sub(used);
        assert!(ahead <= 64 * 1024, "{ahead} bytes were read ahead");
        let mut tx = t.app.db.begin().await.unwrap();
        let done = insert_chunk(&mut tx, &t, &batch, chunk).await.unwrap();
        tx.commit().await.unwrap();
        batch = done.batch;
    }
    assert_eq!((batch.lines, batch.added, batch.refused), (20_000, 18_000, 2_000));
    let report = problems(&t, &batch).await;
    assert!(report.iter().enumerate().all(|(n, line)| *line == format!("{}:DUPLICATE", (n + 1) * 10)));
    t.finish().await;
}
