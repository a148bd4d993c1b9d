//! Limits that only their owner can use up.

use std::time::Duration;

use dispense::base::ids::VariantId;
use dispense::people::code::Purpose;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::visitor::Visitor;
use crate::harness::{Server, TestApp, behind_a_proxy, codes, with_generic};

const NONE: [&str; 0] = [];

async fn shop() -> TestApp {
    TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
    })
    .await
}

async fn limited(t: &TestApp, unit_minor: i64, limit: i32) -> VariantId {
    let variant = t.selling_keys(20, unit_minor).await;
    t.db.sql(&format!("update variant set limit_per_buyer = {limit} where id = '{}'", variant.0)).await;
    variant
}

/// The code that proves an address, as its owner reads it.
async fn code(t: &TestApp, visitor: &Visitor, email: &str) -> Value {
    let payload = visitor.act("emailCodeRequest", json!({ "email": email }), "").await;
    assert_eq!(codes(&payload), NONE);
    json!(t.mailed_code(Purpose::ProveEmail, email).await.expose())
}

async fn quote(visitor: &Visitor, variant: &str, email: &str, code: Option<&Value>) -> Value {
    let mut input = json!({ "lines": [{ "key": "1", "variantId": variant, "quantity": 1 }], "email": email });
    if let Some(code) = code {
        input["emailCode"] = code.clone();
    }
    let query = "query($i: QuoteInput!) { quote(input: $i) { canPlace problems { code field } lines { problems { code available } } } }";
    visitor.ask(query, json!({ "i": input })).await["quote"].clone()
}

/// Rows: K8 (orderPlace), O5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_who_orders_with_a_victims_address_locks_the_victim_out_of_nothing() {
    let t = TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
        config.shop.unpaid_orders_per_address = 10;
        config.shop.unpaid_orders_per_client = 12;
        config.shop.unpaid_orders_per_buyer = 3;
    })
    .await;
    let variant = t.selling_keys(50, 500).await.to_string();
    let (stranger, victim) = (t.visitor("192.0.2.66"), t.visitor("192.0.2.1"));
    let with = json!({ "email": "victim@example.com" });
    for _ in 0..10 {
        assert_eq!(codes(&stranger.order(&variant, 1, "5.00", with.clone()).await), NONE);
    }
    assert_eq!(codes(&stranger.order(&variant, 1, "5.00", with.clone()).await), ["TOO_MANY_UNPAID_ORDERS"]);
    // Other addresses make no new client, nor does another device.
    for n in 0..2 {
        let with = json!({ "email": format!("other{n}@example.com") });
        assert_eq!(codes(&stranger.with_device("b").order(&variant, 1, "5.00", with).await), NONE);
    }
    let with_other = json!({ "email": "other9@example.com" });
    let refused = stranger.with_device("c").order(&variant, 1, "5.00", with_other).await;
    assert_eq!(codes(&refused), ["TOO_MANY_UNPAID_ORDERS"]);
    // The victim: as a guest, from the stranger's own network with a code, and signed in.
    assert_eq!(codes(&victim.order(&variant, 1, "5.00", with.clone()).await), NONE);
    let proof = code(&t, &stranger, "victim@example.com").await;
    let proven = json!({ "email": "victim@example.com", "emailCode": proof });
    assert_eq!(codes(&stranger.order(&variant, 1, "5.00", proven.clone()).await), NONE);
    t.buyer("victim@example.com").await;
    let signed = stranger.signed_in(&t.sign_in("victim@example.com").await.tokens.access);
    assert_eq!(codes(&signed.order(&variant, 1, "5.00", json!({})).await), NONE);
    assert_eq!(codes(&signed.order(&variant, 1, "5.00", json!({})).await), NONE);
    // A known buyer is bound by what that buyer did, wherever from: one by code, two signed in.
    assert_eq!(codes(&signed.order(&variant, 1, "5.00", json!({})).await), ["TOO_MANY_UNPAID_ORDERS"]);
    assert_eq!(codes(&victim.order(&variant, 1, "5.00", proven).await), ["TOO_MANY_UNPAID_ORDERS"]);
    t.finish_with_jobs().await;
}

