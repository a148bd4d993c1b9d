//! The inbox: what is kept, what is shown, what is judged again.

use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use dispense::base::actor::Role;
use dispense::config::Sources;
use dispense::payments::accounts::reload::{self, Origin};
use dispense::payments::notices::raw;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::graphql::client::Client;
use crate::harness::shop::{GENERIC, generic_secret};
use crate::harness::signing::{self, webhook_secret};
use crate::harness::{Said, TestApp, with_generic};

async fn desk(t: &TestApp, role: Role) -> Client {
    let email = format!("{}@shop.example", role.as_str());
    t.person(&email, &[role]).await;
    let token = t.sign_in(&email).await.tokens.access;
    Client::new(&t.app).with(token.expose())
}

async fn send(t: &TestApp, secret: &str, id: &str, body: &str, more: &[(&str, &str)]) -> u16 {
    let raw = signing::webhook(secret, id, t.app.clock.unix(), body);
    let mut request = t.http().post(format!("{}/webhooks/{GENERIC}", t.base)).body(raw.body);
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    for (name, value) in raw.headers.into_iter().chain(more) {
        request = request.header(name, value);
    }
    request.send().await.unwrap().status().as_u16()
}

const REPLAY: &str = "mutation($ids: [ID!]!) { noticeReplay(input: { ids: $ids }) {
    results { id verdict notice { verdict } userErrors { code message } } userErrors { code } } }";

async fn replayed(desk: &Client, ids: &[String]) -> Value {
    desk.data(REPLAY, json!({ "ids": ids })).await["noticeReplay"]["results"].clone()
}

/// Rows: P3.
#[test]
fn card_numbers_are_masked_and_other_numbers_are_not() {
    let shown = |text: &str| {
        let masked = raw::masked(text.as_bytes()).unwrap_or_else(|| text.as_bytes().to_vec());
        String::from_utf8(masked).unwrap()
    };
    for (text, wanted) in [
        ("pan=4111111111111111&x=1", "pan=************1111&x=1"),
        ("4111 1111 1111 1111", "**** **** **** 1111"),
        ("a 3782-822463-10005 b", "a ****-******-*0005 b"),
        ("4111+1111+1111+1111+2026", "****+****+****+1111+2026"),
        ("6222021234567890128", "***************0128"),
        ("[4111111111111111,5500005555555559]", "[************1111,************5559]"),
    ] {
        assert_eq!(shown(text), wanted);
    }
    for text in [
        "4111111111111112",
        "411111111111",
        "41111111111111110000",
        "2026-11-21 10:20:30",
        "20260101220014567898765432101234",
        "D2K7M9Q-2",
        "",
    ] {
        assert_eq!(shown(text), text);
    }
}

