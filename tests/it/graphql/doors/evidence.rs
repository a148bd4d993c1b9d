//! The evidence about a disputed sale, for staff alone.

use serde_json::{Value, json};

use super::shop::{deliveries, refusal, shop};
use crate::harness::visitor::Visitor;

const EVIDENCE: &str = "query($t: DisputeEvidenceTarget!) { desk { disputeEvidence(target: $t) {
    disputeId paymentId orderId state reason amount { amount currency } openedAt collectedAt evidenceUrl
    sections { code title entries { at title facts { key value } } } } } }";

async fn evidence(who: &Visitor, target: Value) -> Value {
    who.ask(EVIDENCE, json!({ "t": target })).await["desk"]["disputeEvidence"].clone()
}

/// `title: key=value …` of each entry of a section.
fn section(found: &Value, code: &str) -> Vec<String> {
    let sections = found["sections"].as_array().unwrap();
    let section = sections
        .iter()
        .find(|section| section["code"] == code)
        .unwrap_or_else(|| panic!("no {code}: {found}"));
    let fact =
        |fact: &Value| format!("{}={}", fact["key"].as_str().unwrap(), fact["value"].as_str().unwrap());
    let entry = |entry: &Value| {
        let facts: Vec<String> = entry["facts"].as_array().unwrap().iter().map(fact).collect();
        format!("{}: {}", entry["title"].as_str().unwrap(), facts.join(" "))
    };
    section["entries"].as_array().unwrap().iter().map(entry).collect()
}

fn has(list: &[String], begins: &str, contains: &str) {
    assert!(
        list.iter().any(|entry| entry.starts_with(begins) && entry.contains(contains)),
        "no `{begins}` with `{contains}`: {list:#?}"
    );
}

