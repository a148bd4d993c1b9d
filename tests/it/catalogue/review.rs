use dispense::base::text::Locale;
use dispense::catalogue::Scope;
use dispense::catalogue::product::{self, ProductEdit};
use dispense::catalogue::read::{By, find_product};
use dispense::catalogue::review::{approve, reject, retire, submit};
use dispense::catalogue::state::ProductState;
use dispense::catalogue::texts::TextInput;
use dispense::catalogue::variant::VariantEdit;

use super::fixture::{
    buyer, draft, keys_at, new_product, on_sale, publish_file, refused, seller, stranger, support,
    with_variant,
};
use crate::harness::TestApp;

/// Rows: C6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_goes_from_draft_through_review_on_sale_and_off_it() {
    let t = TestApp::start().await;
    let made = draft(&t, "editor", "Editor").await;
    with_variant(&t, made.id, keys_at("9.00")).await;
    assert_eq!(refused(approve(&t.app, &support(), made.id, None).await).code.as_str(), "NOT_IN_REVIEW");
    let sent = submit(&t.app, &seller(), made.id).await.unwrap();
    assert_eq!(sent.state, ProductState::InReview);
    assert_eq!(
        submit(&t.app, &seller(), made.id).await.unwrap().version,
        sent.version,
        "a repeat changes nothing"
    );

    assert_eq!(refused(reject(&t.app, &support(), made.id, "  ").await).code.as_str(), "REASON_REQUIRED");
    let back = reject(&t.app, &support(), made.id, "Which platform?").await.unwrap();
    assert_eq!(
        (back.state, back.review_reason.as_deref()),
        (ProductState::Rejected, Some("Which platform?"))
    );
    submit(&t.app, &seller(), made.id).await.unwrap();
    let sold = approve(&t.app, &support(), made.id, None).await.unwrap();
    assert_eq!((sold.state, sold.review_reason), (ProductState::OnSale, None));
    assert!(sold.on_sale_at.is_some());

    let mut conn = t.app.db.conn().await.unwrap();
    let seen = find_product(&mut conn, &Scope::Buyers, By::Id(made.id), Locale::En).await.unwrap();
    assert!(seen.is_some_and(|p| p.on_sale()));
    assert_eq!(retire(&t.app, &seller(), made.id).await.unwrap().state, ProductState::Retired);
    assert!(find_product(&mut conn, &Scope::Buyers, By::Id(made.id), Locale::En).await.unwrap().is_none());
    let edit = ProductEdit { tags: Some(vec!["x".into()]), ..Default::default() };
    assert_eq!(refused(product::update(&t.app, &seller(), made.id, edit).await).code.as_str(), "INVALID");
    let reported = "select string_agg(kind, ' ' order by id) from event where kind like 'product.%'";
    let expected = "product.created product.submitted product.rejected product.submitted product.approved product.retired";
    assert_eq!(t.db.one(reported).await, expected);
    drop(conn);
    t.finish().await;
}

/// Rows: C6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_shop_approves_and_only_its_seller_submits() {
    let t = TestApp::start().await;
    let made = draft(&t, "editor", "Editor").await;
    with_variant(&t, made.id, keys_at("9.00")).await;
    assert_eq!(refused(submit(&t.app, &stranger(), made.id).await).code.as_str(), "NOT_FOUND");
    assert_eq!(refused(submit(&t.app, &support(), made.id).await).code.as_str(), "NOT_FOUND");
    submit(&t.app, &seller(), made.id).await.unwrap();
    for actor in [seller(), buyer(), stranger()] {
        assert_eq!(refused(approve(&t.app, &actor, made.id, None).await).code.as_str(), "FORBIDDEN");
        assert_eq!(refused(reject(&t.app, &actor, made.id, "no").await).code.as_str(), "FORBIDDEN");
    }
    assert_eq!(
        refused(approve(&t.app, &support(), made.id, Some(1)).await).code.as_str(),
        "VERSION_CONFLICT"
    );
    approve(&t.app, &support(), made.id, Some(2)).await.unwrap();
    t.finish().await;
}

/// Rows: C6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lacks_a_name_a_variant_a_price_or_a_file_is_not_submittable() {
    let t = TestApp::start().await;
    let why = async |product| {
        let refusal = refused(submit(&t.app, &seller(), product).await);
        assert_eq!(refusal.code.as_str(), "NOT_SUBMITTABLE");
        refusal.message
    };
    let mut nameless = new_product("nameless", "");
    nameless.texts.clear();
    let nameless = product::create(&t.app, &seller(), nameless).await.unwrap();
    assert!(why(nameless.id).await.contains("no name"));
    let made = draft(&t, "editor", "Editor").await;
    assert!(why(made.id).await.contains("no variant"));
    let free = with_variant(&t, made.id, VariantEdit { prices: None, ..keys_at("1") }).await;
    assert!(why(made.id).await.contains("no price"));
    let priced = VariantEdit { kind: None, ..keys_at("9.00") };
    dispense::catalogue::variant::update(&t.app, &seller(), free.id, priced).await.unwrap();
    let file = VariantEdit { kind: Some("file".into()), ..keys_at("5.00") };
    let file = with_variant(&t, made.id, file).await;
    assert!(why(made.id).await.contains("no name"), "several variants must be distinguished");
    for id in [free.id, file.id] {
        let named = VariantEdit { texts: vec![TextInput::named("en", "Edition")], ..Default::default() };
        dispense::catalogue::variant::update(&t.app, &seller(), id, named).await.unwrap();
    }
    assert!(why(made.id).await.contains("no file"));
    publish_file(&t, file.id).await;
    submit(&t.app, &seller(), made.id).await.unwrap();
    t.finish().await;
}

/// Rows: C6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edited_texts_go_to_review_again_when_the_shop_says_so() {
    for (review_edits, expected) in [(true, ProductState::InReview), (false, ProductState::OnSale)] {
        let t = TestApp::start_with(|c| c.shop.review_edits = review_edits).await;
        let (sold, variant) = on_sale(&t, "editor", "Editor", keys_at("9.00")).await;
        let tags = ProductEdit { tags: Some(vec!["x".into()]), ..Default::default() };
        let tagged = product::update(&t.app, &seller(), sold.id, tags).await.unwrap();
        assert_eq!(tagged.state, ProductState::OnSale, "tags are no text");
        let named = VariantEdit { texts: vec![TextInput::named("en", "Pro")], ..Default::default() };
        dispense::catalogue::variant::update(&t.app, &seller(), variant.id, named).await.unwrap();
        let state = t.db.one("select state from product").await;
        assert_eq!(state, expected.as_str());
        t.finish().await;
    }
}
