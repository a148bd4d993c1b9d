//! Delta sync: what changed since a moment, in the order it changed, with nothing missed.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::stocked::Stocked;
use super::wire::Wire;

const ORDERS: &str =
    "query($s: DateTime, $n: Int, $a: String) { myOrders(changedSince: $s, first: $n, after: $a) {
    totalCount nodes { number changedAt } pageInfo { hasNextPage endCursor } } }";
const LINES: &str = "query($s: DateTime, $n: Int, $a: String) { myDownloads(filter: {changedSince: $s}, first: $n, after: $a) {
    totalCount nodes { id changedAt order { number } } pageInfo { hasNextPage endCursor } } }";

fn numbers(list: &Value) -> Vec<String> {
    let rows = list["nodes"].as_array().unwrap();
    rows.iter()
        .map(|row| row["number"].as_str().or(row["order"]["number"].as_str()).unwrap().to_owned())
        .collect()
}

fn times(list: &Value) -> Vec<String> {
    list["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["changedAt"].as_str().unwrap().to_owned())
        .collect()
}

/// Something happens to an order now.
async fn touch(shop: &Stocked, number: &str) {
    shop.t
        .db
        .sql(&format!(
            "insert into event (seller_id, kind, object_id, order_id, actor)
         select seller_id, 'test.touched', id, id, 'system' from orders where number = '{number}'"
        ))
        .await;
}

/// Rows: L6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_since_a_moment_comes_in_the_order_it_changed_and_again_when_it_changes_again() {
    let shop = Stocked::open().await;
    let (order, download) = (shop.order.order.number.clone(), shop.download.order.number.clone());
    for (query, root) in [(ORDERS, "myOrders"), (LINES, "myDownloads")] {
        // Tokens of before have ended.
        shop.t.advance(TimeDelta::hours(1)).await;
        let buyer = shop.buyer().await;
        let list = async |since: &str, first: i32, after: Option<&str>| {
            buyer.data(query, json!({ "s": since, "n": first, "a": after })).await[root].clone()
        };
        let start = shop.t.app.clock.now();
        let since = start.to_rfc3339_opts(chrono::SecondsFormat::Millis, false);
        assert_eq!(list(&since, 10, None).await["totalCount"], 0, "{root}");
        // The later one changes first.
        touch(&shop, &download).await;
        shop.t.advance(TimeDelta::minutes(1)).await;
        touch(&shop, &order).await;
        shop.t.advance(TimeDelta::minutes(1)).await;
        let all = list(&since, 10, None).await;
        assert_eq!(numbers(&all), [download.as_str(), order.as_str()], "{root}: {all}");
        assert_eq!(all["totalCount"], 2);
        let times = times(&all);
        assert!(times.is_sorted() && times[0] < times[1], "{root}: {times:?}");
        // From the last time on, itself included.
        assert_eq!(numbers(&list(&times[1], 10, None).await), [order.as_str()], "{root}");

        // While a client pages, what it has seen changes again: it comes again, and nothing is skipped.
        let first = list(&since, 1, None).await;
        assert_eq!(numbers(&first), [download.as_str()]);
        assert_eq!(first["pageInfo"]["hasNextPage"], true);
        touch(&shop, &download).await;
        shop.t.advance(TimeDelta::minutes(1)).await;
        let cursor = first["pageInfo"]["endCursor"].as_str().unwrap();
        let second = list(&since, 10, Some(cursor)).await;
        assert_eq!(numbers(&second), [order.as_str(), download.as_str()], "{root}");
        // The cursor of the end goes on from there, also when its row has moved.
        let end = second["pageInfo"]["endCursor"].as_str().unwrap();
        assert_eq!(numbers(&list(&since, 10, Some(end)).await), Vec::<String>::new(), "{root}");
        touch(&shop, &order).await;
        shop.t.advance(TimeDelta::minutes(1)).await;
        assert_eq!(numbers(&list(&since, 10, Some(end)).await), [order.as_str()], "{root}");
        let other = buyer.ask(query, json!({ "s": times[1], "a": end })).await;
        assert_eq!(other.code(), "INVALID_CURSOR", "{root}");
    }
    // Without a moment, the newest first as ever.
    let plain =
        shop.buyer().await.data("{ myOrders { nodes { number } } }", json!({})).await["myOrders"].clone();
    assert_eq!(numbers(&plain), [download, order]);
    shop.finish().await;
}

