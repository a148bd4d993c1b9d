//! Keys that are held for orders that are not paid yet (K8).

use chrono::TimeDelta;
use dispense::base::actor::Role;
use dispense::base::ids::{KeyId, OrderId, VariantId};
use dispense::infra::stock_lock;
use dispense::orders::place::Placed;
use dispense::payments::restored;
use dispense::vault::freeze;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::visitor::Visitor;
use crate::harness::{Said, TestApp, behind_a_proxy, codes, with_generic};

const NONE: [&str; 0] = [];

async fn shop() -> TestApp {
    TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
    })
    .await
}

/// Keys on sale that are held for so many minutes.
async fn reserving(t: &TestApp, keys: usize, minutes: i32) -> VariantId {
    let variant = t.selling_keys(keys, 500).await;
    reserve_for(t, variant, minutes).await;
    variant
}

async fn reserve_for(t: &TestApp, variant: VariantId, minutes: i32) {
    let sql = format!("update variant set reservation_minutes = {minutes} where id = '{}'", variant.0);
    t.db.sql(&sql).await;
}

/// How many keys are in each state, as `available:1 reserved:2`.
async fn keys(t: &TestApp, variant: VariantId) -> String {
    let sql = format!(
        "select coalesce(string_agg(state || ':' || n, ' ' order by state), '') from
           (select state, count(*) n from vault_key where variant_id = '{}' group by state) s",
        variant.0
    );
    t.db.one(&sql).await
}

