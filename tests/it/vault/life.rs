use chrono::TimeDelta;
use dispense::base::actor::Actor;
use dispense::base::ids::UnitId;
use dispense::catalogue::intake;
use dispense::vault::batch::NewBatch;
use dispense::vault::expire::sweep;
use dispense::vault::give_back::give_back;
use dispense::vault::read::stock;
use dispense::vault::reveal::{mark_mailed, mark_revealed};

use super::fixture::{bare_keys, go_on, import, sell, units, variant};
use crate::harness::TestApp;

/// Rows: K14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_leave_the_stock_at_their_date_and_the_sweep_says_so() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let until = Some(t.app.clock.now() + TimeDelta::days(30));
    let new = NewBatch { keys_expire_at: until, ..NewBatch::import(v) };
    let batch = intake::open_batch(&t.app, &Actor::system(), new).await.unwrap();
    let file: String = (0..1_200).map(|n| format!("KEY-{n}\n")).collect();
    go_on(&t, batch, file.as_bytes()).await;
    import(&t, v, b"FOR-EVER\n").await;
    let counted = async || {
        let mut conn = t.app.db.conn().await.unwrap();
        stock(&mut conn, &[(v, 5_000)]).await.unwrap()[&v]
    };
    assert_eq!((counted().await, sweep(&t.app).await.unwrap()), (1_201, 0));
    t.advance(TimeDelta::days(31)).await;
    assert_eq!(counted().await, 1, "expired keys do not count, even before the sweep");
    assert_eq!(sweep(&t.app).await.unwrap(), 1_200);
    assert_eq!(t.db.one("select count(*) from vault_key where state = 'expired'").await, "1200");
    assert_eq!(
        t.db.one("select sum((body->>'count')::int) from event where kind = 'keys.expired'").await,
        "1200"
    );
    t.finish().await;
}

/// Rows: K7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_is_counted_from_the_keys_and_no_further_than_asked() {
    let t = TestApp::start().await;
    let (v, empty) = (variant(&t).await, variant(&t).await);
    bare_keys(&t, v, &["'infinity'"; 7]).await;
    let units = units(&t, v, 2).await;
    sell(&t, v, &units).await;
    let mut conn = t.app.db.conn().await.unwrap();
    let counted = stock(&mut conn, &[(v, 1_001), (empty, 1)]).await.unwrap();
    assert_eq!((counted[&v], counted[&empty]), (5, 0));
    assert_eq!(stock(&mut conn, &[(v, 1)]).await.unwrap()[&v], 1);
    assert!(stock(&mut conn, &[]).await.unwrap().is_empty());
    drop(conn);
    t.finish().await;
}

/// Rows: K5, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refunded_key_returns_only_when_nobody_saw_it_and_the_variant_allows_it() {
    let t = TestApp::start().await;
    let (v, strict) = (variant(&t).await, variant(&t).await);
    t.db.sql(&format!("update variant set restock_unseen = false where id = '{}'", strict.0)).await;
    bare_keys(&t, v, &["'infinity'"; 3]).await;
    bare_keys(&t, strict, &["'infinity'"]).await;
    let (mine, theirs) = (units(&t, v, 3).await, units(&t, strict, 1).await);
    sell(&t, v, &mine).await;
    sell(&t, strict, &theirs).await;
    let mut conn = t.app.db.conn().await.unwrap();
    mark_revealed(&mut conn, &mine[..1]).await.unwrap();
    mark_mailed(&mut conn, &mine[1..2]).await.unwrap();
    let all: Vec<UnitId> = mine.iter().chain(&theirs).copied().collect();
    let back = give_back(&mut conn, "system", &all, &mine).await.unwrap();
    assert_eq!(back.into_iter().collect::<Vec<_>>(), [v]);
    let states = "select string_agg(state, ',' order by state) from vault_key where variant_id = ";
    assert_eq!(t.db.one(&format!("{states}'{}'", v.0)).await, "available,voided,voided");
    assert_eq!(t.db.one(&format!("{states}'{}'", strict.0)).await, "voided");
    let again = give_back(&mut conn, "system", &all, &mine).await.unwrap();
    assert!(again.is_empty());
    assert_eq!(t.db.one("select count(*) from event where kind = 'key.voided'").await, "3");
    drop(conn);
    t.finish().await;
}

/// Rows: K5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_refuses_a_state_that_its_columns_deny() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    bare_keys(&t, v, &["'infinity'"; 2]).await;
    let units = units(&t, v, 1).await;
    sell(&t, v, &units).await;
    let (free, sold) = ("state = 'available'", "state = 'sold'");
    let owner = t.db.client().await;
    for (which, change) in [
        (free, "state = 'sold'"),
        (free, "revealed_at = now()"),
        (free, "unit_id = (select id from unit)"),
        (free, "state = 'reserved'"),
        (free, "state = 'voided'"),
        (free, "state = 'lost'"),
        (free, "fp = '\\x00'"),
        (free, "fp = (select fp from vault_key where state = 'sold')"),
        (sold, "state = 'available'"),
        (sold, "unit_id = null"),
        (sold, "sold_at = null"),
        (sold, "state = 'expired'"),
        (sold, "voided_at = now()"),
        (sold, "reserved_line_id = id"),
    ] {
        let refused = owner.batch_execute(&format!("update vault_key set {change} where {which}")).await;
        assert!(refused.is_err(), "{which}: {change} was taken");
    }
    t.finish().await;
}
