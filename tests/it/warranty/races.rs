//! Many replace the same delivery at once.

use futures::future::join_all;
use serde_json::json;

use super::shop::{boss, keys, replace, units};
use crate::graphql::doors::shop::{once, refusal};
use crate::harness::{TestApp, with_generic};

/// Rows: K13 (deliveryReplace), D1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_who_replace_one_delivery_at_once_replace_it_once() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(6, 500).await;
    t.paid_order(variant, 2).await;
    let boss = boss(&t).await;
    let pieces = units(&t, "select id from unit order by unit_no").await;
    // Eight people.
    let said = join_all((0..8).map(|_| replace(&boss, &pieces[0], json!({})))).await;
    let mut codes: Vec<String> = said.iter().map(refusal).collect();
    codes.sort_unstable();
    assert_eq!((codes.remove(7), codes), ("done".to_owned(), vec!["REPLACED deliveryId".to_owned(); 7]));
    // Eight tries of one.
    let more = json!({ "idempotencyKey": once() });
    let said = join_all((0..8).map(|_| replace(&boss, &pieces[1], more.clone()))).await;
    let first = said.iter().filter(|made| made["replayed"] == false).count();
    assert_eq!(first, 1, "{said:?}");
    assert!(
        said.iter().all(|made| refusal(made) == "done" && made["delivery"] == said[0]["delivery"]),
        "{said:?}"
    );
    assert_eq!(t.db.one("select count(*) from replacement").await, "2");
    t.drain().await;
    assert_eq!(keys(&t).await, "available:2 sold:2 voided:2");
    assert_eq!(t.db.one("select count(*) from message where kind = 'delivery_replaced'").await, "2");
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}

/// Replacing more pieces than there are keys: each key goes to one of them.
/// Rows: K13 (deliveryReplace).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacements_and_purchases_at_once_share_what_there_is() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(9, 500).await;
    t.paid_order(variant, 5).await;
    let boss = boss(&t).await;
    let pieces = units(&t, "select id from unit order by unit_no").await;
    let replaced = join_all(pieces.iter().map(|unit| replace(&boss, unit, json!({}))));
    let (said, _) = tokio::join!(replaced, join_all((0..3).map(|_| t.paid_order(variant, 1))));
    assert!(said.iter().all(|made| refusal(made) == "done"), "{said:?}");
    t.drain().await;
    assert_eq!(keys(&t).await, "sold:4 voided:5");
    let waiting = "select count(*) from unit where state = 'awaiting_stock'";
    assert_eq!(t.db.one(waiting).await, "4");
    t.import(variant, 4).await;
    t.drain().await;
    assert_eq!((t.db.one(waiting).await.as_str(), keys(&t).await.as_str()), ("0", "sold:8 voided:5"));
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}
