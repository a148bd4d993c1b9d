use std::sync::Arc;
use std::time::Duration;

use dispense::base::error_code::ErrorCode;
use dispense::base::outcome::{Fault, Refusal};
use dispense::http::routes::{self, RouteRow};
use dispense::rest::problem::Problem;
use dispense::rest::state::RestBackend;
use poem::handler;
use poem::http::Method;
use poem::web::Data;
use serde_json::Value;

use crate::harness::{TestApp, log};

#[handler]
async fn slow(_backend: Data<&Arc<RestBackend>>) -> &'static str {
    tokio::time::sleep(Duration::from_secs(60)).await;
    "late"
}

/// Notified once a request has reached `waits`.
static REACHED: tokio::sync::Notify = tokio::sync::Notify::const_new();

#[handler]
async fn waits() -> &'static str {
    REACHED.notify_one();
    tokio::time::sleep(Duration::from_secs(60)).await;
    "late"
}

#[handler]
fn panics() -> &'static str {
    panic!("a bug in a handler with a canary-in-panic")
}

#[handler]
fn refuses() -> Result<&'static str, Problem> {
    Err(Refusal::new(ErrorCode::OutOfStock, "sold out").at(["lines", "0"]).into())
}

#[handler]
fn faults() -> Result<&'static str, Problem> {
    Err(Fault::Database("connection to 10.0.0.5 refused".into()).into())
}

#[handler]
async fn takes_little(body: poem::Body) -> Result<String, Problem> {
    let bytes = body.into_bytes_limit(8).await;
    let too_large = |_| Problem::new(ErrorCode::BodyTooLarge, "too large");
    Ok(bytes.map_err(too_large)?.len().to_string())
}

fn rows() -> Vec<RouteRow> {
    vec![
        routes::row(Method::GET, "/slow/{token}", slow, "Never in time"),
        routes::row(Method::GET, "/waits", waits, "Never in time"),
        routes::row(Method::GET, "/panics", panics, "A bug"),
        routes::row(Method::GET, "/refuses", refuses, "An expected no"),
        routes::row(Method::GET, "/faults", faults, "No database"),
        routes::row(Method::POST, "/little", takes_little, "At most eight bytes"),
    ]
}

async fn problem(answer: reqwest::Response) -> Value {
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(body["requestId"], id.as_str());
    body
}

/// Rows: X2, X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_of_failing_ends_as_a_problem_that_tells_nothing_of_the_inside() {
    let t = TestApp::start_with_rows(|config| config.limits.request_seconds = 1, rows()).await;
    let late = t.get("/slow/secret-token-in-path").await;
    assert_eq!(late.status(), 504);
    assert_eq!(problem(late).await["code"], "TIMEOUT");

    let bug = t.get("/panics").await;
    assert_eq!(bug.status(), 500);
    let body = problem(bug).await;
    assert_eq!(body["code"], "INTERNAL");
    assert!(!body.to_string().contains("canary"));

    let refused = t.get("/refuses").await;
    assert_eq!(refused.status(), 422);
    let body = problem(refused).await;
    assert_eq!((body["code"].as_str(), body["field"][1].as_str()), (Some("OUT_OF_STOCK"), Some("0")));

    let down = t.get("/faults").await;
    assert_eq!((down.status().as_u16(), &down.headers()["retry-after"]), (503, &"5".parse().unwrap()));
    let body = problem(down).await;
    assert_eq!(body["code"], "UNAVAILABLE");
    assert!(!body.to_string().contains("10.0.0.5"));
    // Once, at the boundary, with the request's id.
    let logged = log::lines();
    let id = body["requestId"].as_str().unwrap();
    let lines: Vec<&str> = logged.lines().filter(|l| l.contains("10.0.0.5") && l.contains(id)).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");

    let unknown = t.get("/no/such/path?secret-token-in-query").await;
    assert_eq!(unknown.status(), 404);
    assert_eq!(problem(unknown).await["code"], "NOT_FOUND");
    let large = t.http().post(format!("{}/little", t.base)).body("123456789").send().await.unwrap();
    assert_eq!(large.status(), 413);
    assert_eq!(problem(large).await["code"], "BODY_TOO_LARGE");
    let chunks = futures::stream::iter((0..9).map(|_| Ok::<_, std::io::Error>("x")));
    let stream = reqwest::Body::wrap_stream(chunks);
    let large = t.http().post(format!("{}/little", t.base)).body(stream).send().await.unwrap();
    assert_eq!(large.status(), 413);
    // The server lives on.
    assert_eq!(t.get("/healthz").await.status(), 200);
    t.finish().await;
}

/// Rows: X2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_access_log_names_templates_and_ids_and_never_a_token() {
    let t = TestApp::start_with_rows(|config| config.limits.request_seconds = 1, rows()).await;
    let canaries =
        ["canary-in-path-4f1", "canary-in-query-4f1", "canary-in-bearer-4f1", "canary-in-unknown-4f1"];
    for canary in canaries {
        t.canary(canary);
    }
    let answer = t
        .http()
        .get(format!("{}/slow/{}?t={}", t.base, canaries[0], canaries[1]))
        .bearer_auth(canaries[2])
        .header("x-request-id", "client-chosen-id-77")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["x-request-id"], "client-chosen-id-77");
    t.get(&format!("/{}", canaries[3])).await;
    let logged = log::lines();
    let line =
        logged.lines().find(|l| l.contains("dispense::access") && l.contains("client-chosen-id-77")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["fields"]["route"], "/slow/{token}");
    assert_eq!(
        (line["fields"]["method"].as_str(), line["fields"]["status"].as_u64()),
        (Some("GET"), Some(504))
    );
    let figures = t.figures().await;
    assert!(figures.contains(r#"route="/slow/{token}""#) && !figures.contains("canary-in"), "{figures}");
    t.finish().await;
}

/// Rows: X2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_id_that_could_not_stand_in_a_log_is_replaced() {
    let t = TestApp::start().await;
    let long = "x".repeat(65);
    for bad in ["short", "has space in it", "semi;colon;here", long.as_str()] {
        let answer =
            t.http().get(format!("{}/healthz", t.base)).header("x-request-id", bad).send().await.unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap();
        assert_ne!(id, bad);
        assert_eq!(id.len(), 32);
    }
    let answer = t.get("/healthz").await;
    for header in ["x-content-type-options", "referrer-policy", "content-security-policy", "x-frame-options"]
    {
        assert!(answer.headers().contains_key(header), "{header}");
    }
    t.finish().await;
}

/// Rows: X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_lets_the_running_request_end() {
    let mut t = TestApp::start_with_rows(|config| config.limits.request_seconds = 1, rows()).await;
    let running = tokio::spawn(t.http().get(format!("{}/waits", t.base)).send());
    REACHED.notified().await;
    t.stop_serving().await;
    assert_eq!(running.await.unwrap().unwrap().status(), 504);
    assert!(t.http().get(format!("{}/healthz", t.base)).send().await.is_err());
    t.finish().await;
}