/// Rows: K8 (orderPlace).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_at_one_address_have_a_share_each() {
    let t = TestApp::start_with(|config| {
        behind_a_proxy(config);
        config.shop.unpaid_orders_per_device = 2;
    })
    .await;
    let variant = t.selling_keys(50, 500).await.to_string();
    let one = t.visitor("2001:db8:1:2ff::1");
    // Another address of the same /56.
    let two = t.visitor("2001:db8:1:200::9").with_device("a phone");
    for (n, (visitor, expected)) in
        [(&one, true), (&one, true), (&one, false), (&two, true), (&two, true), (&two, false)]
            .into_iter()
            .enumerate()
    {
        let placed =
            visitor.order(&variant, 1, "5.00", json!({ "email": format!("a{n}@example.com") })).await;
        assert_eq!(codes(&placed).is_empty(), expected, "{n}");
    }
    t.finish_with_jobs().await;
}

/// Rows: C1 (emailCodeRequest, quote, orderPlace), O2 (orderPlace).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_buys_a_limited_product_with_a_proven_address_and_nobody_is_told_what_another_bought() {
    let t = shop().await;
    let variant = limited(&t, 500, 1).await.to_string();
    let (buyer, stranger) = (t.visitor("192.0.2.1"), t.visitor("192.0.2.66"));
    let with = json!({ "email": "ada@example.com" });
    let refused = buyer.order(&variant, 1, "5.00", with.clone()).await;
    assert_eq!(codes(&refused), ["EMAIL_CODE_REQUIRED"]);
    assert_eq!(refused["userErrors"][0]["field"], json!(["emailCode"]));
    let proof = code(&t, &buyer, "ada@example.com").await;
    let proven = json!({ "email": "Ada+games@Example.com", "emailCode": proof.clone() });
    assert_eq!(
        codes(&buyer.order(&variant, 1, "5.00", proven).await),
        ["EMAIL_CODE_WRONG"],
        "another address"
    );
    let proven = json!({ "email": "ADA@example.com", "emailCode": proof.clone() });
    // One unpaid order uses up nothing.
    let first = buyer.order(&variant, 1, "5.00", proven.clone()).await;
    let second = buyer.order(&variant, 1, "5.00", proven.clone()).await;
    assert_eq!((codes(&first), codes(&second)), (NONE.to_vec(), NONE.to_vec()));
    assert_eq!(codes(&buyer.order(&variant, 2, "10.00", proven.clone()).await), ["BUYER_LIMIT_REACHED"]);
    let before = quote(&stranger, &variant, "ada@example.com", None).await;
    t.pay(&first).await;
    assert_eq!(codes(&buyer.order(&variant, 1, "5.00", proven.clone()).await), ["BUYER_LIMIT_REACHED"]);
    // A tag makes no new person.
    let tagged = code(&t, &buyer, "ada+2@example.com").await;
    let tagged = json!({ "email": "ada+2@example.com", "emailCode": tagged });
    assert_eq!(codes(&buyer.order(&variant, 1, "5.00", tagged).await), ["BUYER_LIMIT_REACHED"]);
    // A stranger learns nothing: with no code, with a wrong one, with a code of the stranger's own.
    assert_eq!(quote(&stranger, &variant, "ada@example.com", None).await, before);
    assert_eq!(before["problems"][0]["code"], "EMAIL_CODE_REQUIRED");
    assert_eq!(before["lines"][0]["problems"], json!([]));
    let wrong = json!("AAAAA-AAAAA");
    let guessed = quote(&stranger, &variant, "ada@example.com", Some(&wrong)).await;
    let reported: Vec<&str> =
        guessed["problems"].as_array().unwrap().iter().map(|p| p["code"].as_str().unwrap()).collect();
    assert_eq!(reported, ["EMAIL_CODE_REQUIRED", "EMAIL_CODE_WRONG"]);
    assert_eq!(guessed["lines"], before["lines"]);
    let own = code(&t, &stranger, "eve@example.com").await;
    let crossed = json!({ "email": "ada@example.com", "emailCode": own });
    assert_eq!(codes(&stranger.order(&variant, 1, "5.00", crossed).await), ["EMAIL_CODE_WRONG"]);
    // The buyer is reported.
    let mine = quote(&buyer, &variant, "ada@example.com", Some(&proof)).await;
    assert_eq!(mine["lines"][0]["problems"], json!([{ "code": "BUYER_LIMIT_REACHED", "available": 0 }]));
    // What was given back does not count.
    t.db.sql("update unit set state = 'revoked', revoked_at = app_now() where state = 'assigned'").await;
    assert_eq!(quote(&buyer, &variant, "ada@example.com", Some(&proof)).await["canPlace"], true);
    t.finish_with_jobs().await;
}

