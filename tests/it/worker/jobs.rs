use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use dispense::base::error_code::ErrorCode;
use dispense::base::outcome::{Fault, Refusal};
use dispense::infra::effects::jobs::{self, NewJob, Payload};
use dispense::worker::{self, Done, React};
use tokio_util::sync::CancellationToken;

use crate::harness::TestApp;
use crate::harness::test_jobs::{Fails, Fine, Hangs, Later, Panics, Refused};

async fn add(t: &TestApp, jobs: &[NewJob]) {
    jobs::add(&t.app.db.conn().await.unwrap(), jobs).await.unwrap();
}

/// What the job's kind says happens.
fn react(calls: Arc<AtomicUsize>) -> React {
    Arc::new(move |_, job| {
        let calls = calls.clone();
        Box::pin(async move {
            // A dead job's task has its mail, which is a job too.
            calls.fetch_add(usize::from(job.kind.starts_with("test.")), Ordering::SeqCst);
            match job.kind.as_str() {
                "test.fails" => Err(Fault::Upstream("no answer".into()).into()),
                "test.panics" => panic!("a handler that panics"),
                "test.refused" => Err(Refusal::new(ErrorCode::NotFound, "nothing there").into()),
                "test.later" => Ok(Done::Later(Duration::from_secs(60))),
                "test.hangs" => {
                    futures::future::pending::<()>().await;
                    Ok(Done::Finished)
                }
                _ => Ok(Done::Finished),
            }
        })
    })
}

/// Rows: D5, D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_jobs_back_off_and_end_before_a_person_while_others_go_on() {
    let t = TestApp::start().await;
    add(&t, &[Fails {}.job(), Panics {}.job()]).await;
    add(&t, &[Fine { n: 0 }.job()]).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let react = react(calls.clone());
    worker::drain_with(&t.app.worker(), &react).await.unwrap();
    assert_eq!(t.db.one("select state from job where kind = 'test.fine'").await, "done");
    let waits =
        "select count(*) from job where state = 'queued' and run_at > app_now() and last_error is not null";
    assert_eq!(t.db.one(waits).await, "2");
    assert_eq!(
        worker::drain_with(&t.app.worker(), &react).await.unwrap(),
        0,
        "a failed job waits for its time"
    );
    for _ in 0..2 {
        t.advance(TimeDelta::hours(2)).await;
        worker::drain_with(&t.app.worker(), &react).await.unwrap();
    }
    assert_eq!(t.db.one("select count(*) from job where state = 'dead' and attempt = 3").await, "2");
    assert_eq!(t.db.one("select count(*) from task where kind = 'job_dead' and state = 'open'").await, "2");
    assert_eq!(calls.load(Ordering::SeqCst), 7);
    t.finish().await;
}

/// Rows: D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_job_is_not_tried_again() {
    let t = TestApp::start().await;
    add(&t, &[Refused {}.job()]).await;
    worker::drain_with(&t.app.worker(), &react(Default::default())).await.unwrap();
    assert_eq!(
        t.db.one("select state || ' ' || attempt || ' ' || last_error from job where kind = 'test.refused'")
            .await,
        "dead 1 refused: NOT_FOUND"
    );
    t.finish().await;
}

/// Rows: D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_asks_to_come_back_later_uses_up_no_attempt() {
    let t = TestApp::start().await;
    add(&t, &[Later {}.job()]).await;
    for _ in 0..12 {
        assert_eq!(worker::drain_with(&t.app.worker(), &react(Default::default())).await.unwrap(), 1);
        assert_eq!(t.db.one("select state || attempt from job").await, "queued0");
        t.advance(TimeDelta::seconds(61)).await;
    }
    t.finish_with_jobs().await;
}

/// Rows: D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_hangs_is_cut_off_before_half_of_its_lease() {
    let t = TestApp::start_with(|config| config.worker.job_seconds = 1).await;
    add(&t, &[Hangs {}.job()]).await;
    worker::drain_with(&t.app.worker(), &react(Default::default())).await.unwrap();
    assert_eq!(
        t.db.one("select state || ' ' || last_error from job").await,
        "queued upstream: the job took longer than 1 s"
    );
    t.finish().await;
}

/// Rows: D5, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_workers_take_work_when_the_bell_rings_and_end_when_told() {
    let t = TestApp::start().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let stop = CancellationToken::new();
    let workers: Vec<_> = (0..2)
        .map(|_| tokio::spawn(worker::run_with(t.app.worker(), react(calls.clone()), stop.clone())))
        .collect();
    for n in 0..5 {
        add(&t, &(0..10).map(|m| Fine { n: n * 10 + m }.job()).collect::<Vec<_>>()).await;
        t.app.bell.ring();
    }
    let all_done = async {
        while t.db.one("select count(*) from job where state = 'done'").await != "50" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_done).await.unwrap();
    stop.cancel();
    for worker in workers {
        tokio::time::timeout(Duration::from_secs(30), worker).await.unwrap().unwrap();
    }
    assert_eq!(calls.load(Ordering::SeqCst), 50, "each job once");
    t.finish().await;
}