/// Rows: P3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_shows_no_card_number_and_no_credential_and_can_be_verified_again() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(1, 990).await;
    let order = t.order(variant, 1).await;
    // The trade's number has the form of a card's, and so has a field that means nothing to us.
    let said = Said { id: "evt_card".into(), ..Said::paid(&order, "4111111111111111") };
    let body = said.body().replace("{\"data\"", "{\"note\":\"5500 0055 5555 5559\",\"data\"");
    t.canary("credentials of somebody");
    let secret = [("authorization", "Bearer credentials of somebody"), ("cookie", "credentials of somebody")];
    assert_eq!(send(&t, &webhook_secret(3), "evt_card", &body, &secret).await, 400);
    assert_eq!(send(&t, &generic_secret(), "evt_card", &body, &secret).await, 200);
    assert_eq!(t.order_state(order.order.id).await, "paid");
    let stored =
        "select string_agg(convert_from(body, 'UTF8') || headers::text, ' ') from (select * from notice_body
        union all select * from refused_body) b";
    let stored = t.db.one(stored).await;
    assert!(!stored.contains("4111111111111111") && !stored.contains("5500 0055"), "{stored}");
    assert!(stored.contains("************1111") && stored.contains("webhook-signature"), "{stored}");

    let (admin, support) = (desk(&t, Role::Admin).await, desk(&t, Role::Support).await);
    let query = "query($f: DeskNoticeFilter) { desk { notices(filter: $f) { nodes {
        id verdict verifiedBy eventKey orderId raw { method query headers { key value } body masked } } } } }";
    let list = async |client: &Client, filter: Value| {
        client.data(query, json!({ "f": filter })).await["desk"]["notices"]["nodes"]
            .as_array()
            .unwrap()
            .clone()
    };
    let all = list(&admin, json!({})).await;
    assert_eq!(all.iter().map(|n| n["verdict"].as_str().unwrap()).collect::<Vec<_>>(), ["applied", "forged"]);
    assert_eq!((&all[0]["verifiedBy"], &all[1]["verifiedBy"]), (&json!(1), &Value::Null));
    for notice in &all {
        let raw = &notice["raw"];
        assert_eq!((&raw["masked"], &raw["method"]), (&json!(true), &json!("POST")));
        assert!(raw["body"].as_str().unwrap().contains("**** **** **** 5559"), "{raw}");
        assert!(!raw["headers"].to_string().contains("credentials"), "{raw}");
    }
    assert!(list(&support, json!({})).await.iter().all(|n| n["raw"] == Value::Null));
    let number = &order.order.number;
    let now = t.app.clock.now();
    let time = |shift: i64| (now + TimeDelta::minutes(shift)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    for (filter, found) in [
        (json!({ "orderNumber": number.to_lowercase() }), 1),
        (json!({ "orderNumber": "NOBODY" }), 0),
        (json!({ "eventKey": "evt_card" }), 1),
        (json!({ "accounts": ["generic"], "verdicts": ["forged"] }), 1),
        (json!({ "accounts": ["other"] }), 0),
        (json!({ "receivedFrom": time(-2), "receivedBefore": time(2) }), 2),
        (json!({ "receivedBefore": time(-2) }), 0),
        (json!({ "receivedFrom": time(2) }), 0),
    ] {
        assert_eq!(list(&support, filter.clone()).await.len(), found, "{filter}");
    }
    // Exact bytes come back out of the sealed ones: the same notice verifies again.
    let applied = all[0]["id"].as_str().unwrap().to_owned();
    let results = replayed(&support, &[applied]).await;
    assert_eq!(results[0]["verdict"], "duplicate", "{results}");
    assert!(dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap().is_clean());
    t.finish_with_jobs().await;
}

