//! The COMMIT is cut on its way, or its answer is swallowed (FAULTS A4, A5): a proxy between program and database.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::shop::{assert_sound, durable, generic_account, many_orders};
use crate::harness::Server;
use crate::harness::shop::notify;

const OFF: u8 = 0;
const CUT_BEFORE: u8 = 1;
const SWALLOW_AFTER: u8 = 2;

/// Passes bytes between a socket of its own and the database's. Armed, it spoils the next COMMIT of a connection that
/// has written a notice.
struct Proxy {
    folder: tempfile::TempDir,
    armed: Arc<AtomicU8>,
    spoiled: Arc<AtomicU32>,
}

impl Proxy {
    fn start(to: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let (armed, spoiled) = (Arc::new(AtomicU8::new(OFF)), Arc::new(AtomicU32::new(0)));
        let (arm, count) = (armed.clone(), spoiled.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(to.join(".s.PGSQL.5432")).await.unwrap();
                tokio::spawn(pass(client, server, arm.clone(), count.clone()));
            }
        });
        Self { folder, armed, spoiled }
    }
}

async fn pass(client: UnixStream, server: UnixStream, armed: Arc<AtomicU8>, spoiled: Arc<AtomicU32>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (swallow, swallowing) = tokio::sync::oneshot::channel::<()>();
    let up = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        let (mut settles, mut swallow) = (false, Some(swallow));
        while let Ok(n @ 1..) = from_client.read(&mut buffer).await {
            let bytes = &buffer[..n];
            settles |= bytes.windows(11).any(|w| w == b"notice_body");
            let commits = bytes.windows(7).any(|w| w.eq_ignore_ascii_case(b"commit\0"));
            if settles && commits {
                match armed.swap(OFF, Ordering::SeqCst) {
                    CUT_BEFORE => {
                        spoiled.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    SWALLOW_AFTER => {
                        spoiled.fetch_add(1, Ordering::SeqCst);
                        let _ = swallow.take().unwrap().send(());
                        // The reading side must stop before the answer can come.
                        tokio::task::yield_now().await;
                        let _ = to_server.write_all(bytes).await;
                        // Held open until the server has answered into nothing.
                        let _ = from_client.read(&mut buffer).await;
                        return;
                    }
                    _ => {}
                }
            }
            if to_server.write_all(bytes).await.is_err() {
                return;
            }
        }
    });
    let down = async move {
        let mut buffer = vec![0; 64 * 1024];
        let mut swallowing = swallowing;
        let mut may_swallow = true;
        loop {
            tokio::select! {
                biased;
                reported = &mut swallowing, if may_swallow => {
                    if reported.is_ok() {
                        // Reads the answer and closes without passing it on.
                        let _ = from_server.read(&mut buffer).await;
                        return;
                    }
                    may_swallow = false;
                }
                read = from_server.read(&mut buffer) => match read {
                    Ok(n @ 1..) => if to_client.write_all(&buffer[..n]).await.is_err() { return },
                    _ => return,
                },
            }
        }
    };
    // Either side's end is the end of both.
    tokio::select! { _ = up => {}, () = down => {} }
}

async fn spoil(how: u8, expected_rows_after_one_try: &str) {
    let (cluster, t) = durable().await;
    let variant = t.selling_keys(5, 990).await;
    let orders = many_orders(&t, variant, 2).await;
    let proxy = Proxy::start(cluster.socket().to_owned());
    let url =
        t.db.app_url()
            .replace(&cluster.socket().display().to_string(), &proxy.folder.path().display().to_string());
    let server = Server::of(&url).config(&generic_account()).arg("--no-worker").start();
    proxy.armed.store(how, Ordering::SeqCst);
    // The program looks its commit up and answers the truth; the gateway need not even come again.
    let (status, _) = notify(t.http(), &server.url(""), t.app.clock.unix(), &orders[0].paid()).await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(proxy.spoiled.load(Ordering::SeqCst), 1, "a COMMIT was spoiled");
    assert_eq!(t.db.one("select count(*) from notice").await, expected_rows_after_one_try);
    assert_sound(&t, 1, 1).await;
    for order in &orders {
        let (status, _) = notify(t.http(), &server.url(""), t.app.clock.unix(), &order.paid()).await.unwrap();
        assert_eq!(status, 200);
    }
    assert_sound(&t, 2, 2).await;
    t.finish_with_jobs().await;
}

/// Rows: P5, P6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_cut_before_it_reached_the_database_is_done_again() {
    spoil(CUT_BEFORE, "1").await;
}

/// Rows: P5, P6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_is_looked_up_and_not_done_twice() {
    spoil(SWALLOW_AFTER, "1").await;
}
