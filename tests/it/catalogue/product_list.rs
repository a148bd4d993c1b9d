use chrono::TimeDelta;
use dispense::app::App;
use dispense::base::actor::Actor;
use dispense::base::money::Currency;
use dispense::base::page::PageArgs;
use dispense::base::text::Locale;
use dispense::catalogue::Scope;
use dispense::catalogue::availability::StockLevel;
use dispense::catalogue::prices::PriceInput;
use dispense::catalogue::product::{self, NewProduct, ProductEdit};
use dispense::catalogue::product_list::read::{browse, count_products, list_products};
use dispense::catalogue::product_list::{Filter, Listing, Sort};
use dispense::catalogue::review::retire;
use dispense::catalogue::texts::TextInput;
use dispense::catalogue::variant::VariantEdit;
use dispense::catalogue::view::ProductView;

use super::fixture::{
    draft, keys_at, new_product, on_sale, publish_file, put_on_sale, refused, seller, stock, with_variant,
};
use crate::harness::TestApp;

fn listing(sort: Sort, filter: Filter) -> Listing {
    Listing {
        filter,
        sort,
        currency: Currency::parse("EUR").unwrap(),
        locale: Locale::En,
        descriptions: false,
        stock: true,
    }
}

fn first(list: &Listing, size: i32, after: Option<&str>) -> PageArgs {
    PageArgs::read(&list.name(), Some(size), after, None, None, 20, 100).unwrap()
}

fn last(list: &Listing, size: i32, before: Option<&str>) -> PageArgs {
    PageArgs::read(&list.name(), None, None, Some(size), before, 20, 100).unwrap()
}

/// Slugs of a whole list.
async fn slugs(t: &TestApp, scope: &Scope, list: &Listing) -> Vec<String> {
    let mut conn = t.app.db.conn().await.unwrap();
    let page = list_products(&mut conn, scope, list, &first(list, 100, None)).await.unwrap();
    let total = count_products(&mut conn, scope, list).await.unwrap();
    assert_eq!(total, Some(page.rows.len() as i64));
    // From memory or not, cold and warm, everybody sees the same.
    for _ in 0..2 {
        let browsed = browse(&t.app.catalogue, scope, list, &first(list, 100, None)).await.unwrap();
        assert_eq!(format!("{browsed:?}"), format!("{page:?}"));
    }
    page.rows.iter().map(|p| p.product.slug.clone()).collect()
}

/// Five products: prices 5, 1, none in euro, 3, 3; names that sort otherwise; a day between them.
async fn five(t: &TestApp) {
    for (slug, name, price) in [
        ("p1", "delta", "5"),
        ("p2", "Alpha", "1"),
        ("p3", "Echo", ""),
        ("p4", "bravo", "3"),
        ("p5", "Charlie", "3"),
    ] {
        let mut edit = keys_at(price);
        if price.is_empty() {
            edit.prices = Some(vec![PriceInput::plain("USD", "2")]);
        }
        on_sale(t, slug, name, edit).await;
        t.advance(TimeDelta::days(1)).await;
    }
}

/// Rows: C3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sort_pages_forwards_and_backwards_through_the_same_list() {
    let t = TestApp::start().await;
    five(&t).await;
    for (sort, expected) in [
        (Sort::Newest, ["p5", "p4", "p3", "p2", "p1"]),
        (Sort::Name, ["p2", "p4", "p5", "p1", "p3"]),
        (Sort::PriceLow, ["p2", "p4", "p5", "p1", "p3"]),
        (Sort::PriceHigh, ["p1", "p5", "p4", "p2", "p3"]),
        (Sort::Changed, ["p1", "p2", "p3", "p4", "p5"]),
    ] {
        let list = listing(sort, Filter::default());
        let all = slugs(&t, &Scope::Buyers, &list).await;
        assert_eq!(all, expected, "{sort:?}");
        let mut conn = t.app.db.conn().await.unwrap();
        let mut walked = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = list_products(&mut conn, &Scope::Buyers, &list, &first(&list, 2, cursor.as_deref()))
                .await
                .unwrap();
            assert_eq!(page.has_previous, cursor.is_some());
            walked.extend(page.rows.iter().map(|p| p.product.slug.clone()));
            cursor = page.rows.last().map(|p| list.cursor(p));
            if !page.has_next {
                break;
            }
        }
        assert_eq!(walked, expected, "forwards by {sort:?}");
        let page = list_products(&mut conn, &Scope::Buyers, &list, &last(&list, 2, cursor.as_deref()))
            .await
            .unwrap();
        let back: Vec<&str> = page.rows.iter().map(|p| p.product.slug.as_str()).collect();
        assert_eq!(back, expected[2..4], "backwards by {sort:?}");
        assert!(page.has_previous && page.has_next);
    }
    t.finish().await;
}

