//! Blocked buyers: their orders are taken and paid, and a person looks at them before anything leaves.

use dispense::base::actor::Role;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::graphql::doors::shop as doors;
use crate::harness::visitor::Visitor;
use crate::harness::{TestApp, behind_a_proxy, codes, with_generic};

const NONE: [&str; 0] = [];

async fn shop() -> (TestApp, Visitor) {
    let t = TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
    })
    .await;
    t.person("boss@shop.example", &[Role::Admin, Role::Seller]).await;
    let boss = t.visitor("192.0.2.9").signed_in(&t.sign_in("boss@shop.example").await.tokens.access);
    (t, boss)
}

async fn buys(visitor: &Visitor, variant: &str, email: &str) -> Value {
    let placed = visitor.order(variant, 1, "5.00", json!({ "email": email })).await;
    assert_eq!(codes(&placed), NONE, "nobody learns from the shop that they are blocked");
    placed
}

async fn block(boss: &Visitor, kind: &str, value: &str) -> Value {
    let input = json!({ "kind": kind, "value": value, "reason": "stolen cards" });
    boss.act("blockAdd", input, "block { id kind value removedAt }").await
}

async fn release(boss: &Visitor, order: &Value) -> Value {
    boss.act("orderRelease", json!({ "orderId": order["order"]["id"] }), "order { stage }").await
}

/// What the buyer sees: the stage, why it is not delivered, and what `deliveryReveal` answers.
async fn sees(visitor: &Visitor, placed: &Value) -> (String, Value, Vec<String>) {
    let query = "query($n: String!, $t: String!) { order(number: $n, accessToken: $t) {
        stage whyNotDelivered { code } lines { deliveries { nodes { id } } } } }";
    let seen =
        visitor.ask(query, json!({ "n": placed["order"]["number"], "t": placed["accessToken"] })).await;
    let order = &seen["order"];
    let piece = order["lines"][0]["deliveries"]["nodes"][0]["id"].clone();
    let reveal = json!({ "target": { "deliveryIds": [piece] }, "accessToken": placed["accessToken"] });
    let revealed = visitor.act("deliveryReveal", reveal, "secrets { text }").await;
    let refused = codes(&revealed).into_iter().map(str::to_owned).collect();
    (order["stage"].as_str().unwrap().to_owned(), order["whyNotDelivered"]["code"].clone(), refused)
}

