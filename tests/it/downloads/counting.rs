use chrono::TimeDelta;
use futures::StreamExt;
use futures::future::join_all;
use sha2::{Digest, Sha256};

use super::shop::{FileShop, content, link, refusal};
use crate::harness::TestApp;

/// `used` of the only grant and the number of its sessions.
async fn counted(t: &TestApp) -> String {
    t.db.one("select max(used) || ' ' || (select count(*) from download_session) from download_grant").await
}

/// Rows: L3, L5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_first_requests_at_once_of_a_one_time_link_are_one_download() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let bytes = content(100_000, 5);
    shop.publish(&t, "a.bin", "1", &bytes).await;
    let (_, grant) = shop.granted(&t, Some(1)).await;
    let url = link(&t, grant).await.url;
    let part = |n: usize| {
        let request =
            t.http().get(&url).header("range", format!("bytes={}-{}", n * 2_000, n * 2_000 + 1_999));
        async move {
            // Sixteen at a time is all one process serves of a session, and a loaded machine may have no free
            // connection for a moment: the others come again.
            loop {
                let answer = request.try_clone().unwrap().send().await.unwrap();
                match answer.status().as_u16() {
                    206 => break answer.bytes().await.unwrap(),
                    status => assert!([429, 503].contains(&status), "{status}"),
                }
            }
        }
    };
    let parts = join_all((0..50).map(part)).await;
    assert_eq!(Sha256::digest(parts.concat()), Sha256::digest(&bytes));
    assert_eq!(counted(&t).await, "1 1");
    assert_eq!(t.db.one("select served_bytes from download_session").await, "100000");
    assert_eq!(t.db.one("select count(*) from event where kind = 'download.started'").await, "1");

    // A second link joins the open session.
    let second = link_of(&t, grant).await;
    assert_eq!(t.http().get(&second).send().await.unwrap().bytes().await.unwrap(), bytes);
    assert_eq!(counted(&t).await, "1 1");
    // A day later the session is over, and nothing is left.
    t.advance(TimeDelta::hours(25)).await;
    for url in [&url, &second] {
        assert_eq!(refusal(t.http().get(url).send().await.unwrap()).await, "403 GRANT_EXHAUSTED");
    }
    assert_eq!(dispense::delivery::sweep::close_lapsed_sessions(&t.app).await.unwrap(), 1);
    assert_eq!(dispense::delivery::sweep::close_lapsed_sessions(&t.app).await.unwrap(), 0);
    t.finish().await;
}

async fn link_of(t: &TestApp, grant: dispense::base::ids::GrantId) -> String {
    let link = link(t, grant).await;
    assert!(!link.counts_on_start);
    link.url
}

/// Rows: L3, L5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_started_link_resumes_long_after_its_minutes_and_a_fresh_one_does_not_start() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let bytes = content(1_000, 6);
    shop.publish(&t, "a.bin", "1", &bytes).await;
    let (_, grant) = shop.granted(&t, Some(2)).await;
    let (started, fresh) = (link(&t, grant).await.url, link(&t, grant).await.url);
    let first = t.http().get(&started).header("range", "bytes=0-99").send().await.unwrap();
    assert_eq!(first.bytes().await.unwrap(), bytes[..100]);
    t.advance(TimeDelta::minutes(11)).await;
    let rest = t.http().get(&started).header("range", "bytes=100-").send().await.unwrap();
    assert_eq!(rest.bytes().await.unwrap(), bytes[100..]);
    assert_eq!(refusal(t.http().get(&fresh).send().await.unwrap()).await, "410 LINK_EXPIRED");
    t.advance(TimeDelta::hours(24)).await;
    assert_eq!(refusal(t.http().get(&started).send().await.unwrap()).await, "410 LINK_EXPIRED");
    // A new link counts the second download: the lapsed session is closed on the way.
    let again = link(&t, grant).await;
    assert!(again.counts_on_start);
    assert_eq!(t.http().get(&again.url).send().await.unwrap().bytes().await.unwrap(), bytes);
    assert_eq!(counted(&t).await, "2 2");
    assert_eq!(t.db.one("select count(*) from download_session where closed_at is null").await, "1");
    t.finish().await;
}

