//! Jobs that are followed.

use bytes::Bytes;
use dispense::base::actor::Role;
use dispense::base::ids::{BatchId, VariantId};
use futures::SinkExt;
use futures::channel::mpsc;
use serde_json::{Value, json};

use super::LiveShop;
use super::client::{Events, Heard, PROTOCOL, Socket};
use crate::faults::shop::server;
use crate::graphql::doors::shop::once;
use crate::harness::visitor::Visitor;
use crate::harness::{TestApp, with_generic};

const JOB: &str = include_str!("../../operations/live_job.graphql");

/// Who sells, at the door and over sockets.
struct Boss {
    door: Visitor,
    token: String,
}

async fn boss(t: &TestApp) -> Boss {
    t.person("boss@shop.example", &[Role::Admin, Role::Seller]).await;
    let access = t.sign_in("boss@shop.example").await.tokens.access;
    Boss { door: t.visitor("192.0.2.9").signed_in(&access), token: access.expose().to_owned() }
}

impl Boss {
    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    async fn open(&self, variant: VariantId, preview: bool) -> String {
        let input = json!({ "variantId": variant.to_string(), "preview": preview });
        let made = self.door.act("keyImportCreate", input, "batch { id }").await;
        assert_eq!(made["userErrors"], json!([]));
        made["batch"]["id"].as_str().unwrap().to_owned()
    }

    async fn socket(&self, t: &TestApp) -> Socket {
        Socket::ready(t, json!({ "authorization": self.bearer() })).await
    }
}

/// A file of keys that is sent bit by bit.
struct Upload {
    lines: mpsc::Sender<std::io::Result<Bytes>>,
    answer: tokio::task::JoinHandle<u16>,
}

impl Upload {
    fn begin(t: &TestApp, base: &str, token: &str, batch: &str) -> Self {
        let (lines, body) = mpsc::channel(1);
        let request = t.http().post(format!("{base}/keys/import/{batch}")).bearer_auth(token);
        let request = request.header("content-type", "text/plain").body(reqwest::Body::wrap_stream(body));
        Self { lines, answer: tokio::spawn(async move { request.send().await.unwrap().status().as_u16() }) }
    }

    async fn keys(&mut self, numbers: std::ops::Range<usize>) {
        let text: String = numbers.map(|n| format!("FOLLOWED-{n:05}\n")).collect();
        self.lines.send(Ok(text.into())).await.unwrap();
    }

    async fn end(mut self) {
        self.lines.close().await.unwrap();
        assert_eq!(self.answer.await.unwrap(), 200);
    }
}

async fn stored(t: &TestApp, batch: &str, lines: usize) {
    let id = BatchId::parse(batch).unwrap().0;
    t.wait_until(&format!("select lines >= {lines} from key_batch where id = '{id}'")).await;
}

/// `event state done/total` of a result.
fn reported(payload: &Value) -> String {
    let change = &payload["data"]["jobChanged"];
    let job = &change["job"];
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    assert!(change["at"].is_string(), "{payload}");
    format!(
        "{} {} {}/{}",
        text(&change["event"]),
        text(&job["state"]),
        text(&job["done"]),
        text(&job["total"])
    )
}

fn cursor(payload: &Value) -> String {
    payload["data"]["jobChanged"]["cursor"].as_str().unwrap().to_owned()
}