async fn sound(t: &TestApp) {
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

/// Rows: O6 (orderPlace, deliveryReveal, desk).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_buyers_order_is_paid_and_waits_for_a_person_who_releases_it() {
    let (t, boss) = shop().await;
    let variant = t.selling_keys(9, 500).await.to_string();
    let (ada, bob) = (t.visitor("192.0.2.1"), t.visitor("192.0.2.2"));
    // Placed before the block, and not paid: it counts for it too.
    let early = buys(&ada, &variant, "mallory@example.com").await;
    for (kind, value) in
        [("MAILBOX", "Mallory+tag@example.com"), ("DOMAIN", "@Bad.Example"), ("CLIENT", "192.0.2.2")]
    {
        let added = block(&boss, kind, value).await;
        assert_eq!(codes(&added), NONE);
        let again = join_all((0..3).map(|_| block(&boss, kind, value))).await;
        assert!(
            again.iter().all(|a| a["block"]["id"] == added["block"]["id"]),
            "one block, however often it is added"
        );
    }
    assert_eq!(t.db.one("select count(*) from event where kind = 'block.added'").await, "3");
    let listed = boss.ask("{ desk { blocks { totalCount nodes { kind value reason } } } }", json!({})).await;
    assert_eq!(listed["desk"]["blocks"]["nodes"].as_array().unwrap().len(), 3, "{listed}");

    let blocked = [
        early,
        buys(&ada, &variant, "mallory+other@example.com").await,
        buys(&ada, &variant, "anyone@bad.example").await,
        buys(&bob, &variant, "innocent@example.com").await,
    ];
    let free = [
        buys(&ada, &variant, "ada@example.com").await,
        // Neither a subdomain nor a domain that ends the same.
        buys(&ada, &variant, "ada@very.bad.example").await,
        buys(&ada, &variant, "ada@notbad.example").await,
    ];
    for placed in blocked.iter().chain(&free) {
        t.pay(placed).await;
    }
    for placed in &free {
        assert_eq!(sees(&ada, placed).await, ("DELIVERED".into(), Value::Null, Vec::new()));
    }
    for placed in &blocked {
        let seen = sees(&ada, placed).await;
        assert_eq!(seen, ("NEEDS_ATTENTION".into(), json!("IN_REVIEW"), vec!["NOT_READY".to_owned()]));
    }
    assert_eq!(t.db.one("select count(*) from vault_key where state = 'sold'").await, "3", "no goods left");
    assert_eq!(
        t.db.one("select count(*) from task where kind = 'order_review' and state = 'open'").await,
        "4"
    );
    assert_eq!(t.db.one("select count(*) from message where kind = 'order_delivered'").await, "3");
    // Neither a sweep nor more stock gives it goods.
    t.import(dispense::base::ids::VariantId::parse(&variant).unwrap(), 2).await;
    t.drain().await;
    assert_eq!(t.db.one("select count(*) from vault_key where state = 'sold'").await, "3");
    sound(&t).await;

    // Four members of staff at once: each order is delivered once.
    let released = join_all((0..4).map(|_| release(&boss, &blocked[0]))).await;
    for done in &released {
        assert_eq!((codes(done), &done["order"]["stage"]), (NONE.to_vec(), &json!("DELIVERED")));
    }
    assert_eq!(sees(&ada, &blocked[0]).await.2, Vec::<String>::new());
    assert_eq!(t.db.one("select count(*) from event where kind = 'block.order_released'").await, "1");
    assert_eq!(t.db.one("select count(*) from message where kind = 'order_delivered'").await, "4");
    assert_eq!(
        t.db.one("select count(*) from task where kind = 'order_review' and state = 'open'").await,
        "3"
    );
    sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: O6 (orderPlace).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unpaid_order_may_be_released_and_a_block_ends_for_orders_after_it() {
    let (t, boss) = shop().await;
    let variant = t.selling_keys(5, 500).await.to_string();
    let ada = t.visitor("192.0.2.1");
    let added = block(&boss, "MAILBOX", "mallory@example.com").await;
    let (released, kept) = (
        buys(&ada, &variant, "mallory@example.com").await,
        buys(&ada, &variant, "mallory@example.com").await,
    );
    assert_eq!(codes(&release(&boss, &released).await), NONE);
    t.pay(&released).await;
    assert_eq!(sees(&ada, &released).await.0, "DELIVERED");

    let end = json!({ "blockId": added["block"]["id"] });
    let removed = boss.act("blockRemove", end.clone(), "block { removedAt }").await;
    assert!(removed["block"]["removedAt"].is_string(), "{removed}");
    assert_eq!(
        boss.act("blockRemove", end, "block { removedAt }").await,
        removed,
        "a repeat changes nothing"
    );
    let after = buys(&ada, &variant, "mallory@example.com").await;
    t.pay(&after).await;
    assert_eq!(sees(&ada, &after).await.0, "DELIVERED");
    t.pay(&kept).await;
    assert_eq!(sees(&ada, &kept).await.1, "IN_REVIEW", "what is under review stays so");

    // Stock may have gone meanwhile: then it waits for it like every other order.
    t.db.sql("update vault_key set state = 'frozen' where state = 'available'").await;
    assert_eq!(codes(&release(&boss, &kept).await), NONE);
    assert_eq!(sees(&ada, &kept).await.1, "AWAITING_STOCK");
    sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: O6.
/// Sends: blockAdd, blockRemove, orderRelease.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_staff_blocks_and_what_no_buyer_has_is_refused() {
    let (t, boss) = shop().await;
    for (kind, value) in [
        ("MAILBOX", "nobody"),
        ("MAILBOX", ""),
        ("DOMAIN", "no domain"),
        ("DOMAIN", "a@b.example"),
        ("CLIENT", "example.com"),
        ("CLIENT", "192.0.2.0/24"),
        // This shop has no proxy that names countries.
        ("COUNTRY", "FR"),
    ] {
        assert_eq!(codes(&block(&boss, kind, value).await), ["INVALID"], "{kind} {value}");
    }
    let silent = json!({ "kind": "MAILBOX", "value": "a@example.com", "reason": "" });
    assert_eq!(codes(&boss.act("blockAdd", silent, "block { id }").await), ["REASON_REQUIRED"]);
    let unknown = json!({ "blockId": "blk_00000000000000000000000001" });
    assert_eq!(codes(&boss.act("blockRemove", unknown, "block { id }").await), ["NOT_FOUND"]);
    let unknown = json!({ "orderId": "ord_00000000000000000000000001" });
    assert_eq!(codes(&boss.act("orderRelease", unknown, "order { id }").await), ["NOT_FOUND"]);

    let variant = t.selling_keys(1, 500).await.to_string();
    let placed = buys(&t.visitor("192.0.2.3"), &variant, "cyd@example.com").await;
    assert_eq!(codes(&release(&boss, &placed).await), NONE, "what is not under review is left as it is");
    let added = block(&boss, "DOMAIN", "bad.example").await;
    let end = json!({ "blockId": added["block"]["id"] });
    assert_eq!(codes(&boss.act("blockRemove", end, "block { id }").await), NONE);

    t.buyer("ada@example.com").await;
    let ada = t.visitor("192.0.2.1").signed_in(&t.sign_in("ada@example.com").await.tokens.access);
    for (name, input) in [
        ("blockAdd", json!({ "kind": "MAILBOX", "value": "b@example.com", "reason": "envy" })),
        ("blockRemove", json!({ "blockId": "blk_00000000000000000000000001" })),
        ("orderRelease", json!({ "orderId": "ord_00000000000000000000000001" })),
    ] {
        let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let query = format!("mutation($i: {kind}!) {{ {name}(input: $i) {{ userErrors {{ code }} }} }}");
        let refused = ada.raw(&query, json!({ "i": input })).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{name}");
    }
    t.finish_with_jobs().await;
}

/// Rows: O6 (orderPlace).
/// Sends: blockAdd.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_country_is_blocked_where_a_trusted_proxy_names_it() {
    let t = TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
        config.server.country_header = "X-Client-Country".into();
    })
    .await;
    t.person("boss@shop.example", &[Role::Admin]).await;
    let boss = t.visitor("192.0.2.9").signed_in(&t.sign_in("boss@shop.example").await.tokens.access);
    let variant = t.selling_keys(9, 500).await.to_string();
    let ada = t.visitor("192.0.2.1");
    let early = buys(&ada.in_country("fr"), &variant, "early@example.com").await;
    for (value, code) in [("Nowhere", "INVALID"), ("XX", "INVALID"), ("", "INVALID")] {
        assert_eq!(codes(&block(&boss, "COUNTRY", value).await), [code], "{value}");
    }
    let added = block(&boss, "COUNTRY", "fr").await;
    assert_eq!((codes(&added), &added["block"]["value"]), (NONE.to_vec(), &json!("FR")));

    let late = buys(&ada.in_country("FR"), &variant, "late@example.com").await;
    let free = [
        buys(&ada.in_country("DE"), &variant, "a@example.com").await,
        buys(&ada.in_country("XX"), &variant, "b@example.com").await,
        buys(&ada.in_country("France, probably"), &variant, "c@example.com").await,
        buys(&ada, &variant, "d@example.com").await,
    ];
    for placed in [&early, &late].into_iter().chain(&free) {
        t.pay(placed).await;
    }
    for placed in [&early, &late] {
        assert_eq!(sees(&ada, placed).await.1, "IN_REVIEW");
    }
    for placed in &free {
        assert_eq!(sees(&ada, placed).await.0, "DELIVERED");
    }
    sound(&t).await;
    t.finish_with_jobs().await;
}

