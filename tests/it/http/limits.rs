use dispense::infra::throttle::{Throttle, prefix};

use crate::harness::TestApp;

/// Rows: X3.
#[test]
fn an_address_is_limited_by_its_prefix_and_told_when_to_come_again() {
    let throttle: Throttle = Throttle::per_minute(3);
    let of = |text: &str| prefix(text.parse().unwrap());
    // One household: the same /56.
    for host in ["2001:db8:1:200::1", "2001:db8:1:2ff::2", "2001:db8:1:201:ffff::3"] {
        throttle.take(&of(host)).unwrap();
    }
    let wait = throttle.take(&of("2001:db8:1:2aa::4")).unwrap_err();
    assert!((1..=20).contains(&wait), "{wait}");
    throttle.take(&of("2001:db8:1:300::1")).unwrap();
    // Neighbours of IPv4 are others; the mapped form of an address is the same.
    for host in ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"] {
        throttle.take(&of(host)).unwrap();
    }
    throttle.take(&of("192.0.2.1")).unwrap_err();
    throttle.take(&of("192.0.2.2")).unwrap();
    throttle.forget_idle();
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_beyond_its_share_gets_429_with_a_time_and_others_are_served() {
    let t = TestApp::start_with(|config| {
        config.limits.requests_per_minute = 5;
        config.server.trusted_proxies = vec!["127.0.0.0/8".into()];
    })
    .await;
    let ask = |client: &'static str| {
        let request = t.http().get(format!("{}/schema.graphql", t.base)).header("x-forwarded-for", client);
        async move { request.send().await.unwrap() }
    };
    for _ in 0..5 {
        assert_eq!(ask("192.0.2.1").await.status(), 200);
    }
    let answer = ask("192.0.2.1").await;
    assert_eq!(answer.status(), 429);
    let seconds: u32 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=12).contains(&seconds));
    let body: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some("RATE_LIMITED"), Some(429)));
    assert_eq!(ask("192.0.2.2").await.status(), 200);
    t.finish().await;
}
