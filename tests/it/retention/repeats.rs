//! Notices that come again fill no disk.

use dispense::base::actor::Role;
use dispense::check;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::graphql::client::Client;
use crate::harness::shop::{GENERIC, generic_secret};
use crate::harness::{Said, TestApp, signing, with_generic};

const NOTICES: &str =
    "{ desk { notices { nodes { id verdict eventKey repeats repeatedAt raw { headers { key } } } } } }";

async fn notices(t: &TestApp) -> Vec<Value> {
    let token = t.sign_in("admin@shop.example").await.tokens.access;
    let found = Client::new(&t.app).with(token.expose()).data(NOTICES, json!({})).await;
    found["desk"]["notices"]["nodes"].as_array().unwrap().clone()
}

/// Sends a body under an event's id, with headers of the sender's choice.
async fn send(t: &TestApp, id: &str, body: &str, more: &[(&str, String)]) -> u16 {
    let raw = signing::webhook(&generic_secret(), id, t.app.clock.unix(), body);
    let mut request = t.http().post(format!("{}/webhooks/{GENERIC}", t.base)).body(raw.body);
    for (name, value) in raw.headers {
        request = request.header(name, value);
    }
    for (name, value) in more {
        request = request.header(*name, value);
    }
    request.send().await.unwrap().status().as_u16()
}

/// Rows: P3, P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_hundred_replays_of_a_notice_are_one_row_and_a_number() {
    let t = TestApp::start_with(with_generic).await;
    t.person("admin@shop.example", &[Role::Admin]).await;
    let placed = t.order(t.selling_keys(1, 990).await, 1).await;
    let said = Said::paid(&placed, "T1");
    let body = said.body();
    let bulky = [("x-anything", "a".repeat(6_000)), ("user-agent", "a sender of its own".to_owned())];
    assert_eq!(send(&t, &said.id, &body, &bulky).await, 200);
    let size = async || {
        t.db.one(
            "select pg_total_relation_size('notice') + sum(pg_total_relation_size(inhrelid))
        from pg_inherits where inhparent = 'notice_body'::regclass",
        )
        .await
        .parse::<i64>()
        .unwrap()
    };
    let before = size().await;
    futures::stream::iter(0..600)
        .for_each_concurrent(16, async |_| assert_eq!(send(&t, &said.id, &body, &bulky).await, 200))
        .await;
    assert!(size().await - before <= 64 * 1024, "600 repeats fill no disk");
    assert_eq!(t.db.one("select count(*) from notice").await, "1");
    let found = notices(&t).await;
    assert_eq!((&found[0]["verdict"], &found[0]["repeats"]), (&json!("applied"), &json!("600")));
    assert!(found[0]["repeatedAt"].is_string());
    // What the gateway signs with is kept, and nothing else of what the sender put there.
    let mut headers: Vec<&str> = found[0]["raw"]["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|header| header["key"].as_str().unwrap())
        .collect();
    headers.sort_unstable();
    assert_eq!(headers, ["webhook-id", "webhook-signature", "webhook-timestamp"]);

    // Other bytes under the same name are worth a look, up to five of them.
    for n in 0..9 {
        let other = body.replacen('{', &format!("{{\"n\":{n},"), 1);
        for _ in 0..2 {
            assert_eq!(send(&t, &said.id, &other, &[]).await, 200);
        }
    }
    let verdicts: Vec<Value> = notices(&t).await.iter().map(|notice| notice["verdict"].clone()).collect();
    assert_eq!(verdicts, ["duplicate", "duplicate", "duplicate", "duplicate", "duplicate", "applied"]);
    assert_eq!(t.db.one("select count from notice_repeat").await, "618");
    assert_eq!(t.db.one("select count(*) from event where kind = 'payment.captured'").await, "1");
    let report = check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}

/// Rows: P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_settles_nothing_is_kept_once_and_still_settled_when_its_order_comes() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(2, 990).await;
    // Faster than the attempt that it is about.
    let placed = t.place(&[(variant, 1)]).await;
    let said = Said::paid(&placed, "T1");
    for _ in 0..40 {
        t.notify(&said).await;
    }
    let stored = "select string_agg(verdict, ' ') from notice";
    assert!(t.db.one(stored).await.split(' ').count() <= 5, "the same bytes are one row");
    let body = said.body();
    for _ in 0..40 {
        send(&t, &said.id, &body, &[]).await;
    }
    assert!(t.db.one(stored).await.split(' ').count() <= 5);
    assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
    t.attempt(&placed, 1).await;
    assert_eq!(dispense::payments::notices::orphans::sweep(&t.app.payments).await.unwrap(), 1);
    assert_eq!(t.order_state(placed.order.id).await, "paid");
    let report = check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}
