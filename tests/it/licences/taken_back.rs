//! A key whose money goes back is not good any more.

use chrono::TimeDelta;
use serde_json::json;

use super::shop::{LicenceShop, Sold};

async fn hold(s: &LicenceShop, sold: &Sold, cause: &str) {
    let (order, id) = (sold.placed.order.id.0, s.shop.t.app.clock.uuid());
    let sql = format!("insert into hold (order_id, cause, cause_id) values ('{order}', '{cause}', '{id}')");
    s.shop.t.db.sql(&sql).await;
}

/// Rows: K16, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refunded_key_validates_no_more_and_frees_its_devices() {
    let s = LicenceShop::open(1, Some(2)).await;
    let t = &s.shop.t;
    let sold = s.buy().await;
    assert_eq!(s.activate(&sold, "d").await.0, 201);
    s.shop.refund(&sold.placed).await;
    // At once, before any job has run.
    for device in [None, Some("d"), Some("e")] {
        assert_eq!(s.code(&sold, device).await, "REFUNDED");
    }
    let (status, no) = s.activate(&sold, "d").await;
    assert_eq!((status, &no["code"]), (403, &json!("REFUNDED")), "not even where it is active");
    s.shop.must_be_sound().await;
    assert_eq!(t.db.one("select count(*) from licence_activation where removed_at is null").await, "1");
    t.drain().await;
    assert_eq!(t.db.one("select count(*) from licence_activation where removed_at is null").await, "0");
    let last = "select kind || ' ' || actor from event where kind like 'licence.%' order by id desc limit 1";
    assert_eq!(t.db.one(last).await, "licence.deactivated system");
    let licence = s.validate(&sold, None).await["licence"].clone();
    assert_eq!((&licence["status"], &licence["activationsUsed"]), (&json!("REFUNDED"), &json!(0)));
    assert_eq!(s.deactivate(&sold, "d").await.0, 200, "it was freed");
    s.sound().await;
}

/// Rows: K16, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_key_is_good_again_when_the_hold_is_lifted() {
    let s = LicenceShop::open(1, Some(2)).await;
    let t = &s.shop.t;
    let sold = s.buy().await;
    assert_eq!(s.activate(&sold, "d").await.0, 201);
    for cause in ["refund", "dispute", "uncovered"] {
        hold(&s, &sold, cause).await;
        assert_eq!(s.code(&sold, Some("d")).await, "HELD", "{cause}");
        let (status, no) = s.activate(&sold, "e").await;
        assert_eq!((status, &no["code"]), (403, &json!("HELD")));
        assert_eq!(s.seen(&sold).await["status"], "HELD");
        t.db.sql("delete from hold").await;
        assert_eq!(s.code(&sold, Some("d")).await, "VALID");
    }
    hold(&s, &sold, "dispute").await;
    assert_eq!(s.deactivate(&sold, "d").await.0, 200, "nobody is kept from leaving");
    t.db.sql("delete from hold").await;
    s.sound().await;
}

/// Rows: K16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_unsold_replaced_and_lost_keys_have_codes_of_their_own() {
    let s = LicenceShop::open(0, Some(2)).await;
    let t = &s.shop.t;
    let texts = t.import(s.variant, 3).await;
    let sold = s.buy().await;
    let unsold = texts.iter().find(|text| **text != sold.key).unwrap();
    let unsold = Sold { placed: t.place(&[(s.variant, 1)]).await, key: unsold.clone() };
    assert_eq!(s.validate(&unsold, None).await["licence"], json!(null));
    assert_eq!(s.code(&unsold, Some("d")).await, "NOT_SOLD");
    for (status, no) in [s.activate(&unsold, "d").await, s.deactivate(&unsold, "d").await] {
        assert_eq!((status, &no["code"]), (403, &json!("NOT_SOLD")));
    }
    assert_eq!(s.activate(&sold, "d").await.0, 201);
    t.db.sql("update vault_key set expires_at = app_now() + interval '1 day' where state = 'sold'").await;
    let good = s.validate(&sold, Some("d")).await;
    assert_eq!((&good["valid"], good["licence"]["expiresAt"].is_string()), (&json!(true), true));
    t.advance(TimeDelta::days(2)).await;
    assert_eq!(s.code(&sold, Some("d")).await, "EXPIRED");
    assert_eq!(s.activate(&sold, "e").await.1["code"], "EXPIRED");
    t.db.sql("update vault_key set expires_at = 'infinity' where state = 'sold'").await;
    let unit = t.db.one("select id from unit where state = 'revealed'").await;
    for (change, back, code) in [
        (
            format!("update unit set state = 'replaced', superseded_by = id where id = '{unit}'"),
            format!("update unit set state = 'revealed', superseded_by = null where id = '{unit}'"),
            "REPLACED",
        ),
        (
            format!(
                "update unit set state = 'revoked', revoked_at = app_now() where id = '{unit}';
                update payment set lost_minor = 1 where allocated"
            ),
            format!(
                "update unit set state = 'revealed', revoked_at = null where id = '{unit}';
                update payment set lost_minor = 0"
            ),
            "REVOKED",
        ),
    ] {
        t.db.sql(&change).await;
        assert_eq!(s.code(&sold, Some("d")).await, code);
        t.db.sql(&back).await;
    }
    assert_eq!(s.code(&sold, Some("d")).await, "VALID");
    s.shop.t.finish_with_jobs().await;
}

