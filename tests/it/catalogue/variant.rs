use dispense::catalogue::model::{MailPolicy, StockDisplay};
use dispense::catalogue::prices::PriceInput;
use dispense::catalogue::variant::{VariantEdit, create, retire, update};
use dispense::vault::KeyFormat;

use super::fixture::{draft, keys_at, refused, seller, stock, stranger, with_variant};
use crate::harness::TestApp;

/// Rows: C1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_variant_keeps_what_it_was_told_and_takes_edits_by_version() {
    let t = TestApp::start().await;
    let product = draft(&t, "editor", "Editor").await;
    let made = with_variant(
        &t,
        product.id,
        VariantEdit {
            sku: Some(Some("ED-1".into())),
            stock_display: Some(StockDisplay::Exact),
            max_quantity: Some(Some(10)),
            limit_per_buyer: Some(Some(3)),
            mail_policy: Some(MailPolicy::Link),
            key_format: Some(Some(KeyFormat { prefix: "VC-".into(), ..KeyFormat::default() })),
            ..keys_at("9.00")
        },
    )
    .await;
    assert_eq!((made.version, made.kind.as_str(), made.sku.as_deref()), (1, "key", Some("ED-1")));
    assert_eq!((made.stock_display, made.mail_policy), (StockDisplay::Exact, MailPolicy::Link));
    assert_eq!((made.max_quantity, made.limit_per_buyer), (Some(10), Some(3)));
    let edit = VariantEdit { max_quantity: Some(None), expected_version: Some(1), ..Default::default() };
    let edited = update(&t.app, &seller(), made.id, edit.clone()).await.unwrap();
    assert_eq!((edited.version, edited.max_quantity, edited.limit_per_buyer), (2, None, Some(3)));
    assert_eq!(refused(update(&t.app, &seller(), made.id, edit).await).code.as_str(), "VERSION_CONFLICT");
    let moved = t.db.one("select updated_at > created_at from product").await;
    assert_eq!(moved, "t", "whoever keeps a copy of the product learns of it");
    t.finish().await;
}

/// Rows: C1, C2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused_with_its_code() {
    let t = TestApp::start().await;
    let product = draft(&t, "editor", "Editor").await;
    let made =
        with_variant(&t, product.id, VariantEdit { sku: Some(Some("A".into())), ..keys_at("9.00") }).await;
    let code =
        async |edit: VariantEdit| refused(create(&t.app, &seller(), product.id, edit).await).code.as_str();
    assert_eq!(code(VariantEdit { kind: Some("balloon".into()), ..keys_at("1") }).await, "INVALID");
    assert_eq!(code(VariantEdit { kind: None, ..keys_at("1") }).await, "INVALID");
    assert_eq!(code(VariantEdit { sku: Some(Some("A".into())), ..keys_at("1") }).await, "SKU_TAKEN");
    let (min, max) = (Some(5), Some(Some(4)));
    assert_eq!(code(VariantEdit { min_quantity: min, max_quantity: max, ..keys_at("1") }).await, "INVALID");
    assert_eq!(code(VariantEdit { min_quantity: Some(0), ..keys_at("1") }).await, "INVALID");
    assert_eq!(code(VariantEdit { limit_per_buyer: Some(Some(0)), ..keys_at("1") }).await, "INVALID");
    let weak = KeyFormat { groups: 1, ..KeyFormat::default() };
    assert_eq!(code(VariantEdit { key_format: Some(Some(weak)), ..keys_at("1") }).await, "INVALID");
    let change =
        async |edit: VariantEdit| refused(update(&t.app, &seller(), made.id, edit).await).code.as_str();
    assert_eq!(
        change(VariantEdit { kind: Some("file".into()), ..Default::default() }).await,
        "KIND_NOT_CHANGEABLE"
    );
    assert_eq!(change(VariantEdit { max_quantity: Some(Some(0)), ..Default::default() }).await, "INVALID");
    let foreign = update(&t.app, &stranger(), made.id, VariantEdit::default()).await;
    assert_eq!(refused(foreign).code.as_str(), "NOT_FOUND");
    assert_eq!(t.db.one("select count(*) from variant").await, "1");
    t.finish().await;
}

/// Rows: C1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_prices_take_the_place_of_the_old_ones() {
    let t = TestApp::start().await;
    let product = draft(&t, "editor", "Editor").await;
    let made = with_variant(&t, product.id, keys_at("9.00")).await;
    let prices = vec![
        PriceInput::plain("EUR", "8.50"),
        PriceInput::tier("EUR", 10, "7.00"),
        PriceInput::plain("CNY", "60"),
    ];
    let edit = VariantEdit { prices: Some(prices), ..Default::default() };
    update(&t.app, &seller(), made.id, edit).await.unwrap();
    let rows = "select string_agg(currency || min_quantity || ':' || unit_minor, ' ' order by currency, min_quantity) from price";
    assert_eq!(t.db.one(rows).await, "CNY1:6000 EUR1:850 EUR10:700");
    t.finish().await;
}

/// Rows: C1, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rule_of_comparing_keys_stays_once_there_are_keys_and_a_retired_variant_is_not_edited() {
    let t = TestApp::start().await;
    let product = draft(&t, "editor", "Editor").await;
    let made = with_variant(&t, product.id, keys_at("9.00")).await;
    let fold = |yes| VariantEdit { fold_case: Some(yes), ..Default::default() };
    assert!(update(&t.app, &seller(), made.id, fold(true)).await.unwrap().fold_case);
    stock(&t, made.id, 1).await;
    assert_eq!(refused(update(&t.app, &seller(), made.id, fold(false)).await).field, ["foldCase"]);
    let gone = retire(&t.app, &seller(), made.id).await.unwrap();
    assert_eq!(gone.state.as_str(), "retired");
    assert_eq!(retire(&t.app, &seller(), made.id).await.unwrap().version, gone.version);
    assert_eq!(
        refused(update(&t.app, &seller(), made.id, VariantEdit::default()).await).code.as_str(),
        "INVALID"
    );
    t.finish().await;
}
