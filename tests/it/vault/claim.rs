use dispense::base::ids::{KeyId, UnitId, VariantId};
use dispense::vault::claim::{Want, assign, claim};
use uuid::Uuid;

use super::fixture::{bare_keys, units, variant};
use crate::harness::TestApp;

fn want(variant_id: VariantId, count: i64) -> Want {
    Want { variant_id, count }
}

/// Claims for one unit, as a settle does; the key when there was one.
async fn buy(t: &TestApp, variant_id: VariantId, unit: UnitId) -> Option<KeyId> {
    let tx = t.app.db.begin().await.unwrap();
    let claimed = claim(&tx, &[want(variant_id, 1)]).await.unwrap();
    let key = claimed[0].key_ids.first().copied()?;
    assign(&tx, &[(key, unit)]).await.unwrap();
    tx.commit().await.unwrap();
    Some(key)
}

/// Rows: K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_claimers_at_once_share_forty_keys_without_a_double_or_a_false_sold_out() {
    let t = TestApp::start_with(|c| c.database.connections = 50).await;
    let v = variant(&t).await;
    bare_keys(&t, v, &["'infinity'"; 40]).await;
    let units = units(&t, v, 50).await;
    let got = futures::future::join_all(units.iter().map(|unit| buy(&t, v, *unit))).await;
    let mut keys: Vec<KeyId> = got.into_iter().flatten().collect();
    assert_eq!(keys.len(), 40, "every key found its buyer at the first try");
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 40, "no key went twice");
    assert_eq!(t.db.one("select count(distinct unit_id) from vault_key where state = 'sold'").await, "40");
    t.finish().await;
}

/// Rows: K6, K14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_to_expire_goes_first_then_the_oldest_and_an_expired_key_never() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let (day, gone) = ("app_now() + interval '1 day'", "app_now() - interval '1 second'");
    bare_keys(&t, v, &["'infinity'", gone, "app_now() + interval '2 days'", "'infinity'", day]).await;
    let tx = t.app.db.begin().await.unwrap();
    let claimed = claim(&tx, &[want(v, 2), want(v, 7)]).await.unwrap();
    drop(tx);
    assert_eq!(claimed.len(), 1, "wants of one variant are added up");
    let mut positions = Vec::new();
    for key in &claimed[0].key_ids {
        positions.push(t.db.one(&format!("select pos from vault_key where id = '{}'", key.0)).await);
    }
    assert_eq!(positions, ["5", "3", "1", "4"]);
    t.finish().await;
}

/// Rows: K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_passes_over_keys_that_another_holds_and_they_are_free_again_after_its_rollback() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    bare_keys(&t, v, &["'infinity'"; 3]).await;
    let first = t.app.db.begin().await.unwrap();
    let held = claim(&first, &[want(v, 2)]).await.unwrap();
    let second = t.app.db.begin().await.unwrap();
    let rest = claim(&second, &[want(v, 2)]).await.unwrap();
    assert_eq!((held[0].key_ids.len(), rest[0].key_ids.len()), (2, 1));
    assert!(held[0].key_ids.iter().all(|k| !rest[0].key_ids.contains(k)));
    drop((first, second));
    let third = t.app.db.begin().await.unwrap();
    while claim(&third, &[want(v, 3)]).await.unwrap()[0].key_ids.len() < 3 {
        // The two rollbacks run on their own connections; their locks go with them.
        tokio::task::yield_now().await;
    }
    drop(third);
    t.finish().await;
}

/// Rows: K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_variant_answers_fewer_keys_and_an_unknown_one_none() {
    let t = TestApp::start().await;
    let (v, other, unknown) = (variant(&t).await, variant(&t).await, VariantId(Uuid::from_u128(1)));
    bare_keys(&t, v, &["'infinity'"; 2]).await;
    bare_keys(&t, other, &["'infinity'"; 2]).await;
    let tx = t.app.db.begin().await.unwrap();
    let claimed = claim(&tx, &[want(v, 5), want(other, 1), want(unknown, 1)]).await.unwrap();
    let count = |id| claimed.iter().find(|c| c.variant_id == id).unwrap().key_ids.len();
    assert_eq!((count(v), count(other), count(unknown)), (2, 1, 0));
    assert!(claim(&tx, &[]).await.unwrap().is_empty());
    drop(tx);
    t.finish().await;
}

/// Rows: K5, K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sold_key_cannot_be_assigned_again() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    bare_keys(&t, v, &["'infinity'"]).await;
    let units = units(&t, v, 2).await;
    let key = buy(&t, v, units[0]).await.unwrap();
    let tx = t.app.db.begin().await.unwrap();
    assert!(assign(&tx, &[(key, units[1])]).await.is_err());
    drop(tx);
    assert_eq!(t.db.one("select unit_id from vault_key").await, units[0].0.to_string());
    t.finish().await;
}
