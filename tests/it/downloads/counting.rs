use chrono::TimeDelta;
use dispense::app::App;
use dispense::base::ids::GrantId;
use futures::StreamExt;
use futures::future::join_all;
use sha2::{Digest, Sha256};

use super::shop::{FileShop, content, link, refusal};
use crate::check::planted::{Planted, find_all};
use crate::harness::{TestApp, with_generic};

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

/// Rows: L5, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_copies_at_two_servers_are_whole_or_refused_and_serve_no_more_than_one_download_may() {
    let t = TestApp::start().await;
    let second = Second::start(&t).await;
    let shop = FileShop::open(&t).await;
    let size = 2_000_000;
    shop.publish(&t, "a.bin", "1", &content(size, 11)).await;
    let (_, grant) = shop.granted(&t, Some(1)).await;
    let here = link(&t, grant).await.url;
    let there = here.replace(&t.base, &second.base);
    let mut copies: Vec<String> = join_all((0..12).map(|n| {
        let request = t.http().get(if n % 2 == 0 { &here } else { &there });
        async {
            let answer = request.send().await.unwrap();
            match answer.status().as_u16() {
                200 => format!("200 {}", answer.bytes().await.map_or(0, |bytes| bytes.len())),
                _ => refusal(answer).await,
            }
        }
    }))
    .await;
    copies.sort();
    let whole = vec![format!("200 {size}"); 3];
    assert_eq!(copies, [whole, vec!["403 GRANT_EXHAUSTED".to_owned(); 9]].concat());
    assert_eq!(
        t.db.one("select served_bytes || ' ' || reserved_bytes || ' ' || byte_cap from download_session")
            .await,
        "6000000 0 6000000"
    );
    assert_eq!(counted(&t).await, "1 1");
    second.stop().await;
    t.finish().await;
}

/// Another server over the same database and files.
struct Second {
    base: String,
    stop: tokio::sync::oneshot::Sender<()>,
    server: tokio::task::JoinHandle<()>,
}

impl Second {
    async fn start(t: &TestApp) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = App::start(t.app.config.clone(), t.app.clock.clone(), &t.db.app_url()).await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            dispense::http::serve_with(app.http(), listener, stopped, Vec::new()).await.unwrap();
        });
        Self { base, stop, server }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.server.await.unwrap();
    }
}

/// Until a session's numbers are these: what broke off is written down by itself.
async fn until_served(t: &TestApp, expected: &str) {
    let sql = "select (served_bytes > 0)::text || ' ' || reserved_bytes from download_session";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while t.db.one(sql).await != expected {
        assert!(std::time::Instant::now() < deadline, "{}", t.db.one(sql).await);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Rows: L5, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_body_reserved_is_given_back_when_it_breaks_off_and_when_nothing_is_heard_of_it() {
    let t = TestApp::start_with(with_generic).await;
    let shop = FileShop { variant: t.variant_on_sale("file", 500).await };
    let size: i64 = 24 << 20;
    shop.publish(&t, "a.bin", "1", &content(size as usize, 3)).await;
    t.paid_order(shop.variant, 1).await;
    let grant = t.db.one("select id from download_grant").await.parse().map(GrantId).unwrap();
    let url = link(&t, grant).await.url;
    let mut hangs = t.http().get(&url).send().await.unwrap();
    hangs.chunk().await.unwrap();
    let left = t.db.one("select bytes_left from download_stream").await.parse::<i64>().unwrap();
    assert!(left > size / 2, "the whole body was reserved before it left: {left}");
    drop(hangs);
    until_served(&t, "true 0").await;

    let mut hangs = t.http().get(&url).send().await.unwrap();
    hangs.chunk().await.unwrap();
    t.db.sql("update download_stream set alive_until = app_now() - interval '1 second'").await;
    t.sweep().await;
    assert_eq!(t.db.one("select reserved_bytes from download_session").await, "0");
    assert_eq!(t.db.one("select count(*) from download_stream").await, "0");
    let mut got = 0;
    let cut = loop {
        match hangs.chunk().await {
            Ok(Some(bytes)) => got += bytes.len(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(cut && got < size as usize, "its bytes are not its own any more");
    until_served(&t, "true 0").await;
    crate::check::clean::number(&t).await;
    find_all(&t, &PLANTED).await;
    t.drain_all().await;
    t.finish_with_jobs().await;
}

const PLANTED: [Planted; 2] = [
    Planted {
        sql: "update download_session set reserved_bytes = 1",
        found_by: "a session has reserved what its bodies still need, and no more than it may serve",
        names: "session ",
    },
    Planted {
        sql: "insert into download_stream select gen_random_uuid(), id, 0, app_now() - interval '2 days' from download_session",
        found_by: "a body of which nothing is heard has given back what it reserved",
        names: "stream ",
    },
];

/// Rows: L5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_broke_off_again_and_again_from_its_start_goes_on_where_it_broke_off() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let bytes = content(400_000, 5);
    shop.publish(&t, "a.bin", "1", &bytes).await;
    let (_, grant) = shop.granted(&t, Some(1)).await;
    let url = link(&t, grant).await.url;
    // As often as it may: what broke off is counted by what was sent.
    for _ in 0..3 {
        let part = t.http().get(&url).header("range", "bytes=0-299999").send().await.unwrap();
        assert_eq!(part.bytes().await.unwrap().len(), 300_000);
    }
    let refused = t.http().get(&url).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    let problem: serde_json::Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(problem["code"], "GRANT_EXHAUSTED");
    assert!(problem["detail"].as_str().unwrap().contains("range request"), "{problem}");
    let rest = t.http().get(&url).header("range", "bytes=300000-").send().await.unwrap();
    assert_eq!(rest.bytes().await.unwrap(), bytes[300_000..]);
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
        // Sixteen whole copies are more than one download may serve: its limit is not what this test is about.
        t.db.sql("update download_session set byte_cap = 1000000000").await;
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
