use dispense::base::error_code::ErrorCode;
use dispense::base::text::Locale;
use dispense::catalogue::availability::{Counted, StockLevel, count_up_to, of_product, of_variant};
use dispense::catalogue::model::StockDisplay;
use dispense::goods::Available;

fn keys(keys: i64, display: StockDisplay) -> (StockLevel, Option<i64>, bool, String) {
    // The reads never count further than this.
    let keys = keys.min(count_up_to(display, 5, 1));
    let counted = Counted { available: Some(Available::Pieces(keys)), on_demand: false, on_sale: true };
    let a = of_variant(counted, display, 5, 1, Locale::En);
    (a.level, a.quantity, a.can_buy, a.text)
}

/// Rows: K7.
#[test]
fn stock_is_shown_as_the_seller_chose() {
    use StockDisplay::{Exact, InOut, Low};
    use StockLevel::{InStock, OutOfStock};
    let out = (OutOfStock, None, false, "Out of stock".to_string());
    assert!([Exact, Low, InOut].into_iter().all(|display| keys(0, display) == out));
    assert_eq!(keys(3, Exact), (StockLevel::Low, Some(3), true, "3 in stock".into()));
    assert_eq!(keys(1_000, Exact), (InStock, Some(1_000), true, "1000 in stock".into()));
    assert_eq!(keys(5_000_000, Exact), (InStock, None, true, "1000+ in stock".into()));
    assert_eq!(keys(5, Low), (StockLevel::Low, None, true, "Only a few left".into()));
    assert_eq!(keys(6, Low), (InStock, None, true, "In stock".into()));
    assert_eq!(keys(1, InOut), (InStock, None, true, "In stock".into()));
}

/// Rows: K7.
#[test]
fn fewer_keys_than_the_least_that_is_sold_are_no_stock() {
    let counted = Counted { available: Some(Available::Pieces(4)), on_demand: false, on_sale: true };
    let at = |least| of_variant(counted, StockDisplay::InOut, 5, least, Locale::Zh);
    assert_eq!((at(5).can_buy, at(5).reason, at(4).can_buy), (false, Some(ErrorCode::OutOfStock), true));
    assert_eq!(at(5).text, "缺货");
}

/// Rows: K7, C2.
#[test]
fn files_are_there_while_a_version_is_published_and_nothing_is_while_off_sale() {
    let files = |available, on_sale| {
        let counted = Counted { available: Some(available), on_demand: false, on_sale };
        of_variant(counted, StockDisplay::Exact, 5, 1, Locale::En)
    };
    assert!(files(Available::Endless, true).can_buy);
    assert_eq!(files(Available::Missing, true).reason, Some(ErrorCode::OutOfStock));
    assert_eq!(files(Available::Endless, false).reason, Some(ErrorCode::NotOnSale));
}

/// Rows: K7.
#[test]
fn a_product_shows_the_best_of_its_variants() {
    let one = |keys: i64| {
        let counted = Counted { available: Some(Available::Pieces(keys)), on_demand: false, on_sale: true };
        of_variant(counted, StockDisplay::Exact, 5, 1, Locale::En)
    };
    assert_eq!(of_product(&[one(0), one(3)], Locale::En).level, StockLevel::Low);
    assert_eq!(of_product(&[one(0), one(3)], Locale::En).quantity, None, "a sum would show too much");
    assert_eq!(of_product(&[one(3), one(9)], Locale::En).level, StockLevel::InStock);
    assert_eq!(of_product(&[one(7)], Locale::En).quantity, Some(7));
    assert!(!of_product(&[one(0), one(0)], Locale::En).can_buy);
    assert!(!of_product(&[], Locale::En).can_buy);
}
