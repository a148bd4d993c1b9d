//! Placing an order: once per key, and never what cannot be had.

use dispense::base::actor::Actor;
use dispense::base::ids::VariantId;
use dispense::base::money::Currency;
use dispense::base::outcome::Failure;
use dispense::base::text::Locale;
use dispense::orders::buyer::Proof;
use dispense::orders::number::number;
use dispense::orders::place::{PlaceOrder, place, place_proven};
use dispense::orders::quote::{Cart, CartLine, quote};
use futures::future::join_all;

use crate::harness::TestApp;

fn wish(key: &str, variant_id: VariantId, quantity: i32, expected_total: i64) -> PlaceOrder {
    PlaceOrder {
        idempotency_key: format!("a-key-of-16-chars-{key}"),
        lines: vec![CartLine { key: "1".into(), variant_id, quantity }],
        currency: Currency::parse("USD").unwrap(),
        locale: Locale::En,
        expected_total,
        quote_token: None,
        email: Some("Ann@Buyer.example".into()),
        gift: None,
        reference: None,
        metadata: Vec::new(),
    }
}

fn code(result: Result<dispense::orders::place::Placed, Failure>) -> &'static str {
    match result {
        Ok(_) => "placed",
        Err(Failure::Refused(refusal)) => refusal.code.as_str(),
        Err(Failure::Fault(fault)) => panic!("{fault}"),
    }
}

/// Rows: O1, O2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_places_one_order_however_often_and_at_once_it_is_sent() {
    let t = TestApp::start().await;
    let variant = t.selling_keys(30, 500).await;
    let guest = Actor::guest();
    let orders = join_all((0..20).map(|_| place(&t.app, &guest, wish("one", variant, 2, 1_000)))).await;
    let orders: Vec<_> = orders.into_iter().map(Result::unwrap).collect();
    assert!(orders.iter().all(|o| o.order.id == orders[0].order.id));
    assert!(
        orders.iter().all(|o| o.access_token == orders[0].access_token),
        "a guest gets the same token again"
    );
    assert_eq!(orders.iter().filter(|o| !o.replayed).count(), 1);
    assert_eq!(t.db.one("select count(*) from orders").await, "1");
    assert_eq!(t.db.one("select count(*) from unit").await, "2");
    assert_eq!(
        t.db.one("select email || ' ' || email_normalised from orders").await,
        "Ann@Buyer.example ann@buyer.example"
    );
    assert_eq!(code(place(&t.app, &guest, wish("one", variant, 3, 1_500)).await), "IDEMPOTENCY_CONFLICT");
    assert_eq!(
        code(
            place(
                &t.app,
                &guest,
                PlaceOrder { idempotency_key: "short".into(), ..wish("x", variant, 1, 500) }
            )
            .await
        ),
        "INVALID"
    );
    t.finish_with_jobs().await;
}

/// Rows: O2, K7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_stores_nothing_and_the_same_key_may_be_sent_again_mended() {
    let t = TestApp::start().await;
    let variant = t.selling_keys(2, 500).await;
    let guest = Actor::guest();
    let tried = [
        (wish("two", variant, 3, 1_500), "NOT_ENOUGH_STOCK"),
        (wish("two", variant, 2, 999), "PRICE_CHANGED"),
        (wish("two", variant, 0, 0), "QUANTITY_TOO_SMALL"),
        (PlaceOrder { lines: Vec::new(), ..wish("two", variant, 1, 0) }, "EMPTY"),
        (PlaceOrder { email: None, ..wish("two", variant, 1, 500) }, "EMAIL_REQUIRED"),
        (PlaceOrder { email: Some("no address".into()), ..wish("two", variant, 1, 500) }, "EMAIL_INVALID"),
        (
            PlaceOrder { currency: Currency::parse("JPY").unwrap(), ..wish("two", variant, 1, 500) },
            "CURRENCY_NOT_SOLD",
        ),
        (wish("two", VariantId(t.app.clock.uuid()), 1, 500), "VARIANT_NOT_FOUND"),
    ];
    for (new, expected) in tried {
        assert_eq!(code(place(&t.app, &guest, new).await), expected);
    }
    assert_eq!(t.db.one("select count(*) from orders").await, "0");
    assert_eq!(code(place(&t.app, &guest, wish("two", variant, 2, 1_000)).await), "placed");
    t.db.sql("update vault_key set state = 'voided', voided_at = app_now()").await;
    assert_eq!(code(place(&t.app, &guest, wish("three", variant, 1, 500)).await), "OUT_OF_STOCK");
    t.finish_with_jobs().await;
}

