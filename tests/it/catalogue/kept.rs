//! What lists are sorted by is kept beside the products, whoever writes them.

use chrono::TimeDelta;
use dispense::catalogue::prices::PriceInput;
use dispense::catalogue::product::{self, ProductEdit};
use dispense::catalogue::texts::TextInput;
use dispense::catalogue::variant::{self, VariantEdit};

use super::fixture::{draft, keys_at, on_sale, seller, with_variant};
use crate::check::planted::{Planted, find_all};
use crate::harness::TestApp;
use crate::harness::visitor::Visitor;

/// Slugs of a list as a guest gets it.
async fn slugs(who: &Visitor, arguments: &str) -> Vec<String> {
    let query = format!("{{ products(first: 50, currency: \"EUR\"{arguments}) {{ nodes {{ slug }} }} }}");
    let seen = who.ask(&query, serde_json::json!({})).await;
    let nodes = seen["products"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["slug"].as_str().unwrap().to_owned()).collect()
}

const PLANTED: [Planted; 3] = [
    Planted {
        sql: "update product_name set name = 'another' where locale = 'en'",
        found_by: "a product is sorted by its name in each language",
        names: "product ",
    },
    Planted {
        sql: "update product_price set unit_minor = 1 where currency = 'EUR'",
        found_by: "a product is sorted by what it costs from in each currency",
        names: "product ",
    },
    Planted {
        sql: "update product_price set until = app_now() - interval '2 days' where currency = 'EUR'",
        found_by: "prices that began or ended are computed again",
        names: "product ",
    },
];

/// Rows: C3.
/// Sends: products.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_edit_moves_a_product_in_lists_by_name_and_price() {
    let t = TestApp::start().await;
    let who = t.visitor("192.0.2.1");
    let (a, va) = on_sale(&t, "a", "Apple", keys_at("3")).await;
    let (b, _) = on_sale(&t, "b", "Banana", keys_at("2")).await;
    let (_, _) = on_sale(&t, "c", "Cherry", keys_at("1")).await;
    draft(&t, "hidden", "Aardvark").await;
    assert_eq!(slugs(&who, ", sort: NAME").await, ["a", "b", "c"]);
    assert_eq!(slugs(&who, ", sort: PRICE_LOW").await, ["c", "b", "a"]);
    assert_eq!(
        slugs(&who, ", sort: PRICE_LOW, filter: { priceMin: \"2.00\", priceMax: \"2.50\" }").await,
        ["b"]
    );

    let renamed = ProductEdit { texts: vec![TextInput::named("en", "zebra")], ..ProductEdit::default() };
    product::update(&t.app, &seller(), a.id, renamed).await.unwrap();
    assert_eq!(slugs(&who, ", sort: NAME").await, ["b", "c", "a"]);
    let cheaper =
        VariantEdit { prices: Some(vec![PriceInput::plain("EUR", "0.50")]), ..VariantEdit::default() };
    variant::update(&t.app, &seller(), va.id, cheaper).await.unwrap();
    assert_eq!(slugs(&who, ", sort: PRICE_LOW").await, ["a", "c", "b"]);
    assert_eq!(slugs(&who, ", sort: PRICE_HIGH").await, ["b", "c", "a"]);

    // A second variant that costs less, until it is retired.
    let small = with_variant(&t, b.id, keys_at("0.10")).await;
    assert_eq!(slugs(&who, ", sort: PRICE_LOW").await, ["b", "a", "c"]);
    variant::retire(&t.app, &seller(), small.id).await.unwrap();
    assert_eq!(slugs(&who, ", sort: PRICE_LOW").await, ["a", "c", "b"]);
    // Sold from ten pieces on, the price of one piece does not apply.
    let tiers = vec![
        PriceInput::plain("EUR", "9"),
        PriceInput { min_quantity: 10, ..PriceInput::plain("EUR", "0.05") },
    ];
    let dear = VariantEdit { prices: Some(tiers), ..VariantEdit::default() };
    let dear = variant::update(&t.app, &seller(), va.id, dear).await.unwrap();
    assert_eq!(slugs(&who, ", sort: PRICE_HIGH").await, ["a", "b", "c"]);
    let by_ten = VariantEdit {
        min_quantity: Some(10),
        expected_version: Some(dear.version),
        ..VariantEdit::default()
    };
    variant::update(&t.app, &seller(), va.id, by_ten).await.unwrap();
    assert_eq!(slugs(&who, ", sort: PRICE_LOW").await, ["a", "c", "b"]);
    // No price in a currency is the dearest, and nothing is lost of the list.
    assert_eq!(
        who.ask(
            "{ products(first: 9, currency: \"CNY\", sort: PRICE_LOW) { nodes { slug } } }",
            serde_json::json!({})
        )
        .await["products"]["nodes"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    crate::check::clean::number(&t).await;
    find_all(&t, &PLANTED).await;
    t.finish_with_jobs().await;
}

/// Rows: C3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_that_begins_or_ends_moves_its_product_when_its_time_has_come() {
    let t = TestApp::start().await;
    let who = t.visitor("192.0.2.1");
    let now = t.app.clock.now();
    let (begins, ends) = (now + TimeDelta::hours(1), now + TimeDelta::hours(2));
    let price =
        |unit, valid_from, valid_to| PriceInput { valid_from, valid_to, ..PriceInput::plain("EUR", unit) };
    let prices = vec![
        price("5", None, Some(begins)),
        price("1", Some(begins), Some(ends)),
        price("5", Some(ends), None),
    ];
    let edit = VariantEdit { prices: Some(prices), ..keys_at("5") };
    on_sale(&t, "sale", "On sale for an hour", edit).await;
    on_sale(&t, "plain", "Plain", keys_at("3")).await;
    for (hours, expected) in [(0, ["plain", "sale"]), (1, ["sale", "plain"]), (1, ["plain", "sale"])] {
        t.advance(TimeDelta::minutes(hours * 60 + i64::from(hours > 0))).await;
        t.sweep().await;
        assert_eq!(slugs(&who, ", sort: PRICE_LOW").await, expected);
    }
    crate::check::clean::number(&t).await;
    find_all(&t, &[] as &[Planted]).await;
    t.finish_with_jobs().await;
}
