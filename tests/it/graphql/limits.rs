use std::time::{Duration, Instant};

use poem::http::StatusCode;
use serde_json::json;

use super::client::Client;
use crate::harness::TestApp;

/// Refused as too complex, quickly.
async fn refused(client: &Client, name: &str, query: String) {
    let started = Instant::now();
    let reply = client.ask(&query, json!({})).await;
    let took = started.elapsed();
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{name}: {}", reply.text);
    assert!(matches!(reply.code().as_str(), "TOO_COMPLEX" | "VALIDATION_FAILED"), "{name}: {}", reply.text);
    // Refused before anything is resolved: far from the seconds that running it would take, even on a busy machine.
    assert!(took < Duration::from_millis(500), "{name} took {took:?}");
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_of_every_kind_are_refused_in_an_instant() {
    let t = TestApp::start().await;
    let client = Client::new(&t.app);
    client.ask("{ shop { name } }", json!({})).await;

    let aliases: String = (0..16).map(|i| format!("a{i}: name ")).collect();
    refused(&client, "aliases", format!("{{ shop {{ {aliases} }} }}")).await;
    refused(&client, "aliases in a fragment", "{ shop { ...a } s2: shop { ...a } s3: shop { ...a } } fragment a on Shop { a:name b:name c:name d:name e:name f:name }".into()).await;

    refused(
        &client,
        "directives on a field",
        format!("{{ shop {{ name {} }} }}", "@include(if: true) ".repeat(6)),
    )
    .await;
    let many: String = (0..51).map(|_| "name @include(if: true) ").collect();
    refused(&client, "directives", format!("{{ shop {{ {many} }} }}")).await;

    refused(&client, "tokens", format!("{{ shop {{ {} }} }}", "name ".repeat(3_001))).await;
    refused(
        &client,
        "brackets",
        format!("{{ shop(a: {}1{}) {{ name }} }}", "[".repeat(500), "]".repeat(500)),
    )
    .await;
    refused(&client, "depth of braces", format!("{}name{}", "{ shop ".repeat(500), "}".repeat(500))).await;
    let deep = format!("{{ shop {}name{} }}", "{ a ".repeat(12), " }".repeat(12));
    refused(&client, "depth", deep).await;

    let mut bomb = String::from("{ shop { ...f0 } }");
    for i in 0..30 {
        bomb.push_str(&format!(" fragment f{i} on Shop {{ ...f{0} ...f{0} }}", i + 1));
    }
    bomb.push_str(" fragment f30 on Shop { name }");
    refused(&client, "fragment bomb", bomb).await;
    refused(
        &client,
        "fragment cycle",
        "{ shop { ...a } } fragment a on Shop { ...b } fragment b on Shop { ...a }".into(),
    )
    .await;
    refused(&client, "fragment of itself", "{ ...a } fragment a on Query { shop { name } ...a }".into())
        .await;

    let nested = format!(
        "{{ __schema {{ types {{ fields {{ type {}{{ name }}{} }} }} }} }}",
        "{ ofType ".repeat(18),
        " }".repeat(18)
    );
    refused(&client, "introspection", nested).await;
    t.finish().await;
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introspection_alone_has_a_limit_of_its_own_and_can_be_switched_off() {
    let t = TestApp::start().await;
    let deep = format!(
        "{{ __schema {{ types {{ fields {{ type {}{{ name }}{} }} }} }} }}",
        "{ ofType ".repeat(9),
        " }".repeat(9)
    );
    let reply = Client::new(&t.app).ask(&deep, json!({})).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    t.finish().await;
    let t = TestApp::start_with(|c| c.server.introspection = false).await;
    let client = Client::new(&t.app);
    assert_eq!(client.ask(&deep, json!({})).await.code(), "VALIDATION_FAILED");
    assert_eq!(client.ask("{ __typename shop { __typename } }", json!({})).await.status, StatusCode::OK);
    t.finish().await;
}