/// Rows: O6, O2 (orderPlace).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_paid_above_the_limit_keeps_its_money_apart_and_gets_no_goods() {
    let t = shop().await;
    let variant = limited(&t, 500, 1).await.to_string();
    t.buyer("ada@example.com").await;
    let ada = t.visitor("192.0.2.1").signed_in(&t.sign_in("ada@example.com").await.tokens.access);
    let first = ada.order(&variant, 1, "5.00", json!({})).await;
    let second = ada.order(&variant, 1, "5.00", json!({ "email": "elsewhere@example.com" })).await;
    let third = ada.order(&variant, 1, "5.00", json!({})).await;
    t.pay(&first).await;
    // No payment begins any more.
    let input = json!({
        "idempotencyKey": "a-key-of-sixteen-1", "orderId": third["order"]["id"],
        "options": { "methodId": "mth_generic", "accepts": ["REDIRECT"] },
    });
    assert_eq!(codes(&ada.act("paymentStart", input, "payment { id }").await), ["BUYER_LIMIT_REACHED"]);
    // One that had begun brings money all the same.
    t.pay(&second).await;
    let id = t.placed(&second).await.order.id;
    assert_eq!(t.order_state(id).await, "pending_payment");
    assert_eq!(t.unit_states(id).await, "unassigned:1");
    let stands =
        format!("select string_agg(state || ' ' || allocated, ',') from payment where order_id = '{}'", id.0);
    assert_eq!(t.db.one(&stands).await, "captured false");
    let task = format!("select string_agg(kind, ',') from task where order_id = '{}'", id.0);
    assert_eq!(t.db.one(&task).await, "payment_over_buyer_limit");
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}

/// Rows: O2 (orderPlace), P5, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_orders_of_one_person_are_paid_on_two_servers_up_to_the_limit() {
    let t = shop().await;
    let variant = limited(&t, 500, 2).await.to_string();
    t.buyer("ada@example.com").await;
    let token = t.sign_in("ada@example.com").await.tokens.access;
    let servers = [0, 1].map(|_| {
        let account = format!(
            "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[[accounts]]\nid = \"generic\"\ngateway = \"generic\"\n\
             currencies = [\"USD\", \"EUR\", \"CNY\"]\nsecrets = [\"{}\"]\nsandbox = true\n",
            crate::harness::shop::generic_secret()
        );
        Server::of(&t.db.app_url()).config(&account).arg("--no-worker").start()
    });
    let orders = join_all((0..8).map(|n| {
        let ada = t.visitor("192.0.2.1").signed_in(&token).at(servers[n % 2].url("").trim_end_matches('/'));
        let variant = variant.clone();
        async move { ada.order(&variant, 1, "5.00", json!({})).await }
    }))
    .await;
    let mut placed = Vec::new();
    for order in &orders {
        assert_eq!(codes(order), NONE);
        let order = t.placed(order).await;
        t.attempt(&order, 1).await;
        placed.push(order);
    }
    let at = t.app.clock.unix();
    let answers = join_all(placed.iter().enumerate().map(|(n, order)| {
        let said = crate::harness::Said::paid(order, &format!("T{n}"));
        let (base, http) = (servers[n % 2].url(""), t.http());
        async move { crate::harness::shop::notify(http, &base, at, &said).await.unwrap().0 }
    }))
    .await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    assert_eq!(t.db.one("select count(*) from unit where state = 'assigned'").await, "2");
    assert_eq!(t.db.one("select count(*) from payment where state = 'captured'").await, "8");
    assert_eq!(t.db.one("select count(*) from task where kind = 'payment_over_buyer_limit'").await, "6");
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    t.finish_with_jobs().await;
}

