use dispense::base::text::Locale;
use dispense::catalogue::Scope;
use dispense::catalogue::product::{self, NewProduct, ProductEdit};
use dispense::catalogue::read::{By, find_product};
use dispense::catalogue::texts::TextInput;

use super::fixture::{draft, new_product, refused, seller, stranger};
use crate::harness::TestApp;

/// Rows: C1, C13.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_speaks_the_readers_language_and_falls_back_to_its_own() {
    let t = TestApp::start().await;
    let english = TextInput {
        summary: Some("Edits text".into()),
        description: Some("# Editor\n\nEdits **text**.".into()),
        ..TextInput::named("en", "Editor")
    };
    let new = NewProduct {
        tags: vec!["Tools".into(), " tools ".into(), "写作".into()],
        texts: vec![english, TextInput::named("zh", "编辑器")],
        ..new_product("editor", "")
    };
    let made = product::create(&t.app, &seller(), new).await.unwrap();
    assert_eq!((made.state.as_str(), made.version), ("draft", 1));
    assert_eq!(made.tags, ["tools", "写作"]);
    let mut conn = t.app.db.conn().await.unwrap();
    let slug = By::Slug("editor".into());
    let zh = find_product(&mut conn, &Scope::Everything, slug, Locale::Zh).await.unwrap().unwrap();
    assert_eq!((zh.name(), zh.summary()), ("编辑器", Some("Edits text")));
    assert_eq!((zh.seller.seller_slug.as_str(), zh.seller.seller_name.as_str()), ("shop", "Shop"));
    let en = find_product(&mut conn, &Scope::Everything, By::Id(made.id), Locale::En).await.unwrap().unwrap();
    assert_eq!((en.name(), en.description()), ("Editor", Some("# Editor\n\nEdits **text**.")));
    drop(conn);
    t.finish().await;
}

/// Rows: C1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_an_old_version_is_refused_and_a_new_one_grows_it() {
    let t = TestApp::start().await;
    let made = draft(&t, "editor", "Editor").await;
    let edit = |version, name: &str| ProductEdit {
        expected_version: Some(version),
        texts: vec![TextInput { summary: Some("".into()), ..TextInput::named("en", name) }],
        ..Default::default()
    };
    let first = product::update(&t.app, &seller(), made.id, edit(1, "Editor 2")).await.unwrap();
    assert_eq!(first.version, 2);
    let stale = refused(product::update(&t.app, &seller(), made.id, edit(1, "Editor 3")).await);
    assert_eq!((stale.code.as_str(), stale.field), ("VERSION_CONFLICT", vec!["expectedVersion".to_string()]));
    assert_eq!(t.db.one("select value from translation where field = 'name'").await, "Editor 2");
    t.finish().await;
}

/// Rows: C1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_editors_at_once_cannot_both_win() {
    let t = TestApp::start().await;
    let made = draft(&t, "editor", "Editor").await;
    let edit = |tag: &str| ProductEdit {
        expected_version: Some(1),
        tags: Some(vec![tag.into()]),
        ..Default::default()
    };
    let who = seller();
    let (a, b) = tokio::join!(
        product::update(&t.app, &who, made.id, edit("a")),
        product::update(&t.app, &who, made.id, edit("b"))
    );
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1);
    assert_eq!(refused(if a.is_ok() { b } else { a }).code.as_str(), "VERSION_CONFLICT");
    t.finish().await;
}

/// Rows: C1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slugs_are_unique_and_bad_input_is_named_by_its_path() {
    let t = TestApp::start().await;
    let made = draft(&t, "editor", "Editor").await;
    let create = async |new| refused(product::create(&t.app, &seller(), new).await);
    let taken = create(new_product("editor", "Other")).await;
    assert_eq!((taken.code.as_str(), taken.field), ("SLUG_TAKEN", vec!["slug".to_string()]));
    draft(&t, "viewer", "Viewer").await;
    let edit = ProductEdit { slug: Some("viewer".into()), ..Default::default() };
    assert_eq!(refused(product::update(&t.app, &seller(), made.id, edit).await).code.as_str(), "SLUG_TAKEN");
    assert_eq!(create(new_product("Not A Slug", "x")).await.field, ["slug"]);
    assert_eq!(create(new_product("nameless", " ")).await.field, ["texts", "0", "name"]);
    let french = NewProduct { texts: vec![TextInput::named("fr", "x")], ..new_product("x", "x") };
    assert_eq!(create(french).await.field, ["texts", "0", "locale"]);
    let twice = vec![TextInput::named("en", "x"), TextInput::named("en", "y")];
    assert_eq!(
        create(NewProduct { texts: twice, ..new_product("x", "x") }).await.field,
        ["texts", "1", "locale"]
    );
    let tags = (0..21).map(|n| format!("t{n}")).collect();
    assert_eq!(create(NewProduct { tags, ..new_product("x", "x") }).await.field, ["tags"]);
    t.finish().await;
}

/// Rows: C6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_product_looks_like_a_missing_one() {
    let t = TestApp::start().await;
    let made = draft(&t, "editor", "Editor").await;
    let edit = ProductEdit::default;
    assert_eq!(
        refused(product::update(&t.app, &stranger(), made.id, edit()).await).code.as_str(),
        "NOT_FOUND"
    );
    assert_eq!(
        refused(product::create(&t.app, &stranger(), new_product("x", "x")).await).code.as_str(),
        "FORBIDDEN"
    );
    let mut conn = t.app.db.conn().await.unwrap();
    for scope in [Scope::Buyers, Scope::of(&stranger())] {
        assert!(find_product(&mut conn, &scope, By::Id(made.id), Locale::En).await.unwrap().is_none());
    }
    let own = find_product(&mut conn, &Scope::of(&seller()), By::Id(made.id), Locale::En).await.unwrap();
    assert!(own.is_some());
    drop(conn);
    t.finish().await;
}