/// A key that nobody saw goes back on sale: its next buyer begins with no device.
/// Rows: K16, K5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_sold_again_begins_without_devices() {
    let s = LicenceShop::open(0, Some(1)).await;
    let t = &s.shop.t;
    let key = t.import(s.variant, 1).await.remove(0);
    // Its buyer has not looked; the seller's own people try it.
    let first = Sold { placed: t.paid_order(s.variant, 1).await, key: key.clone() };
    assert_eq!(s.activate(&first, "of the seller").await.0, 201);
    s.shop.refund(&first.placed).await;
    assert_eq!(s.code(&first, None).await, "NOT_SOLD", "it is on sale again");
    let next = s.buy().await;
    assert_eq!(next.key, key);
    assert_eq!(s.activate(&next, "of the buyer").await.0, 201);
    assert_eq!(s.code(&next, Some("of the seller")).await, "DEVICE_LIMIT_REACHED");
    t.drain().await;
    assert_eq!(s.code(&next, Some("of the buyer")).await, "VALID", "the end of the first left it alone");
    let active = "select string_agg(name, ' ') from licence_activation where removed_at is null";
    assert_eq!(t.db.one(active).await, "of the b…");
    s.sound().await;
}

/// A device is activated while the money goes back: whichever is first, nothing is good afterwards.
/// Rows: K16, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activation_races_with_a_refund() {
    let s = LicenceShop::open(10, Some(1)).await;
    let t = &s.shop.t;
    for _ in 0..10 {
        let sold = s.buy().await;
        let (answer, ()) = tokio::join!(s.activate(&sold, "d"), s.shop.refund(&sold.placed));
        assert!(
            answer.0 == 201 || ["REFUNDED", "HELD", "REVOKED"].contains(&answer.1["code"].as_str().unwrap())
        );
        assert_eq!(s.code(&sold, Some("d")).await, "REFUNDED");
    }
    t.drain().await;
    assert_eq!(t.db.one("select count(*) from licence_activation where removed_at is null").await, "0");
    s.sound().await;
}

/// Rows: K16, K15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seller_who_changes_the_terms_takes_nothing_from_who_bought() {
    let s = LicenceShop::open(4, Some(2)).await;
    let plain = json!({ "licensing": false });
    let early = s.buy().await;
    assert_eq!(s.shop.edit(s.variant, plain).await, None);
    assert_eq!(s.code(&early, None).await, "VALID", "bought as a licence, and stays one");
    let between = s.buy().await;
    assert_eq!(s.code(&between, None).await, "NO_SUCH_KEY", "bought as a plain key");
    let strict = json!({ "licensing": true, "activationLimit": 1 });
    assert_eq!(s.shop.edit(s.variant, strict).await, None);
    let late = s.buy().await;
    for (sold, limit) in [(&early, json!(2)), (&between, json!(null)), (&late, json!(1))] {
        let answer = s.validate(sold, None).await;
        assert_eq!((&answer["code"], &answer["licence"]["activationLimit"]), (&json!("VALID"), &limit));
    }
    for device in ["a", "b", "c"] {
        assert_eq!(s.activate(&between, device).await.0, 201, "no limit was bought");
    }
    s.sound().await;
}
