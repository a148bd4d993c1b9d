use dispense::app::App;
use dispense::base::clock::Clock;
use dispense::config::{Bytes32, RingKey};
use dispense::vault::reveal::{mark_mailed, mark_revealed, masked, open};
use dispense::vault::rewrap;

use super::fixture::{import, sell, units, variant};
use crate::harness::{TestApp, test_config};

/// Rows: K4, K5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_buyer_sees_the_exact_text_and_the_first_time_is_remembered() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    import(&t, v, "CANARY-Ünïcode-钥匙-7Q\n".as_bytes()).await;
    t.canary("CANARY-");
    let units = units(&t, v, 2).await;
    sell(&t, v, &units[..1]).await;
    let mut conn = t.app.db.conn().await.unwrap();
    let opened = open(&mut conn, &t.app, &units).await.unwrap();
    assert_eq!(opened.len(), 1, "a unit without a key is left out");
    assert_eq!(opened[0].text.expose(), "CANARY-Ünïcode-钥匙-7Q");
    assert_eq!(opened[0].revealed_at, None);
    assert!(!format!("{opened:?}").contains("CANARY"));
    assert_eq!(mark_revealed(&mut conn, &units).await.unwrap(), 1);
    let first = open(&mut conn, &t.app, &units).await.unwrap()[0].revealed_at.unwrap();
    t.advance(chrono::TimeDelta::hours(1)).await;
    assert_eq!(mark_revealed(&mut conn, &units).await.unwrap(), 0);
    assert_eq!(mark_mailed(&mut conn, &units).await.unwrap(), 1);
    assert_eq!(open(&mut conn, &t.app, &units).await.unwrap()[0].revealed_at, Some(first));
    drop(conn);
    t.finish().await;
}

/// Rows: K4.
#[test]
fn a_mask_tells_keys_apart_and_gives_none_away() {
    assert_eq!(masked("VC-7H4QK-22222-33337Q"), "VC-****-7Q");
    assert_eq!(masked("ABCDEFGHIJKLMN"), "****MN");
    assert_eq!(masked("ABCDEFGH"), "****GH");
    assert_eq!(masked("AB-CDEF"), "****");
    assert_eq!(masked("LONGPREFIX-ABCDEF"), "****EF");
    assert_eq!(masked("钥匙钥匙钥匙钥匙"), "****钥匙");
}

/// Rows: K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_moved_to_another_row_or_variant_does_not_open_and_raises_the_alarm() {
    let t = TestApp::start().await;
    let (v, other) = (variant(&t).await, variant(&t).await);
    import(&t, v, b"FIRST-KEY-TEXT\nSECOND-KEY-TEXT\n").await;
    let units = units(&t, v, 2).await;
    sell(&t, v, &units).await;
    let mut conn = t.app.db.conn().await.unwrap();
    assert_eq!(open(&mut conn, &t.app, &units).await.unwrap().len(), 2);

    let of = |n: usize| format!("(select sealed from vault_key where unit_id = '{}')", units[n].0);
    t.db.sql(&format!(
        "update vault_key set sealed = case when unit_id = '{}' then {} else {} end",
        units[0].0,
        of(1),
        of(0)
    ))
    .await;
    for unit in &units {
        assert!(open(&mut conn, &t.app, &[*unit]).await.is_err(), "swapped between rows");
    }
    assert_eq!(
        t.db.one("select count(*) from task where kind = 'seal_broken' and state = 'open'").await,
        "2"
    );

    t.db.sql(&format!(
        "update vault_key set sealed = case when unit_id = '{}' then {} else {} end",
        units[0].0,
        of(1),
        of(0)
    ))
    .await;
    assert_eq!(open(&mut conn, &t.app, &units).await.unwrap().len(), 2);
    t.db.sql(&format!("update vault_key set variant_id = '{}'", other.0)).await;
    assert!(open(&mut conn, &t.app, &units).await.is_err(), "moved to another variant");
    t.db.sql(&format!("update vault_key set variant_id = '{}'", v.0)).await;
    t.db.sql("update vault_key set sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)").await;
    assert!(open(&mut conn, &t.app, &units).await.is_err(), "a flipped bit");
    drop(conn);
    t.finish().await;
}

/// Rows: K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_rotation_of_the_ring_keys_sold_before_and_meanwhile_open_without_the_old_key() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    import(&t, v, b"BEFORE-THE-ROTATION\nMEANWHILE-SOLD-KEY\n").await;
    let units = units(&t, v, 2).await;
    sell(&t, v, &units[..1]).await;

    let old = t.app.config.secrets.vault[0].clone();
    let new = RingKey { id: "k2".into(), bytes: Bytes32::new([5; 32]) };
    let with = async |ring: Vec<RingKey>| {
        let mut config = test_config(t.data.path());
        config.secrets.vault = ring;
        App::start(config, Clock::default(), &t.db.app_url()).await.unwrap()
    };
    let rotating = with(vec![new.clone(), old]).await;
    assert_eq!(rewrap::sweep(&rotating).await.unwrap(), 1);
    assert_eq!(rewrap::sweep(&rotating).await.unwrap(), 0);
    // A server that still runs with the old ring alone sells on with what it has unwrapped.
    sell(&t, v, &units[1..]).await;
    assert_eq!(open(&mut t.app.db.conn().await.unwrap(), &t.app, &units).await.unwrap().len(), 2);

    let after = with(vec![new]).await;
    let mut conn = after.db.conn().await.unwrap();
    let mut texts: Vec<String> =
        open(&mut conn, &after, &units).await.unwrap().iter().map(|k| k.text.expose().to_owned()).collect();
    texts.sort();
    assert_eq!(texts, ["BEFORE-THE-ROTATION", "MEANWHILE-SOLD-KEY"]);
    drop((conn, after, rotating));
    t.finish().await;
}
