use chrono::TimeDelta;
use dispense::base::ids::GrantId;
use dispense::delivery;
use dispense::delivery::claim_links;
use dispense::infra::sign;
use serde_json::Value;

use super::shop::{FileShop, Sale, link, refusal};
use crate::harness::TestApp;

async fn opened() -> (TestApp, FileShop, Sale, GrantId) {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    shop.publish(&t, "a.bin", "1", b"content").await;
    let (sale, grant) = shop.granted(&t, Some(1)).await;
    (t, shop, sale, grant)
}

async fn asked(t: &TestApp, url: &str) -> String {
    let answer = t.http().get(url).send().await.unwrap();
    if answer.status().is_success() { answer.text().await.unwrap() } else { refusal(answer).await }
}

/// Rows: L3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_forged_and_foreign_links_are_told_apart_and_none_counts() {
    let (t, _, _, grant) = opened().await;
    let good = link(&t, grant).await;
    let claim = claim_links(&t.app, order_of(&t).await).await.unwrap().remove(0);
    let parts: Vec<&str> = good.token.split('.').collect();
    let flipped = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[5] = if bytes[5] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let other_version = {
        // The right form under a key that the shop does not have.
        let stranger = crate::harness::test_config(t.data.path()).secrets.access;
        sign::token(&[stranger], "link GET,HEAD /downloads/", &[1; 49])
    };
    let short = sign::token(&t.app.config.secrets.links, "link GET,HEAD /downloads/", b"short");
    let cases = [
        ("nonsense".to_owned(), "400 LINK_MALFORMED"),
        (format!("v2.{}.{}.{}", parts[1], parts[2], parts[3]), "400 LINK_MALFORMED"),
        (format!("v1.{}.{}!.{}", parts[1], parts[2], parts[3]), "400 LINK_MALFORMED"),
        (format!("v1.{}.{}", parts[1], parts[2]), "400 LINK_MALFORMED"),
        (short, "400 LINK_MALFORMED"),
        (format!("v1.other.{}.{}", parts[2], parts[3]), "403 LINK_FORGED"),
        (format!("v1.{}.{}.{}", parts[1], flipped(parts[2]), parts[3]), "403 LINK_FORGED"),
        (format!("v1.{}.{}.{}", parts[1], parts[2], flipped(parts[3])), "403 LINK_FORGED"),
        (other_version, "403 LINK_FORGED"),
        // A link of another door opens none.
        (claim.token.clone(), "403 LINK_FORGED"),
        (format!("{}?token=a&token=b", good.token), "403 LINK_FORGED"),
    ];
    for (token, expected) in &cases {
        assert_eq!(asked(&t, &format!("{}/downloads/{token}", t.base)).await, *expected, "{token}");
        let head = t.http().head(format!("{}/downloads/{token}", t.base)).send().await.unwrap();
        assert_eq!(head.status().as_str(), &expected[..3]);
    }
    assert_eq!(refusal(t.get(&format!("/claims/{}", good.token)).await).await, "403 LINK_FORGED");
    assert_eq!(t.db.one("select used from download_grant").await, "0");
    assert_eq!(asked(&t, &good.url).await, "content");
    t.finish().await;
}

async fn order_of(t: &TestApp) -> dispense::base::ids::OrderId {
    let id: uuid::Uuid = t.db.one("select order_id from download_grant").await.parse().unwrap();
    id.into()
}

