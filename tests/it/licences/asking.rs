//! What software asks, and what it is answered.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::shop::{LicenceShop, product_of, send, send_from};
use crate::harness::visitor::behind_a_proxy;

/// Rows: K16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn software_activates_validates_and_deactivates_a_device() {
    let s = LicenceShop::open(1, Some(2)).await;
    let t = &s.shop.t;
    let sold = s.buy().await;
    assert_eq!(s.code(&sold, None).await, "VALID", "the key alone is good");
    assert_eq!(s.code(&sold, Some("laptop-1")).await, "DEVICE_NOT_ACTIVATED");

    let mut asked = s.asks(&sold.key, "laptop-1");
    asked["name"] = json!("Ada's laptop");
    asked["metadata"] = json!({ "version": "2.1", "cores": 8, "beta": false });
    let (status, first) = send(t, "activate", &asked).await;
    assert_eq!(status, 201, "{first}");
    let activation = &first["activation"];
    assert_eq!(activation["name"], "Ada's laptop");
    assert_eq!(activation["metadata"], asked["metadata"]);
    let licence = &first["licence"];
    assert_eq!(
        (&licence["productId"], &licence["variantId"], &licence["status"]),
        (&json!(s.product), &json!(s.variant.to_string()), &json!("VALID"))
    );
    assert_eq!(
        (&licence["activationLimit"], &licence["activationsUsed"], &licence["expiresAt"]),
        (&json!(2), &json!(1), &Value::Null)
    );
    let (status, again) = send(t, "activate", &asked).await;
    assert_eq!((status, &again["activation"]), (200, activation), "the same device is the same activation");
    asked["metadata"] = json!({ "version": "2.2" });
    asked["name"] = Value::Null;
    let (status, newer) = send(t, "activate", &asked).await;
    assert_eq!((status, &newer["activation"]["id"]), (200, &activation["id"]));
    assert_eq!(newer["activation"]["metadata"], json!({ "version": "2.2" }));
    assert_eq!(newer["activation"]["name"], "Ada's laptop", "what is left out stays");
    let stored = "select name || ' ' || (metadata ->> 'version') from licence_activation";
    assert_eq!(t.db.one(stored).await, "Ada's laptop 2.2");

    let valid = s.validate(&sold, Some("laptop-1")).await;
    assert_eq!((&valid["valid"], &valid["activation"]), (&json!(true), &newer["activation"]));
    let (status, other) = s.activate(&sold, "0123456789abcdef").await;
    assert_eq!((status, &other["activation"]["name"]), (201, &json!("01234567…")));
    let (status, full) = s.activate(&sold, "a third").await;
    assert_eq!(
        (status, &full["code"], &full["field"]),
        (403, &json!("DEVICE_LIMIT_REACHED"), &json!(["device"]))
    );
    assert_eq!(s.code(&sold, Some("a third")).await, "DEVICE_LIMIT_REACHED");
    assert_eq!(s.activate(&sold, "laptop-1").await.0, 200, "a device that has it keeps it");

    let (status, freed) = s.deactivate(&sold, "laptop-1").await;
    assert_eq!((status, &freed["activationId"]), (200, &activation["id"]));
    assert_eq!((&freed["activationsUsed"], &freed["activationLimit"]), (&json!(1), &json!(2)));
    let (status, freed_again) = s.deactivate(&sold, "laptop-1").await;
    assert_eq!((status, freed_again), (200, freed), "a lost answer is given again");
    let (status, never) = s.deactivate(&sold, "a third").await;
    assert_eq!((status, &never["code"]), (404, &json!("DEVICE_NOT_ACTIVATED")));
    assert_eq!(s.code(&sold, Some("laptop-1")).await, "DEVICE_NOT_ACTIVATED");
    let (status, back) = s.activate(&sold, "laptop-1").await;
    assert_eq!(status, 201);
    assert_ne!(back["activation"]["id"], activation["id"], "another activation");
    assert_eq!(s.deactivate(&sold, "laptop-1").await.1["activationId"], back["activation"]["id"]);

    let events =
        "select string_agg(kind || ' ' || actor, ', ' order by id) from event where kind like 'licence.%'";
    assert_eq!(
        t.db.one(events).await,
        "licence.activated software, licence.activated software, licence.deactivated software, \
         licence.activated software, licence.deactivated software"
    );
    let whole = "select count(*) from event where kind like 'licence.%' and order_id is not null";
    assert_eq!(t.db.one(whole).await, "5");
    s.sound().await;
}