/// Rows: O7 (jobChanged), K10.
/// Sends: jobChanged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_followed_chunk_by_chunk_to_its_end_and_a_cursor_goes_on() {
    let shop = LiveShop::open().await;
    let (t, boss) = (&shop.t, boss(&shop.t).await);
    let variant = t.variant_on_sale("key", 500).await;
    let batch = boss.open(variant, false).await;
    t.drain().await;
    let of = json!({ "id": batch });
    let mut socket = boss.socket(t).await;
    socket.subscribe("j", JOB, of.clone()).await;
    let first = socket.next("j").await;
    assert_eq!(reported(&first), "- RUNNING 0/-");
    let mut upload = Upload::begin(t, &t.base, &boss.token, &batch);
    upload.keys(0..1_100).await;
    stored(t, &batch, 1_000).await;
    t.drain().await;
    let second = socket.next("j").await;
    assert_eq!(reported(&second), "keys.added RUNNING 1000/-");
    drop(socket);
    upload.keys(1_100..2_500).await;
    upload.end().await;
    t.drain().await;
    // Whoever was away is shown the end, by the argument and by the id of an event.
    let mut socket = boss.socket(t).await;
    socket.subscribe("j", JOB, json!({ "id": batch, "after": cursor(&second) })).await;
    let last = socket.next("j").await;
    assert_eq!(reported(&last), "keys.batch_ended DONE 2500/-");
    socket.complete("j").await;
    let (bearer, before) = (boss.bearer(), cursor(&first));
    let headers = [("authorization", bearer.as_str()), ("last-event-id", before.as_str())];
    let mut events = Events::post(&t.base, JOB, of.clone(), &headers).await.unwrap().recorded(t, JOB);
    let shown = events.hear().await.unwrap();
    assert_eq!((reported(&shown.data), shown.id), (reported(&last), Some(cursor(&last))));
    events.complete().await;
    // What has ended is complete at once: with its state, and without for who knows it.
    socket.subscribe("done", JOB, of).await;
    assert_eq!(reported(&socket.next("done").await), "- DONE 2500/-");
    socket.complete("done").await;
    socket.subscribe("known", JOB, json!({ "id": batch, "after": cursor(&last) })).await;
    socket.complete("known").await;
    // Of each chunk one event, and never one of a key.
    let events = "select string_agg(kind, ' ' order by id) from event where object_id = (select id from key_batch where lines = 2500)";
    assert_eq!(t.db.one(events).await, "keys.batch_opened keys.added keys.added keys.added keys.batch_ended");
    shop.finish().await;
}

/// Rows: O7 (jobChanged), L2.
/// Sends: jobChanged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_job_looks_like_a_missing_one() {
    let shop = LiveShop::open().await;
    let (t, boss) = (&shop.t, boss(&shop.t).await);
    let batch = boss.open(shop.keys, false).await;
    t.drain().await;
    t.buyer("stranger@example.com").await;
    let stranger = t.sign_in("stranger@example.com").await.tokens.access;
    t.person("support@example.com", &[Role::Support]).await;
    let support = t.sign_in("support@example.com").await.tokens.access;
    let bearer = |access: &dispense::base::secret::Secret| format!("Bearer {}", access.expose());
    let missing = BatchId(t.app.clock.uuid()).to_string();
    let mut errors = Vec::new();
    for (payload, id) in [
        (json!({}), batch.as_str()),
        (json!({ "authorization": bearer(&stranger) }), &batch),
        (json!({ "authorization": boss.bearer() }), &missing),
        (json!({ "authorization": boss.bearer() }), "nonsense"),
        (json!({ "authorization": boss.bearer() }), "ord_00000000000000000000000001"),
    ] {
        let mut socket = Socket::ready(t, payload).await;
        socket.subscribe("x", JOB, json!({ "id": id })).await;
        let message = socket.json().await;
        assert_eq!(message["type"], "error", "{id}: {message}");
        let error = &message["payload"][0];
        errors.push((error["message"].clone(), error["extensions"]["code"].clone()));
    }
    assert_eq!(errors[0].1, "FORBIDDEN");
    assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");
    // Staff may look. A right that was taken away shows nothing more from the next change on.
    let mut socket = Socket::ready(t, json!({ "authorization": bearer(&support) })).await;
    socket.subscribe("s", JOB, json!({ "id": batch })).await;
    assert_eq!(reported(&socket.next("s").await), "- RUNNING 0/-");
    t.appoint("support@example.com", &[Role::Buyer]).await;
    Upload::begin(t, &t.base, &boss.token, &batch).end().await;
    t.drain().await;
    assert_eq!(socket.closed().await, 4403, "a change of roles ends the sessions");
    shop.finish().await;
}

