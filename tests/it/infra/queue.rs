use std::time::Duration;

use chrono::TimeDelta;
use dispense::infra::effects::jobs::{self, NewJob, Payload};
use dispense::infra::queue::{self, Job};

use crate::harness::TestApp;
use crate::harness::test_jobs::{Fails, Late, Some};

const LEASE: Duration = Duration::from_secs(121);

async fn add(t: &TestApp, jobs: &[NewJob]) {
    jobs::add(&t.app.db.conn().await.unwrap(), jobs).await.unwrap();
}

async fn claim(t: &TestApp, limit: i64) -> Vec<Job> {
    queue::claim(&mut t.app.db.conn().await.unwrap(), "w", LEASE, limit).await.unwrap()
}

/// Rows: D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_leased_to_one_worker_of_many_that_ask_at_once() {
    let t = TestApp::start().await;
    let jobs: Vec<NewJob> = (0..60).map(|n| Some { n }.job()).collect();
    add(&t, &jobs).await;
    let claims = (0..12).map(|_| async { claim(&t, 7).await });
    let mut ids: Vec<i64> =
        futures::future::join_all(claims).await.into_iter().flatten().map(|j| j.id).collect();
    ids.sort_unstable();
    assert_eq!(ids.len(), 60);
    ids.dedup();
    assert_eq!(ids.len(), 60, "a job was leased twice");
    t.finish_with_jobs().await;
}

/// Rows: D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_becomes_visible_with_the_commit_even_when_later_ones_were_taken_before() {
    let t = TestApp::start().await;
    let late = t.app.db.begin().await.unwrap();
    jobs::add(&late, &[Late {}.job()]).await.unwrap();
    add(&t, &[Some { n: 0 }.job()]).await;
    let first = claim(&t, 10).await;
    assert_eq!(first.iter().map(|j| j.kind.as_str()).collect::<Vec<_>>(), ["test.job"]);
    late.commit().await.unwrap();
    let second = claim(&t, 10).await;
    assert_eq!(second.iter().map(|j| j.kind.as_str()).collect::<Vec<_>>(), ["test.late"]);
    assert!(second[0].id < first[0].id, "the late one has the lower id");
    t.finish_with_jobs().await;
}

/// Rows: D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_frozen_past_its_lease_completes_nothing() {
    let t = TestApp::start().await;
    add(&t, &[Some { n: 0 }.job()]).await;
    let frozen = claim(&t, 1).await.remove(0);
    assert_eq!(queue::rescue(&t.app.db, &t.app.clock).await.unwrap(), 0, "a live lease is left alone");
    t.advance(TimeDelta::seconds(122)).await;
    assert_eq!(queue::rescue(&t.app.db, &t.app.clock).await.unwrap(), 1);
    let mut conn = t.app.db.conn().await.unwrap();
    assert!(
        !queue::finish(&mut conn, &frozen).await.unwrap(),
        "completed while the job waited for another worker"
    );
    let other = claim(&t, 1).await.remove(0);
    assert_eq!((other.id, other.attempt), (frozen.id, 2));
    assert!(!queue::extend(&mut conn, &frozen, LEASE).await.unwrap());
    assert!(!queue::put_back(&mut conn, &frozen, Duration::ZERO, true, None).await.unwrap());
    assert!(!queue::bury(&t.app.db, &frozen, "no", &t.app.clock).await.unwrap());
    assert!(!queue::finish(&mut conn, &frozen).await.unwrap());
    assert_eq!(t.db.one("select state from job").await, "running", "the other worker still has it");
    assert!(queue::finish(&mut conn, &other).await.unwrap());
    assert_eq!(t.db.one("select count(*) from task").await, "0");
    t.finish().await;
}

/// Rows: D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_keeps_the_lease() {
    let t = TestApp::start().await;
    add(&t, &[Some { n: 0 }.job()]).await;
    let job = claim(&t, 1).await.remove(0);
    t.advance(TimeDelta::seconds(100)).await;
    assert!(queue::extend(&mut t.app.db.conn().await.unwrap(), &job, LEASE).await.unwrap());
    t.advance(TimeDelta::seconds(100)).await;
    assert_eq!(queue::rescue(&t.app.db, &t.app.clock).await.unwrap(), 0);
    assert!(queue::finish(&mut t.app.db.conn().await.unwrap(), &job).await.unwrap());
    t.finish().await;
}

/// Rows: D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_workers_always_die_goes_to_a_person() {
    let t = TestApp::start().await;
    add(&t, &[Fails {}.job()]).await;
    for _ in 0..3 {
        assert_eq!(claim(&t, 1).await.len(), 1);
        t.advance(TimeDelta::seconds(122)).await;
        queue::rescue(&t.app.db, &t.app.clock).await.unwrap();
    }
    assert_eq!(claim(&t, 1).await.len(), 0);
    assert_eq!(t.db.one("select state from job").await, "dead");
    assert_eq!(t.db.one("select kind || ' ' || (body->>'kind') from task").await, "job_dead test.fails");
    t.finish().await;
}

/// Rows: D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_job_gives_way_to_a_twin_that_was_queued_meanwhile() {
    let t = TestApp::start().await;
    let job = || Some { n: 0 }.job();
    add(&t, &[job(), job()]).await;
    let running = claim(&t, 5).await;
    assert_eq!(running.len(), 1, "one queued job of a key");
    add(&t, &[job()]).await;
    let mut conn = t.app.db.conn().await.unwrap();
    assert!(queue::put_back(&mut conn, &running[0], Duration::ZERO, true, Some("x")).await.unwrap());
    assert_eq!(t.db.one("select string_agg(state, ' ' order by id) from job").await, "done queued");
    let twin = claim(&t, 5).await.remove(0);
    assert!(queue::finish(&mut conn, &twin).await.unwrap());
    t.finish().await;
}

/// Rows: D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn done_jobs_are_deleted_after_some_days_and_others_stay() {
    let t = TestApp::start().await;
    add(&t, &[Some { n: 0 }.job()]).await;
    let job = claim(&t, 1).await.remove(0);
    queue::finish(&mut t.app.db.conn().await.unwrap(), &job).await.unwrap();
    t.sweep().await;
    assert_eq!(t.db.one("select count(*) from job where kind = 'test.job'").await, "1");
    t.advance(TimeDelta::days(8)).await;
    t.sweep().await;
    assert_eq!(t.db.one("select count(*) from job where kind = 'test.job'").await, "0");
    t.finish().await;
}

#[test]
fn gaps_grow_and_end_at_an_hour() {
    let gaps: Vec<u64> = (1..=9).map(|n| queue::gap_after(n).as_secs()).collect();
    assert!(gaps[0] < 7 && gaps[2] > 30, "{gaps:?}");
    assert!(gaps.windows(2).all(|w| w[1] > w[0] || w[0] > 2_800), "{gaps:?}");
    assert!(gaps[8] <= 4_320, "{gaps:?}");
}