/// Rows: P9, D4 (desk).
/// Sends: desk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disputed_sale_is_proven_in_one_bundle_that_shows_no_secret_and_only_to_staff() {
    let shop = shop().await;
    let t = shop.t();
    // The guest looks at the keys, the buyer downloads the book.
    let seen = shop.see(&shop.by_guest).await;
    let target =
        json!({ "target": { "deliveryIds": deliveries(&seen, "key") }, "accessToken": shop.by_guest.token });
    let shown = shop.guest.act("deliveryReveal", target, "secrets { text }").await;
    let texts: Vec<&str> =
        shown["secrets"].as_array().unwrap().iter().map(|s| s["text"].as_str().unwrap()).collect();
    let own = shop.see(&shop.by_buyer).await;
    let grant = own["lines"].as_array().unwrap().iter().find(|line| line["kind"] == "file").unwrap()["grants"][0]["id"].clone();
    let link = shop.buyer.act("downloadLinkCreate", json!({ "grantId": grant }), "link { url }").await;
    assert_eq!(refusal(&link), "done");
    let bytes = t
        .http()
        .get(link["link"]["url"].as_str().unwrap())
        .header("user-agent", "a reader")
        .send()
        .await
        .unwrap();
    assert_eq!(bytes.status().as_u16(), 200);
    bytes.bytes().await.unwrap();
    for bought in [&shop.by_guest, &shop.by_buyer] {
        assert_eq!(
            evidence(&shop.support, json!({ "paymentId": bought.payment })).await,
            Value::Null,
            "no dispute"
        );
        shop.street.act(&bought.number, "dispute");
    }
    shop.street.settled().await;

    let found = evidence(&shop.support, json!({ "paymentId": shop.by_guest.payment })).await;
    assert_eq!((&found["orderId"], &found["state"]), (&json!(shop.by_guest.id), &json!("OPENED")), "{found}");
    assert_eq!(found["amount"], json!({ "amount": "25.00", "currency": "USD" }));
    has(&section(&found, "ORDER"), &format!("order {}", shop.by_guest.number), "total=25.00 USD");
    has(&section(&found, "ORDER"), "An editor", "quantity=2");
    has(&section(&found, "BUYER"), "guest@people.example", "");
    has(&section(&found, "ADDRESSES"), "placed", "network address=127.0.0.1 device=a browser");
    has(&section(&found, "ADDRESSES"), "revealed", "network address=127.0.0.1 device=a browser");
    has(&section(&found, "PAYMENTS"), "dispute", "state=opened");
    has(&section(&found, "DELIVERIES"), "An editor", "secret, masked=");
    assert!(section(&found, "DELIVERIES").iter().all(|entry| entry.contains("first shown to the buyer at=")));
    has(&section(&found, "MAILS"), "order_delivered", "to=guest@people.example");
    has(&section(&found, "MAILS"), "attempt 1 at order_delivered", "outcome=sent");
    has(&section(&found, "TIMELINE"), "unit.revealed", "by=");
    let written = found.to_string();
    assert!(texts.iter().all(|text| !written.contains(text)), "no secret in clear");
    let of_buyer = evidence(&shop.admin, json!({ "paymentId": shop.by_buyer.payment })).await;
    has(&section(&of_buyer, "DOWNLOADS"), "", "bytes served=32");
    has(&section(&of_buyer, "ADDRESSES"), "downloaded", "device=a reader");
    assert_eq!(
        evidence(&shop.support, json!({ "disputeId": found["disputeId"] })).await["orderId"],
        found["orderId"]
    );
    for unknown in
        [json!({ "disputeId": "dsp_00000000000000000000000001" }), json!({ "paymentId": "nonsense" })]
    {
        assert_eq!(evidence(&shop.support, unknown).await, Value::Null);
    }
    for other in [&*shop.buyer, &*shop.seller, &shop.guest] {
        let answer = other.ask(EVIDENCE, json!({ "t": { "disputeId": found["disputeId"] } })).await;
        assert_eq!(answer["desk"], Value::Null);
    }

    // The same as one file.
    let url = found["evidenceUrl"].as_str().unwrap();
    let get = async |token: Option<&str>, url: &str| {
        let mut request = t.http().get(url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        let header = |name: &str| {
            answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let kept = (header("content-type"), header("cache-control"), header("content-disposition"));
        (answer.status().as_u16(), kept, answer.text().await.unwrap())
    };
    let (status, (kind, cache, name), page) = get(Some(&shop.support.access), url).await;
    assert_eq!(
        (status, kind.as_str(), cache.as_str()),
        (200, "text/html; charset=utf-8", "private, no-store")
    );
    assert_eq!(name, format!("attachment; filename=\"evidence-{}.html\"", shop.by_guest.number));
    for part in ["<!doctype html>", "guest@people.example", "unit.revealed", "Message-ID", "25.00 USD"] {
        assert!(page.contains(part), "no {part}");
    }
    assert!(!page.contains("<script") && texts.iter().all(|text| !page.contains(text)));
    assert_eq!(get(None, url).await.0, 401);
    for token in [&shop.buyer.access, &shop.seller.access] {
        assert_eq!(get(Some(token), url).await.0, 403);
    }
    for unknown in ["dsp_00000000000000000000000001", "nonsense"] {
        let other = url.replace(found["disputeId"].as_str().unwrap(), unknown);
        assert_eq!(get(Some(&shop.support.access), &other).await.0, 404, "{unknown}");
    }
    // Each time is recorded, and nobody else's.
    let fetched = "select count(*) from event where kind = 'evidence.fetched' and actor like 'usr_%'";
    let fetched = t.db.one(fetched).await;
    assert_eq!(fetched, "4", "three queries and a file");
    t.drain().await;
    // What is kept of addresses is sealed, and gone when its time is over.
    assert_eq!(
        t.db.one("select count(*) from order_visit where position('127.0.0.1'::bytea in sealed) > 0").await,
        "0"
    );
    assert!(t.db.one("select count(*) from order_visit").await.parse::<i64>().unwrap() >= 5);
    t.db.sql("update order_visit set at = at - interval '181 days'").await;
    t.retain().await;
    assert_eq!(t.db.one("select count(*) from order_visit").await, "0");
    shop.sound().await;
}

/// Rows: L2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_keeps_no_addresses_keeps_none() {
    let t = crate::harness::TestApp::start_with(|config| {
        crate::harness::with_generic(config);
        config.shop.keep_addresses_days = 0;
    })
    .await;
    let variant = t.selling_keys(1, 500).await.to_string();
    let placed = t.visitor("192.0.2.1").order(&variant, 1, "5.00", json!({ "email": "a@example.com" })).await;
    assert_eq!(refusal(&placed), "done");
    assert_eq!(t.db.one("select count(*) from order_visit").await, "0");
    t.finish_with_jobs().await;
}
