//! When events are sent, what counts as taken, and what becomes of those that are not.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use dispense::infra::effects::events::Audience;
use dispense::kinds::events;
use serde_json::json;

use super::receiver::{Manner, body, signed_by};
use super::shop::Relay;
use crate::harness::{Said, TestDatabase};

/// Rows: D9, D2, K11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sellers_events_are_sent_signed_and_nothing_else() {
    let shop = Relay::open().await;
    let t = &shop.t;
    let variant = shop.selling(3).await;
    t.db.sql(&format!("update variant set low_stock_alert = 2 where id = '{}'", variant.0)).await;
    let (all, secret) = shop.connect("/all", json!({})).await;
    let (paid, _) = shop.connect("/paid", json!({ "eventTypes": ["order.paid", "stock.low"] })).await;
    let (foreign, olga) = shop.another_seller("olga@other.example").await;
    let made = shop
        .create(
            &olga,
            json!({ "url": format!("{}/olga", shop.receiver.url), "sellerId": foreign.to_string() }),
        )
        .await;
    assert_eq!(made["userErrors"], json!([]));
    t.canary(made["signingSecret"].as_str().unwrap());
    let placed = t.paid_order(variant, 2).await;
    t.drain().await;
    t.sweep().await;
    t.drain().await;
    let types: BTreeSet<String> = shop.receiver.types("/all").into_iter().collect();
    for wanted in ["order.placed", "order.paid", "line.assigned", "payment.captured", "stock.low"] {
        assert!(types.contains(wanted), "{types:?}");
    }
    let seen = events::seen_by(Audience::Seller);
    assert!(types.iter().all(|name| seen.contains(&name.as_str())), "{types:?}");
    assert_eq!(shop.receiver.types("/paid"), ["order.paid", "stock.low"]);
    let own: BTreeSet<String> = shop.receiver.types("/olga").into_iter().collect();
    assert_eq!(own, BTreeSet::from(["hook.created".to_owned()]), "of the other seller only what is theirs");

    let messages = shop.receiver.seen("/all");
    let message = messages.iter().find(|message| body(message)["type"] == "order.paid").unwrap();
    assert_eq!(signed_by(message, &[&secret]), [true]);
    assert_eq!(message.header("content-type"), "application/json");
    let order = placed.order.id.to_string();
    let sent = body(message);
    assert_eq!((&sent["data"]["object"], &sent["data"]["order"]), (&json!(order), &json!(order)));
    assert_eq!(sent["data"]["body"], json!({ "number": placed.order.number }));
    assert_eq!(sent["timestamp"], sent["data"]["at"]);
    let ids = shop.receiver.ids("/all");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "each once");
    for message in messages.iter().chain(&shop.receiver.seen("/paid")) {
        let text = message.text();
        assert!(!text.contains("buyer.example") && !text.contains("CANARY"), "{text}");
    }

    // What staff sees of it: the order's story, and how the sending does.
    let boss = shop.boss().await;
    let story = boss
        .ask(
            "query($n: String!) { desk { orders(search: $n) { nodes { timeline { source kind actor detail at } } }
               health { hooksWaiting oldestHookDue hookEndpointsFailing } } }",
            json!({ "n": placed.order.number }),
        )
        .await["desk"]
        .clone();
    let entries = story["orders"]["nodes"][0]["timeline"].as_array().unwrap();
    let attempt = entries.iter().find(|e| e["source"] == "HOOK" && e["actor"] == json!(paid)).unwrap();
    assert_eq!(
        (&attempt["kind"], &attempt["detail"]),
        (&json!("order.paid"), &json!("attempt 1: delivered (200)"))
    );
    assert!(entries.iter().any(|e| e["source"] == "HOOK" && e["actor"] == json!(all)));
    assert_eq!(
        story["health"],
        json!({ "hooksWaiting": "0", "oldestHookDue": null, "hookEndpointsFailing": "0" })
    );
    shop.sound().await;
}

