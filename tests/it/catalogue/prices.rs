use chrono::TimeDelta;
use dispense::base::money::Currency;
use dispense::base::text::Locale;
use dispense::catalogue::Scope;
use dispense::catalogue::model::{next_tier, tier_at};
use dispense::catalogue::prices::PriceInput;
use dispense::catalogue::read::variants_by_ids;
use dispense::catalogue::variant::{VariantEdit, update};

use super::fixture::{draft, keys_at, on_sale, refused, seller, with_variant};
use crate::harness::TestApp;

/// Rows: C1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_prices_are_refused_by_code_and_path() {
    let t = TestApp::start().await;
    let product = draft(&t, "editor", "Editor").await;
    let made = with_variant(&t, product.id, keys_at("9.00")).await;
    let now = t.app.clock.now();
    let dated = |from: i64, to: i64| PriceInput {
        valid_from: Some(now + TimeDelta::days(from)),
        valid_to: Some(now + TimeDelta::days(to)),
        ..PriceInput::plain("EUR", "1")
    };
    let cases = [
        (vec![PriceInput::plain("CHF", "1")], "CURRENCY_NOT_SUPPORTED", "currency"),
        (vec![PriceInput::plain("EUR", "1.005")], "PRICE_INVALID", "unit"),
        (vec![PriceInput::plain("EUR", "-1")], "PRICE_INVALID", "unit"),
        (vec![PriceInput::plain("EUR", "1e3")], "PRICE_INVALID", "unit"),
        (vec![PriceInput::tier("EUR", 0, "1")], "PRICE_INVALID", "minQuantity"),
        (vec![PriceInput::plain("EUR", "1"), PriceInput::plain("EUR", "2")], "PRICE_INVALID", "minQuantity"),
        (vec![PriceInput::plain("EUR", "1"), PriceInput::tier("EUR", 5, "2")], "PRICE_INVALID", "unit"),
        (vec![dated(3, 2)], "PRICE_INVALID", "validTo"),
        (vec![dated(1, 3), dated(2, 4)], "PRICE_INVALID", "minQuantity"),
        (vec![PriceInput::tier("EUR", 5, "1")], "PRICE_INVALID", "prices"),
    ];
    for (prices, code, last) in cases {
        let edit = VariantEdit { prices: Some(prices.clone()), ..Default::default() };
        let refusal = refused(update(&t.app, &seller(), made.id, edit).await);
        assert_eq!(
            (refusal.code.as_str(), refusal.field.last().unwrap().as_str()),
            (code, last),
            "{prices:?}"
        );
    }
    let touching = VariantEdit { prices: Some(vec![dated(1, 2), dated(2, 3)]), ..Default::default() };
    update(&t.app, &seller(), made.id, touching).await.unwrap();
    t.finish().await;
}

/// Rows: C1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quantity_reaches_its_tier_and_a_price_holds_only_in_its_time() {
    let t = TestApp::start().await;
    let now = t.app.clock.now();
    let sale_ends = now + TimeDelta::days(7);
    let prices = vec![
        PriceInput { valid_to: Some(sale_ends), ..PriceInput::plain("EUR", "5.00") },
        PriceInput { valid_from: Some(sale_ends), ..PriceInput::plain("EUR", "9.00") },
        PriceInput::tier("EUR", 10, "4.00"),
        PriceInput::plain("USD", "0"),
    ];
    let edit = VariantEdit { prices: Some(prices), ..keys_at("1") };
    let (_, variant) = on_sale(&t, "editor", "Editor", edit).await;
    let (eur, usd) = (Currency::parse("EUR").unwrap(), Currency::parse("USD").unwrap());
    let units = async |currency, quantity| {
        let mut conn = t.app.db.conn().await.unwrap();
        let view =
            variants_by_ids(&mut conn, &Scope::Buyers, &[variant.id], Locale::En).await.unwrap().remove(0);
        let tiers = view.tiers(currency);
        (tier_at(&tiers, quantity).map(|t| t.unit_minor), next_tier(&tiers, quantity).map(|t| t.min_quantity))
    };
    assert_eq!(units(eur, 1).await, (Some(500), Some(10)));
    assert_eq!(units(eur, 9).await, (Some(500), Some(10)));
    assert_eq!(units(eur, 10).await, (Some(400), None));
    assert_eq!(units(usd, 3).await, (Some(0), None));
    assert_eq!(units(Currency::parse("CNY").unwrap(), 1).await, (None, None));
    t.advance(TimeDelta::days(8)).await;
    assert_eq!(units(eur, 9).await, (Some(900), Some(10)));
    t.finish().await;
}
