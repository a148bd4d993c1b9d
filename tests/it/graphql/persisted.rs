//! Automatic persisted queries, and what caches may keep of their answers.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::stocked::Stocked;
use super::wire::{Said, Wire};
use crate::harness::TestApp;

fn hash(query: &str) -> String {
    hex::encode(Sha256::digest(query.as_bytes()))
}

fn extension(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

async fn by_hash(client: &Wire<'_>, query: &str) -> Said {
    client.post(&json!({ "extensions": extension(&hash(query)) })).await
}

async fn register(client: &Wire<'_>, query: &str) -> Said {
    register_with(client, query, json!({})).await
}

async fn register_with(client: &Wire<'_>, query: &str, variables: Value) -> Said {
    let extensions = extension(&hash(query));
    client.post(&json!({ "query": query, "variables": variables, "extensions": extensions })).await
}

async fn get(client: &Wire<'_>, query: &str, variables: Value) -> Said {
    let (extension, variables) = (extension(&hash(query)).to_string(), variables.to_string());
    client.get(&[("extensions", &extension), ("variables", &variables)]).await
}

const KNOWN: &str = "select count(*) from persisted_query";

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_sent_once_and_asked_for_by_its_hash_from_then_on() {
    let t = TestApp::start().await;
    let client = Wire::new(&t);
    let query = "query Name { shop { name } }";
    let unknown = by_hash(&client, query).await;
    assert_eq!(unknown.code(), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(unknown.json()["errors"][0]["message"], "PersistedQueryNotFound", "what clients look for");
    let wanted = json!({ "shop": { "name": "Dispense" } });
    assert_eq!(register(&client, query).await.json()["data"], wanted);
    for _ in 0..2 {
        assert_eq!(by_hash(&client, query).await.json()["data"], wanted);
    }
    assert_eq!(
        client.post(&json!({ "extensions": extension(&hash(query).to_uppercase()) })).await.json()["data"],
        wanted
    );
    assert_eq!(get(&client, query, json!({})).await.json()["data"], wanted);
    // The hash is of the exact text.
    assert_eq!(by_hash(&client, &format!("{query} ")).await.code(), "PERSISTED_QUERY_NOT_FOUND");
    for wrong in [hash("{ shop { now } }"), "0".repeat(64), "ab".into(), String::new(), "z".repeat(64)] {
        let said = client.post(&json!({ "query": query, "extensions": extension(&wrong) })).await;
        assert_eq!((said.status, said.code().as_str()), (400, "BAD_REQUEST"), "{wrong}");
        if wrong.len() != 64 || wrong.starts_with('z') {
            assert_eq!(
                client.post(&json!({ "extensions": extension(&wrong) })).await.code(),
                "PERSISTED_QUERY_NOT_FOUND"
            );
        }
    }
    for broken in [
        json!({ "version": 2, "sha256Hash": hash(query) }),
        json!({ "version": 1 }),
        json!(true),
        json!({ "version": 1, "sha256Hash": 7 }),
    ] {
        let said = client.post(&json!({ "query": query, "extensions": { "persistedQuery": broken } })).await;
        assert_eq!((said.status, said.code().as_str()), (400, "BAD_REQUEST"), "{broken}");
    }
    assert_eq!(t.db.one(KNOWN).await, "1");

    // What is not valid, or holds a secret or an address, is answered and not kept.
    let secret = "oat_0123456789abcdef0123456789abcdef";
    t.canary(secret);
    for query in [
        "{ nothing }".to_owned(),
        "{ shop { name }".to_owned(),
        format!("{{ order(number: \"D-1\", accessToken: \"{secret}\") {{ id }} }}"),
        format!("query($t: String = \"{secret}\", $n: String = \"D-1\") {{ order(number: $n, accessToken: $t) {{ id }} }}"),
        format!("query($t: String = \"{secret}\", $n: String = \"D-1\", $accessToken: String = \"{secret}\") {{ order(number: $n, accessToken: $t) {{ id }} b: order(number: $n, accessToken: $accessToken) {{ id }} }}"),
        "{ quote(input: {lines: [], email: \"ann@example.com\"}) { canPlace } }".to_owned(),
        "mutation($id: ID!) { orderCancel(input: {orderId: $id, accessToken: \"oat_1\"}) { userErrors { code } } }".to_owned(),
        format!("{{ shop {{ name }} }} #{}", "x".repeat(33_000)),
    ] {
        register(&client, &query).await;
        assert_eq!(by_hash(&client, &query).await.code(), "PERSISTED_QUERY_NOT_FOUND", "{query:.60}");
    }
    // A client that asks by GET alone repeats by GET.
    let by_get = "query ByGet { shop { name } }";
    let extensions = extension(&hash(by_get)).to_string();
    let unknown = client.get(&[("extensions", &extensions)]).await;
    assert_eq!(unknown.code(), "PERSISTED_QUERY_NOT_FOUND");
    let both = client.get(&[("query", by_get), ("extensions", &extensions)]).await;
    assert_eq!(both.json()["data"], wanted);
    assert_eq!(client.get(&[("extensions", &extensions)]).await.json()["data"], wanted);
    assert_eq!(by_hash(&client, by_get).await.json()["data"], wanted);
    assert_eq!(t.db.one(KNOWN).await, "2");
    // A mutation by GET is neither run nor kept, and of a wrong hash nothing is.
    let mutation = "mutation { sessionRevokeAll { revoked } }";
    let sent =
        client.get(&[("query", mutation), ("extensions", &extension(&hash(mutation)).to_string())]).await;
    assert_eq!(sent.status, 405);
    let wrong =
        client.get(&[("query", by_get), ("extensions", &extension(&hash("{ x }")).to_string())]).await;
    assert_eq!(wrong.code(), "BAD_REQUEST");
    assert_eq!(t.db.one(KNOWN).await, "2");

    // Mutations go by their hash too, and never by GET.
    let mutation = "mutation { sessionRevokeAll { revoked } }";
    assert_eq!(register(&client, mutation).await.code(), "UNAUTHENTICATED");
    assert_eq!(by_hash(&client, mutation).await.code(), "UNAUTHENTICATED");
    let refused = get(&client, mutation, json!({})).await;
    assert_eq!((refused.status, refused.header("allow")), (405, "POST"));
    t.finish().await;
}

/// What is everybody's is kept by caches as long as the least of it, what is somebody's by none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_by_hash_say_how_long_they_may_be_kept_and_have_a_tag() {
    let shop = Stocked::open().await;
    let (guest, buyer) = (Wire::new(&shop.t), shop.buyer().await);
    let number = &shop.guest.order.number;
    let none = json!({});
    let cases = [
        ("{ shop { name currencies } }", none.clone(), Some(300)),
        (
            "{ a: shop { name } products(first: 2) { nodes { id name priceFrom { amount } } } }",
            none.clone(),
            Some(60),
        ),
        ("{ products { nodes { id availability { text } } } }", none.clone(), Some(5)),
        (
            "{ shop { name } products { nodes { ...P } } } fragment P on Product { variants { ...V } } fragment V on Variant { availability { level } }",
            none.clone(),
            Some(5),
        ),
        (
            "query($f: ProductFilter) { products(filter: $f) { nodes { id } } }",
            json!({ "f": { "inStock": true } }),
            Some(5),
        ),
        (
            "query($s: Boolean) { products(filter: {inStock: $s}) { nodes { id } } }",
            json!({ "s": null }),
            Some(60),
        ),
        ("query($s: String!) { product(by: {slug: $s}) { name } }", json!({ "s": "none" }), Some(60)),
        ("{ shop { name now } }", none.clone(), None),
        ("{ shop { name } me { id } }", none.clone(), None),
        ("{ myOrders { totalCount } }", none.clone(), None),
        ("query($n: String!) { order(number: $n) { id } }", json!({ "n": number }), None),
        ("{ quote(input: {lines: []}) { canPlace } }", none.clone(), None),
        ("query($i: ID!) { node(id: $i) { id } }", json!({ "i": shop.keys.to_string() }), None),
        ("{ shop { name } ... on Query { desk { health { openTasks } } } }", none.clone(), None),
        ("{ __typename }", none.clone(), None),
    ];
    for (query, variables, seconds) in cases {
        register_with(&guest, query, variables.clone()).await;
        let said = get(&guest, query, variables.clone()).await;
        assert_eq!(said.status, 200, "{query}: {}", said.text);
        assert!(said.json().get("errors").is_none(), "{query}: {}", said.text);
        match seconds {
            Some(seconds) => {
                assert_eq!(said.header("cache-control"), format!("public, max-age={seconds}"), "{query}");
                let tag = said.header("etag").to_owned();
                let again = get(&guest, query, variables.clone()).await;
                assert_eq!((again.header("etag"), &again.text), (tag.as_str(), &said.text), "{query}");
                let known = get(
                    &guest.with("if-none-match", &format!("\"other\", W/{tag}")),
                    query,
                    variables.clone(),
                )
                .await;
                assert_eq!((known.status, known.text.as_str()), (304, ""), "{query}");
                assert_eq!(
                    (known.header("etag"), known.header("cache-control")),
                    (tag.as_str(), said.header("cache-control"))
                );
                let other = get(&guest.with("if-none-match", "\"other\""), query, variables.clone()).await;
                assert_eq!(other.status, 200);
            }
            None => {
                assert_eq!(said.header("cache-control"), "private, no-store", "{query}");
                assert_eq!(said.header("etag"), "", "{query}");
            }
        }
        for wanted in ["Accept-Language", "Accept-Encoding", "Origin", "Authorization"] {
            assert!(said.header("vary").contains(wanted), "{query}: {}", said.header("vary"));
        }
        for theirs in [&buyer, &guest.with("dispense-order-token", shop.guest.access_token.expose())] {
            let own = get(theirs, query, variables.clone()).await;
            assert_eq!(own.header("cache-control"), "private, no-store", "{query}");
            let tag = said.header("etag");
            if !tag.is_empty() {
                assert_eq!(
                    get(&theirs.with("if-none-match", tag), query, variables.clone()).await.status,
                    200
                );
            }
        }
        let body = json!({ "variables": variables, "extensions": extension(&hash(query)) });
        let posted = guest.post(&body).await;
        assert_eq!(posted.header("cache-control"), "private, no-store", "{query}: by POST");
    }
    // Another language is another answer; an answer with errors is nobody's.
    let query = "{ products { nodes { id name } } }";
    register(&guest, query).await;
    let broken = "query($a: String) { products(after: $a) { nodes { id } } }";
    register(&guest, broken).await;
    let wrong = get(&guest, broken, json!({ "a": "nonsense" })).await;
    assert_eq!(
        (wrong.code().as_str(), wrong.header("cache-control")),
        ("INVALID_CURSOR", "private, no-store")
    );
    let plain = guest.get(&[("query", query)]).await;
    assert_eq!(plain.header("cache-control"), "private, no-store", "not under a hash");
    let secret = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { id } }";
    register_with(&guest, secret, json!({ "n": number })).await;
    let in_url = get(&guest, secret, json!({ "n": number, "t": shop.guest.access_token.expose() })).await;
    assert_eq!((in_url.status, in_url.code().as_str()), (400, "SECRET_IN_URL"));
    shop.finish().await;
}

