//! An order that somebody holds: its notices wait aside and bounded, and nobody else's do.

use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use dispense::orders::place::Placed;
use dispense::payments::notices::held;
use futures::future::join_all;

use crate::harness::{Said, TestApp, with_generic};

/// A session that waits for another's row waits for its transaction, which is of no database; the session's other locks are.
const WAITS: &str =
    "select exists (select 1 from pg_locks w where not w.granted and exists (select 1 from pg_locks o
  join pg_database d on d.oid = o.database where o.pid = w.pid and d.datname = current_database()))";

/// Somebody's transaction that holds orders until it is dropped.
async fn holding(t: &TestApp, orders: &[&Placed]) -> AsyncPgConnection {
    let mut other = AsyncPgConnection::establish(&t.db.app_url()).await.unwrap();
    let ids: Vec<String> = orders.iter().map(|placed| format!("'{}'", placed.order.id.0)).collect();
    let sql = format!("begin; select 1 from orders where id in ({}) for update", ids.join(", "));
    other.batch_execute(&sql).await.unwrap();
    other
}

/// Rows: P5, L4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_of_other_orders_are_answered_at_once_while_some_orders_are_held() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(60, 990).await;
    // More held orders than may wait in the database, each with several notices.
    let mut busy = Vec::new();
    for _ in 0..held::WAITERS + 3 {
        busy.push(t.order(variant, 1).await);
    }
    let mut others = Vec::new();
    for _ in 0..40 {
        others.push(t.order(variant, 1).await);
    }
    let mut lock = holding(&t, &busy.iter().collect::<Vec<_>>()).await;
    let waiting = busy.iter().flat_map(|placed| (0..3).map(move |n| (placed, n))).map(|(placed, n)| {
        let said = Said {
            id: format!("evt_{}_{n}", placed.order.number),
            ..Said::paid(placed, &format!("T{}", placed.order.number))
        };
        let t = &t;
        async move { (t.notify(&said).await.0, Instant::now()) }
    });
    let all_waiting = join_all(waiting);
    let unrelated = async {
        t.wait_until(WAITS).await;
        let begun = Instant::now();
        for chunk in others.chunks(8) {
            let answers = join_all(chunk.iter().map(|placed| {
                let (said, t) = (Said::paid(placed, &format!("T{}", placed.order.number)), &t);
                async move {
                    let sent = Instant::now();
                    (t.notify(&said).await.0, sent.elapsed())
                }
            }));
            for (status, took) in answers.await {
                assert_eq!(status, 200);
                assert!(took < Duration::from_millis(1_500), "an unrelated notice took {took:?}");
            }
        }
        assert!(begun.elapsed() < Duration::from_millis(2_800), "they were to be sent while the others wait");
        let paid = t.db.one("select count(*) from orders where state = 'paid'").await;
        assert_eq!(paid, "40", "the held ones still wait");
        lock.batch_execute("rollback").await.unwrap();
        Instant::now()
    };
    let (answers, freed) = futures::future::join(all_waiting, unrelated).await;
    for (status, at) in answers {
        assert_eq!(status, 200, "as soon as nobody holds the order");
        assert!(at.saturating_duration_since(freed) < Duration::from_millis(1_500));
    }
    assert_eq!(
        t.db.one("select count(*) from orders where state = 'paid'").await,
        (40 + busy.len()).to_string()
    );
    assert_eq!(
        t.db.one("select count(*) from notice where verdict = 'applied'").await,
        (40 + busy.len()).to_string()
    );
    t.finish_with_jobs().await;
}

/// Rows: P5, L4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_so_many_notices_wait_for_held_orders_and_the_others_are_told_to_come_again() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(2, 990).await;
    let (placed, other) = (t.order(variant, 1).await, t.order(variant, 1).await);
    let mut lock = holding(&t, &[&placed]).await;
    let more = 40;
    let said = |n: usize| Said { id: format!("evt_{n}"), ..Said::paid(&placed, "T1") };
    let answers = join_all((0..held::MOST + more).map(|n| {
        let (t, said) = (&t, said(n));
        async move { t.notify(&said).await }
    }));
    let meanwhile = async {
        t.wait_until(WAITS).await;
        assert_eq!(t.notify(&Said::paid(&other, "T2")).await.0, 200);
    };
    let (answers, ()) = futures::future::join(answers, meanwhile).await;
    // The order is held for longer than anybody waits: all are reported to come again, those beyond the bound at once.
    assert!(answers.iter().all(|(status, _)| *status == 503), "{:?}", answers.iter().find(|a| a.0 != 503));
    let at_once = answers.iter().filter(|(_, body)| body.contains("UNAVAILABLE")).count();
    // On a busy machine some of those that would wait find no place for another reason.
    assert!(at_once >= more, "beyond the bound: {at_once}");
    lock.batch_execute("rollback").await.unwrap();
    assert_eq!(t.notify(&said(0)).await.0, 200, "and their repeat is taken");
    assert_eq!(t.order_state(placed.order.id).await, "paid");
    t.finish_with_jobs().await;
}
