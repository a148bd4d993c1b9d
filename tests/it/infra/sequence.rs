use std::time::Duration;

use dispense::infra::effects::events::{self, NewEvent};
use dispense::infra::sequence::{self, Step};

use crate::harness::TestApp;
use crate::harness::test_events::event;

async fn write(t: &TestApp, from: i64, to: i64) {
    let tx = t.app.db.begin().await.unwrap();
    let batch: Vec<NewEvent> = (from..to).map(|n| event(t, n)).collect();
    events::append(&tx, &batch).await.unwrap();
    tx.commit().await.unwrap();
}

/// The `n` of every numbered event, in the order of the sequence.
async fn reported(t: &TestApp) -> Vec<i64> {
    let all = sequence::after(&mut t.app.db.conn().await.unwrap(), 0, 10_000).await.unwrap();
    assert_eq!(
        all.iter().map(|e| e.seq).collect::<Vec<_>>(),
        (1..=all.len() as i64).collect::<Vec<_>>(),
        "a hole"
    );
    all.iter().map(|e| e.body.as_ref().unwrap()["n"].as_i64().unwrap()).collect()
}

/// Rows: D9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_commits_late_with_a_lower_id_is_not_skipped() {
    let t = TestApp::start().await;
    let late = t.app.db.begin().await.unwrap();
    events::append(&late, &[event(&t, 1)]).await.unwrap();
    write(&t, 2, 4).await;
    for _ in 0..3 {
        sequence::step(&t.app.db).await.unwrap();
    }
    write(&t, 4, 5).await;
    assert_eq!(sequence::step(&t.app.db).await.unwrap(), Step::Numbered(1), "a late one holds nothing up");
    assert_eq!(reported(&t).await, [2, 3, 4]);
    late.commit().await.unwrap();
    assert_eq!(sequence::step(&t.app.db).await.unwrap(), Step::Numbered(1));
    assert_eq!(reported(&t).await, [2, 3, 4, 1]);
    t.finish().await;
}

/// Rows: D9, X2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_new_nothing_is_written() {
    let t = TestApp::start().await;
    let open = t.app.db.begin().await.unwrap();
    events::append(&open, &[event(&t, 0)]).await.unwrap();
    write(&t, 1, 2_000).await;
    t.drain().await;
    let head = "select concat(xmin, ' ', to_jsonb(h)) from event_head h";
    let before = t.db.one(head).await;
    for _ in 0..5 {
        assert_eq!(sequence::step(&t.app.db).await.unwrap(), Step::Numbered(0));
    }
    assert_eq!(t.db.one(head).await, before);
    drop(open);
    t.finish().await;
}

/// Rows: D9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_numbered_in_batches_while_more_comes() {
    let t = TestApp::start().await;
    let late = t.app.db.begin().await.unwrap();
    events::append(&late, &[event(&t, -1)]).await.unwrap();
    for from in [0, 700, 1_400] {
        write(&t, from, from + 700).await;
    }
    assert_eq!(sequence::step(&t.app.db).await.unwrap(), Step::More);
    assert_eq!(sequence::step(&t.app.db).await.unwrap(), Step::More);
    write(&t, 2_100, 2_103).await;
    late.commit().await.unwrap();
    t.drain().await;
    let mut numbers = reported(&t).await;
    assert_eq!(numbers[..2_100], (0..2_100).collect::<Vec<i64>>());
    numbers.sort_unstable();
    assert_eq!(numbers, (-1..2_103).collect::<Vec<i64>>());
    t.finish().await;
}

