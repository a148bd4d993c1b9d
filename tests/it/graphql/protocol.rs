use dispense::base::ids::OrderId;
use poem::http::{Method, StatusCode};
use serde_json::json;

use super::client::{Client, NEW};
use crate::harness::TestApp;

const SHOP: &str = "{ shop { name } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_is_answered_by_post_and_by_get_in_the_media_type_the_client_asks_for() {
    let t = TestApp::start().await;
    let client = Client::new(&t.app);
    let reply = client.ask(SHOP, json!({})).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "application/graphql-response+json; charset=utf-8");
    assert_eq!(reply.json(), json!({ "data": { "shop": { "name": "Dispense" } } }));
    assert_eq!(reply.header("cache-control"), "private, no-store");

    for (accept, wanted) in [
        ("application/json", "application/json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
        (
            "application/json;q=0.5, application/graphql-response+json",
            "application/graphql-response+json; charset=utf-8",
        ),
        ("text/html;q=0.1, application/json", "application/json; charset=utf-8"),
    ] {
        let reply = client.get(&[("query", SHOP)], accept).await;
        assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, wanted), "{accept}");
    }
    for accept in ["text/plain", "application/json;charset=latin1", "application/json;q=0"] {
        let reply = client.get(&[("query", SHOP)], accept).await;
        assert_eq!(reply.status, StatusCode::NOT_ACCEPTABLE, "{accept}");
        assert_eq!(reply.code(), "BAD_REQUEST");
    }
    t.finish().await;
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_json_bodies_are_read_so_that_no_other_page_can_send_one_unasked() {
    let t = TestApp::start().await;
    let client = Client::new(&t.app);
    let body = json!({ "query": SHOP }).to_string();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin1",
        "",
    ] {
        let reply = client
            .send(Method::POST, "/graphql", &[("content-type", kind), ("accept", NEW)], body.clone().into())
            .await;
        assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    let reply = client.send(Method::POST, "/graphql", &[("accept", NEW)], body.clone().into()).await;
    assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let kind = "application/json; charset=UTF-8";
    let reply =
        client.send(Method::POST, "/graphql", &[("content-type", kind), ("accept", NEW)], body.into()).await;
    assert_eq!(reply.status, StatusCode::OK);
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let reply = client.send(method, "/graphql", &[("accept", NEW)], Vec::new()).await;
        assert_eq!((reply.status, reply.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST, GET"));
    }
    t.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_ran_has_no_data_and_400_or_200_as_the_media_type_means_it() {
    let t = TestApp::start().await;
    let client = Client::new(&t.app);
    for query in [
        "{",
        "{ nothing }",
        "query ($a: Int!) { shop { name } }",
        "{ shop }",
        "query A { shop { name } } query B { shop { name } }",
    ] {
        let reply = client.ask(query, json!({})).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}: {}", reply.text);
        let json = reply.json();
        assert!(json.get("data").is_none(), "{json}");
        assert_eq!(reply.code(), "VALIDATION_FAILED");
        assert_eq!(json["errors"][0]["extensions"]["requestId"], "test-request");
        let reply = client.get(&[("query", query)], "application/json").await;
        assert_eq!(reply.status, StatusCode::OK, "{query}");
        assert!(reply.json().get("data").is_none());
    }
    t.finish().await;
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_no_request_are_told_so() {
    let t = TestApp::start().await;
    let client = Client::new(&t.app);
    for body in [
        r#""#,
        r#"null"#,
        r#"[]"#,
        r#"[{"query":"{ shop { name } }"}]"#,
        r#"{"query":1}"#,
        r#"{"query":""}"#,
        r#"{}"#,
        r#"{"query":"{ shop { name } }","variables":[]}"#,
        r#"{"query":"{ shop { name } }","variables":"{}"}"#,
        r#"{"query":"{ shop { name } }","operationName":7}"#,
        r#"{"query":"{ shop { name } }","extensions":[]}"#,
        r#"{"query":"{ shop { name } }","query":"{ shop { name } }"}"#,
    ] {
        let reply = client.post(body).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"), "{body}");
    }
    let reply = client.post(vec![b' '; 70_000]).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    let hash = json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": "ab" } } });
    assert_eq!(client.post(hash.to_string()).await.code(), "PERSISTED_QUERY_NOT_FOUND");
    t.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cost_is_told_when_asked_for() {
    let t = TestApp::start().await;
    let client = Client::new(&t.app);
    let reply = client.post(json!({ "query": SHOP, "extensions": { "cost": true } }).to_string()).await;
    assert_eq!(reply.json()["extensions"]["cost"]["requested"], 1);
    t.finish().await;
}

/// Rows: A5, X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn things_that_are_looked_up_by_their_ids_cost_what_that_reads() {
    let t = TestApp::start().await;
    let client = Client::new(&t.app);
    let ids: Vec<String> = (0..100).map(|_| OrderId(t.app.clock.uuid()).to_string()).collect();
    let one = format!("{{ node(id: \"{}\") {{ id }} }}", ids[0]);
    let several = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }".to_owned();
    for (query, cost) in [(one, 9), (several, 900)] {
        let body =
            json!({ "query": query, "variables": { "ids": ids.clone() }, "extensions": { "cost": true } });
        let reply = client.post(body.to_string()).await;
        assert_eq!(reply.json()["extensions"]["cost"]["requested"], cost, "{query}: {}", reply.text);
    }
    // Cheap one by one, and refused together before anything is read.
    let many: String = (0..15).map(|n| format!("a{n}: nodes(ids: $ids) {{ id }} ")).collect();
    let reply = client.ask(&format!("query($ids: [ID!]!) {{ {many} }}"), json!({ "ids": ids })).await;
    assert_eq!(reply.code(), "TOO_COMPLEX", "{}", reply.text);
    t.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_gets_the_explorer_only_when_the_shop_shows_it() {
    let t = TestApp::start_with(|c| c.server.graphiql = true).await;
    let html = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let client = Client::new(&t.app);
    let reply = client.send(Method::GET, "/graphql", &[("accept", html)], Vec::new()).await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(
        !reply.text.contains("http://") && !reply.text.contains("https://"),
        "the page loads from elsewhere"
    );
    let reply = client.get(&[("query", SHOP)], html).await;
    assert_eq!(reply.header("content-type"), "application/json; charset=utf-8");
    t.finish().await;
    let t = TestApp::start().await;
    let reply = Client::new(&t.app).send(Method::GET, "/graphql", &[("accept", html)], Vec::new()).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    t.finish().await;
}
