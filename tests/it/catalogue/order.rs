use dispense::base::ids::VariantId;
use dispense::base::money::Currency;
use dispense::base::text::Locale;
use dispense::catalogue::model::tier_at;
use dispense::catalogue::offers::for_order;
use dispense::catalogue::prices::PriceInput;
use dispense::catalogue::review::retire;
use dispense::catalogue::texts::TextInput;
use dispense::catalogue::variant::VariantEdit;
use uuid::Uuid;

use super::fixture::{draft, keys_at, on_sale, publish_file, seller, stock, with_variant};
use crate::harness::TestApp;

/// Rows: O1, K7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_has_all_that_placing_an_order_needs() {
    let t = TestApp::start().await;
    let edit = VariantEdit {
        texts: vec![TextInput::named("en", "Pro"), TextInput::named("zh", "专业版")],
        prices: Some(vec![PriceInput::plain("EUR", "9.00"), PriceInput::tier("EUR", 5, "8.00")]),
        ..keys_at("1")
    };
    let (_, sold) = on_sale(&t, "editor", "Editor", edit).await;
    stock(&t, sold.id, 4).await;
    let (gone, old) = on_sale(&t, "old", "Old", keys_at("1")).await;
    retire(&t.app, &seller(), gone.id).await.unwrap();
    let hidden = draft(&t, "draft", "Draft").await;
    let hidden = with_variant(&t, hidden.id, keys_at("1")).await;
    let file = draft(&t, "book", "Book").await;
    let book = with_variant(&t, file.id, VariantEdit { kind: Some("file".into()), ..keys_at("3") }).await;
    publish_file(&t, book.id).await;
    super::fixture::put_on_sale(&t, file.id).await;

    let mut conn = t.app.db.conn().await.unwrap();
    let wants = [(sold.id, 9), (old.id, 1), (hidden.id, 1), (book.id, 2), (VariantId(Uuid::from_u128(1)), 1)];
    let eur = Currency::parse("EUR").unwrap();
    let offers = for_order(&mut conn, &wants, eur, Locale::Zh).await.unwrap();
    assert_eq!(offers.len(), 3, "a draft looks like what does not exist");
    let of = |id| offers.iter().find(|o| o.variant.id == id).unwrap();
    let offer = of(sold.id);
    assert_eq!((offer.title.as_str(), offer.variant_title.as_str()), ("Editor", "专业版"));
    assert_eq!((offer.on_sale, offer.available), (true, Some(4)));
    assert_eq!(tier_at(&offer.tiers, 9).unwrap().unit_minor, 800);
    assert!(!of(old.id).on_sale);
    assert_eq!((of(book.id).on_sale, of(book.id).available), (true, None), "files have no number");
    let usd = Currency::parse("USD").unwrap();
    assert!(for_order(&mut conn, &wants, usd, Locale::En).await.unwrap().iter().all(|o| o.tiers.is_empty()));
    let few = for_order(&mut conn, &[(sold.id, 2)], eur, Locale::En).await.unwrap();
    assert_eq!(few[0].available, Some(2), "counted no further than asked");
    t.db.sql("update file_version set yanked_at = app_now()").await;
    let yanked = for_order(&mut conn, &[(book.id, 1)], eur, Locale::En).await.unwrap();
    assert_eq!(yanked[0].available, Some(0));
    drop(conn);
    t.finish().await;
}