/// Rows: L3, L8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_door_gives_the_same_reason_when_a_grant_may_not_be_used() {
    let (t, _, sale, grant) = opened().await;
    let order = sale.order.0;
    let fresh = link(&t, grant).await;
    let claim = claim_links(&t.app, sale.order).await.unwrap().remove(0);
    let pay = format!(
        "insert into payment (id, order_id, account_id, account_snapshot, attempt, state, expected_minor, \
           expected_currency, received_minor, received_currency, captured_at, allocated) \
         values ('{}', '{order}', 'free', '{{}}', 1, 'captured', 100, 'USD', 100, 'USD', app_now(), true)",
        t.app.clock.uuid()
    );
    t.db.sql(&pay).await;
    let cases = [
        // What happens, the answer while it lasts, what ends it.
        (
            "insert into hold (order_id, unit_id, cause, cause_id) select order_id, id, 'refund', id from unit",
            "403 REFUNDED",
            "delete from hold",
        ),
        (
            "insert into hold (order_id, cause, cause_id) select id, 'dispute', id from orders",
            "403 REVOKED",
            "delete from hold",
        ),
        (
            "insert into hold (order_id, cause, cause_id) select id, 'uncovered', id from orders",
            "403 REVOKED",
            "delete from hold",
        ),
        (
            "update payment set state = 'lost', lost_minor = 100; update unit set state = 'revoked', revoked_at = app_now()",
            "403 REVOKED",
            "update payment set state = 'captured', lost_minor = 0; update unit set state = 'assigned'",
        ),
        (
            "update unit set state = 'revoked', revoked_at = app_now()",
            "403 REFUNDED",
            "update unit set state = 'assigned'",
        ),
        (
            "update download_grant set expires_at = app_now()",
            "410 GRANT_EXPIRED",
            "update download_grant set expires_at = 'infinity'",
        ),
        ("update unit set state = 'awaiting_person'", "403 NOT_READY", "update unit set state = 'assigned'"),
        (
            "update file_version set yanked_at = app_now()",
            "410 FILE_YANKED",
            "update file_version set yanked_at = null",
        ),
        ("update download_grant set used = 1", "403 GRANT_EXHAUSTED", "update download_grant set used = 0"),
        (
            "update download_grant set state = 'revoked'",
            "403 REVOKED",
            "update download_grant set state = 'active'",
        ),
    ];
    for (before, expected, after) in cases {
        t.db.sql(before).await;
        assert_eq!(asked(&t, &fresh.url).await, expected, "{before}");
        assert_eq!(refusal(t.get(&format!("/claims/{}", claim.token)).await).await, expected, "{before}");
        let posted = t.http().post(&claim.url).send().await.unwrap();
        assert_eq!(refusal(posted).await, expected, "{before}");
        let made = delivery::create_download_link(&t.app, grant, None, None).await;
        let Err(dispense::base::outcome::Failure::Refused(refused)) = made else { panic!("{before}") };
        assert_eq!(refused.code.as_str(), expected.split(' ').nth(1).unwrap(), "{before}");
        t.db.sql(after).await;
    }
    assert_eq!(asked(&t, &fresh.url).await, "content");
    // Closing an order takes nothing away; a refund that came true does.
    t.db.sql("update orders set state = 'closed', closed_at = app_now()").await;
    assert_eq!(asked(&t, &fresh.url).await, "content");
    t.db.sql(
        "update refund set state = 'succeeded', succeeded_at = app_now(); \
              update unit set state = 'revoked', revoked_at = app_now()",
    )
    .await;
    assert_eq!(asked(&t, &fresh.url).await, "403 REFUNDED");
    t.finish().await;
}

/// Rows: L3, L6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailed_link_shows_its_file_and_becomes_a_download_only_by_post() {
    let (t, _, sale, _) = opened().await;
    t.db.sql("update file_version set name = '<b>&.zip'").await;
    let claim = claim_links(&t.app, sale.order).await.unwrap().remove(0);
    // Every attempt to send the mail has the same link.
    t.advance(TimeDelta::hours(13)).await;
    assert_eq!(claim_links(&t.app, sale.order).await.unwrap().remove(0).token, claim.token);
    for _ in 0..3 {
        let seen: Value =
            serde_json::from_str(&t.http().get(&claim.url).send().await.unwrap().text().await.unwrap())
                .unwrap();
        assert_eq!(seen["name"], "<b>&.zip");
        assert_eq!((seen["size"].as_str(), seen["remaining"].as_i64()), (Some("7"), Some(1)));
    }
    let page = t.http().get(&claim.url).header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.headers()["cache-control"], "private, no-store");
    assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    let page = page.text().await.unwrap();
    assert!(page.contains("&lt;b&gt;&amp;.zip") && page.contains("method=\"post\""), "{page}");
    assert_eq!(t.db.one("select count(*) from download_session").await, "0");

    let posted = t.http().post(&claim.url).send().await.unwrap();
    assert_eq!(posted.status(), 303);
    let location = posted.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(asked(&t, &location).await, "content");
    // The day is long over for the minutes of that link, not for the days of this one.
    t.advance(TimeDelta::hours(26)).await;
    assert_eq!(refusal(t.http().get(&location).send().await.unwrap()).await, "403 GRANT_EXHAUSTED");
    t.db.sql("update download_grant set max_downloads = 2").await;
    assert_eq!(t.http().get(&claim.url).send().await.unwrap().status(), 200);
    t.advance(TimeDelta::days(6)).await;
    assert_eq!(asked(&t, &claim.url).await, "410 LINK_EXPIRED");
    assert_eq!(refusal(t.http().post(&claim.url).send().await.unwrap()).await, "410 LINK_EXPIRED");
    t.finish().await;
}