/// A stranger pushes out what strangers brought, never what others use, and fills no more than a part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_has_bounds_and_a_stranger_pushes_out_nobody_elses_documents() {
    let t = TestApp::start_with(|c| {
        c.limits.persisted_queries = 200;
        c.server.trusted_proxies = vec!["127.0.0.0/8".into()];
    })
    .await;
    let from = |address: &str| Wire::new(&t).with("x-forwarded-for", address);
    let query = |name: &str, n: usize| format!("query {name}{n} {{ shop {{ name }} }}");
    let ours = query("App", 0);
    register(&from("203.0.113.9"), &ours).await;
    // Used from elsewhere too: it is shared from now on.
    assert_eq!(by_hash(&from("198.51.100.7"), &ours).await.status, 200);
    assert_eq!(t.db.one("select shared from persisted_query").await, "t");
    // One network brings much: it keeps a fiftieth of the room, its newest ones.
    for n in 0..12 {
        register(&from(&format!("192.0.2.{n}")), &query("Flood", n)).await;
    }
    assert_eq!(t.db.one("select count(*) from persisted_query where not shared").await, "4");
    assert_eq!(by_hash(&from("192.0.2.1"), &query("Flood", 0)).await.code(), "PERSISTED_QUERY_NOT_FOUND");
    assert!(by_hash(&from("192.0.2.1"), &query("Flood", 11)).await.json()["data"].is_object());
    // Many networks together fill a quarter of the room and push out one another.
    for n in 0..60 {
        register(&from(&format!("10.{n}.0.1")), &query("Crowd", n)).await;
    }
    assert_eq!(t.db.one("select count(*) from persisted_query where not shared").await, "50");
    assert!(by_hash(&from("10.59.0.1"), &query("Crowd", 59)).await.json()["data"].is_object());
    assert!(by_hash(&from("203.0.113.9"), &ours).await.json()["data"].is_object(), "what others use stays");
    // All at once, and by size: a large document counts for its bytes.
    let crowd = (0..8).map(|n| {
        let (client, text) = (from(&format!("172.16.{n}.1")), query("Race", n));
        async move { register(&client, &text).await.status }
    });
    assert!(futures::future::join_all(crowd).await.iter().all(|status| *status == 200));
    assert_eq!(t.db.one("select count(*) from persisted_query where not shared").await, "50");
    assert_eq!(t.db.one("select count(*) <= 200 from persisted_query").await, "t");
    t.db.sql("delete from persisted_query where not shared").await;
    t.finish().await;

    let t = TestApp::start_with(|c| {
        c.limits.persisted_query_bytes = 400_000;
        c.server.trusted_proxies = vec!["127.0.0.0/8".into()];
    })
    .await;
    for n in 0..40 {
        let text = format!("query Large{n} {{ shop {{ name }} }} #{}", "x".repeat(5_000));
        register(&Wire::new(&t).with("x-forwarded-for", &format!("10.{n}.0.1")), &text).await;
    }
    let bytes =
        "select sum(octet_length(query)) <= 100000 and count(*) > 10 from persisted_query where not shared";
    assert_eq!(t.db.one(bytes).await, "t");
    // Still used an hour later, by its own network alone: no longer within strangers' reach.
    let text = format!("query Large39 {{ shop {{ name }} }} #{}", "x".repeat(5_000));
    t.advance(chrono::TimeDelta::hours(2)).await;
    by_hash(&Wire::new(&t).with("x-forwarded-for", "10.39.0.1"), &text).await;
    assert_eq!(t.db.one("select count(*) from persisted_query where shared").await, "1");
    t.finish().await;
}
