//! Sellers make, edit, test and disable endpoints.

use chrono::TimeDelta;
use dispense::base::ids::HookEndpointId;
use serde_json::{Value, json};

use super::receiver::{Manner, body, signed_by};
use super::shop::Relay;

fn first(answer: &Value) -> Value {
    let error = answer["userErrors"][0].clone();
    json!({ "code": error["code"], "field": error["field"] })
}

/// Rows: D9 (hookEndpointCreate, hookEndpointUpdate, hookEndpointTest, hookSecretRotate, hookReplay, seller).
/// Sends: hookEndpointCreate, hookEndpointUpdate, hookEndpointTest, hookSecretRotate, hookReplay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_are_checked_when_they_are_made_and_kept_from_strangers() {
    let shop = Relay::open().await;
    let boss = &shop.boss().await;
    let url = format!("{}/one", shop.receiver.url);
    let with = |field: &str, value: Value| {
        let mut input = json!({ "url": url });
        input[field] = value;
        input
    };
    let no = |code: &str, field: Value| json!({ "code": code, "field": field });
    for (input, wanted) in [
        (with("url", json!("https://10.0.0.1/x")), no("URL_NOT_ALLOWED", json!(["url"]))),
        (with("url", json!("https://[::1]/x")), no("URL_NOT_ALLOWED", json!(["url"]))),
        (with("url", json!("https://169.254.169.254/latest")), no("URL_NOT_ALLOWED", json!(["url"]))),
        (with("url", json!("https://0x7f000001:9/x")), no("URL_NOT_ALLOWED", json!(["url"]))),
        (with("url", json!("https://a:b@hooks.example/x")), no("URL_NOT_ALLOWED", json!(["url"]))),
        (with("url", json!("ftp://hooks.example/x")), no("URL_NOT_ALLOWED", json!(["url"]))),
        (with("url", json!("https://hooks.example:22/x")), no("URL_NOT_ALLOWED", json!(["url"]))),
        (
            with("url", json!(format!("https://hooks.example/{}", "x".repeat(1_000)))),
            no("INVALID", json!(["url"])),
        ),
        (with("description", json!(" ")), no("INVALID", json!(["description"]))),
        (
            with("eventTypes", json!(["order.paid", "order.p"])),
            no("EVENT_TYPE_UNKNOWN", json!(["eventTypes", "1"])),
        ),
        (
            with("eventTypes", json!(["user.registered"])),
            no("EVENT_TYPE_UNKNOWN", json!(["eventTypes", "0"])),
        ),
        (with("eventTypes", json!(vec!["order.paid"; 201])), no("TOO_MANY", json!(["eventTypes"]))),
        (with("sellerId", json!("sel_x")), no("NOT_FOUND", json!(["sellerId"]))),
        (with("apiClientId", json!("cli_x")), no("NOT_FOUND", json!(["apiClientId"]))),
        (
            with("apiClientId", json!("cli_00000000000000000000000001")),
            no("NOT_FOUND", json!(["apiClientId"])),
        ),
    ] {
        assert_eq!(first(&shop.create(boss, input.clone()).await), wanted, "{input}");
    }
    assert_eq!(shop.t.db.one("select count(*) from hook_endpoint").await, "0");
    shop.t.buyer("ada@buyer.example").await;
    let (_, olga) = shop.another_seller("olga@other.example").await;
    let ada = shop.who("ada@buyer.example").await;
    assert_eq!(first(&shop.create(&ada, json!({ "url": url })).await), no("NOT_FOUND", json!(["sellerId"])));

    let (id, secret) = shop.connect("/one", json!({ "eventTypes": ["order.paid", "order.paid"] })).await;
    assert!(secret.starts_with("whsec_") && secret.len() > 40);
    let seen = shop.update(boss, &id, json!({ "description": " Till ", "ordered": true })).await;
    assert_eq!(seen["userErrors"], json!([]));
    let endpoint = &seen["endpoint"];
    assert_eq!(
        (&endpoint["description"], &endpoint["ordered"], &endpoint["eventTypes"]),
        (&json!("Till"), &json!(true), &json!(["order.paid"]))
    );
    let version = endpoint["version"].as_i64().unwrap();
    let stale = shop.update(boss, &id, json!({ "expectedVersion": version - 1 })).await;
    assert_eq!(first(&stale), no("VERSION_CONFLICT", json!(["expectedVersion"])));
    let forbidden = shop.update(boss, &id, json!({ "url": "https://127.0.0.1:1/" })).await;
    assert_eq!(first(&forbidden), no("URL_NOT_ALLOWED", json!(["url"])));
    let none = shop.update(boss, &id, json!({ "description": null, "expectedVersion": version })).await;
    assert_eq!(none["endpoint"]["description"], json!(null));

    // A foreign endpoint is one that is not there.
    let nobody = HookEndpointId(shop.t.app.clock.uuid()).to_string();
    let missing = no("NOT_FOUND", json!(["endpointId"]));
    for (who, endpoint) in [(boss, &nobody), (&olga, &id), (&ada, &id)] {
        assert_eq!(first(&shop.update(who, endpoint, json!({ "enabled": false })).await), missing);
        assert_eq!(first(&shop.test(who, endpoint).await), missing);
        assert_eq!(first(&shop.rotate(who, endpoint).await), missing);
        assert_eq!(first(&shop.replay(who, endpoint, json!({ "afterSeq": "0" })).await), missing);
    }
    assert_eq!(shop.list(&olga, json!(null)).await, json!([]));
    assert_eq!(shop.receiver.seen("/one").len(), 0);

    // A test is signed, and says how it ended.
    let tested = shop.test(boss, &id).await;
    assert_eq!((&tested["succeeded"], &tested["status"]), (&json!(true), &json!(200)));
    let message = shop.receiver.seen("/one").pop().unwrap();
    assert_eq!(signed_by(&message, &[&secret]), [true]);
    assert_eq!(body(&message)["type"], "hook.test");
    shop.receiver.answers("/one", Manner::Status(503));
    let refused = shop.test(boss, &id).await;
    assert_eq!((&refused["succeeded"], &refused["outcome"]), (&json!(false), &json!("refused")));
    shop.receiver.answers("/one", Manner::Hang);
    let hung = shop.test(boss, &id).await;
    assert_eq!((&hung["outcome"], &hung["status"]), (&json!("no_answer"), &json!(null)));
    let limited = futures::future::join_all((0..30).map(|_| async {
        shop.receiver.answers("/one", Manner::Status(204));
        first(&shop.test(boss, &id).await)["code"].clone()
    }))
    .await;
    assert!(limited.contains(&json!("RATE_LIMITED")), "{limited:?}");

    let rotated = shop.rotate(boss, &id).await;
    assert_ne!(rotated["signingSecret"], json!(secret));
    assert_eq!(shop.replay(boss, &id, json!({ "afterSeq": "0" })).await["count"], "0");

    // Fifty of them.
    shop.t
        .db
        .sql(
            "insert into hook_endpoint (id, seller_id, url, since_seq, data_key_id, secret)
               select gen_random_uuid(), seller_id, url, since_seq, data_key_id, secret from hook_endpoint,
                 generate_series(1, 49)",
        )
        .await;
    assert_eq!(shop.create(boss, json!({ "url": url })).await["userErrors"][0]["code"], "TOO_MANY");
    shop.t.db.sql("delete from hook_endpoint where version = 0").await;
    shop.sound().await;
}

