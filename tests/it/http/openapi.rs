use crate::harness::TestApp;

/// `INSTA_UPDATE=always` rewrites the snapshot when a route was added on purpose.
///
/// Rows: X6.
#[test]
fn the_description_of_the_rest_side_is_the_one_that_was_looked_at() {
    insta::assert_snapshot!(dispense::http::openapi().0);
}

/// Rows: X6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_described_route_is_served_and_no_method_of_a_path_twice() {
    let t = TestApp::start().await;
    let served = t.get("/openapi.json").await.text().await.unwrap();
    assert_eq!(served, dispense::http::openapi().0);
    let mut seen = std::collections::HashSet::new();
    for row in dispense::http::routes::table() {
        let operation = row.operation;
        assert!(!operation.summary.is_empty() && !operation.answers.is_empty(), "{}", operation.path);
        assert!(seen.insert((operation.method.clone(), operation.path)), "{} twice", operation.path);
        let path = operation.path.replace(['{', '}'], "");
        // Each path is mounted: a method nobody takes is reported as such, not as an unknown path.
        let answer =
            t.http().request(reqwest::Method::TRACE, format!("{}{path}", t.base)).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{path}");
        assert!(answer.headers()["allow"].to_str().unwrap().contains(operation.method.as_str()), "{path}");
    }
    t.finish().await;
}
