use dispense::base::actor::Actor;
use dispense::base::ids::SHOP;
use dispense::base::text::Locale;
use dispense::delivery;
use dispense::files;
use dispense::files::read;
use dispense::files::{NewUpload, NewVersion};
use dispense::fulfilment::publish_file::publish_file;

use super::shop::{FileShop, link, refusal};
use crate::harness::TestApp;

async fn got(t: &TestApp, url: &str) -> String {
    let answer = t.http().get(url).send().await.unwrap();
    if answer.status().is_success() { answer.text().await.unwrap() } else { refusal(answer).await }
}

/// Rows: L9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_reaches_earlier_buyers_when_updates_are_included() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    shop.publish(&t, "a.bin", "1", b"one").await;
    let (sale, grant) = shop.granted(&t, Some(1)).await;
    let before = link(&t, grant).await;
    let two = shop.publish(&t, "a.bin", "2", b"two").await;
    assert_eq!(t.db.one("select count(*) from file").await, "1");
    // A link serves what it promised; one made now serves the newest, within the same counted download.
    assert_eq!(got(&t, &before.url).await, "one");
    let after = link(&t, grant).await;
    assert_eq!(after.file.id, two.id);
    assert_eq!(got(&t, &after.url).await, "two");
    assert_eq!(got(&t, &before.url).await, "one");
    assert_eq!(t.db.one("select used from download_grant").await, "1");
    assert_eq!(t.db.one("select byte_cap from download_session").await, "18");

    t.db.sql("update order_line set terms = terms || '{\"updates_included\": false}'").await;
    assert_eq!(link(&t, grant).await.file.version, "1");
    let mut conn = t.app.db.conn().await.unwrap();
    let standing =
        dispense::delivery::read::list_standings_of_lines(&mut conn, &[sale.line]).await.unwrap().remove(0);
    assert_eq!(standing.newest_version_id, Some(two.id), "shown as newer, though not included");
    let offered = read::list_newest_of_variants(&mut conn, &[shop.variant]).await.unwrap();
    assert_eq!((offered.len(), offered[0].1.id), (1, two.id));
    t.finish().await;
}

/// Rows: L9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_yanked_version_is_no_longer_served_not_even_to_who_is_at_it() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let one = shop.publish(&t, "a.bin", "1", b"one").await;
    let (_, grant) = shop.granted(&t, None).await;
    let two = shop.publish(&t, "a.bin", "2", b"two").await;
    let url = link(&t, grant).await.url;
    assert_eq!(got(&t, &url).await, "two");
    for _ in 0..2 {
        let yanked = files::yank_version(&t.app, &Actor::system(), two.id).await.unwrap();
        assert!(yanked.yanked_at.is_some());
    }
    assert_eq!(got(&t, &url).await, "410 FILE_YANKED");
    assert_eq!(got(&t, &link(&t, grant).await.url).await, "one");
    files::yank_version(&t.app, &Actor::system(), one.id).await.unwrap();
    assert!(delivery::create_download_link(&t.app, grant, None, None).await.is_err());
    assert_eq!(t.db.one("select count(*) from event where kind = 'file.yanked'").await, "2");
    assert!(files::yank_version(&t.app, &Actor::guest(), one.id).await.is_err());
    t.finish().await;
}

/// Rows: L1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_is_published_once_and_only_for_its_own_seller() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let actor = Actor::system();
    shop.publish(&t, "a.bin", "1", b"one").await;
    let used: uuid::Uuid = t.db.one("select id from upload").await.parse().unwrap();
    let announced = NewUpload { seller_id: SHOP, name: "a.bin".into(), content_type: None, size: 3 };
    let open = files::create_upload(&t.app, &actor, announced).await.unwrap();
    let publish = async |upload, version: &str| {
        let new = NewVersion {
            variant_id: shop.variant,
            upload_id: upload,
            file_id: None,
            name: Some("b.bin".into()),
            version: version.into(),
            notes: Some(("Better.".into(), Locale::En)),
        };
        match publish_file(&t.app, &actor, new).await {
            Ok(version) => version.name,
            Err(dispense::base::outcome::Failure::Refused(refusal)) => refusal.code.as_str().to_owned(),
            Err(fault) => panic!("{fault:?}"),
        }
    };
    assert_eq!(publish(used.into(), "2").await, "FILE_NOT_READY");
    assert_eq!(publish(open.id, "2").await, "FILE_NOT_READY");
    let whole = futures::stream::iter([std::io::Result::Ok(bytes::Bytes::from_static(b"two"))]);
    files::upload::receive_upload(&t.app, &actor, open.id, whole).await.unwrap();
    assert_eq!(publish(open.id, "2").await, "b.bin");
    assert_eq!(t.db.one("select value from translation where field = 'notes'").await, "Better.");
    // A version's name is unique within its file.
    t.db.sql("update upload set state = 'complete'").await;
    assert_eq!(publish(open.id, "2").await, "INVALID");
    // Of another seller.
    t.db.sql(
        "insert into seller (id, slug, name) values ('00000000-0000-7000-8000-000000000002', 'two', 'Two')",
    )
    .await;
    t.db.sql("update upload set seller_id = '00000000-0000-7000-8000-000000000002'").await;
    assert_eq!(publish(open.id, "3").await, "NOT_FOUND");
    t.db.sql("update variant set kind = 'key'").await;
    assert_eq!(publish(open.id, "3").await, "INVALID");
    t.finish().await;
}