/// Rows: D9, D8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_2xx_in_time_is_taken_and_the_rest_is_tried_again_and_given_up() {
    let shop = Relay::open().await;
    let t = &shop.t;
    let variant = shop.selling(3).await;
    let only = json!({ "eventTypes": ["order.paid"] });
    let mut ids = Vec::new();
    for path in ["/500", "/302", "/hang", "/204", "/pour"] {
        ids.push(shop.connect(path, only.clone()).await.0);
    }
    let (gone, _) = shop.connect("/410", only.clone()).await;
    let dead = {
        let (id, _) = shop.connect("/dead", only.clone()).await;
        // Nothing listens there any more.
        t.db.sql("update hook_endpoint set url = 'https://127.0.0.1:443/' where url like '%/dead'").await;
        id
    };
    let inside = {
        let (id, _) = shop.connect("/inside", only.clone()).await;
        t.db.sql("update hook_endpoint set url = 'https://10.0.0.1/' where url like '%/inside'").await;
        id
    };
    shop.receiver.answers("/500", Manner::Status(500));
    shop.receiver.answers("/302", Manner::Redirect(format!("{}/other", shop.receiver.url)));
    shop.receiver.answers("/hang", Manner::Hang);
    shop.receiver.answers("/204", Manner::Status(204));
    shop.receiver.answers("/pour", Manner::Pour);
    shop.receiver.answers("/410", Manner::Status(410));
    t.paid_order(variant, 1).await;
    t.drain().await;
    let states = async |id: &str| shop.states(id).await;
    assert_eq!(states(&ids[3]).await, "delivered:1");
    assert_eq!(states(&ids[4]).await, "delivered:1", "nothing of the body is waited for");
    let outcome = async |id: &str| {
        let attempt = shop.deliveries(id).await[0]["attempts"][0].clone();
        (
            attempt["outcome"].as_str().unwrap().to_owned(),
            attempt["status"].as_i64(),
            attempt["reason"].clone(),
        )
    };
    assert_eq!(outcome(&ids[0]).await, ("refused".into(), Some(500), json!(null)));
    assert_eq!(outcome(&ids[1]).await, ("refused".into(), Some(302), json!(null)));
    assert_eq!(shop.receiver.seen("/other").len(), 0, "no redirect is followed");
    let (hung, _, why) = outcome(&ids[2]).await;
    assert!(hung == "no_answer" && why.as_str().unwrap().contains("timed out"), "{why}");
    assert_eq!(outcome(&dead).await.0, "unreachable");
    let (kept_out, _, why) = outcome(&inside).await;
    assert!(kept_out == "unreachable" && why.as_str().unwrap().contains("no public address"), "{why}");

    // One that is gone is left alone at once.
    let endpoints = shop.list(&shop.boss().await, json!(null)).await;
    let find = |id: &str| endpoints.as_array().unwrap().iter().find(|e| e["id"] == id).unwrap().clone();
    assert_eq!((&find(&gone)["state"], &find(&gone)["disabledFor"]), (&json!("DISABLED"), &json!("GONE")));
    assert!(find(&ids[0])["failingSince"].is_string());
    assert_eq!(t.db.one("select state from task where kind = 'hook_disabled'").await, "open");

    t.db.sql("update hook_endpoint set state = 'disabled' where url like '%/hang'").await;

    // 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h, each with a fifth more or less.
    let count = || shop.receiver.seen("/500").len();
    assert_eq!(count(), 1);
    shop.pass(TimeDelta::seconds(10)).await;
    assert_eq!(count(), 2, "after 5 s");
    for (made, seconds) in [(3, 300), (4, 1_800), (5, 7_200), (6, 18_000), (7, 36_000)] {
        shop.pass(TimeDelta::milliseconds(seconds * 750)).await;
        assert_eq!(count(), made - 1, "not before its time");
        shop.pass(TimeDelta::milliseconds(seconds * 500)).await;
        assert_eq!(count(), made, "after {seconds} s");
    }
    assert_eq!(states(&ids[0]).await, "queued:1");
    assert_eq!(t.db.one("select count(*) from task where kind = 'hook_failing'").await, "0");
    shop.pass(TimeDelta::hours(13)).await;
    assert_eq!(states(&ids[0]).await, "needs_attention:1");
    let given_up = shop.list(&shop.boss().await, json!(["NEEDS_ATTENTION"])).await;
    let given_up = given_up.as_array().unwrap().iter().find(|e| e["id"] == json!(ids[0])).unwrap().clone();
    assert_eq!(given_up["deliveries"]["totalCount"], 1);
    let node = &given_up["deliveries"]["nodes"][0];
    assert_eq!((&node["attemptsMade"], &node["nextAttemptAt"]), (&json!(8), &json!(null)));
    assert!(node["endedAt"].is_string());
    let task = dispense::base::ids::HookEndpointId::parse(&ids[0]).unwrap().0;
    let open = format!("select state from task where kind = 'hook_failing' and subject = '{task}'");
    assert_eq!(t.db.one(&open).await, "open");
    assert_eq!(BTreeSet::from_iter(shop.receiver.ids("/500")).len(), 1, "one name for all attempts");

    // It takes the next, and the trouble is over.
    shop.receiver.answers("/500", Manner::Status(200));
    shop.replay(&shop.boss().await, &ids[0], json!({ "deliveryId": node["id"] })).await;
    t.drain().await;
    assert_eq!(states(&ids[0]).await, "delivered:1");
    assert_eq!(t.db.one(&open).await, "resolved");
    shop.sound().await;
}

