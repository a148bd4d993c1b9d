//! How much of the program one gateway may keep waiting.

use std::future::pending;
use std::time::{Duration, Instant};

use dispense::base::outcome::Fault;
use dispense::payments::accounts::circuit::{Circuits, Lane, SHARE};
use futures::future::join_all;

/// A call that answers at once.
async fn answers(circuits: &Circuits, account: &str, lane: Lane) -> bool {
    circuits.call(account, lane, async { true }, |clear| *clear).await.is_ok()
}

/// Rows: X4, P7.
#[tokio::test]
async fn a_share_is_an_accounts_own_and_a_lanes_own() {
    let circuits = Circuits::default();
    let hanging =
        join_all((0..SHARE).map(|_| circuits.call("slow", Lane::Notices, pending::<bool>(), |clear| *clear)));
    let others = async {
        tokio::task::yield_now().await;
        let refused = circuits.call("slow", Lane::Notices, async { true }, |clear| *clear).await;
        assert!(matches!(refused, Err(Fault::Overloaded(_))), "at once, not after it waited");
        assert!(answers(&circuits, "slow", Lane::Background).await, "the background has its own");
        assert!(answers(&circuits, "other", Lane::Notices).await, "so has every account");
    };
    tokio::select! {
        _ = hanging => panic!("they hang"),
        () = others => {}
    }
    assert!(answers(&circuits, "slow", Lane::Notices).await, "what was given up has left its place");
}

/// Rows: X4, P7.
#[tokio::test]
async fn a_silent_gateway_is_left_alone_and_one_that_fails_fast_is_not() {
    let circuits = Circuits::default();
    for _ in 0..20 {
        assert!(circuits.call("fails", Lane::Background, async { false }, |clear| *clear).await.is_ok());
    }
    let silent = || {
        circuits
            .call("silent", Lane::Background, tokio::time::sleep(Duration::from_millis(2_100)), |()| false)
    };
    let began = Instant::now();
    join_all([silent(), silent(), silent()]).await.into_iter().for_each(|call| assert!(call.is_ok()));
    for lane in [Lane::Background, Lane::Notices] {
        assert!(!answers(&circuits, "silent", lane).await, "nobody waits for it any more");
    }
    assert!(answers(&circuits, "other", Lane::Background).await);
    assert!(began.elapsed() < Duration::from_secs(8));
}