/// A transaction that began before another one and is committed after a client has read the other one's row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_is_committed_late_is_not_passed_over() {
    let shop = Stocked::open().await;
    let (order, download) = (shop.order.order.number.clone(), shop.download.order.number.clone());
    shop.t.advance(TimeDelta::hours(1)).await;
    let (buyer, admin) = (shop.buyer().await, shop.admin().await);
    let since = shop.t.app.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let desk = "query($s: DateTime, $n: Int, $a: String) { desk { orders(filter: {changedSince: $s}, first: $n, after: $a) {
        totalCount nodes { number changedAt } pageInfo { hasNextPage endCursor } } } }";
    for (client, query, at) in
        [(&buyer, ORDERS, "/myOrders"), (&buyer, LINES, "/myDownloads"), (&admin, desk, "/desk/orders")]
    {
        let list = async |after: Option<&str>| {
            let data = client.data(query, json!({ "s": since, "n": 10, "a": after })).await;
            data.pointer(at).unwrap().clone()
        };
        let before = list(None).await;
        let cursor = before["pageInfo"]["endCursor"].as_str().map(str::to_owned);
        let (slow, connection) =
            tokio_postgres::connect(&shop.t.db.app_url(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let touch_in = |number: &str| {
            format!(
                "insert into event (seller_id, kind, object_id, order_id, actor)
                 select seller_id, 'test.touched', id, id, 'system' from orders where number = '{number}'"
            )
        };
        slow.batch_execute(&format!("begin; {}", touch_in(&order))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        touch(&shop, &download).await;
        // The later change is committed and is held back until the earlier one is.
        let meanwhile = list(cursor.as_deref()).await;
        assert_eq!(numbers(&meanwhile), Vec::<String>::new(), "{at}");
        slow.batch_execute("commit").await.unwrap();
        let after = list(cursor.as_deref()).await;
        assert_eq!(numbers(&after), [order.as_str(), download.as_str()], "{at}");
    }
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn products_that_changed_come_in_the_order_they_changed_those_that_are_gone_too() {
    let shop = Stocked::open().await;
    let guest = Wire::new(&shop.t);
    let names: Vec<String> =
        guest.data("{ products { nodes { slug } } }", json!({})).await["products"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["slug"].as_str().unwrap().to_owned())
            .collect();
    shop.t.advance(TimeDelta::hours(1)).await;
    let since = shop.t.app.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Nanos, true);
    shop.t.db.sql(&format!("update product set updated_at = app_now() where slug = '{}'", names[1])).await;
    shop.t.advance(TimeDelta::minutes(1)).await;
    shop.t
        .db
        .sql(&format!(
            "update product set updated_at = app_now(), state = 'retired' where slug = '{}'",
            names[0]
        ))
        .await;
    shop.t.advance(TimeDelta::minutes(1)).await;
    let query = "query($s: DateTime) { products(filter: {changedSince: $s}) { totalCount nodes { slug onSale updatedAt } } }";
    let list = guest.data(query, json!({ "s": since })).await["products"].clone();
    let slugs: Vec<&str> =
        list["nodes"].as_array().unwrap().iter().map(|n| n["slug"].as_str().unwrap()).collect();
    assert_eq!(slugs, [names[1].as_str(), names[0].as_str()]);
    assert_eq!((&list["totalCount"], &list["nodes"][1]["onSale"]), (&json!(2), &json!(false)));
    shop.finish().await;
}
