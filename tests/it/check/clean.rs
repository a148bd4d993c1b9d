//! Sound shops pass, and the command says so.

use dispense::base::ids::GrantId;
use dispense::check;
use dispense::infra::sequence::{self, Step};

use super::planted::{Planted, find_all};
use crate::downloads::shop::{FileShop, content, link};
use crate::harness::{Said, Server, TestApp, with_generic};

/// Sales of every kind of ending: delivered, waiting, underpaid, paid twice, refunded, downloaded.
pub async fn busy_shop() -> TestApp {
    let t = TestApp::start_with(with_generic).await;
    let keys = t.selling_keys(6, 990).await;
    let large = t.order(keys, 5).await;
    t.paid_order(keys, 2).await;
    let twice = t.paid_order(keys, 1).await;
    assert_eq!(t.notify(&Said::paid(&twice, "SECOND")).await.0, 200);
    let under = t.order(keys, 1).await;
    assert_eq!(t.notify(&Said { amount_minor: 1, ..Said::paid(&under, "UNDER") }).await.0, 200);
    t.order(keys, 1).await;
    let back = t.paid_order(keys, 1).await;
    let trade = format!("T{}", back.order.number);
    let refund = Said {
        id: "evt_refund".into(),
        kind: "payment.refunded",
        refunded_minor: Some(990),
        ..Said::paid(&back, &trade)
    };
    assert_eq!(t.notify(&refund).await.0, 200);
    assert_eq!(t.notify(&refund).await.0, 200);
    assert_eq!(t.notify(&Said::paid(&large, "LARGE")).await.0, 200);
    let files = FileShop { variant: t.variant_on_sale("file", 500).await };
    files.publish(&t, "book.zip", "1", &content(5_000, 1)).await;
    t.paid_order(files.variant, 1).await;
    let grant = t.db.one("select id from download_grant").await.parse().map(GrantId).unwrap();
    let url = link(&t, grant).await.url;
    assert_eq!(t.http().get(url).send().await.unwrap().status().as_u16(), 200);
    number(&t).await;
    t
}

/// Numbers all events.
pub async fn number(t: &TestApp) {
    while sequence::step(&t.app.db).await.unwrap() != Step::Numbered(0) {}
}

/// Rows: K4, P4, P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_lived_through_all_endings_passes_and_so_does_an_empty_one() {
    let empty = TestApp::start().await;
    let report = check::run(&empty.app.db, &empty.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    empty.finish().await;
    let t = busy_shop().await;
    let report = check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.opened, 6);
    assert!(report.sealed_events > 10);
    assert_eq!(
        report.verdicts.iter().map(|v| v.number).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 16, 17, 20, 21, 22, 23, 24, 25, 26]
    );
    t.finish_with_jobs().await;
}

/// Rows: K4, P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_ends_with_success_or_names_the_first_counter_example_and_no_secret() {
    let t = busy_shop().await;
    let run = || Server::of(&t.db.app_url()).command(&["check"]).output().unwrap();
    let output = run();
    let reported = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{reported}{}", String::from_utf8_lossy(&output.stderr));
    assert!(reported.contains("21 invariants, 0 violated"), "{reported}");
    let key = t.db.one("select id from vault_key where state = 'sold' order by id limit 1").await;
    t.db.sql(&format!("update vault_key set state = 'voided', voided_at = app_now() where id = '{key}'"))
        .await;
    let output = run();
    let reported = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{reported}");
    assert!(reported.contains("VIOLATED  1."), "{reported}");
    let unit = t.db.one(&format!("select unit_id from vault_key where id = '{key}'")).await;
    assert!(reported.contains(&format!("first of 1: unit {unit}")), "{reported}");
    assert!(!reported.contains("KEY-"), "a key was reported");
    t.finish_with_jobs().await;
}

/// Rows: K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sales_go_on_while_it_reads() {
    let t = busy_shop().await;
    let keys = t.selling_keys(20, 990).await;
    let secrets = &t.app.config.secrets;
    let sell = async {
        for _ in 0..20 {
            t.paid_order(keys, 1).await;
        }
    };
    let prove = async {
        for _ in 0..5 {
            let report = check::run(&t.app.db, secrets).await.unwrap();
            assert!(report.is_clean(), "{report}");
        }
    };
    tokio::join!(sell, prove);
    find_all(&t, &[] as &[Planted]).await;
    t.finish_with_jobs().await;
}
