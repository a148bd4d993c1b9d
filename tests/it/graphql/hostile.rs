use poem::http::{Method, StatusCode};
use serde_json::json;

use super::client::{Client, NEW};
use crate::harness::TestApp;

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_a_client_can_send_is_our_fault() {
    let t = TestApp::start().await;
    let client = Client::new(&t.app);
    let wrap = |variables: &str| format!(r#"{{"query":"{{ shop {{ name }} }}","variables":{variables}}}"#);
    let mut bodies: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        "[".repeat(30_000).into_bytes(),
        "{\"a\":".repeat(10_000).into_bytes(),
        vec![0xff, 0xfe, 0x00],
        b"{\"query\":\"\xff\xfe\"}".to_vec(),
        b"{\"query\":\"{ shop { name } }\\u0000\"}".to_vec(),
        b"{\"query\":\"{ shop { name } }\0\"}".to_vec(),
        wrap(&format!("{}1{}", "[".repeat(200), "]".repeat(200))).into_bytes(),
        wrap(r#"{"a":"\ud800"}"#).into_bytes(),
        wrap(r#"{"a":"\udc00\ud800"}"#).into_bytes(),
        wrap(r#"{"a":"\u0000"}"#).into_bytes(),
        wrap(r#"{"a":1e999}"#).into_bytes(),
        wrap(r#"{"a":NaN}"#).into_bytes(),
        wrap(r#"{"a":Infinity}"#).into_bytes(),
        wrap(r#"{"a":-}"#).into_bytes(),
        wrap(r#"{"a":1,"a":2}"#).into_bytes(),
        wrap(r#"{"a":{"b":1,"b":2}}"#).into_bytes(),
        b"\xef\xbb\xbf{}".to_vec(),
    ];
    bodies.push([wrap("{}").as_bytes(), b"x"].concat());
    for body in bodies {
        let reply = client.post(body.clone()).await;
        assert_eq!(
            reply.status,
            StatusCode::BAD_REQUEST,
            "{}: {}",
            String::from_utf8_lossy(&body[..body.len().min(80)]),
            reply.text
        );
        assert_eq!(reply.code(), "BAD_REQUEST");
    }
    t.finish().await;
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_but_well_formed_requests_are_answered_without_a_500() {
    let t = TestApp::start().await;
    let client = Client::new(&t.app);
    let long = "9".repeat(400);
    let many: String = (0..2_000).map(|i| format!("\"v{i}\":1,")).collect();
    for body in [
        json!({ "query": "{ shop { name } }", "variables": { "unused": 1 } }).to_string(),
        format!(r#"{{"query":"{{ shop {{ name }} }}","variables":{{{many}"z":1}}}}"#),
        format!(r#"{{"query":"{{ shop {{ name }} }}","variables":{{"a":{long}}}}}"#),
        json!({ "query": format!("{{ shop(a: {long}) {{ name }} }}") }).to_string(),
        json!({ "query": "{ shop { name } } # \u{202e}\u{feff}" }).to_string(),
        json!({ "query": "\u{feff}{ shop { name } }" }).to_string(),
        json!({ "query": "{ shop { name @skip(if: \"\\u0000\") } }" }).to_string(),
        json!({ "query": "{ shop { name @skip(if: \"\\ud800\") } }" }).to_string(),
        json!({ "query": "{ \u{fc} }" }).to_string(),
        json!({ "query": "\"\"\"" }).to_string(),
        json!({ "query": "{ shop(x: \"\"\"\\\"\"\") { name } }" }).to_string(),
        json!({ "query": "{ shop(x: \"\\" }).to_string(),
        json!({ "query": "subscription { shop { name } }" }).to_string(),
        json!({ "query": "{ shop { name } }", "operationName": "Nobody" }).to_string(),
        json!({ "query": "type A { b: Int }" }).to_string(),
    ] {
        let reply = client.post(body.clone()).await;
        assert!(reply.status.as_u16() < 500, "{body}: {}", reply.text);
        reply.json();
    }
    for uri in [
        "/graphql?query=%ff",
        "/graphql?query={shop{name}}&variables=%00",
        "/graphql?query=%00",
        "/graphql?query=a&query=b",
    ] {
        let reply = client.send(Method::GET, uri, &[("accept", NEW)], Vec::new()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{uri}");
    }
    t.finish().await;
}