/// Rows: L5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_download_serves_three_times_the_file_and_the_next_link_counts_again() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let bytes = content(500_000, 7);
    shop.publish(&t, "a.bin", "1", &bytes).await;
    let (_, grant) = shop.granted(&t, Some(2)).await;
    let url = link(&t, grant).await.url;
    for _ in 0..2 {
        assert_eq!(t.http().get(&url).send().await.unwrap().bytes().await.unwrap().len(), 500_000);
    }
    let part = t.http().get(&url).header("range", "bytes=0-399999").send().await.unwrap();
    assert_eq!(part.bytes().await.unwrap().len(), 400_000);
    // 100,000 bytes are left: what they cannot pay for is not begun, what they can is served.
    assert_eq!(refusal(t.http().get(&url).send().await.unwrap()).await, "403 GRANT_EXHAUSTED");
    let rest = t.http().get(&url).header("range", "bytes=400000-").send().await.unwrap();
    assert_eq!(rest.bytes().await.unwrap(), bytes[400_000..]);
    assert_eq!(t.db.one("select served_bytes from download_session").await, "1500000");
    assert_eq!(
        refusal(t.http().get(&url).header("range", "bytes=0-0").send().await.unwrap()).await,
        "403 GRANT_EXHAUSTED"
    );
    let next = link(&t, grant).await.url;
    assert_eq!(t.http().get(&next).send().await.unwrap().bytes().await.unwrap(), bytes);
    assert_eq!(counted(&t).await, "2 2");
    t.finish().await;
}

/// Rows: L5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_copies_together_serve_no_more_than_one_download_may() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let size = 2_000_000;
    shop.publish(&t, "a.bin", "1", &content(size, 11)).await;
    let (_, grant) = shop.granted(&t, Some(1)).await;
    let url = link(&t, grant).await.url;
    let copies = join_all((0..10).map(|_| async {
        match t.http().get(&url).send().await {
            Ok(answer) if answer.status() == 200 => answer.bytes().await.map_or(0, |b| b.len()),
            _ => 0,
        }
    }))
    .await;
    assert!(copies.iter().filter(|c| **c == size).count() <= 3, "{copies:?}");
    let within = "select bool_and(served_bytes <= byte_cap and byte_cap = 6000000) from download_session";
    assert_eq!(t.db.one(within).await, "t");
    assert_eq!(counted(&t).await, "1 1");
    t.finish().await;
}

/// Rows: L5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_connections_share_a_download_and_the_seventeenth_waits() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    shop.publish(&t, "a.bin", "1", &content(24 << 20, 8)).await;
    let (_, grant) = shop.granted(&t, Some(1)).await;
    let url = link(&t, grant).await.url;
    let mut open = Vec::new();
    for _ in 0..16 {
        // Each takes its first piece and reads no further.
        let mut body = t.http().get(&url).send().await.unwrap().bytes_stream();
        assert!(body.next().await.unwrap().is_ok());
        open.push(body);
    }
    let answer = t.http().get(&url).send().await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "5");
    assert_eq!(refusal(answer).await, "429 RATE_LIMITED");
    assert_eq!(counted(&t).await, "1 1");
    drop(open);
    t.finish().await;
}

/// Rows: L8, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_ends_a_running_stream_within_eight_mebibytes() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let size = 64 << 20;
    shop.publish(&t, "a.bin", "1", &content(size, 9)).await;
    let (sale, grant) = shop.granted(&t, Some(1)).await;
    let url = link(&t, grant).await.url;
    let mut body = t.http().get(&url).send().await.unwrap().bytes_stream();
    let mut got = body.next().await.unwrap().unwrap().len();
    let mut tx = t.app.db.begin().await.unwrap();
    dispense::files::revoke(&mut tx, &sale.units, "system").await.unwrap();
    tx.commit().await.unwrap();
    let failed = loop {
        match body.next().await {
            Some(Ok(piece)) => got += piece.len(),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(failed, "a stream that is cut must not look finished");
    // What the sockets on both sides held when the refund came is on its way already.
    assert!(got < 8 * 1024 * 1024 * 2 + (6 << 20), "{got}");
    let served: usize = t.db.one("select served_bytes from download_session").await.parse().unwrap();
    assert!(served < size / 2, "{served}");
    assert_eq!(refusal(t.http().get(&url).send().await.unwrap()).await, "403 REVOKED");
    t.finish().await;
}