/// Rows: O8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn free_goods_go_to_proven_addresses_alone_and_a_shop_is_no_relay_to_strangers() {
    let t = TestApp::start_with(|config| {
        behind_a_proxy(config);
        config.shop.free_orders_per_day = 2;
    })
    .await;
    let free = t.selling_keys(60, 0).await.to_string();
    let visitor = t.visitor("192.0.2.1");
    let mut placed = 0;
    for n in 0..30 {
        let answer =
            visitor.order(&free, 1, "0.00", json!({ "email": format!("s{n}@stranger.example") })).await;
        placed += usize::from(codes(&answer).is_empty());
    }
    assert_eq!((placed, t.db.one("select count(*) from message").await.as_str()), (0, "0"));
    assert_eq!(quote(&visitor, &free, "s@stranger.example", None).await["canPlace"], false);

    let proof = code(&t, &visitor, "ada@example.com").await;
    let proven = json!({ "email": "ada@example.com", "emailCode": proof.clone() });
    assert_eq!(quote(&visitor, &free, "ada@example.com", Some(&proof)).await["canPlace"], true);
    for _ in 0..2 {
        assert_eq!(visitor.order(&free, 1, "0.00", proven.clone()).await["order"]["state"], "PAID");
    }
    assert_eq!(codes(&visitor.order(&free, 1, "0.00", proven).await), ["BUYER_LIMIT_REACHED"]);
    for email in ["Ada+1@example.com", "ADA@EXAMPLE.COM"] {
        let proof = code(&t, &visitor, email).await;
        let again = visitor.order(&free, 1, "0.00", json!({ "email": email, "emailCode": proof })).await;
        assert_eq!(codes(&again), ["BUYER_LIMIT_REACHED"], "{email}");
    }
    // A person who is signed in gets them at the confirmed address, and proves another one.
    t.buyer("bob@example.com").await;
    let bob = visitor.signed_in(&t.sign_in("bob@example.com").await.tokens.access);
    let stranger = bob.order(&free, 1, "0.00", json!({ "email": "victim@stranger.example" })).await;
    assert_eq!(codes(&stranger), ["EMAIL_CODE_REQUIRED"]);
    assert_eq!(bob.order(&free, 1, "0.00", json!({})).await["order"]["state"], "PAID");
    // Codes themselves are no way to mail strangers either.
    let t2 = TestApp::start_with(|config| config.limits.mails_per_hour = 10).await;
    let answers = join_all((0..12).map(|n| {
        let visitor = t2.visitor("192.0.2.1");
        async move {
            visitor.act("emailCodeRequest", json!({ "email": format!("s{n}@stranger.example") }), "").await
        }
    }))
    .await;
    assert_eq!(answers.iter().filter(|a| codes(a).is_empty()).count(), 5);
    t2.finish_with_jobs().await;
    t.finish_with_jobs().await;
}

/// Rows: O8 (orderPlace), O2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn free_orders_of_one_person_at_once_stay_within_the_limit_per_buyer() {
    let t = shop().await;
    let free = limited(&t, 0, 1).await.to_string();
    t.buyer("ada@example.com").await;
    let ada = t.visitor("192.0.2.1").signed_in(&t.sign_in("ada@example.com").await.tokens.access);
    let answers = join_all((0..6).map(|_| ada.order(&free, 1, "0.00", json!({})))).await;
    assert_eq!(answers.iter().filter(|a| codes(a).is_empty()).count(), 1, "{answers:?}");
    assert_eq!(t.db.one("select count(*) from unit where state = 'assigned'").await, "1");
    tokio::time::timeout(Duration::from_secs(20), t.drain()).await.unwrap();
    t.finish().await;
}