/// Rows: K16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_none_of_the_products_licences_are_answered_alike() {
    let s = LicenceShop::open(2, None).await;
    let t = &s.shop.t;
    let sold = s.buy().await;
    let unsold = t.db.one("select count(*) from vault_key where state = 'available'").await;
    assert_eq!(unsold, "1");
    // Of another product, and of a variant that sells no licences.
    let other = t.selling_keys(1, 500).await;
    let plain = s.shop.texts(&t.paid_order(other, 1).await).await.remove(0);
    let other_product = product_of(t, other).await;
    let nobodys = dispense::base::ids::ProductId(t.app.clock.uuid()).to_string();
    let nothing = json!({ "valid": false, "code": "NO_SUCH_KEY", "detail": "there is no such key of this product",
        "licence": null, "activation": null });
    for (product, key) in [
        (&s.product, "NOBODY-HAS-THIS"),
        (&s.product, ""),
        (&s.product, "two\nlines"),
        (&s.product, plain.as_str()),
        (&other_product, plain.as_str()),
        (&other_product, sold.key.as_str()),
        (&nobodys, sold.key.as_str()),
        (&s.product, &"x".repeat(5_000)),
    ] {
        let asked = json!({ "productId": product, "key": key });
        assert_eq!(send(t, "validate", &asked).await, (200, nothing.clone()), "{product}");
        let asked = json!({ "productId": product, "key": key, "device": "d" });
        for verb in ["activate", "deactivate"] {
            let (status, no) = send(t, verb, &asked).await;
            assert_eq!((status, &no["code"]), (404, &json!("NO_SUCH_KEY")), "{verb}");
        }
    }
    // As people type it.
    let typed = json!({ "productId": s.product, "key": format!("  {}\u{200b} ", sold.key) });
    assert_eq!(send(t, "validate", &typed).await.1["code"], "VALID");
    let lower = json!({ "productId": s.product, "key": sold.key.to_lowercase() });
    assert_eq!(send(t, "validate", &lower).await.1["code"], "NO_SUCH_KEY");
    s.sound().await;
}

/// Case is the variant's to judge, and a key that an earlier program stored is found before its new fingerprint is there.
/// Rows: K16, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_found_in_any_case_where_case_means_nothing_and_under_its_earlier_fingerprint() {
    let s = LicenceShop::open(0, None).await;
    let t = &s.shop.t;
    assert_eq!(s.shop.edit(s.variant, json!({ "foldCase": true })).await, None);
    t.import(s.variant, 1).await;
    let sold = s.buy().await;
    let lower = json!({ "productId": s.product, "key": sold.key.to_lowercase() });
    assert_eq!(send(t, "validate", &lower).await.1["code"], "VALID");
    let before = t.app.sealer.fingerprint_before(dispense::base::ids::SHOP.0, &sold.key, true);
    t.db.sql(&format!("update vault_key set fp = '\\x{}', fp_next = null", hex::encode(before))).await;
    assert_eq!(send(t, "validate", &lower).await.1["code"], "VALID");
    assert_eq!(s.code(&sold, None).await, "VALID");
    s.shop.t.finish_with_jobs().await;
}