/// Rows: O7 (jobChanged), K2, K13.
/// Sends: jobChanged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn previews_wait_for_whoever_began_them_and_recalls_exports_and_generations_are_followed_too() {
    let shop = LiveShop::open().await;
    let (t, boss) = (&shop.t, boss(&shop.t).await);
    let mut socket = boss.socket(t).await;
    // An import that is looked at first.
    let batch = boss.open(t.variant_on_sale("key", 500).await, true).await;
    t.drain().await;
    socket.subscribe("p", JOB, json!({ "id": batch })).await;
    assert_eq!(reported(&socket.next("p").await), "- RUNNING 0/-");
    let mut upload = Upload::begin(t, &t.base, &boss.token, &batch);
    upload.keys(0..1_100).await;
    stored(t, &batch, 1_000).await;
    t.drain().await;
    assert_eq!(reported(&socket.next("p").await), "keys.staged RUNNING 1000/-");
    upload.end().await;
    t.drain().await;
    assert_eq!(reported(&socket.next("p").await), "keys.batch_ended READY 1100/-");
    let commit = json!({ "importId": batch });
    assert_eq!(boss.door.act("keyImportCommit", commit, "").await["userErrors"], json!([]));
    t.drain().await;
    assert_eq!(reported(&socket.next("p").await), "keys.batch_ended DONE 1100/-");
    socket.complete("p").await;
    // A recall, whose progress is that of those who hold keys.
    t.paid_order(shop.keys, 2).await;
    t.drain().await;
    let sold = format!(
        "select distinct batch_id from vault_key where state = 'sold' and variant_id = '{}'",
        shop.keys.0
    );
    let sold = BatchId(t.db.one(&sold).await.parse().unwrap()).to_string();
    let wish = json!({ "idempotencyKey": once(), "batchId": sold, "action": "REPLACE", "reason": "leaked" });
    let made = boss.door.act("keyBatchRecall", wish, "job { id }").await;
    socket.subscribe("r", JOB, json!({ "id": made["job"]["id"] })).await;
    assert_eq!(reported(&socket.next("r").await), "- RUNNING 0/2");
    t.drain().await;
    let mut seen = reported(&socket.next("r").await);
    while seen != "batch.recall_ended DONE 2/2" {
        // The recall itself is numbered while it is followed already; a slow machine is shown steps.
        assert!(seen.starts_with("batch.recall"), "{seen}");
        seen = reported(&socket.next("r").await);
    }
    socket.complete("r").await;
    // A generation, of which is known how many there are to be.
    let generate = json!({ "variantId": shop.keys.to_string(), "quantity": 1_500 });
    let made = boss.door.act("keysGenerate", generate, "batch { id }").await;
    let id = made["batch"]["id"].clone();
    socket.subscribe("g", JOB, json!({ "id": id })).await;
    let mut seen = reported(&socket.next("g").await);
    while !seen.ends_with("DONE 1500/1500") {
        t.drain().await;
        seen = reported(&socket.next("g").await);
    }
    socket.complete("g").await;
    // A file of keys is made while it is fetched.
    let export = json!({ "variantId": shop.keys.to_string(), "format": "CSV", "reason": "books" });
    let made = boss.door.act("keysExport", export, "resultUrl").await;
    let id = made["resultUrl"].as_str().unwrap().split('/').rev().nth(1).unwrap().to_owned();
    socket.subscribe("e", JOB, json!({ "id": id })).await;
    let shown = socket.next("e").await;
    assert_eq!(reported(&shown), "- DONE 0/-");
    assert!(shown["data"]["jobChanged"]["job"]["resultUrl"].is_string());
    socket.complete("e").await;
    shop.finish().await;
}

/// Rows: O7, P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_sends_followers_of_an_import_to_another_and_nothing_is_missed() {
    let t = TestApp::start_with(with_generic).await;
    let boss = boss(&t).await;
    let batch = boss.open(t.variant_on_sale("key", 500).await, false).await;
    t.drain().await;
    let imports = server(&t).start();
    let mut shows = server(&t).arg("--no-worker").start();
    let socket_at = async |base: &str| {
        let mut socket = Socket::dial(base, &[("sec-websocket-protocol", PROTOCOL)]).await.ok().unwrap();
        let payload = json!({ "authorization": boss.bearer() });
        socket.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.hear().await, Heard::Json(json!({ "type": "connection_ack" })));
        socket
    };
    let mut socket = socket_at(&shows.url("")).await;
    socket.subscribe("j", JOB, json!({ "id": batch })).await;
    assert_eq!(reported(&socket.next("j").await), "- RUNNING 0/-");
    let mut upload = Upload::begin(&t, &imports.url(""), &boss.token, &batch);
    upload.keys(0..1_100).await;
    let seen = socket.next("j").await;
    assert_eq!(reported(&seen), "keys.added RUNNING 1000/-");
    let ended = tokio::task::spawn_blocking(move || (shows.terminate(), shows));
    assert_eq!(socket.hear().await, Heard::Closed(1012, "Come again".into()));
    let (status, mut shows) = ended.await.unwrap();
    assert!(status.success());
    upload.keys(1_100..2_000).await;
    upload.end().await;
    let again = shows.start_again();
    let mut socket = socket_at(&again.url("")).await;
    socket.subscribe("j", JOB, json!({ "id": batch, "after": cursor(&seen) })).await;
    let mut last = reported(&socket.next("j").await);
    while !last.ends_with("DONE 2000/-") {
        last = reported(&socket.next("j").await);
    }
    socket.complete("j").await;
    drop((imports, again));
    t.drain().await;
    t.finish_with_jobs().await;
}