/// Rows: C3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_another_list_is_refused_and_one_of_a_row_that_is_gone_is_not() {
    let t = TestApp::start().await;
    five(&t).await;
    let list = listing(Sort::Name, Filter::default());
    let mut conn = t.app.db.conn().await.unwrap();
    let page = list_products(&mut conn, &Scope::Buyers, &list, &first(&list, 2, None)).await.unwrap();
    let cursor = list.cursor(&page.rows[1]);
    let other = listing(Sort::Newest, Filter::default());
    let refusal = PageArgs::read(&other.name(), Some(2), Some(&cursor), None, None, 20, 100).unwrap_err();
    assert_eq!(refusal.code.as_str(), "INVALID_CURSOR");
    let forged =
        dispense::base::page::encode(&other.name(), &["soon".into(), page.rows[0].product.id.to_string()]);
    let args = first(&other, 2, Some(&forged));
    assert_eq!(
        refused(list_products(&mut conn, &Scope::Buyers, &other, &args).await).code.as_str(),
        "INVALID_CURSOR"
    );
    retire(&t.app, &seller(), page.rows[1].product.id).await.unwrap();
    let rest =
        list_products(&mut conn, &Scope::Buyers, &list, &first(&list, 9, Some(&cursor))).await.unwrap();
    let rest: Vec<&str> = rest.rows.iter().map(|p| p.product.slug.as_str()).collect();
    assert_eq!(rest, ["p5", "p1", "p3"]);
    drop(conn);
    t.finish().await;
}

/// Rows: C3, K7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_narrow_the_list_and_stock_is_asked_of_the_keys() {
    let t = TestApp::start().await;
    let tagged = NewProduct { tags: vec!["office".into(), "new".into()], ..new_product("pen", "100% Pen") };
    let pen = product::create(&t.app, &seller(), tagged).await.unwrap();
    let pen_variant = with_variant(&t, pen.id, VariantEdit { min_quantity: Some(3), ..keys_at("2") }).await;
    put_on_sale(&t, pen.id).await;
    let book = draft(&t, "book", "Book").await;
    let chinese = ProductEdit { texts: vec![TextInput::named("zh", "电子书")], ..Default::default() };
    product::update(&t.app, &seller(), book.id, chinese).await.unwrap();
    let file = with_variant(&t, book.id, VariantEdit { kind: Some("file".into()), ..keys_at("7.50") }).await;
    publish_file(&t, file.id).await;
    put_on_sale(&t, book.id).await;
    let (key, _) = on_sale(&t, "key", "Key_1", keys_at("5")).await;

    let found = async |filter: Filter| slugs(&t, &Scope::Buyers, &listing(Sort::Name, filter)).await;
    let with = |change: fn(&mut Filter)| {
        let mut filter = Filter::default();
        change(&mut filter);
        filter
    };
    assert_eq!(found(with(|f| f.tags = vec!["office".into()])).await, ["pen"]);
    assert_eq!(found(with(|f| f.kinds = vec!["file".into()])).await, ["book"]);
    assert_eq!(found(with(|f| f.search = Some("电子".into()))).await, ["book"]);
    assert_eq!(found(with(|f| f.search = Some("pEN".into()))).await, ["pen"]);
    assert_eq!(found(with(|f| f.search = Some("%".into()))).await, ["pen"], "no wildcard");
    assert_eq!(found(with(|f| f.search = Some("y_".into()))).await, ["key"], "no wildcard");
    assert_eq!(found(with(|f| (f.price_min, f.price_max) = (Some(300), Some(750)))).await, ["book", "key"]);
    assert_eq!(found(Filter { ids: Some(vec![key.id]), ..Filter::default() }).await, ["key"]);
    assert_eq!(found(Filter { ids: Some(Vec::new()), ..Filter::default() }).await, [""; 0]);
    assert_eq!(found(with(|f| f.in_stock = Some(true))).await, ["book"]);
    stock(&t, pen_variant.id, 2).await;
    assert_eq!(
        found(with(|f| f.in_stock = Some(true))).await,
        ["book"],
        "two are fewer than the least of three"
    );
    crate::vault::fixture::import(&t, pen_variant.id, b"ONE-MORE-KEY\n").await;
    assert_eq!(found(with(|f| f.in_stock = Some(true))).await, ["pen", "book"]);
    assert_eq!(found(with(|f| f.in_stock = Some(false))).await, ["key"]);
    t.finish().await;
}

