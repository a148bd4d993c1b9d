use dispense::base::ids::SHOP;
use dispense::infra::effects::events::{self, Event};
use dispense::payments::events::{Reopened, ShopEvent};

use crate::harness::TestApp;

/// Rows: O3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_written_with_the_transaction_and_goes_with_its_rollback() {
    let t = TestApp::start().await;
    let event = ShopEvent::Opened(SHOP, Reopened { epoch: 1 }).by("system");
    let tx = t.app.db.begin().await.unwrap();
    events::append(&tx, std::slice::from_ref(&event)).await.unwrap();
    drop(tx);
    assert_eq!(t.db.one("select count(*) from event").await, "0");
    let tx = t.app.db.begin().await.unwrap();
    events::append(&tx, &[event.clone(), event]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(t.db.one("select count(*) from event where body->>'epoch' = '1'").await, "2");
    t.finish().await;
}