/// Ids of the keys that are held for an order, or that it was given.
async fn keys_of(t: &TestApp, order: OrderId) -> Vec<String> {
    let sql = format!(
        "select k.id from vault_key k left join order_line l on l.id = k.reserved_line_id
           left join unit u on u.id = k.unit_id where coalesce(l.order_id, u.order_id) = '{}' order by k.id",
        order.0
    );
    t.db.sql(&sql).await.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

async fn sound(t: &TestApp) {
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

async fn pay(t: &TestApp, order: &Placed) {
    let said = Said::paid(order, &format!("T{}", order.order.number));
    assert_eq!(t.notify(&said).await.0, 200);
}

async fn buys(visitor: &Visitor, variant: VariantId, quantity: i32, email: &str) -> Value {
    let total = format!("{}.00", quantity * 5);
    visitor.order(&variant.to_string(), quantity, &total, json!({ "email": email })).await
}

async fn quantity(visitor: &Visitor, variant: VariantId) -> Value {
    let query = "query($id: ID!) { node(id: $id) { ... on Variant { availability { quantity canBuy } reservationMinutes } } }";
    visitor.ask(query, json!({ "id": variant.to_string() })).await["node"].clone()
}

/// Rows: K8 (variantUpdate, orderPlace, seller), K7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn placing_an_order_holds_keys_that_nobody_else_gets_and_that_it_is_given_when_it_is_paid() {
    let t = shop().await;
    let variant = t.selling_keys(4, 500).await;
    t.person("boss@shop.example", &[Role::Admin, Role::Seller]).await;
    let boss = t.visitor("192.0.2.9").signed_in(&t.sign_in("boss@shop.example").await.tokens.access);
    let fields = json!({ "reservationMinutes": 15, "stockDisplay": "EXACT" });
    let edit = json!({ "variantId": variant.to_string(), "fields": fields });
    let edited = boss.act("variantUpdate", edit, "variant { reservationMinutes }").await;
    assert_eq!((codes(&edited), &edited["variant"]["reservationMinutes"]), (NONE.to_vec(), &json!(15)));

    let (ada, bob) = (t.visitor("192.0.2.1"), t.visitor("192.0.2.2"));
    let placed = buys(&ada, variant, 3, "ada@example.com").await;
    assert_eq!(codes(&placed), NONE);
    assert_eq!(keys(&t, variant).await, "available:1 reserved:3");
    let shown = quantity(&bob, variant).await;
    assert_eq!(shown["availability"], json!({ "quantity": 1, "canBuy": true }), "what is held is no stock");
    let number = placed["order"]["number"].clone();
    let held =
        "query($n: String!, $t: String!) { order(number: $n, accessToken: $t) { lines { reservedUntil } } }";
    let seen = ada.ask(held, json!({ "n": number, "t": placed["accessToken"] })).await;
    let until = seen["order"]["lines"][0]["reservedUntil"].as_str().unwrap().to_owned();
    let left = chrono::DateTime::parse_from_rfc3339(&until).unwrap().to_utc() - t.app.clock.now();
    assert!((13..=15).contains(&left.num_minutes()), "{until}");
    let stock = boss.ask("{ seller { stock { nodes { available reserved sold } } } }", json!({})).await;
    assert_eq!(
        stock["seller"]["stock"]["nodes"],
        json!([{ "available": "1", "reserved": "3", "sold": "0" }])
    );

    assert_eq!(codes(&buys(&bob, variant, 2, "bob@example.com").await), ["NOT_ENOUGH_STOCK"]);
    let last = buys(&bob, variant, 1, "bob@example.com").await;
    assert_eq!(codes(&last), NONE);
    assert_eq!(codes(&buys(&bob, variant, 1, "bob@example.com").await), ["OUT_OF_STOCK"]);
    assert_eq!(t.db.one("select count(*) from orders").await, "2", "what was refused left nothing");
    sound(&t).await;

    let order = t.placed(&placed).await.order.id;
    let own = keys_of(&t, order).await;
    t.pay(&placed).await;
    assert_eq!((own.len(), keys_of(&t, order).await), (3, own), "its own keys are given to it");
    assert_eq!(keys(&t, variant).await, "reserved:1 sold:3");
    let seen = ada.ask(held, json!({ "n": number, "t": placed["accessToken"] })).await;
    assert_eq!(seen["order"]["lines"][0]["reservedUntil"], Value::Null, "nothing is held any more");
    t.pay(&last).await;
    assert_eq!(keys(&t, variant).await, "sold:4");
    sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: K8 (variantCreate, variantUpdate).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_alone_are_held_and_for_a_day_at_most() {
    let t = shop().await;
    let (keys, files) = (t.selling_keys(1, 500).await, t.variant_on_sale("file", 500).await);
    t.person("boss@shop.example", &[Role::Admin, Role::Seller]).await;
    let boss = t.visitor("192.0.2.9").signed_in(&t.sign_in("boss@shop.example").await.tokens.access);
    for (variant, minutes, expected) in [
        (keys, json!(0), Some("INVALID")),
        (keys, json!(1_441), Some("INVALID")),
        (files, json!(10), Some("INVALID")),
        (files, Value::Null, None),
        (keys, json!(1_440), None),
        (keys, Value::Null, None),
    ] {
        let edit = json!({ "variantId": variant.to_string(), "fields": { "reservationMinutes": minutes } });
        let edited = boss.act("variantUpdate", edit, "variant { reservationMinutes }").await;
        assert_eq!(codes(&edited).first().copied(), expected, "{minutes}");
        match expected {
            Some(_) => assert_eq!(edited["userErrors"][0]["field"], json!(["fields", "reservationMinutes"])),
            None => assert_eq!(edited["variant"]["reservationMinutes"], minutes),
        }
    }
    let product = t.db.one(&format!("select product_id from variant where id = '{}'", keys.0)).await;
    let product = dispense::base::ids::ProductId(product.parse().unwrap()).to_string();
    let new = json!({ "productId": product, "kind": "secret", "fields": { "reservationMinutes": 5 } });
    assert_eq!(codes(&boss.act("variantCreate", new, "variant { id }").await), ["INVALID"]);
    let new = json!({ "productId": product, "kind": "key", "fields": { "reservationMinutes": 5 } });
    let made = boss.act("variantCreate", new, "variant { reservationMinutes }").await;
    assert_eq!(made["variant"]["reservationMinutes"], 5);
    t.finish_with_jobs().await;
}

/// Rows: K8, K9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_lapsed_is_given_back_and_a_line_paid_after_it_gets_what_there_is() {
    let t = shop().await;
    let variant = reserving(&t, 2, 5).await;
    let (quick, late) = (t.order(variant, 1).await, t.order(variant, 1).await);
    let own = keys_of(&t, quick.order.id).await;
    t.advance(TimeDelta::minutes(6)).await;
    // Over, and not given back yet: nobody else's all the same.
    let refused = buys(&t.visitor("192.0.2.1"), variant, 1, "ada@example.com").await;
    assert_eq!(codes(&refused), ["OUT_OF_STOCK"]);
    pay(&t, &quick).await;
    assert_eq!(keys_of(&t, quick.order.id).await, own);
    sound(&t).await;
    assert_eq!(t.sweep().await, 1);
    assert_eq!(keys(&t, variant).await, "available:1 sold:1");
    assert_eq!(t.sweep().await, 0, "a repeat finds nothing");
    let kinds =
        "select string_agg(kind || ':' || coalesce(body ->> 'cause', '-'), ' ' order by id) from event
        where kind in ('line.reserved', 'line.released') and order_id is not null";
    assert_eq!(t.db.one(kinds).await, "line.reserved:- line.reserved:- line.released:lapsed");
    // Somebody else buys it; the one who comes late waits, and keeps the right to it.
    t.paid_order(variant, 1).await;
    pay(&t, &late).await;
    assert_eq!(
        (t.order_state(late.order.id).await, t.unit_states(late.order.id).await),
        ("paid".into(), "awaiting_stock:1".into())
    );
    t.import(variant, 1).await;
    assert_eq!(t.unit_states(late.order.id).await, "assigned:1");
    sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: K8 (orderCancel), K10, O5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_ends_a_hold_gives_its_key_to_the_line_that_waits() {
    for (ends, cause) in [("cancel", "order_over"), ("expire", "order_over"), ("lapse", "lapsed")] {
        let t = shop().await;
        let variant = reserving(&t, 1, if ends == "lapse" { 5 } else { 600 }).await;
        let held = buys(&t.visitor("192.0.2.1"), variant, 1, "ada@example.com").await;
        assert_eq!(codes(&held), NONE);
        // An order from before the seller chose to hold keys.
        let waiting = crate::faults::shop::many_orders(&t, variant, 1).await.remove(0);
        assert_eq!(t.notify(&waiting.paid()).await.0, 200);
        assert_eq!(t.unit_states(waiting.id).await, "awaiting_stock:1", "{ends}");
        t.drain().await;
        assert_eq!(keys(&t, variant).await, "reserved:1", "{ends}");
        match ends {
            "cancel" => {
                let input = json!({ "orderId": held["order"]["id"], "accessToken": held["accessToken"] });
                let visitor = t.visitor("192.0.2.1");
                for _ in 0..2 {
                    let done = visitor.act("orderCancel", input.clone(), "order { state }").await;
                    assert_eq!((codes(&done), &done["order"]["state"]), (NONE.to_vec(), &json!("CANCELLED")));
                }
            }
            "expire" => {
                t.advance(TimeDelta::minutes(31)).await;
                t.sweep().await;
                assert_eq!(t.order_state(t.placed(&held).await.order.id).await, "expired");
            }
            _ => {
                t.advance(TimeDelta::minutes(6)).await;
                t.sweep().await;
            }
        }
        t.drain().await;
        assert_eq!(t.unit_states(waiting.id).await, "assigned:1", "{ends}");
        let reported = "select body ->> 'cause' from event where kind = 'line.released'";
        assert_eq!(t.db.one(reported).await, cause, "{ends}");
        sound(&t).await;
        // Money for what is gone.
        if ends == "expire" {
            let late = t.placed(&held).await;
            t.attempt(&late, 1).await;
            pay(&t, &late).await;
            assert_eq!(t.unit_states(late.order.id).await, "awaiting_stock:1");
            sound(&t).await;
        }
        t.finish_with_jobs().await;
    }
}

/// Rows: K8 (orderPlace).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_holds_more_than_the_caps_however_many_addresses_are_typed() {
    let t = TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
        config.limits.held_units_per_buyer = 4;
        config.limits.held_units_per_address = 3;
        config.limits.held_units_per_client = 5;
    })
    .await;
    let variant = reserving(&t, 60, 10).await;
    let stranger = t.visitor("192.0.2.66");
    // One order that is larger than what is held for anybody.
    let large = buys(&stranger, variant, 4, "a@example.com").await;
    assert_eq!(
        (codes(&large), &large["userErrors"][0]["field"]),
        (vec!["QUANTITY_TOO_LARGE"], &json!(["lines"]))
    );
    for (email, pieces, expected) in [
        ("a@example.com", 3, None),
        ("a@example.com", 1, Some("TOO_MANY_UNPAID_ORDERS")),
        // A tag is the same mailbox.
        ("A+2@example.com", 1, Some("TOO_MANY_UNPAID_ORDERS")),
        ("b@example.com", 2, None),
        ("c@example.com", 1, Some("TOO_MANY_UNPAID_ORDERS")),
    ] {
        let placed = buys(&stranger, variant, pieces, email).await;
        assert_eq!(codes(&placed).first().copied(), expected, "{email} {pieces}");
    }
    // What is not held has no such cap.
    let plain = t.selling_keys(9, 500).await;
    assert_eq!(codes(&buys(&stranger, plain, 9, "c@example.com").await), NONE);
    // Another place, and a person who is signed in: bound by their own orders alone, wherever from.
    assert_eq!(codes(&buys(&t.visitor("192.0.2.67"), variant, 3, "a@example.com").await), NONE);
    t.buyer("ada@example.com").await;
    let ada = stranger.signed_in(&t.sign_in("ada@example.com").await.tokens.access);
    let order = |visitor: Visitor, pieces: i32| async move {
        visitor.order(&variant.to_string(), pieces, &format!("{}.00", pieces * 5), json!({})).await
    };
    let first = order(ada.clone(), 3).await;
    assert_eq!(codes(&first), NONE);
    let elsewhere = t.visitor("192.0.2.80").signed_in(&t.sign_in("ada@example.com").await.tokens.access);
    assert_eq!(codes(&order(elsewhere.clone(), 2).await), ["TOO_MANY_UNPAID_ORDERS"]);
    // What is paid, or held no longer, does not count.
    t.pay(&first).await;
    assert_eq!(codes(&order(elsewhere.clone(), 4).await), NONE);
    assert_eq!(codes(&order(ada.clone(), 1).await), ["TOO_MANY_UNPAID_ORDERS"]);
    t.advance(TimeDelta::minutes(11)).await;
    let again = t.visitor("192.0.2.80").signed_in(&t.sign_in("ada@example.com").await.tokens.access);
    assert_eq!(codes(&order(again, 4).await), NONE);
    t.sweep().await;
    sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: K8 (orderPlace), X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_buyers_who_want_the_last_keys_at_once_as_many_get_them_as_there_are_keys() {
    let t = shop().await;
    let variant = reserving(&t, 3, 10).await;
    let answers = join_all((0..10).map(|n| {
        let visitor = t.visitor(&format!("192.0.2.{}", n + 1));
        async move { buys(&visitor, variant, 1, &format!("b{n}@example.com")).await }
    }))
    .await;
    let placed: Vec<&Value> = answers.iter().filter(|a| codes(a).is_empty()).collect();
    assert_eq!(placed.len(), 3, "{answers:?}");
    assert!(answers.iter().all(|a| codes(a).is_empty() || codes(a) == ["OUT_OF_STOCK"]), "{answers:?}");
    assert_eq!(t.db.one("select count(*) from orders").await, "3");
    assert_eq!(keys(&t, variant).await, "reserved:3");
    sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: K8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_of_several_lines_holds_all_of_them_or_nothing() {
    let t = shop().await;
    let (many, few) = (reserving(&t, 5, 10).await, reserving(&t, 1, 10).await);
    // Between the price and the hold somebody takes the last one.
    let taken = t.app.db.begin().await.unwrap();
    let want = dispense::vault::claim::Want { variant_id: few, count: 1 };
    let claimed = dispense::vault::claim::claim(&taken, &[want]).await.unwrap();
    assert_eq!(claimed[0].key_ids.len(), 1);
    let input = json!({
        "idempotencyKey": "a-key-of-sixteen-2", "email": "ada@example.com", "currency": "USD", "expectedTotal": "20.00",
        "lines": [
            { "key": "1", "variantId": many.to_string(), "quantity": 2 },
            { "key": "2", "variantId": few.to_string(), "quantity": 1 },
            { "key": "3", "variantId": many.to_string(), "quantity": 1 },
        ],
    });
    let ada = t.visitor("192.0.2.1");
    let refused = ada.act("orderPlace", input.clone(), "order { id }").await;
    assert_eq!(codes(&refused), ["OUT_OF_STOCK"]);
    assert_eq!(refused["userErrors"][0]["field"], json!(["lines", "1", "quantity"]));
    assert_eq!(t.db.one("select count(*) from orders").await, "0");
    assert_eq!((keys(&t, many).await, keys(&t, few).await), ("available:5".into(), "available:1".into()));
    drop(taken);
    // The same key places it when there is stock: nothing was kept of the refusal.
    let placed = ada.act("orderPlace", input, "order { id } accessToken").await;
    assert_eq!(codes(&placed), NONE);
    assert_eq!(
        (keys(&t, many).await, keys(&t, few).await),
        ("available:2 reserved:3".into(), "reserved:1".into())
    );
    t.pay(&placed).await;
    assert_eq!((keys(&t, many).await, keys(&t, few).await), ("available:2 sold:3".into(), "sold:1".into()));
    sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: K8, K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_a_sweep_has_locked_for_a_moment_is_not_sold_out() {
    let t = shop().await;
    let variant = reserving(&t, 1, 10).await;
    let mut sweep = t.app.db.begin().await.unwrap();
    stock_lock::take(&mut sweep, variant).await.unwrap();
    use diesel_async::SimpleAsyncConnection;
    sweep.batch_execute("select id from vault_key for no key update").await.unwrap();
    let ada = t.visitor("192.0.2.1");
    let placing = tokio::spawn(async move { buys(&ada, variant, 1, "ada@example.com").await });
    t.wait_for_lock_waiter().await;
    drop(sweep);
    assert_eq!(codes(&placing.await.unwrap()), NONE);
    assert_eq!(keys(&t, variant).await, "reserved:1");
    t.finish_with_jobs().await;
}

/// Rows: K8, K13.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_key_that_is_frozen_is_not_given_away_and_the_line_gets_another_or_waits() {
    let t = shop().await;
    let variant = reserving(&t, 3, 10).await;
    let (one, two) = (t.order(variant, 1).await, t.order(variant, 2).await);
    let freeze = |id: String| {
        let t = &t;
        async move {
            let key = KeyId(id.parse().unwrap());
            let mut conn = t.app.db.conn().await.unwrap();
            assert_eq!(freeze::freeze(&mut conn, &[key], "test").await.unwrap().len(), 1);
        }
    };
    freeze(keys_of(&t, one.order.id).await.remove(0)).await;
    freeze(keys_of(&t, two.order.id).await.remove(0)).await;
    assert_eq!(keys(&t, variant).await, "frozen:2 reserved:1");
    sound(&t).await;
    // One key of two: nothing is given, and what is left of the hold is for whoever waits.
    pay(&t, &two).await;
    assert_eq!(t.unit_states(two.order.id).await, "awaiting_stock:2");
    assert_eq!(keys(&t, variant).await, "available:1 frozen:2");
    let reported = "select body ->> 'cause' from event where kind = 'line.released'";
    assert_eq!(t.db.one(reported).await, "not_served");
    pay(&t, &one).await;
    assert_eq!(t.unit_states(one.order.id).await, "assigned:1");
    sound(&t).await;
    t.import(variant, 2).await;
    assert_eq!(t.unit_states(two.order.id).await, "assigned:2");
    sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: K8, K14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_key_whose_date_passes_is_not_sold() {
    let t = shop().await;
    let variant = reserving(&t, 2, 20).await;
    t.db.sql("update vault_key set expires_at = app_now() + interval '5 minutes'").await;
    let placed = t.order(variant, 1).await;
    t.import(variant, 1).await;
    t.advance(TimeDelta::minutes(6)).await;
    pay(&t, &placed).await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    assert_eq!(
        t.db.one("select count(*) from vault_key where state = 'sold' and expires_at < app_now()").await,
        "0"
    );
    t.sweep().await;
    assert_eq!(keys(&t, variant).await, "expired:2 sold:1");
    sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: K8, O8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retired_variant_keeps_what_it_holds_and_parts_are_delivered_of_what_is_left() {
    let t = shop().await;
    let variant = reserving(&t, 2, 10).await;
    t.db.sql(&format!("update variant set partial_delivery = true where id = '{}'", variant.0)).await;
    let placed = t.order(variant, 2).await;
    t.db.sql(&format!(
        "update variant set state = 'retired', reservation_minutes = null where id = '{}'",
        variant.0
    ))
    .await;
    let key = KeyId(keys_of(&t, placed.order.id).await[0].parse().unwrap());
    freeze::freeze(&mut t.app.db.conn().await.unwrap(), &[key], "test").await.unwrap();
    pay(&t, &placed).await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1 awaiting_stock:1");
    assert_eq!(keys(&t, variant).await, "frozen:1 sold:1");
    sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: K8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_no_key_is_held_and_what_is_released_goes_to_who_paid() {
    let t = shop().await;
    let variant = reserving(&t, 2, 600).await;
    let placed = t.order(variant, 1).await;
    let report = restored::run(&t.app.payments, None, true).await.unwrap();
    assert_eq!(report.frozen.iter().map(|f| f.keys).sum::<i64>(), 2, "{report}");
    assert_eq!(keys(&t, variant).await, "frozen:2");
    sound(&t).await;
    pay(&t, &placed).await;
    assert_eq!(t.unit_states(placed.order.id).await, "awaiting_stock:1");
    restored::release(&t.app.payments, &dispense::base::actor::Actor::system(), variant, 0).await.unwrap();
    t.drain().await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: K8, P5, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn paying_lapsing_and_placing_at_once_neither_lose_a_key_nor_sell_one_twice() {
    let t = shop().await;
    let variant = reserving(&t, 12, 5).await;
    let mut orders = Vec::new();
    for _ in 0..8 {
        orders.push(t.order(variant, 1).await);
    }
    t.advance(TimeDelta::minutes(6)).await;
    let paying = join_all(orders.iter().map(|order| pay(&t, order)));
    let sweeping = join_all((0..4).map(|_| dispense::orders::reserve::sweep(&t.app)));
    let placing = join_all((0..8).map(|n| {
        let visitor = t.visitor(&format!("192.0.2.{}", n + 1));
        async move { buys(&visitor, variant, 1, &format!("b{n}@example.com")).await }
    }));
    let (_, swept, placed) = futures::join!(paying, sweeping, placing);
    assert!(swept.iter().all(Result::is_ok), "{swept:?}");
    assert!(placed.iter().all(|a| codes(a).is_empty() || codes(a) == ["OUT_OF_STOCK"]), "{placed:?}");
    t.drain().await;
    sound(&t).await;
    for order in &orders {
        assert_eq!(t.order_state(order.order.id).await, "paid");
    }
    // Whoever paid and was too late gets what the others give back.
    t.advance(TimeDelta::minutes(31)).await;
    t.sweep().await;
    t.drain().await;
    assert_eq!(keys(&t, variant).await, "available:4 sold:8");
    sound(&t).await;
    t.finish_with_jobs().await;
}