/// Rows: C6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buyers_see_what_is_on_sale_sellers_their_own_and_staff_everything() {
    let t = TestApp::start().await;
    on_sale(&t, "sold", "Sold", keys_at("1")).await;
    draft(&t, "draft", "Draft").await;
    let list = listing(Sort::Name, Filter::default());
    assert_eq!(slugs(&t, &Scope::Buyers, &list).await, ["sold"]);
    assert_eq!(slugs(&t, &Scope::of(&seller()), &list).await, ["draft", "sold"]);
    assert_eq!(slugs(&t, &Scope::of(&super::fixture::stranger()), &list).await, [""; 0]);
    assert_eq!(slugs(&t, &Scope::of(&Actor::system()), &list).await, ["draft", "sold"]);
    assert_eq!(Scope::of(&Actor::guest()), Scope::Buyers);
    t.finish().await;
}

/// Rows: C3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delta_sync_learns_what_changed_and_what_went() {
    let t = TestApp::start().await;
    five(&t).await;
    let since = t.app.clock.now();
    t.advance(TimeDelta::hours(1)).await;
    let list = listing(Sort::Changed, Filter { changed_since: Some(since), ..Filter::default() });
    assert_eq!(slugs(&t, &Scope::Buyers, &list).await, [""; 0]);
    let all = listing(Sort::Name, Filter::default());
    let mut conn = t.app.db.conn().await.unwrap();
    let page = list_products(&mut conn, &Scope::Buyers, &all, &first(&all, 9, None)).await.unwrap();
    let named = |slug: &str| page.rows.iter().find(|p| p.product.slug == slug).unwrap();
    retire(&t.app, &seller(), named("p4").product.id).await.unwrap();
    t.advance(TimeDelta::hours(1)).await;
    let price = VariantEdit { kind: None, ..keys_at("4") };
    dispense::catalogue::variant::update(&t.app, &seller(), named("p2").variants[0].variant.id, price)
        .await
        .unwrap();
    draft(&t, "unseen", "Unseen").await;
    let delta = list_products(&mut conn, &Scope::Buyers, &list, &first(&list, 9, None)).await.unwrap();
    let delta: Vec<(&str, bool)> =
        delta.rows.iter().map(|p| (p.product.slug.as_str(), p.on_sale())).collect();
    assert_eq!(delta, [("p4", false), ("p2", true)]);
    drop(conn);
    t.finish().await;
}

