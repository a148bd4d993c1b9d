use dispense::files;

use super::shop::FileShop;
use crate::harness::TestApp;

/// Rows: L1, L9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_unit_gets_one_grant_per_file_for_the_newest_version_that_is_not_yanked() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    shop.empty_file(&t, "a.zip", &["1", "2", "3"]).await;
    shop.empty_file(&t, "b.zip", &["1"]).await;
    t.db.sql("update file_version set yanked_at = app_now() where version = '3'").await;
    let sale = shop.sell(&t, 3).await;
    let granted = shop.grant(&t, &sale, Some(5)).await;
    assert_eq!(granted.len(), 6);
    let versions = t
        .db
        .sql("select v.name, v.version, count(distinct unit_id), count(distinct g.id), min(max_downloads), \
              bool_and(g.expires_at = 'infinity') from download_grant g join file_version v on v.id = file_version_id \
              group by 1, 2 order by 1")
        .await;
    let text: Vec<String> =
        versions.iter().map(|r| r.iter().flatten().cloned().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(text, ["a.zip 2 3 3 5 t", "b.zip 1 3 3 5 t"]);
    assert!(shop.grant(&t, &sale, Some(5)).await.is_empty(), "a second time changes nothing");
    t.finish().await;
}

/// Rows: L1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_whose_variant_has_no_file_gets_no_grant_and_no_error() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let sale = shop.sell(&t, 1).await;
    assert!(shop.grant(&t, &sale, None).await.is_empty());
    t.finish().await;
}

/// Rows: L3, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoking_units_ends_their_grants_links_and_sessions_once() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    shop.empty_file(&t, "a.zip", &["1"]).await;
    let sale = shop.sell(&t, 2).await;
    let granted = shop.grant(&t, &sale, None).await;
    for grant in &granted {
        let (link, session) = (t.app.clock.uuid(), t.app.clock.uuid());
        t.db.sql(&format!(
            "insert into download_link (id, grant_id, kind, expires_at) values ('{link}', '{g}', 'download', 'infinity'); \
             insert into download_session (id, grant_id, link_id, file_version_id, expires_at, byte_cap) \
             values ('{session}', '{g}', '{link}', '{v}', 'infinity', 0)",
            g = grant.id.0,
            v = grant.file_version_id.0
        ))
        .await;
    }
    for expected in [1, 0] {
        let mut tx = t.app.db.begin().await.unwrap();
        let revoked = files::revoke(&mut tx, &sale.units[..1], "system").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(revoked.len(), expected);
    }
    t.drain_all().await;
    let state = "select count(*) filter (where g.state = 'revoked') || ' ' || count(closed_at) || ' ' || count(revoked_at) \
        from download_grant g join download_link l on l.grant_id = g.id join download_session s on s.grant_id = g.id";
    assert_eq!(t.db.one(state).await, "1 1 1");
    assert_eq!(t.db.one("select count(*) from event where kind = 'grant.revoked'").await, "1");
    t.finish().await;
}
