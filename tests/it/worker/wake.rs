//! Processes of one shop wake each other.

use std::time::Duration;

use dispense::infra::wake;
use tokio_util::sync::CancellationToken;

use crate::faults::shop::{generic_account, many_orders};
use crate::harness::shop::notify;
use crate::harness::{Server, TestApp, with_generic};

/// Rows: D9, P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_without_a_worker_commits_is_heard_by_the_others() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(60, 990).await;
    let orders = many_orders(&t, variant, 60).await;
    let stop = CancellationToken::new();
    let listening = tokio::spawn(wake::run(t.app.db.clone(), t.app.bell.clone(), stop.clone()));
    let mut server = Server::of(&t.db.app_url()).config(&generic_account()).arg("--no-worker").start();
    let mut rings = t.app.bell.listen();
    rings.borrow_and_update();
    // Who listens a moment too late hears of the next.
    let mut heard = false;
    for order in &orders {
        let paid = order.paid();
        let (status, _) = notify(t.http(), &server.url(""), t.app.clock.unix(), &paid).await.unwrap();
        assert_eq!(status, 200);
        heard = tokio::time::timeout(Duration::from_millis(500), rings.changed()).await.is_ok();
        if heard {
            break;
        }
    }
    assert!(heard, "nobody was woken");
    stop.cancel();
    listening.await.unwrap();
    server.terminate();
    t.finish_with_jobs().await;
}
