use crate::harness::TestApp;

const OWN: &str = "https://shop.example";

/// Rows: C8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_pages_of_allowed_origins_may_read_answers() {
    let t = TestApp::start_with(|config| {
        config.server.allowed_origins = vec![OWN.into(), "myapp://paid".into()];
    })
    .await;
    let ask = |origin: &'static str, method: reqwest::Method| {
        let request = t.http().request(method, format!("{}/healthz", t.base)).header("origin", origin);
        async move { request.header("access-control-request-method", "POST").send().await.unwrap() }
    };
    let answer = ask(OWN, reqwest::Method::OPTIONS).await;
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.headers()["access-control-allow-origin"], OWN);
    assert!(answer.headers()["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
    assert!(!answer.headers().contains_key("access-control-allow-credentials"));
    let answer = ask(OWN, reqwest::Method::GET).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], OWN);
    assert_eq!(answer.headers()["vary"], "Origin");

    for foreign in [
        "https://evil.example",
        "https://shop.example.evil.example",
        "http://shop.example",
        "null",
        "myapp://paid",
    ] {
        for method in [reqwest::Method::OPTIONS, reqwest::Method::GET] {
            let answer = ask(foreign, method).await;
            assert!(!answer.headers().contains_key("access-control-allow-origin"), "{foreign}");
            assert_eq!(answer.headers()["vary"], "Origin");
        }
    }
    t.finish().await;
}
