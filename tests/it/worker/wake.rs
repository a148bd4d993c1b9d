//! Processes of one shop wake each other.

use std::time::Duration;

use dispense::infra::wake;
use tokio_util::sync::CancellationToken;

use crate::faults::shop::{generic_account, many_orders};
use crate::harness::shop::notify;
use crate::harness::{Server, TestApp};

/// Rows: D9, P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_without_a_worker_commits_is_heard_by_the_others() {
    let t = TestApp::start().await;
    let variant = t.selling_keys(2, 990).await;
    let orders = many_orders(&t, variant, 1).await;
    let stop = CancellationToken::new();
    let listening = tokio::spawn(wake::run(t.app.db.clone(), t.app.bell.clone(), stop.clone()));
    let listens =
        "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen %'";
    let mut server = Server::of(&t.db.app_url()).config(&generic_account()).arg("--no-worker").start();
    let both = async {
        while t.db.one(listens).await != "2" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
    let mut rings = t.app.bell.listen();
    rings.borrow_and_update();
    let paid = orders[0].paid();
    let (status, _) = notify(t.http(), &server.url(""), t.app.clock.unix(), &paid).await.unwrap();
    assert_eq!(status, 200);
    tokio::time::timeout(Duration::from_secs(30), rings.changed()).await.unwrap().unwrap();
    // Its own word wakes nobody here a second time.
    stop.cancel();
    listening.await.unwrap();
    server.terminate();
    t.finish_with_jobs().await;
}
