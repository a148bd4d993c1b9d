//! The server dies by SIGKILL in the middle of downloads and uploads.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::shop::{FileShop, content, link};
use crate::harness::{Server, TestApp};

/// What a client gets before the connection is gone.
async fn until_cut(request: reqwest::RequestBuilder) -> Vec<u8> {
    use futures::StreamExt;
    let Ok(answer) = request.send().await else { return Vec::new() };
    let mut got = Vec::new();
    let mut body = answer.bytes_stream();
    while let Some(Ok(piece)) = body.next().await {
        got.extend_from_slice(&piece);
    }
    got
}

/// Rows: L5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_survives_the_kill_of_its_server_and_counts_once() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let bytes = content(20_000_000, 30);
    shop.publish(&t, "big.bin", "1", &bytes).await;
    for point in ["download.session_committed", "download.streaming:30"] {
        let (_, grant) = shop.granted(&t, Some(1)).await;
        let path = format!("/downloads/{}", link(&t, grant).await.token);
        let setup =
            Server::of(&t.db.app_url()).data(t.data.path()).arg("--no-worker").env("DISPENSE_FAULT", point);
        let mut server = setup.clone().start();
        let mut got = until_cut(t.http().get(server.url(&path))).await;
        assert!(server.was_killed(Duration::from_secs(20)), "{point}");
        assert!(got.len() < bytes.len());
        let mut server = setup.without_env("DISPENSE_FAULT").start();
        let rest = t.http().get(server.url(&path)).header("range", format!("bytes={}-", got.len()));
        got.extend_from_slice(&until_cut(rest).await);
        assert_eq!(Sha256::digest(&got), Sha256::digest(&bytes), "{point}");
        let counted = format!(
            "select used || ' ' || (select count(*) from download_session where grant_id = g.id) \
             from download_grant g where id = '{}'",
            grant.0
        );
        assert_eq!(t.db.one(&counted).await, "1 1", "{point}");
        assert!(server.terminate().success());
    }
    t.finish().await;
}