/// Rows: K7, C1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_brings_variants_prices_and_stock_in_the_readers_language() {
    let t = TestApp::start().await;
    let (made, basic) = on_sale(&t, "editor", "Editor", keys_at("9.90")).await;
    let pro =
        VariantEdit { position: Some(1), texts: vec![TextInput::named("zh", "专业版")], ..keys_at("5") };
    let pro = with_variant(&t, made.id, pro).await;
    let hidden = with_variant(&t, made.id, keys_at("1")).await;
    dispense::catalogue::variant::retire(&t.app, &seller(), hidden.id).await.unwrap();
    let list = Listing { locale: Locale::Zh, ..listing(Sort::Newest, Filter::default()) };
    let read = async || {
        let mut conn = t.app.db.conn().await.unwrap();
        list_products(&mut conn, &Scope::Buyers, &list, &first(&list, 20, None)).await.unwrap().rows.remove(0)
    };
    let view = read().await;
    let ids: Vec<_> = view.variants.iter().map(|v| v.variant.id).collect();
    assert_eq!(ids, [basic.id, pro.id], "in their order, without the retired one");
    assert_eq!(view.variants[1].name(), "专业版");
    assert_eq!(view.price_from(list.currency).unwrap().decimal(), "5.00");
    assert_eq!(view.price_from(Currency::parse("USD").unwrap()), None);
    assert_eq!((view.availability().level, view.description()), (StockLevel::OutOfStock, None));
    stock(&t, pro.id, 1).await;
    let view = read().await;
    assert_eq!((view.availability().level, view.availability().can_buy), (StockLevel::InStock, true));
    assert_eq!(view.variants[0].availability().level, StockLevel::OutOfStock);
    t.finish().await;
}

/// Rows: K7, C1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_in_memory_follows_every_edit_every_sale_and_the_calendar_at_once() {
    let t = TestApp::start().await;
    let (made, variant) = on_sale(&t, "editor", "Editor", keys_at("9.00")).await;
    stock(&t, variant.id, 1).await;
    let other = App::start(t.app.config.clone(), t.app.clock.clone(), &t.db.app_url()).await.unwrap();
    let list = listing(Sort::Newest, Filter::default());
    let shown = async || {
        let mut seen = Vec::new();
        for app in [&t.app, &other] {
            let page = browse(&app.catalogue, &Scope::Buyers, &list, &first(&list, 20, None)).await.unwrap();
            let row = |p: &ProductView| {
                let price = p.price_from(list.currency).map(|m| m.decimal());
                (p.name().to_owned(), price, p.availability().can_buy, p.variants.len())
            };
            seen.push(page.rows.iter().map(row).collect::<Vec<_>>());
        }
        assert_eq!(seen[0], seen[1], "both servers");
        seen.remove(0)
    };
    let is = |name: &str, price: &str, can_buy, variants| {
        vec![(name.to_owned(), Some(price.to_owned()), can_buy, variants)]
    };
    assert_eq!(shown().await, is("Editor", "9.00", true, 1));
    let units = crate::vault::fixture::units(&t, variant.id, 1).await;
    crate::vault::fixture::sell(&t, variant.id, &units).await;
    assert_eq!(shown().await, is("Editor", "9.00", false, 1), "sold out");
    let renamed = ProductEdit { texts: vec![TextInput::named("en", "Writer")], ..Default::default() };
    product::update(&t.app, &seller(), made.id, renamed).await.unwrap();
    assert_eq!(shown().await, is("Writer", "9.00", false, 1));
    let ends = t.app.clock.now() + TimeDelta::days(2);
    let prices = vec![
        PriceInput { valid_to: Some(ends), ..PriceInput::plain("EUR", "4.00") },
        PriceInput { valid_from: Some(ends), ..PriceInput::plain("EUR", "7.00") },
    ];
    let sale = VariantEdit { prices: Some(prices), ..Default::default() };
    dispense::catalogue::variant::update(&t.app, &seller(), variant.id, sale).await.unwrap();
    assert_eq!(shown().await, is("Writer", "4.00", false, 1));
    t.advance(TimeDelta::days(3)).await;
    assert_eq!(shown().await, is("Writer", "7.00", false, 1), "the sale is over");
    with_variant(&t, made.id, keys_at("5.00")).await;
    assert_eq!(shown().await, is("Writer", "5.00", false, 2));
    t.db.sql("update seller set name = 'Another'").await;
    let page = browse(&t.app.catalogue, &Scope::Buyers, &list, &first(&list, 20, None)).await.unwrap();
    assert_eq!(page.rows[0].seller.seller_name, "Another");
    retire(&t.app, &seller(), made.id).await.unwrap();
    assert_eq!(shown().await, []);
    drop(other);
    t.finish().await;
}
