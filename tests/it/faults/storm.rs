//! Two thousand notices from a client that repeats until success, while the program or the database is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dispense::base::clock::random;
use tokio::sync::watch;

use super::shop::{assert_sound, durable, many_orders, server};
use crate::harness::TestApp;
use crate::harness::shop::notify;

const NOTICES: usize = 2_000;
const SENDERS: usize = 16;
const KILLS: usize = 5;

/// Sends every order's notice until it is answered with success; reports how far it has come.
async fn send_all(
    t: &TestApp,
    orders: Vec<super::shop::Waiting>,
    base: watch::Receiver<String>,
    done: Arc<AtomicUsize>,
) {
    let deadline = Instant::now() + Duration::from_secs(240);
    let next = Arc::new(AtomicUsize::new(0));
    let orders = Arc::new(orders);
    let senders = (0..SENDERS).map(|_| {
        let (next, orders, base, done) = (next.clone(), orders.clone(), base.clone(), done.clone());
        let (http, clock) = (t.http().clone(), t.app.clock.clone());
        tokio::spawn(async move {
            while let Some(order) = orders.get(next.fetch_add(1, Ordering::SeqCst)) {
                loop {
                    assert!(Instant::now() < deadline, "the notices were not settled in time");
                    let address = base.borrow().clone();
                    if matches!(notify(&http, &address, clock.unix(), &order.paid()).await, Ok((200, _))) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                done.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
}

/// Points of progress at which something is killed: random, reported when the test starts.
fn moments() -> Vec<usize> {
    let mut moments: Vec<usize> =
        (0..KILLS).map(|_| 50 + usize::from(u16::from_be_bytes(random::<2>())) % (NOTICES - 200)).collect();
    moments.sort_unstable();
    println!("kills after {moments:?} notices");
    moments
}

async fn reach(done: &AtomicUsize, moment: usize) {
    while done.load(Ordering::SeqCst) < moment {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Rows: P5, P6, X4, D1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_kills_of_the_program_amid_two_thousand_notices_lose_no_key_and_give_none_twice() {
    let (_cluster, t) = durable().await;
    let variant = t.selling_keys(NOTICES, 990).await;
    let orders = many_orders(&t, variant, NOTICES).await;
    let mut running = server(&t).arg("--no-worker").start();
    let (address, base) = watch::channel(running.url(""));
    let done = Arc::new(AtomicUsize::new(0));
    let kill = async {
        for moment in moments() {
            reach(&done, moment).await;
            running.kill();
            t.search_log(&running.log());
            running = running.start_again();
            address.send(running.url("")).unwrap();
        }
    };
    tokio::join!(send_all(&t, orders, base, done.clone()), kill);
    // Slices that were killed may have held keys when others looked; what waited then is filled now.
    dispense::fulfilment::fill::run(&t.app, variant).await.unwrap();
    assert_sound(&t, NOTICES, NOTICES).await;
    t.finish_with_jobs().await;
}

/// Rows: P5, P6, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_kills_of_the_database_amid_two_thousand_notices_keep_every_answer() {
    let (mut cluster, t) = durable().await;
    let variant = t.selling_keys(NOTICES, 990).await;
    let orders = many_orders(&t, variant, NOTICES).await;
    let running = server(&t).arg("--no-worker").start();
    let (_address, base) = watch::channel(running.url(""));
    let done = Arc::new(AtomicUsize::new(0));
    let kill = async {
        for moment in moments() {
            reach(&done, moment).await;
            cluster.kill();
            cluster.restart().await;
        }
    };
    tokio::join!(send_all(&t, orders, base, done.clone()), kill);
    dispense::fulfilment::fill::run(&t.app, variant).await.unwrap();
    assert_sound(&t, NOTICES, NOTICES).await;
    t.search_log(&running.log());
    t.finish_with_jobs().await;
}

/// Rows: P6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_the_shop_says_so_quickly_and_recovers_by_itself() {
    let (mut cluster, t) = durable().await;
    let variant = t.selling_keys(2, 990).await;
    let order = many_orders(&t, variant, 1).await.remove(0);
    let running = server(&t).arg("--no-worker").start();
    cluster.kill();
    let asked = Instant::now();
    let (status, body) = notify(t.http(), &running.url(""), t.app.clock.unix(), &order.paid()).await.unwrap();
    assert!(status >= 500, "{status} {body}");
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    cluster.restart().await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while notify(t.http(), &running.url(""), t.app.clock.unix(), &order.paid()).await.unwrap().0 != 200 {
        assert!(Instant::now() < deadline, "it does not recover");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_sound(&t, 1, 1).await;
    t.finish_with_jobs().await;
}