/// Rows: D9, O6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_in_a_cluster_of_fewer_transactions_goes_on_after_it_was_told() {
    let t = TestApp::start().await;
    write(&t, 0, 3).await;
    t.drain().await;
    write(&t, 3, 5).await;
    // As a dump of a cluster that had given out many more numbers.
    t.db.sql("update event set xid = xid + 1000000000").await;
    t.db.sql("update event_head set numbered = '1000000900:1000000900:'").await;
    assert!(sequence::step(&t.app.db).await.is_err(), "it must not take new events for old ones");
    write(&t, 5, 6).await;
    let mut conn = t.app.db.conn().await.unwrap();
    assert!(sequence::restart(&mut conn).await.unwrap());
    t.drain().await;
    assert_eq!(reported(&t).await, [0, 1, 2, 3, 4, 5]);
    assert!(!sequence::restart(&mut conn).await.unwrap(), "once is enough");
    t.finish().await;
}

/// Rows: D9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequencers_and_writers_at_once_leave_no_hole_and_no_double() {
    let t = TestApp::start().await;
    let writers = (0..8).map(|w| {
        let t = &t;
        async move {
            for round in 0..10 {
                let n = w * 100 + round * 3;
                let tx = t.app.db.begin().await.unwrap();
                events::append(&tx, &[event(t, n), event(t, n + 1), event(t, n + 2)]).await.unwrap();
                if round % 3 == 2 {
                    drop(tx);
                } else {
                    tx.commit().await.unwrap();
                }
            }
        }
    });
    let sequencers = (0..3).map(|_| async {
        for _ in 0..40 {
            sequence::step(&t.app.db).await.unwrap();
        }
    });
    tokio::join!(futures::future::join_all(writers), futures::future::join_all(sequencers));
    t.drain().await;
    let mut numbers = reported(&t).await;
    assert_eq!(numbers.len(), 8 * 7 * 3);
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 8 * 7 * 3);
    t.finish().await;
}

/// Rows: D9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sequencer_works_at_a_time_and_the_next_goes_on_when_it_is_killed() {
    let t = TestApp::start().await;
    write(&t, 0, 5).await;
    // A sequencer that stands still inside its transaction.
    let holder = t.db.client().await;
    holder.batch_execute("begin").await.unwrap();
    holder.query("select pg_advisory_xact_lock($1)", &[&0x4449_5350_5345_5131_i64]).await.unwrap();
    holder.batch_execute("update event_head set seq = 99 where id = 1").await.unwrap();
    assert_eq!(sequence::step(&t.app.db).await.unwrap(), Step::Busy);
    let killed =
        t.db.one(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity \
        where datname = current_database() and state = 'idle in transaction'",
        )
        .await;
    assert_eq!(killed, "1");
    let gone_on = async {
        while sequence::step(&t.app.db).await.unwrap() == Step::Busy {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone_on).await.unwrap();
    assert_eq!(reported(&t).await, [0, 1, 2, 3, 4]);
    t.finish().await;
}

/// Rows: D9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_listens_hears_once_per_batch() {
    use futures::StreamExt;
    let t = TestApp::start().await;
    let mut conn = t.app.db.dedicated().await.unwrap();
    sequence::listen(&mut conn).await.unwrap();
    write(&t, 0, 3).await;
    t.drain().await;
    let mut stream = std::pin::pin!(conn.notifications_stream());
    let heard = tokio::time::timeout(Duration::from_secs(10), stream.next()).await.unwrap().unwrap().unwrap();
    assert_eq!((heard.channel.as_str(), heard.payload.as_str()), (sequence::CHANNEL, "3"));
    t.finish().await;
}

/// Rows: D8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_made_two_months_ahead_and_never_for_the_running_month() {
    let t = TestApp::start().await;
    write(&t, 0, 4).await;
    t.sweep().await;
    let partitions = "select count(*) from pg_inherits where inhparent = 'event'::regclass";
    assert_eq!(t.db.one(partitions).await, "3", "two more months and the default one");
    assert_eq!(t.db.one("select count(*) from event_default").await, "4");
    write(&t, 4, 6).await;
    t.advance(chrono::TimeDelta::days(31)).await;
    write(&t, 6, 8).await;
    t.sweep().await;
    assert_eq!(t.db.one(partitions).await, "4");
    t.drain().await;
    assert_eq!(reported(&t).await, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(t.db.one("select count(*) from event_default").await, "6");
    t.finish().await;
}
