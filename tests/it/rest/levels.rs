//! What sellers are reported of the level of their stock.

use chrono::{TimeDelta, Timelike};
use dispense::base::actor::Role;
use dispense::base::ids::VariantId;
use serde_json::{Value, json};

use super::desk::Desk;
use crate::harness::visitor::Visitor;
use crate::harness::{TestApp, codes, with_generic};

async fn preview(seller: &Visitor, variant: &str, count: i32) -> Value {
    let input = json!({ "variantId": variant, "count": count });
    let fields = "left waiting fills { pieces line { id quantity state order { number } } }";
    seller.act("stockFillPreview", input, fields).await
}

/// Rows: K10 (stockFillPreview).
/// Sends: stockFillPreview.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_says_which_lines_new_keys_would_fill_and_the_import_then_does_so() {
    let desk = Desk::open().await;
    let t = &desk.t;
    let variant = t.selling_keys(6, 500).await;
    let mut orders = Vec::new();
    for pieces in [3, 2, 4, 1] {
        orders.push(t.order(variant, pieces).await);
    }
    t.paid_order(variant, 6).await;
    for (n, order) in orders.iter().enumerate() {
        t.advance(TimeDelta::seconds(5)).await;
        assert_eq!(t.notify(&crate::harness::Said::paid(order, &format!("W{n}"))).await.0, 200);
    }
    t.drain().await;
    let id = variant.to_string();
    let numbers = |preview: &Value| -> Vec<String> {
        let fills = preview["fills"].as_array().unwrap().iter();
        fills.map(|f| f["line"]["order"]["number"].as_str().unwrap().to_owned()).collect()
    };
    let of =
        |which: &[usize]| -> Vec<String> { which.iter().map(|n| orders[*n].order.number.clone()).collect() };
    let before = t.db.sql("select id, state from unit order by id").await;
    for (count, filled, left, waiting) in [
        (0, &[][..], 0, 10),
        (2, &[], 2, 10),
        (3, &[0], 0, 7),
        (6, &[0, 1], 1, 5),
        (10, &[0, 1, 2, 3], 0, 0),
        (25, &[0, 1, 2, 3], 15, 0),
    ] {
        let seen = preview(&desk.seller, &id, count).await;
        assert_eq!(codes(&seen), [""; 0]);
        assert_eq!(numbers(&seen), of(filled), "{count}");
        assert_eq!(
            (&seen["left"], &seen["waiting"]),
            (&json!(left.to_string()), &json!(waiting.to_string())),
            "{count}"
        );
    }
    // After ten minutes smaller ones pass a large one that cannot be filled.
    t.advance(TimeDelta::minutes(11)).await;
    let later = t.visitor("192.0.2.9").signed_in(&t.sign_in("boss@shop.example").await.tokens.access);
    let seen = preview(&later, &id, 6).await;
    assert_eq!((numbers(&seen), &seen["left"]), (of(&[0, 1, 3]), &json!("0")));
    assert_eq!(t.db.sql("select id, state from unit order by id").await, before, "nothing was changed");
    t.import(variant, 6).await;
    for (n, state) in [(0, "assigned:3"), (1, "assigned:2"), (2, "awaiting_stock:4"), (3, "assigned:1")] {
        assert_eq!(t.unit_states(orders[n].order.id).await, state, "{n}");
    }
    for (variant, count, code) in
        [("var_1", 1, "NOT_FOUND"), (&id, -1, "TOO_MANY"), (&id, 1_000_001, "TOO_MANY")]
    {
        assert_eq!(codes(&preview(&later, variant, count).await), [code]);
    }
    t.buyer("eve@example.com").await;
    let eve = t.visitor("192.0.2.66").signed_in(&t.sign_in("eve@example.com").await.tokens.access);
    let input = json!({ "variantId": id, "count": 1 });
    assert_eq!(codes(&eve.act("stockFillPreview", input, "left").await), ["NOT_FOUND"]);
    desk.sound().await;
    desk.t.finish_with_jobs().await;
}

/// Rows: K10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_as_large_as_a_round_of_filling_keeps_nobody_behind_it_for_ever() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(200, 500).await;
    let (large, small) = (t.order(variant, 200).await, t.order(variant, 1).await);
    t.paid_order(variant, 200).await;
    for (order, trade) in [(&large, "L1"), (&small, "L2")] {
        t.advance(TimeDelta::seconds(5)).await;
        assert_eq!(t.notify(&crate::harness::Said::paid(order, trade)).await.0, 200);
    }
    t.drain().await;
    t.advance(TimeDelta::minutes(11)).await;
    t.import(variant, 1).await;
    assert_eq!(t.unit_states(small.order.id).await, "assigned:1");
    assert_eq!(t.unit_states(large.order.id).await, "awaiting_stock:200");
    t.import(variant, 200).await;
    assert_eq!(t.unit_states(large.order.id).await, "assigned:200");
    t.finish_with_jobs().await;
}

/// How often an event of this kind was written.
async fn reported(t: &TestApp, kind: &str) -> String {
    t.db.one(&format!("select count(*) from event where kind = '{kind}'")).await
}