/// Rows: D9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_only_fails_is_disabled_after_five_days_with_a_notice() {
    let shop = Relay::open().await;
    let t = &shop.t;
    let variant = shop.selling(9).await;
    let (id, _) = shop.connect("/bad", json!({ "eventTypes": ["order.paid"] })).await;
    let (other, _) = shop.connect("/good", json!({ "eventTypes": ["hook.disabled"] })).await;
    shop.receiver.answers("/bad", Manner::Status(500));
    t.paid_order(variant, 1).await;
    t.drain().await;
    for _ in 0..5 {
        t.advance(TimeDelta::hours(23)).await;
        t.paid_order(variant, 1).await;
        t.drain().await;
    }
    assert_eq!(t.db.one("select count(*) from hook_endpoint where state = 'disabled'").await, "0");
    t.advance(TimeDelta::hours(6)).await;
    t.drain().await;
    let seen = shop.list(&shop.boss().await, json!(null)).await;
    let bad = seen.as_array().unwrap().iter().find(|e| e["id"] == json!(id)).unwrap().clone();
    assert_eq!((&bad["state"], &bad["disabledFor"]), (&json!("DISABLED"), &json!("FAILING")));
    assert_eq!(shop.receiver.types("/good"), ["hook.disabled"], "the seller hears of it elsewhere");
    assert_eq!(shop.states(&other).await, "delivered:1");
    let task = "select state from task where kind = 'hook_disabled'";
    assert_eq!(t.db.one(task).await, "open");
    let calls = shop.receiver.seen("/bad").len();
    t.paid_order(variant, 1).await;
    t.advance(TimeDelta::hours(12)).await;
    t.drain().await;
    assert_eq!(shop.receiver.seen("/bad").len(), calls, "nothing more is sent there");
    shop.receiver.answers("/bad", Manner::Status(200));
    let on = shop.update(&shop.boss().await, &id, json!({ "enabled": true })).await;
    assert_eq!(
        (&on["endpoint"]["disabledFor"], &on["endpoint"]["failingSince"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(t.db.one(task).await, "resolved");
    t.drain().await;
    shop.sound().await;
}

/// Rows: D9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_order_means_that_nothing_passes_what_is_not_over() {
    let shop = Relay::open().await;
    let t = &shop.t;
    let variant = shop.selling(9).await;
    let only = json!({ "eventTypes": ["order.paid"], "ordered": true });
    let (id, _) = shop.connect("/line", only).await;
    shop.receiver.answers("/line", Manner::Status(500));
    let mut numbers = Vec::new();
    for _ in 0..4 {
        numbers.push(t.paid_order(variant, 1).await.order.number);
        t.drain().await;
    }
    assert_eq!(shop.receiver.seen("/line").len(), 1, "the first keeps the others waiting");
    shop.receiver.answers("/line", Manner::Status(200));
    shop.pass(TimeDelta::seconds(10)).await;
    let came: Vec<String> = shop
        .receiver
        .seen("/line")
        .iter()
        .skip(1)
        .map(|m| body(m)["data"]["body"]["number"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(came, numbers);
    assert_eq!(shop.receiver.most_open("/line"), 1);

    // One that is given up lets the next pass.
    shop.receiver.answers("/line", Manner::Status(400));
    t.paid_order(variant, 1).await;
    t.paid_order(variant, 1).await;
    t.drain().await;
    for hours in [1, 1, 1, 3, 7, 13] {
        shop.pass(TimeDelta::hours(hours)).await;
    }
    assert_eq!(shop.states(&id).await, "delivered:4 queued:2");
    assert_eq!(BTreeSet::from_iter(shop.receiver.ids("/line").into_iter().skip(5)).len(), 1);
    shop.pass(TimeDelta::hours(13)).await;
    assert_eq!(shop.states(&id).await, "delivered:4 needs_attention:1 queued:1");
    shop.receiver.answers("/line", Manner::Status(200));
    shop.pass(TimeDelta::hours(1)).await;
    assert_eq!(shop.states(&id).await, "delivered:5 needs_attention:1");
    shop.sound().await;
}

/// A gateway's notice comes twice, and its event once.
/// Rows: D9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_sent_once_and_a_large_one_without_its_body() {
    let shop = Relay::open_over(TestDatabase::migrated().await, |config| {
        config.limits.held_units_per_buyer = 1_000;
        config.limits.held_units_per_address = 1_000;
        config.limits.held_units_per_client = 1_000;
    })
    .await;
    let t = &shop.t;
    let variant = shop.selling(400).await;
    t.db.sql("update variant set max_quantity = 1000").await;
    let (id, _) = shop.connect("/one", json!({ "eventTypes": ["line.assigned"] })).await;
    let placed = t.order(variant, 380).await;
    let said = Said::paid(&placed, "TWICE");
    t.notify(&said).await;
    t.notify(&said).await;
    t.drain().await;
    assert_eq!(shop.states(&id).await, "delivered:1");
    let seen = shop.receiver.seen("/one");
    let sent = body(&seen[0]);
    assert!(seen[0].body.len() < 1_000, "{sent}");
    assert_eq!((&sent["data"]["body"], &sent["data"]["bodyOmitted"]), (&json!(null), &json!(true)));
    // What ended is forgotten after two months.
    t.advance(TimeDelta::days(59)).await;
    t.retain().await;
    assert_eq!(shop.states(&id).await, "delivered:1");
    t.advance(TimeDelta::days(2)).await;
    t.retain().await;
    assert_eq!(shop.states(&id).await, "");
    assert_eq!(t.db.one("select count(*) from hook_attempt").await, "0");
    shop.t.finish_with_jobs().await;
}