/// Rows: O6 (orderRelease), P9 (orderRefund).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reviewed_order_is_refunded_in_place_of_being_released_and_its_goods_never_leave() {
    let shop = doors::shop().await;
    let t = shop.t();
    let stock = "select string_agg(state || ':' || n, ' ' order by state) from (select state, count(*) as n from vault_key group by state) s";
    let hold = json!({ "variantId": shop.keys.variant, "fields": { "reservationMinutes": 30 } });
    assert_eq!(codes(&shop.seller.act("variantUpdate", hold, "variant { id }").await), NONE);
    assert_eq!(codes(&block(&shop.support, "MAILBOX", "mallory@example.com").await), NONE);
    let before = t.db.one(stock).await;
    let bought =
        doors::order(&shop.street, &shop.guest, &[(&shop.keys, 2)], "25.00", Some("mallory@example.com"))
            .await;
    doors::pay(&shop.street, &bought).await;
    let placed =
        json!({ "order": { "id": bought.id, "number": bought.number }, "accessToken": bought.token });
    let seen = sees(&shop.guest, &placed).await;
    assert_eq!(seen, ("NEEDS_ATTENTION".into(), json!("IN_REVIEW"), vec!["NOT_READY".to_owned()]));
    let refund = json!({ "idempotencyKey": doors::once(), "orderId": bought.id, "reason": "a stolen card" });
    assert_eq!(codes(&shop.support.act("orderRefund", refund, "").await), NONE);
    shop.street.settled().await;
    assert_eq!(shop.street.refunded(&bought.number), 2_500);
    let seen = sees(&shop.guest, &placed).await;
    assert_eq!((seen.0.as_str(), seen.2), ("REFUNDED", vec!["REVOKED".to_owned()]));
    assert_eq!(t.db.one(stock).await, before, "the stock is what it was");
    // Whoever releases it now, lets nothing leave.
    release(&shop.support, &placed).await;
    shop.street.settled().await;
    t.sweep().await;
    t.drain().await;
    assert_eq!(sees(&shop.guest, &placed).await.0, "REFUNDED");
    assert_eq!(t.db.one(stock).await, before);
    let mails = format!(
        "select count(*) from message where kind = 'order_delivered' and order_id = (select id from orders where number = '{}')",
        bought.number
    );
    assert_eq!(t.db.one(&mails).await, "0");
    assert_eq!(
        t.db.one("select count(*) from task where kind = 'order_review' and state <> 'resolved'").await,
        "0",
        "nothing is left to be reviewed"
    );
    shop.sound().await;
}