/// Rows: K11 (variantUpdate).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn low_stock_is_told_once_and_again_only_after_more_came() {
    let t = TestApp::start_with(|config| {
        with_generic(config);
        config.shop.support_email = Some("boss@shop.example".into());
    })
    .await;
    t.person("boss@shop.example", &[Role::Admin, Role::Seller]).await;
    let boss = t.visitor("192.0.2.9").signed_in(&t.sign_in("boss@shop.example").await.tokens.access);
    let (variant, files) = (t.selling_keys(4, 500).await, t.variant_on_sale("file", 500).await);
    let alert = async |variant: VariantId, at: Value| {
        let edit = json!({ "variantId": variant.to_string(), "fields": { "lowStockAlert": at } });
        boss.act("variantUpdate", edit, "variant { lowStockAlert }").await
    };
    assert_eq!(codes(&alert(files, json!(2)).await), ["INVALID"]);
    assert_eq!(alert(variant, json!(-1)).await["userErrors"][0]["field"], json!(["fields", "lowStockAlert"]));
    assert_eq!(alert(variant, json!(2)).await["variant"]["lowStockAlert"], 2);
    let state = "select coalesce(string_agg(state, ',' order by created_at), 'none') from task where kind = 'stock_low'";
    t.sweep().await;
    assert_eq!((t.db.one(state).await.as_str(), reported(&t, "stock.low").await.as_str()), ("none", "0"));
    t.paid_order(variant, 2).await;
    for _ in 0..3 {
        t.sweep().await;
        t.drain().await;
    }
    assert_eq!((t.db.one(state).await.as_str(), reported(&t, "stock.low").await.as_str()), ("open", "1"));
    let mails = "select count(*) from message where kind = 'task_opened' and recipient = 'boss@shop.example'";
    assert_eq!(t.db.one(mails).await, "1");
    // A person who has seen it is not reported again while it sinks further.
    t.db.sql("update task set state = 'resolved', resolved_at = app_now() where kind = 'stock_low'").await;
    t.paid_order(variant, 1).await;
    t.sweep().await;
    assert_eq!((t.db.one(state).await.as_str(), reported(&t, "stock.low").await.as_str()), ("resolved", "1"));
    t.import(variant, 5).await;
    t.sweep().await;
    assert_eq!(reported(&t, "stock.restocked").await, "1");
    t.paid_order(variant, 4).await;
    t.sweep().await;
    assert_eq!(
        (t.db.one(state).await.as_str(), reported(&t, "stock.low").await.as_str()),
        ("resolved,open", "2")
    );
    // Nobody wants to be reported any more.
    assert_eq!(alert(variant, Value::Null).await["variant"]["lowStockAlert"], Value::Null);
    t.sweep().await;
    assert_eq!(t.db.one(state).await, "resolved,resolved");
    t.sweep().await;
    assert_eq!(
        (reported(&t, "stock.low").await, reported(&t, "stock.restocked").await),
        ("2".into(), "2".into())
    );
    t.drain_all().await;
    t.finish_with_jobs().await;
}

/// Rows: K14 (seller).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_expire_soon_are_reported_by_variant_and_day() {
    let desk = Desk::open().await;
    let t = &desk.t;
    let (one, two) = (t.selling_keys(2, 500).await, t.variant_on_sale("key", 500).await);
    let midnight = |days: i64| {
        let day = t.app.clock.now() + TimeDelta::days(days);
        day.with_hour(0)
            .and_then(|d| d.with_minute(0))
            .and_then(|d| d.with_second(0))
            .and_then(|d| d.with_nanosecond(0))
            .unwrap()
    };
    let text = |days: i64| midnight(days).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let row =
        |name: &str, days: i64| format!("{name},{}\n", (midnight(days) + TimeDelta::hours(7)).to_rfc3339());
    let file = ["key,expires_at\n".to_owned(), row("A-1", 3), row("A-2", 3), row("A-3", 20), row("A-4", 50)]
        .concat();
    desk.take(one, json!({ "format": "CSV" }), "text/csv", file).await;
    desk.take(two, json!({ "format": "CSV" }), "text/csv", format!("key,expires_at\n{}", row("B-1", 3)))
        .await;
    let ask = async |days: Value| {
        let query = "query($d: Int) { seller { expiringKeys(withinDays: $d) { day keys variant { id } } } }";
        desk.seller.ask(query, json!({ "d": days })).await["seller"]["expiringKeys"].clone()
    };
    let wanted = |days: i64, keys: &str, variant: VariantId| json!({ "day": text(days), "keys": keys, "variant": { "id": variant.to_string() } });
    let soon = [wanted(3, "2", one), wanted(3, "1", two), wanted(20, "1", one)];
    assert_eq!(ask(json!(30)).await, json!(soon));
    assert_eq!(ask(json!(7)).await, json!(soon[..2]));
    assert_eq!(ask(json!(365)).await.as_array().unwrap().len(), 4);
    // Sold, it is nobody's worry any more.
    t.paid_order(two, 1).await;
    assert_eq!(ask(json!(7)).await, json!(soon[..1]));
    desk.t.finish_with_jobs().await;
}
