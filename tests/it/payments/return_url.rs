//! Where a buyer goes back to after paying: from the start of a payment to the redirect behind `/return`.

use dispense::config::{Config, Sources};
use dispense::orders::place::Placed;
use dispense::payments::accounts;
use serde_json::{Value, json};

use super::street::{Street, street};

async fn started(street: &Street, placed: &Placed, url: &str) -> Value {
    let query = "mutation($in: PaymentStartInput!) { paymentStart(input: $in) {
        payment { id action { kind hostedUrl } } userErrors { code field } } }";
    let input = json!({ "in": {
        "idempotencyKey": format!("start of {} 0123456789", placed.order.number), "orderId": placed.order.id.to_string(),
        "accessToken": placed.access_token.expose(),
        "options": { "methodId": "mth_stripe", "accepts": ["REDIRECT"], "returnUrl": url },
    } });
    let answer = street.t.post("/graphql", &json!({ "query": query, "variables": input })).await;
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

/// Rows: P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_comes_back_to_the_app_or_page_that_started_the_payment() {
    let street = street().await;
    let variant = street.selling("stripe", 40, 990).await;
    for (given, before, after) in [
        ("myapp://", "myapp://?", ""),
        ("myapp://done", "myapp://done?", ""),
        ("myapp://done/", "myapp://done/?", ""),
        ("myapp://done/with/path?from=shop", "myapp://done/with/path?from=shop&", ""),
        ("myapp:///path", "myapp:///path?", ""),
        ("myapp:/path", "myapp:/path?", ""),
        ("myapp:done", "myapp:done?", ""),
        ("MyApp://Done#part", "myapp://Done?", "#part"),
        ("com.example.shop://paid?a=1&b=%20", "com.example.shop://paid?a=1&b=%20&", ""),
        ("myapp://done?order=old&x=1&ticket=old", "myapp://done?x=1&", ""),
        ("https://shop.example", "https://shop.example/?", ""),
        ("HTTPS://SHOP.EXAMPLE/thanks?x=1#top", "https://shop.example/thanks?x=1&", "#top"),
    ] {
        let placed = street.place("stripe", variant).await;
        let done = started(&street, &placed, given).await;
        let payment = &done["data"]["paymentStart"]["payment"];
        assert_eq!(done["data"]["paymentStart"]["userErrors"], json!([]), "{given}: {done}");
        let id = payment["id"].as_str().unwrap();
        let answer = street.t.get(&format!("/return/{id}?session_id=cs_1&from=singlemessage")).await;
        assert_eq!(answer.status(), 303, "{given}");
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let wanted = format!("{before}order={}&ticket=wat_", placed.order.number);
        assert!(location.starts_with(&wanted) && location.ends_with(after), "{given}: {location}");
        // A browser that does not go there by itself shows the way.
        let page = answer.text().await.unwrap();
        assert!(page.contains(&format!("href=\"{}\"", location.replace('&', "&amp;"))), "{given}: {page}");
        // What came back is enough to see how far the order is.
        let url = url::Url::parse(&location).unwrap();
        let ticket = url.query_pairs().find(|(name, _)| name == "ticket").unwrap().1.into_owned();
        let status = json!({ "query": "query($t: String!) { orderStatus(ticket: $t) { number } }", "variables": { "t": ticket } });
        let status: Value =
            serde_json::from_str(&street.t.post("/graphql", &status).await.text().await.unwrap()).unwrap();
        assert_eq!(status["data"]["orderStatus"]["number"], json!(placed.order.number), "{given}");
    }
    let placed = street.place("stripe", variant).await;
    for refused in [
        "javascript:alert(1)",
        "JavaScript://shop.example/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "blob:https://shop.example/1",
        "vbscript:x",
        "about:blank",
        "intent://done#Intent;scheme=myapp;end",
        "mailto:a@shop.example",
        "ftp://shop.example/",
        "otherapp://done",
        "myapp2://done",
        "myap://done",
        "http://shop.example/",
        "https://shop.example:8443/",
        "https://shop.example.evil.example/",
        "https://shop.example@evil.example/",
        "https://evil.example/?https://shop.example",
    ] {
        let said = started(&street, &placed, refused).await;
        let errors = &said["data"]["paymentStart"]["userErrors"];
        let wanted = json!([{ "code": "RETURN_URL_NOT_ALLOWED", "field": ["options", "returnUrl"] }]);
        assert_eq!(*errors, wanted, "{refused}: {said}");
    }
    for nonsense in ["", "done", "/done", "//shop.example", "myapp", "my app://x", "myapp://x\ny", "1app://x"]
    {
        let said = started(&street, &placed, nonsense).await;
        assert_eq!(said["errors"][0]["extensions"]["code"], "VALIDATION_FAILED", "{nonsense:?}: {said}");
    }
    assert_eq!(
        started(&street, &placed, "myapp://done").await["data"]["paymentStart"]["userErrors"],
        json!([])
    );
    street.t.finish_with_jobs().await;
}

#[test]
fn settings_take_schemes_of_apps_and_never_those_that_run_or_open_something_else() {
    let place = tempfile::tempdir().unwrap();
    let load = |entry: &str| {
        let file = place.path().join("dispense.toml");
        std::fs::write(&file, format!("[server]\nallowed_origins = [\"{entry}\"]\n")).unwrap();
        let sources = Sources {
            file: Some(file),
            dotenv: None,
            environment: Vec::new(),
            data: Some(place.path().join("data")),
            listen: None,
        };
        let faults = Config::load(&sources, accounts::faults).err();
        faults.is_some_and(|f| f.iter().any(|(key, _)| key == "server.allowed_origins"))
    };
    for taken in [
        "myapp://",
        "MyApp://",
        "com.example.shop://",
        "my-app+2://",
        "https://shop.example",
        "http://localhost:3000",
    ] {
        assert!(!load(taken), "{taken}");
    }
    for refused in [
        "javascript://",
        "JavaScript://",
        "data://",
        "file://",
        "blob://",
        "https://",
        "http://",
        "vbscript://",
        "intent://",
        "mailto://",
        "myapp:",
        "myapp",
        "myapp://done",
        "1app://",
        "://",
        "*",
        "https://shop.example/",
        "https://shop.example/path",
    ] {
        assert!(load(refused), "{refused}");
    }
}
