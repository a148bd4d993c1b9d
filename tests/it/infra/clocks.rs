//! Two clocks: this machine's and the database's.

use dispense::infra::clock_difference::{self, ClockDifference};

use crate::harness::TestApp;

/// Rows: X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_differ_are_reported_before_honest_notices_are_refused() {
    let t = TestApp::start().await;
    let figure = async || {
        let figures = t.figures().await;
        let line = figures.lines().find(|line| line.starts_with("dispense_clock_difference_seconds "));
        line.and_then(|line| line.split(' ').nth(1)).and_then(|text| text.parse::<f64>().ok()).unwrap()
    };
    for (seconds, expected) in [
        (0, ClockDifference::Small),
        (50, ClockDifference::Small),
        (70, ClockDifference::Notable),
        (-70, ClockDifference::Notable),
        (310, ClockDifference::Harmful),
        (-86_400, ClockDifference::Harmful),
    ] {
        t.db.set_clock_offset(seconds * 1_000_000).await;
        assert_eq!(clock_difference::look(&t.app).await.unwrap(), expected, "{seconds} s");
        assert!((figure().await - seconds as f64).abs() < 5.0, "{seconds} s");
    }
    t.db.set_clock_offset(0).await;
    t.finish().await;
}
