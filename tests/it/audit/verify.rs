use dispense::audit::{self, Broken, Mark};
use dispense::infra::effects::events::{self, NewEvent};

use crate::harness::TestApp;
use crate::harness::test_events::event;

async fn chain(t: &TestApp, events_count: i64) {
    let tx = t.app.db.begin().await.unwrap();
    let batch: Vec<NewEvent> = (0..events_count).map(|n| event(t, n)).collect();
    events::append(&tx, &batch).await.unwrap();
    tx.commit().await.unwrap();
    t.drain().await;
}

/// Runs SQL as one who owns the tables and can switch the triggers off.
async fn tamper(t: &TestApp, sql: &str) {
    t.db.sql("alter table event_seq disable trigger all").await;
    t.db.sql(sql).await;
}

/// Rows: C9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_untouched_chain_verifies() {
    let t = TestApp::start().await;
    let empty = audit::verify(&t.app, None).await.unwrap();
    assert_eq!((empty.checked, empty.broken), (0, None));
    chain(&t, 5).await;
    chain(&t, 4).await;
    let verdict = audit::verify(&t.app, None).await.unwrap();
    assert_eq!((verdict.checked, verdict.mark.seq, verdict.broken), (9, 9, None));
    let head = t.db.one("select seq || ':' || encode(hash, 'hex') from event_head").await;
    assert_eq!(verdict.mark.to_string(), head);
    t.finish().await;
}

/// Rows: C9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_owner_of_the_database_changes_is_found_at_its_first_row() {
    let id_of_third = "(select event_id from event_seq where seq = 3)";
    type Case = (&'static str, fn(i64) -> Broken);
    let cases: [Case; 7] = [
        ("update event set body = '{\"n\": 99}' where id = {}", |id| Broken::EventChanged {
            seq: 3,
            event_id: id,
        }),
        ("update event set actor = 'nobody' where id = {}", |id| Broken::EventChanged {
            seq: 3,
            event_id: id,
        }),
        ("delete from event where id = {}", |id| Broken::EventMissing { seq: 3, event_id: id }),
        ("delete from event_seq where event_id = {}", |_| Broken::SealMissing { seq: 3 }),
        ("update event_seq set prev_hash = hash where event_id = {}", |_| Broken::ChainBroken { seq: 3 }),
        ("update event_seq set hash = sha256('x') where event_id = {}", |id| Broken::EventChanged {
            seq: 3,
            event_id: id,
        }),
        ("delete from event_seq where seq = 6 and {} > 0", |_| Broken::HeadDiffers { seq: 6 }),
    ];
    for (sql, expected) in cases {
        let t = TestApp::start().await;
        chain(&t, 6).await;
        let third: i64 = t.db.one(&format!("select {id_of_third}")).await.parse().unwrap();
        tamper(&t, &sql.replace("{}", &third.to_string())).await;
        let verdict = audit::verify(&t.app, None).await.unwrap();
        assert_eq!(verdict.broken, Some(expected(third)), "{sql}");
        t.finish().await;
    }
}

/// Rows: C9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swapped_events_and_one_put_in_behind_the_sequence_are_found() {
    let t = TestApp::start().await;
    chain(&t, 6).await;
    tamper(
        &t,
        "update event_seq a set event_id = case seq when 2 then -4 else -2 end where seq in (2, 4); \
         update event_seq set event_id = (select id from event order by id offset -event_id - 1 limit 1) where event_id < 0",
    )
    .await;
    let verdict = audit::verify(&t.app, None).await.unwrap();
    assert!(matches!(verdict.broken, Some(Broken::EventChanged { seq: 2, .. })), "{verdict:?}");
    t.finish().await;

    let t = TestApp::start().await;
    chain(&t, 6).await;
    t.db.sql(
        "insert into event (id, seller_id, kind, object_id, actor, xid) overriding system value \
        values (0, gen_random_uuid(), 'test.invented', gen_random_uuid(), 'system', 0)",
    )
    .await;
    let verdict = audit::verify(&t.app, None).await.unwrap();
    assert_eq!(verdict.broken, Some(Broken::EventUnsealed { event_id: 0 }));
    t.finish().await;
}

/// Rows: C9, K15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_mark_only_what_came_later_is_walked_and_a_chain_that_was_built_anew_is_found() {
    let t = TestApp::start().await;
    chain(&t, 6).await;
    let mark: Mark = audit::verify(&t.app, None).await.unwrap().mark.to_string().parse().unwrap();
    let verdict = audit::verify(&t.app, Some(&mark)).await.unwrap();
    assert_eq!((verdict.checked, &verdict.mark, verdict.broken), (0, &mark, None));
    chain(&t, 3).await;
    let verdict = audit::verify(&t.app, Some(&mark)).await.unwrap();
    assert_eq!((verdict.checked, verdict.mark.seq, verdict.broken), (3, 9, None));
    // What lies before is vouched for by the mark; what comes after is not.
    let eighth: i64 = t.db.one("select event_id from event_seq where seq = 8").await.parse().unwrap();
    tamper(&t, "update event set actor = 'nobody' where id = (select event_id from event_seq where seq = 2)")
        .await;
    assert_eq!(audit::verify(&t.app, Some(&mark)).await.unwrap().broken, None);
    tamper(&t, &format!("update event set actor = 'nobody' where id = {eighth}")).await;
    let broken = audit::verify(&t.app, Some(&mark)).await.unwrap().broken;
    assert_eq!(broken, Some(Broken::EventChanged { seq: 8, event_id: eighth }));
    // An owner who builds the chain anew keeps its numbers and not the mark.
    tamper(&t, "update event_seq set hash = sha256('anew') where seq = 6").await;
    let broken = audit::verify(&t.app, Some(&mark)).await.unwrap().broken;
    assert_eq!(broken, Some(Broken::MarkDiffers { seq: 6 }));
    for no_mark in ["", "6", "6:", "6:zz", "-1:00", &format!("6:{}", "0".repeat(62))] {
        assert!(no_mark.parse::<Mark>().is_err(), "{no_mark}");
    }
    t.finish().await;
}

/// Rows: C9, K15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_running_program_cannot_change_what_it_wrote() {
    let t = TestApp::start().await;
    chain(&t, 2).await;
    let client = tokio_postgres::connect(&t.db.app_url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(client.1);
    for sql in [
        "update event set actor = 'x'",
        "delete from event",
        "delete from event_default",
        "update event_seq set hash = hash",
        "delete from event_seq",
        "truncate event_seq",
        "delete from event_head",
    ] {
        let refused = client.0.batch_execute(sql).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "42501", "{sql}");
    }
    t.finish().await;
}
