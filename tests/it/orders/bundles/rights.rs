//! Limits per buyer, and the lists in which a bundle is one line.

use dispense::orders::access;
use serde_json::{Value, json};

use super::shop::Shelf;
use crate::check::clean::number;
use crate::check::planted::{Planted, find_all};
use crate::harness::{Said, codes};

/// Rows: K8, C2 (orderPlace).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_per_buyer_count_bundles_and_what_is_in_them() {
    let shop = Shelf::open().await;
    let t = &shop.t;
    t.import(shop.key, 20).await;
    shop.consists_of(shop.bundle, &[(shop.key, 2), (shop.secret, 1)]).await;
    assert_eq!(shop.edit(shop.key, json!({ "limitPerBuyer": 5 })).await, Value::Null);
    t.buyer("ada@buyer.example").await;
    let ada = shop.who("ada@buyer.example").await;
    let buy = async |variant: dispense::base::ids::VariantId, n: i32, total: &str| {
        let placed = ada.order(&variant.to_string(), n, total, json!({})).await;
        if codes(&placed).is_empty() {
            t.pay(&placed).await;
        }
        let placed_code = codes(&placed).first().map(|code| (*code).to_owned());
        (placed_code, placed)
    };
    let over = |found: &(Option<String>, Value)| found.0.as_deref() == Some("BUYER_LIMIT_REACHED");
    assert!(over(&buy(shop.bundle, 3, "59.97").await), "six keys in three bundles");
    let first = buy(shop.bundle, 1, "19.99").await;
    assert_eq!(first.0, None);
    assert!(over(&buy(shop.bundle, 2, "39.98").await), "two and four");
    assert!(over(&buy(shop.key, 4, "28.00").await), "those in the bundle count");
    assert_eq!(buy(shop.key, 2, "14.00").await.0, None);
    assert!(over(&buy(shop.bundle, 1, "19.99").await), "those bought alone count");
    assert_eq!(buy(shop.key, 1, "7.00").await.0, None);

    assert_eq!(shop.edit(shop.key, json!({ "limitPerBuyer": null })).await, Value::Null);
    assert_eq!(shop.edit(shop.bundle, json!({ "limitPerBuyer": 2 })).await, Value::Null);
    // Two are placed before either is paid: the one that is paid last is not given its goods.
    let (one, other) = (
        ada.order(&shop.bundle.to_string(), 1, "19.99", json!({})).await,
        ada.order(&shop.bundle.to_string(), 1, "19.99", json!({})).await,
    );
    assert_eq!((codes(&one), codes(&other)), (vec![], vec![]));
    t.pay(&one).await;
    t.pay(&other).await;
    let state = async |placed: &Value| t.order_state(t.placed(placed).await.order.id).await;
    assert_eq!((state(&one).await, state(&other).await), ("paid".into(), "pending_payment".into()));
    assert_eq!(t.db.one("select count(*) from task where kind = 'payment_over_buyer_limit'").await, "1");
    assert!(over(&buy(shop.bundle, 1, "19.99").await));
    // Half of a bundle is a bundle; none of it is none.
    let placed = t.placed(&first.1).await;
    let back = async |minor: i64, id: &str| {
        let said = Said {
            id: id.into(),
            kind: "payment.refunded",
            refunded_minor: Some(minor),
            ..Said::paid(&placed, &format!("T{}", placed.order.number))
        };
        assert_eq!(t.notify(&said).await.0, 200);
    };
    back(1_999, "evt_back").await;
    assert_eq!(t.unit_states(placed.order.id).await, "revoked:3");
    assert_eq!(buy(shop.bundle, 1, "19.99").await.0, None, "the money of the first went back");
    t.drain().await;
    shop.must_be_sound().await;
    number(t).await;
    let faults = [Planted {
        sql: "update order_line set limit_per_buyer = 1 where kind = 'bundle'; delete from task where kind = 'payment_over_buyer_limit';
            update orders set limited = true",
        found_by: "nobody has paid for more bundles than one buyer gets, unless a task says so",
        names: "order ",
    }];
    find_all(t, &faults).await;
    shop.t.finish_with_jobs().await;
}