/// Rows: D9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_secrets_sign_while_one_is_changed() {
    let shop = Relay::open().await;
    let variant = shop.selling(4).await;
    let (id, first) = shop.connect("/one", json!({ "eventTypes": ["order.paid"] })).await;
    let rotated = shop.rotate(&shop.boss().await, &id).await;
    let second = rotated["signingSecret"].as_str().unwrap().to_owned();
    assert!(rotated["endpoint"]["oldSecretUntil"].is_string());
    shop.t.paid_order(variant, 1).await;
    shop.t.drain().await;
    let message = shop.receiver.seen("/one").pop().unwrap();
    assert_eq!(signed_by(&message, &[&first, &second]), [true, true]);
    assert_eq!(message.header("webhook-signature").split(' ').count(), 2);
    shop.t.advance(TimeDelta::hours(25)).await;
    shop.t.paid_order(variant, 1).await;
    shop.t.drain().await;
    let message = shop.receiver.seen("/one").pop().unwrap();
    assert_eq!(message.header("webhook-signature").split(' ').count(), 1);
    assert_eq!(shop.receiver.seen("/one").len(), 2);
    shop.sound().await;
}

/// Rows: D9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_while_an_endpoint_is_disabled_comes_by_replay_alone() {
    let shop = Relay::open().await;
    let variant = shop.selling(9).await;
    let boss = &shop.boss().await;
    let (id, _) = shop.connect("/one", json!({ "eventTypes": ["order.paid"] })).await;
    shop.receiver.answers("/one", Manner::Status(500));
    shop.t.paid_order(variant, 1).await;
    shop.t.drain().await;
    assert_eq!(shop.states(&id).await, "queued:1");
    let off = shop.update(boss, &id, json!({ "enabled": false })).await;
    assert_eq!(off["endpoint"]["state"], "DISABLED");
    shop.receiver.answers("/one", Manner::Status(200));
    shop.t.paid_order(variant, 1).await;
    shop.pass(TimeDelta::minutes(5)).await;
    assert_eq!(shop.states(&id).await, "queued:1", "nothing is sent, and nothing new is kept");
    let refused = shop.replay(boss, &id, json!({ "afterSeq": "0" })).await;
    assert_eq!(first(&refused), json!({ "code": "ENDPOINT_DISABLED", "field": ["endpointId"] }));
    shop.update(boss, &id, json!({ "enabled": true })).await;
    shop.t.drain().await;
    assert_eq!(shop.states(&id).await, "delivered:1", "what waited goes on");
    // An order paid before the endpoint was made is sent too, if it is asked for.
    let since = (shop.t.app.clock.now() - TimeDelta::minutes(4)).to_rfc3339();
    let replayed = shop.replay(boss, &id, json!({ "since": since })).await;
    assert_eq!((&replayed["count"], &replayed["moreAfterSeq"]), (&json!("0"), &json!(null)));
    let replayed = shop.replay(boss, &id, json!({ "afterSeq": "0" })).await;
    assert_eq!(replayed["count"], "2");
    shop.t.drain().await;
    let ids = shop.receiver.ids("/one");
    assert_eq!(ids.len(), 4);
    assert_eq!(ids[0], ids[1], "the refused one under the same name");
    assert_eq!(shop.states(&id).await, "delivered:2");
    let one = shop.deliveries(&id).await[0].clone();
    assert_eq!(one["attemptsMade"], 3);
    let again = shop.replay(boss, &id, json!({ "deliveryId": one["id"] })).await;
    assert_eq!(again["count"], "1");
    shop.t.drain().await;
    assert_eq!(shop.receiver.ids("/one").last(), one["id"].as_str().map(str::to_owned).as_ref());
    let missing = shop.replay(boss, &id, json!({ "deliveryId": "hkd_x" })).await;
    assert_eq!(first(&missing), json!({ "code": "NOT_FOUND", "field": ["target", "deliveryId"] }));
    let (other, _) = shop.connect("/two", json!({})).await;
    let foreign = shop.replay(boss, &other, json!({ "deliveryId": one["id"] })).await;
    assert_eq!(first(&foreign)["code"], "NOT_FOUND");
    shop.sound().await;
}