/// Rows: P3, P10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_are_judged_again_after_their_key_was_mended_and_only_once() {
    let t = TestApp::start_with(with_generic).await;
    let right = webhook_secret(5);
    let variant = t.selling_keys(2, 990).await;
    let (order, other) = (t.order(variant, 1).await, t.order(variant, 1).await);
    let said = Said::paid(&order, "T1");
    assert_eq!(send(&t, &right, &said.id, &said.body(), &[]).await, 400);
    let never = Said::paid(&other, "T2");
    assert_eq!(send(&t, &webhook_secret(6), &never.id, &never.body(), &[]).await, 400);
    assert_eq!(t.order_state(order.order.id).await, "pending_payment");
    let ids: Vec<String> = ["ntc_1", "ntc_2", "ntc_77", "nonsense"].map(String::from).to_vec();
    let support = desk(&t, Role::Support).await;
    let codes = |results: &Value| -> Vec<Value> {
        let code = |r: &Value| {
            if r["verdict"].is_null() { r["userErrors"][0]["code"].clone() } else { r["verdict"].clone() }
        };
        results.as_array().unwrap().iter().map(code).collect()
    };
    let early = replayed(&support, &ids).await;
    assert_eq!(codes(&early), ["NOTICE_NOT_VERIFIABLE", "NOTICE_NOT_VERIFIABLE", "NOT_FOUND", "NOT_FOUND"]);

    // Long after it came: its age is measured as of then.
    t.advance(TimeDelta::days(2)).await;
    let file = t.data.path().join("dispense.toml");
    let toml = format!(
        "[[accounts]]\nid = \"{GENERIC}\"\ngateway = \"generic\"\ncurrencies = [\"USD\"]\nsecrets = [{right:?}]\nsandbox = true\n"
    );
    std::fs::write(&file, toml).unwrap();
    let sources = Sources { file: Some(file), data: Some(t.data.path().into()), ..Sources::default() };
    let complaints =
        reload::reload(&t.app.payments, &Origin { sources, simulated: Vec::new() }).await.unwrap();
    assert!(complaints.is_empty(), "{complaints:?}");
    let support = desk(&t, Role::Admin).await;
    let mended = replayed(&support, &ids[..2]).await;
    assert_eq!(codes(&mended), ["applied", "NOTICE_NOT_VERIFIABLE"]);
    assert_eq!(mended[0]["notice"]["verdict"], "forged", "the first delivery stays what it was");
    assert_eq!(t.order_state(order.order.id).await, "paid");
    assert_eq!(t.unit_states(order.order.id).await, "assigned:1");
    let again = replayed(&support, &ids[..2]).await;
    assert_eq!(codes(&again), ["duplicate", "NOTICE_NOT_VERIFIABLE"]);
    assert_eq!(t.db.one("select count(*) from event where kind = 'payment.captured'").await, "1");
    assert_eq!(t.db.one("select count(*) from event where kind = 'notice.replayed'").await, "2");

    let guest = Client::new(&t.app).ask(REPLAY, json!({ "ids": ids })).await;
    assert_eq!(guest.code(), "FORBIDDEN");
    let many: Vec<String> = (0..101).map(|n| format!("ntc_{n}")).collect();
    let refused = support.data(REPLAY, json!({ "ids": many })).await;
    assert_eq!(refused["noticeReplay"]["userErrors"][0]["code"], "INVALID");
    // Its bytes leave after some weeks, and then nobody can verify it.
    t.advance(TimeDelta::days(30)).await;
    t.retain().await;
    let support = desk_again(&t).await;
    assert_eq!(codes(&replayed(&support, &ids[..1]).await), ["NOTICE_NOT_VERIFIABLE"]);
    t.finish_with_jobs().await;
}

async fn desk_again(t: &TestApp) -> Client {
    let token = t.sign_in("admin@shop.example").await.tokens.access;
    Client::new(&t.app).with(token.expose())
}

/// Rows: P3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_forged_notices_do_not_fill_the_disk_and_slow_no_genuine_one() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(1, 990).await;
    let order = t.order(variant, 1).await;
    let padding = "x".repeat(20_000);
    let refused = AtomicUsize::new(0);
    futures::stream::iter(0..10_000)
        .for_each_concurrent(24, async |n| {
            let body = json!({ "type": "payment.succeeded", "n": n, "padding": padding }).to_string();
            let request = t.http().post(format!("{}/webhooks/{GENERIC}", t.base)).body(body);
            if request.send().await.unwrap().status() == 400 {
                refused.fetch_add(1, Ordering::Relaxed);
            }
        })
        .await;
    assert_eq!(refused.into_inner(), 10_000, "each is answered with failure");
    let limits = &t.app.config.limits;
    assert_eq!(t.db.one("select count(*) from notice").await, limits.forged_notices_per_day.to_string());
    let bytes: i64 = t.db.one("select sum(octet_length(body)) from refused_body").await.parse().unwrap();
    assert!((1..=limits.forged_bytes_per_day).contains(&bytes), "{bytes}");
    let size: i64 = t.db.one("select pg_database_size(current_database())").await.parse().unwrap();
    assert!(size < 100 * 1024 * 1024, "{size}");
    let paid = Said::paid(&order, "T1");
    assert_eq!(t.notify(&paid).await.0, 200);
    assert_eq!(t.order_state(order.order.id).await, "paid");
    // Another day has room again.
    t.advance(TimeDelta::days(1)).await;
    assert_eq!(send(&t, &webhook_secret(3), "evt", "{}", &[]).await, 400);
    let rows = t.db.one("select count(*) from notice where verdict in ('forged', 'malformed')").await;
    assert_eq!(rows, (limits.forged_notices_per_day + 1).to_string());
    t.finish_with_jobs().await;
}
