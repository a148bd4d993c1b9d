use std::os::unix::fs::PermissionsExt;

use chrono::TimeDelta;

use crate::harness::{Said, TestApp, shop};

/// The mails in the data folder, decoded as far as a test needs.
fn mails(t: &TestApp) -> Vec<(std::path::PathBuf, String)> {
    let Ok(entries) = std::fs::read_dir(t.data.path().join("mail")) else { return Vec::new() };
    let mut all: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
    all.sort();
    all.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// Rows: D2, D3, D4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paid_order_is_mailed_with_its_key_and_the_key_is_marked_as_mailed() {
    let t = TestApp::start_with(shop::with_generic).await;
    let variant = t.selling_keys(0, 990).await;
    let keys = t.import(variant, 1).await;
    t.canary(&keys[0]);
    let placed = t.order(variant, 1).await;
    t.notify(&Said::paid(&placed, "T1")).await;
    assert_eq!(
        t.db.one("select count(*) from message where kind = 'order_delivered' and state = 'queued'").await,
        "1"
    );
    assert!(mails(&t).is_empty(), "nothing leaves before the commit");
    t.drain().await;
    let mails = mails(&t);
    assert_eq!(mails.len(), 1);
    let (path, text) = &mails[0];
    assert!(text.contains(&keys[0]), "{text}");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(t.db.one("select count(*) from vault_key where mailed_at is not null").await, "1");
    assert_eq!(
        t.db.one("select m.state || ' ' || a.outcome || ' ' || a.attempt from message m join message_attempt a on a.message_id = m.id").await,
        "sent sent 1"
    );
    let masked = t.db.one("select recipient from message_attempt").await;
    assert!(masked.contains('…'), "{masked}");

    t.sweep().await;
    assert_eq!(self::mails(&t).len(), 1, "young mails stay");
    t.advance(TimeDelta::days(8)).await;
    t.sweep().await;
    assert_eq!(self::mails(&t).len(), 0, "old ones go");
    t.drain().await;
    t.finish().await;
}

/// Rows: D2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_that_says_link_only_is_mailed_without_its_key() {
    let t = TestApp::start_with(shop::with_generic).await;
    let variant = t.selling_keys(0, 990).await;
    t.db.sql("update variant set mail_policy = 'link'").await;
    let keys = t.import(variant, 1).await;
    let placed = t.order(variant, 1).await;
    t.db.sql("update order_line set mail_policy = 'link'").await;
    t.notify(&Said::paid(&placed, "T1")).await;
    t.drain().await;
    let mails = mails(&t);
    assert_eq!(mails.len(), 1);
    assert!(!mails[0].1.contains(&keys[0]));
    assert!(mails[0].1.contains(&placed.order.number));
    assert_eq!(t.db.one("select count(*) from vault_key where mailed_at is not null").await, "0");
    t.finish().await;
}

/// Rows: D3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_refunded_before_its_mail_left_is_not_mailed_its_key() {
    let t = TestApp::start_with(shop::with_generic).await;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.order(variant, 1).await;
    t.notify(&Said::paid(&placed, "T1")).await;
    t.db.sql("update unit set state = 'revoked', revoked_at = app_now()").await;
    t.drain().await;
    assert!(mails(&t).is_empty());
    assert_eq!(t.db.one("select state from message where kind = 'order_delivered'").await, "failed");
    assert_eq!(t.db.one("select count(*) from vault_key where mailed_at is not null").await, "0");
    t.finish().await;
}