/// Rows: K16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_another_form_are_refused_and_quote_nothing() {
    let s = LicenceShop::open(1, Some(1)).await;
    let t = &s.shop.t;
    let sold = s.buy().await;
    let full = s.asks(&sold.key, "d");
    let with = |name: &str, value: Value| {
        let mut body = full.clone();
        body[name] = value;
        body
    };
    let long = |length| json!("x".repeat(length));
    let many: serde_json::Map<String, Value> = (0..21).map(|n| (format!("k{n}"), json!(1))).collect();
    for (verb, body, field) in [
        ("activate", json!({ "productId": s.product, "key": sold.key }), json!(["device"])),
        ("activate", json!({ "productId": s.product, "device": "d" }), json!(["key"])),
        ("activate", json!({ "key": sold.key, "device": "d" }), json!(["productId"])),
        ("activate", with("productId", json!("prd_1")), json!(["productId"])),
        ("activate", with("productId", json!(s.variant.to_string())), json!(["productId"])),
        ("activate", with("key", json!(7)), json!(["key"])),
        ("activate", with("device", json!("")), json!(["device"])),
        ("activate", with("device", json!("a\u{0}b")), json!(["device"])),
        ("activate", with("device", long(201)), json!(["device"])),
        ("activate", with("name", long(201)), json!(["name"])),
        ("activate", with("name", json!(format!("my {}", sold.key))), json!(["name"])),
        ("activate", with("metadata", json!([1])), json!(["metadata"])),
        ("activate", with("metadata", json!({ "a": null })), json!(["metadata"])),
        ("activate", with("metadata", json!({ "a": { "b": 1 } })), json!(["metadata"])),
        ("activate", with("metadata", json!({ "a": "\u{0}" })), json!(["metadata"])),
        ("activate", with("metadata", json!({ "a": "x".repeat(501) })), json!(["metadata"])),
        ("activate", with("metadata", json!({ "a": sold.key })), json!(["metadata"])),
        ("activate", with("metadata", Value::Object(many)), json!(["metadata"])),
        ("activate", with("fingerprint", json!("d")), json!(["fingerprint"])),
        ("validate", with("Device", json!("d")), json!(["Device"])),
        ("validate", with("name", json!("d")), json!(["name"])),
        ("validate", with(&sold.key, json!("d")), Value::Null),
        ("deactivate", with("metadata", json!({})), json!(["metadata"])),
    ] {
        let (status, no) = send(t, verb, &body).await;
        assert_eq!(
            (status, &no["code"], &no["field"]),
            (400, &json!("INVALID"), &field),
            "{verb} {field}: {no}"
        );
        assert!(!no.to_string().contains(&sold.key), "the key was quoted");
    }
    let raw = async |kind: &str, body: String| {
        let request = t.http().post(format!("{}/licences/validate", t.base)).header("content-type", kind);
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert!(!text.contains(&sold.key), "the key was quoted");
        (status, serde_json::from_str::<Value>(&text).unwrap()["code"].as_str().unwrap().to_owned())
    };
    let json = "application/json; charset=utf-8";
    assert_eq!(raw(json, format!("[\"{}\"]", sold.key)).await, (400, "BAD_REQUEST".into()));
    assert_eq!(raw(json, format!("{{\"key\": \"{}\"", sold.key)).await, (400, "BAD_REQUEST".into()));
    assert_eq!(raw("text/plain", full.to_string()).await, (415, "MEDIA_TYPE_UNSUPPORTED".into()));
    let large = json!({ "productId": s.product, "key": "x".repeat(40_000) }).to_string();
    assert_eq!(raw(json, large).await, (413, "BODY_TOO_LARGE".into()));
    let asked = t.http().get(format!("{}/licences/validate?key=x", t.base)).send().await.unwrap();
    assert_eq!(asked.status().as_u16(), 405, "a key is in no address");
    assert_eq!(t.db.one("select count(*) from licence_activation").await, "0");
    s.sound().await;
}

/// Rows: K16, X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_tries_keys_is_answered_nothing_after_too_many() {
    let s = LicenceShop::open_with(1, None, |config| {
        behind_a_proxy(config);
        config.limits.licence_failures_per_minute = 5;
        config.limits.licence_activations_per_hour = 4;
    })
    .await;
    let t = &s.shop.t;
    let sold = s.buy().await;
    let wrong = json!({ "productId": s.product, "key": "A-GUESS" });
    let right = json!({ "productId": s.product, "key": sold.key });
    for _ in 0..6 {
        assert_eq!(send_from(t, "203.0.113.5", "validate", &wrong).await.0, 200);
    }
    for body in [&wrong, &right] {
        let (status, no) = send_from(t, "203.0.113.5", "validate", body).await;
        assert_eq!((status, &no["code"]), (429, &json!("RATE_LIMITED")), "also the right one");
        assert!(no["retryAfterSeconds"].as_i64().unwrap() >= 1);
    }
    assert_eq!(send_from(t, "203.0.113.6", "validate", &right).await.1["code"], "VALID");
    // A key that is passed from device to device.
    for (device, status) in [("1", 201), ("2", 201), ("3", 429)] {
        let asked = s.asks(&sold.key, device);
        assert_eq!(send_from(t, "203.0.113.7", "activate", &asked).await.0, status, "{device}");
    }
    assert_eq!(send_from(t, "203.0.113.7", "activate", &s.asks(&sold.key, "2")).await.0, 200);
    s.sound().await;
}

/// Rows: K16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_a_device_asked_is_written_once_an_hour() {
    let s = LicenceShop::open(1, None).await;
    let t = &s.shop.t;
    let sold = s.buy().await;
    let (_, first) = s.activate(&sold, "d").await;
    let written = "select xmin::text from licence_activation";
    let before = t.db.one(written).await;
    t.advance(TimeDelta::minutes(59)).await;
    assert_eq!(s.validate(&sold, Some("d")).await["activation"], first["activation"]);
    assert_eq!(t.db.one(written).await, before, "nothing was written");
    t.advance(TimeDelta::minutes(2)).await;
    let (one, other) = tokio::join!(s.validate(&sold, Some("d")), s.validate(&sold, Some("d")));
    for answer in [one, other] {
        assert!(answer["activation"]["lastSeenAt"].as_str() > first["activation"]["lastSeenAt"].as_str());
    }
    let after = t.db.one(written).await;
    assert_ne!(after, before);
    s.validate(&sold, Some("d")).await;
    assert_eq!(s.activate(&sold, "d").await.0, 200);
    assert_eq!(t.db.one(written).await, after, "and not again");
    s.sound().await;
}