/// Rows: O1, K7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quote_answers_for_any_cart_and_says_what_is_wrong_line_by_line() {
    let t = TestApp::start().await;
    let variant = t.selling_keys(2, 500).await;
    let line = |key: &str, variant_id, quantity| CartLine { key: key.into(), variant_id, quantity };
    let cart = Cart {
        lines: vec![
            line("good", variant, 1),
            line("none", VariantId(t.app.clock.uuid()), 1),
            line("many", variant, 5),
        ],
        currency: Currency::parse("USD").unwrap(),
        locale: Locale::En,
        proven: None,
    };
    let quoted = quote(&t.app, &Actor::guest(), &cart).await.unwrap();
    let codes: Vec<Vec<&str>> =
        quoted.lines.iter().map(|l| l.problems.iter().map(|p| p.code.as_str()).collect()).collect();
    assert_eq!(codes, [vec!["NOT_ENOUGH_STOCK"], vec!["VARIANT_NOT_FOUND"], vec!["NOT_ENOUGH_STOCK"]]);
    assert!(!quoted.can_place());
    assert_eq!(quoted.lines[2].problems[0].field, ["lines", "2", "quantity"]);
    assert_eq!(quoted.lines[2].problems[0].available, Some(2));
    t.finish_with_jobs().await;
}

/// Rows: O5, K8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_freezes_a_shop_with_unpaid_orders() {
    let t = TestApp::start_with(|config| config.shop.unpaid_orders_per_client = 2).await;
    let variant = t.selling_keys(9, 500).await;
    let guest = Actor::guest();
    let proof = Proof { client: Some("c1".into()), device: Some("d1".into()), ..Proof::default() };
    let placed =
        join_all((0..6).map(|n| place_proven(&t.app, &guest, &proof, wish(&n.to_string(), variant, 1, 500))))
            .await;
    let codes: Vec<&str> = placed.into_iter().map(code).collect();
    assert_eq!(codes.iter().filter(|c| **c == "placed").count(), 2, "{codes:?}");
    assert_eq!(codes.iter().filter(|c| **c == "TOO_MANY_UNPAID_ORDERS").count(), 4);
    t.finish_with_jobs().await;
}

/// Rows: O1.
#[test]
fn order_numbers_are_drawn_by_chance_and_have_no_look_alikes() {
    let numbers: Vec<String> = (0..50_000).map(|_| number("D")).collect();
    assert_eq!(numbers.iter().collect::<std::collections::HashSet<_>>().len(), 50_000);
    assert!(numbers.iter().all(|n| n.len() == 11 && n[1..].chars().all(|c| !"01ILOU".contains(c))));
    // Of 500,000 places each of the thirty letters gets a thirtieth, give or take what chance allows.
    let mut counts = std::collections::HashMap::new();
    numbers.iter().flat_map(|n| n[1..].chars()).for_each(|c| *counts.entry(c).or_insert(0_i64) += 1);
    assert_eq!(counts.len(), 30);
    assert!(counts.values().all(|n| (n - 16_667).abs() < 1_000), "{counts:?}");
    let rising = numbers.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((24_000..26_000).contains(&rising), "the next number is as often larger as smaller: {rising}");
}
