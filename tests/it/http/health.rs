use crate::harness::TestApp;

/// Rows: X2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_readiness_figures_and_the_description_are_served() {
    let t = TestApp::start().await;
    assert_eq!(t.get("/healthz").await.status(), 200);
    assert_eq!(t.get("/readyz").await.status(), 200);
    let figures = t.figures().await;
    assert!(figures.contains("dispense_http_requests_total{"), "{figures}");
    assert!(figures.contains(r#"route="/healthz""#), "{figures}");
    assert!(figures.contains("dispense_http_request_seconds_bucket"), "{figures}");
    let described: serde_json::Value =
        serde_json::from_str(&t.get("/openapi.json").await.text().await.unwrap()).unwrap();
    assert_eq!(described["openapi"], "3.1.0");
    t.finish().await;
}

/// Rows: X2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_the_migrations_is_alive_but_not_ready() {
    let t = TestApp::start().await;
    t.db.sql("delete from __diesel_schema_migrations").await;
    assert_eq!(t.get("/healthz").await.status(), 200);
    let answer = t.get("/readyz").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert!(answer.headers().contains_key("retry-after"));
    t.finish().await;
}