/// Rows: C2, L6 (myDownloads), C5 (seller).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_is_one_line_of_a_library_and_of_a_sellers_sales_and_is_found_by_what_is_in_it() {
    let shop = Shelf::open().await;
    let t = &shop.t;
    t.import(shop.key, 2).await;
    t.buyer("ada@buyer.example").await;
    let ada = shop.who("ada@buyer.example").await;
    let placed = ada.order(&shop.bundle.to_string(), 1, "19.99", json!({})).await;
    t.pay(&placed).await;
    t.drain().await;
    let library = async |filter: Value| {
        let query = "query($f: DownloadFilter) { myDownloads(first: 30, filter: $f) { totalCount nodes { kind changedAt
            parts { kind changedAt } deliveries(first: 20) { totalCount nodes { kind } } } } }";
        ada.ask(query, json!({ "f": filter })).await["myDownloads"].clone()
    };
    let all = library(json!({})).await;
    assert_eq!((&all["totalCount"], &all["nodes"][0]["kind"]), (&json!(1), &json!("bundle")));
    assert_eq!(all["nodes"][0]["deliveries"]["totalCount"], 5);
    let secret = t.db.one("select title from order_line where kind = 'secret'").await;
    for (filter, found) in [
        (json!({ "kinds": ["secret"] }), 1),
        (json!({ "kinds": ["bundle"] }), 1),
        (json!({ "kinds": ["supplier"] }), 0),
        (json!({ "search": secret }), 1),
        (json!({ "search": "no such thing" }), 0),
    ] {
        let list = library(filter.clone()).await;
        assert_eq!(list["totalCount"], found, "{filter}");
        assert_eq!(list["nodes"].as_array().unwrap().len(), found, "{filter}");
    }
    // A newer version of a part's file is news of the bundle.
    let before = all["nodes"][0]["changedAt"].as_str().unwrap().to_owned();
    t.advance(chrono::TimeDelta::minutes(5)).await;
    let files = crate::downloads::shop::FileShop { variant: shop.file };
    files.publish(t, "book.zip", "2", b"the second edition").await;
    let after = library(json!({})).await["nodes"][0].clone();
    assert!(after["changedAt"].as_str().unwrap() > before.as_str(), "{after}");
    let changed = library(json!({ "changedSince": before })).await;
    assert_eq!(changed["totalCount"], 1);
    let sales = "{ seller { orderLines { totalCount nodes { kind total { amount } parts { kind total { amount } } } } } }";
    let sales = shop.boss().await.ask(sales, json!({})).await["seller"]["orderLines"].clone();
    assert_eq!((&sales["totalCount"], &sales["nodes"][0]["kind"]), (&json!(1), &json!("bundle")));
    assert_eq!(sales["nodes"][0]["parts"].as_array().unwrap().len(), 4);
    // Each part is found by its id, as a line.
    let line =
        t.db.one("select id from order_line where kind = 'key'")
            .await
            .parse()
            .map(dispense::base::ids::LineId);
    let query = "query($id: ID!) { node(id: $id) { ... on OrderLine { kind partOf { kind } } } }";
    let node = ada.ask(query, json!({ "id": line.unwrap().to_string() })).await["node"].clone();
    assert_eq!(node, json!({ "kind": "key", "partOf": { "kind": "bundle" } }));
    t.drain().await;
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}

/// Rows: C2 (orderPlace, gift).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_that_is_given_is_one_line_with_all_its_pieces_for_its_recipient() {
    let shop = Shelf::open().await;
    let t = &shop.t;
    t.import(shop.key, 4).await;
    let more =
        json!({ "email": "ada@buyer.example", "gift": { "email": "bob@friend.example", "name": "Bob" } });
    let given = t.visitor("192.0.2.7").order(&shop.bundle.to_string(), 1, "19.99", more).await;
    assert_eq!(codes(&given), Vec::<&str>::new());
    t.pay(&given).await;
    let order = t.placed(&given).await.order;
    let token = access::gift_token(&t.app, order.id, order.access_generation);
    t.canary(token.expose());
    let query = "query($t: String!) { gift(accessToken: $t) { lines { title quantity deliveries { id } grants { id } } } }";
    let seen = t.visitor("192.0.2.8").ask(query, json!({ "t": token.expose() })).await;
    let lines = seen["gift"]["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 1, "{seen}");
    let pieces = t.db.one(&format!("select count(*) from unit where order_id = '{}'", order.id.0)).await;
    assert_eq!(lines[0]["deliveries"].as_array().unwrap().len().to_string(), pieces);
    assert_eq!(lines[0]["grants"].as_array().unwrap().len(), 1, "its file");
    t.drain().await;
    shop.must_be_sound().await;
    shop.t.finish_with_jobs().await;
}