/// Rows: L4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bound_link_works_only_in_the_network_it_was_made_in() {
    let (t, _, _, grant) = opened().await;
    t.db.sql("update download_grant set bind_address = true").await;
    let made = async |address: &str| {
        delivery::create_download_link(&t.app, grant, None, Some(address.parse().unwrap())).await.unwrap().url
    };
    assert_eq!(asked(&t, &made("203.0.113.9").await).await, "403 LINK_OTHER_NETWORK");
    assert_eq!(asked(&t, &made("127.0.0.77").await).await, "content");
    t.finish().await;
}

/// Rows: L3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_of_the_former_key_work_until_it_leaves_the_ring() {
    let t = TestApp::start_with(|config| {
        let mut newer = config.secrets.access.clone();
        newer.id = "l2".into();
        config.secrets.links.insert(0, newer);
    })
    .await;
    let shop = FileShop::open(&t).await;
    shop.publish(&t, "a.bin", "1", b"content").await;
    let (_, grant) = shop.granted(&t, None).await;
    let url = link(&t, grant).await;
    assert!(url.token.starts_with("v1.l2."));
    let payload =
        sign::open_token(&t.app.config.secrets.links, "link GET,HEAD /downloads/", &url.token).unwrap();
    let former = sign::token(&t.app.config.secrets.links[1..], "link GET,HEAD /downloads/", &payload);
    assert_eq!(asked(&t, &format!("{}/downloads/{former}", t.base)).await, "content");
    let gone = sign::token(
        std::slice::from_ref(&t.app.config.secrets.fingerprint),
        "link GET,HEAD /downloads/",
        &payload,
    );
    assert_eq!(asked(&t, &format!("{}/downloads/{gone}", t.base)).await, "403 LINK_FORGED");
    t.finish().await;
}

/// Rows: L4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_give_more_downloads_and_a_later_end_and_take_a_grant_back() {
    use dispense::base::actor::Actor;
    let (t, _, _, grant) = opened().await;
    let staff = Actor::system();
    t.db.sql("update download_grant set used = 1, expires_at = app_now() - interval '1 day'").await;
    assert!(delivery::extend_grant(&t.app, &Actor::guest(), grant, 1, None).await.is_err());
    let until = t.app.clock.now() + TimeDelta::days(3);
    let standing = delivery::extend_grant(&t.app, &staff, grant, 2, Some(until)).await.unwrap();
    assert_eq!(dispense::delivery::access::remaining(&standing), Some(2));
    let url = link(&t, grant).await.url;
    assert_eq!(asked(&t, &url).await, "content");
    for _ in 0..2 {
        delivery::revoke_grant(&t.app, &staff, grant).await.unwrap();
    }
    assert_eq!(asked(&t, &url).await, "403 REVOKED");
    assert!(
        delivery::extend_grant(&t.app, &staff, grant, 1, None).await.is_err(),
        "what is revoked stays so"
    );
    let kinds = "select string_agg(kind, ' ' order by id) from event where kind like 'grant.%'";
    assert_eq!(t.db.one(kinds).await, "grant.created grant.extended grant.revoked");
    t.finish().await;
}
