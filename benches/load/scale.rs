//! (l) What operations cost in a small shop and in a large one: milliseconds over HTTP and pages of the database that were
//! touched. What grows with the shop is seen beside what does not.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_postgres::Client;

use crate::admin::{Admin, EMAIL};
use crate::shop::{self, Shop};
use crate::{median, scaled};

/// Products, people, orders, and free keys of each product; times `BENCH_SCALE`, and a fiftieth of that.
const LARGE: [f64; 3] = [20_000.0, 40_000.0, 200_000.0];
const SMALL: f64 = 50.0;
const KEYS: usize = 20;
const ROUNDS: usize = 5;
/// Larger ones are named.
const MOST: f64 = 2.0;
/// A session that does nothing writes down after ten seconds what it touched.
const WRITTEN_DOWN: Duration = Duration::from_millis(10_500);

enum Who {
    Anybody,
    Admin,
}
use Who::{Admin as A, Anybody as B};

const OPERATIONS: [(&str, Who, &str); 27] = [
    ("products, newest", B, "{ products(first: 20) { nodes { id name } } }"),
    ("products by price", B, "{ products(first: 20, sort: PRICE_LOW) { nodes { id name } } }"),
    ("products by name", B, "{ products(first: 20, sort: NAME) { nodes { id name } } }"),
    (
        "products in a range of prices",
        B,
        "{ products(first: 20, currency: \"USD\", filter: { priceMin: \"9.00\", priceMax: \"9.10\" }) { nodes { id } } }",
    ),
    ("products in stock", B, "{ products(first: 20, filter: { inStock: true }) { nodes { id } } }"),
    ("products out of stock", B, "{ products(first: 20, filter: { inStock: false }) { nodes { id } } }"),
    ("products with a tag", B, "{ products(first: 20, filter: { tags: [\"seldom\"] }) { nodes { id } } }"),
    ("products of a kind", B, "{ products(first: 20, filter: { kinds: [\"file\"] }) { nodes { id } } }"),
    (
        "products changed since",
        B,
        "{ products(first: 20, filter: { changedSince: \"2026-01-01T00:00:00Z\" }) { nodes { id } } }",
    ),
    ("products, a word found seldom", B, "{ products(first: 20, search: \"a87ff6\") { nodes { id } } }"),
    ("products, a word in all names", B, "{ products(first: 20, search: \"Product\") { nodes { id } } }"),
    ("products counted", B, "{ products(first: 1) { totalCount } }"),
    (
        "one product",
        B,
        "{ product(by: { slug: \"scale-2\" }) { id name variants { id availability { text } price(currency: \"USD\") { unit { amount } } } } }",
    ),
    ("myOrders", A, "{ myOrders(first: 20) { nodes { number } } }"),
    ("myDownloads", A, "{ myDownloads(first: 20) { nodes { id } } }"),
    ("seller.stock", A, "{ seller { stock(first: 20) { nodes { available sold waiting } } } }"),
    ("seller.stock, low", A, "{ seller { stock(first: 20, low: true) { nodes { available } } } }"),
    ("seller.products", A, "{ seller { products(first: 20) { nodes { id } } } }"),
    ("seller.orderLines", A, "{ seller { orderLines(first: 20) { nodes { id } } } }"),
    ("seller.expiringKeys", A, "{ seller { expiringKeys(withinDays: 100) { keys } } }"),
    ("desk.orders", A, "{ desk { orders(first: 20) { nodes { number } } } }"),
    (
        "desk.orders, a number",
        A,
        "{ desk { orders(first: 20, search: \"S000000017\") { nodes { number } } } }",
    ),
    (
        "desk.orders, an address",
        A,
        "{ desk { orders(first: 20, search: \"o17@guests.example\") { nodes { number } } } }",
    ),
    (
        "desk.users, a part of an address",
        A,
        "{ desk { users(first: 20, search: \"p333\") { nodes { id } } } }",
    ),
    (
        "desk.tasks, resolved",
        A,
        "{ desk { tasks(first: 20, filter: { states: [RESOLVED] }) { nodes { id } } } }",
    ),
    ("desk.notices", A, "{ desk { notices(first: 20) { nodes { id } } } }"),
    ("desk.health", A, "{ desk { health { waiting { code count } } } }"),
];

#[derive(Clone, Copy)]
struct Cost {
    ms: f64,
    pages: f64,
}

pub async fn measure() {
    println!("\n(l) operations in a small shop and in a large one");
    let [products, people, orders] = LARGE.map(scaled);
    let sizes = [1.0 / SMALL, 1.0]
        .map(|part| [products, people, orders].map(|n| ((n as f64 * part) as usize).max(20)));
    let mut costs = Vec::new();
    for size in sizes {
        costs.push(in_shop(size).await);
    }
    println!("    {:34} {:>21} {:>21}", "", "small: ms, pages", "large: ms, pages");
    for (n, (name, _, _)) in OPERATIONS.iter().enumerate() {
        let (small, large) = (costs[0][n], costs[1][n]);
        let grows = large.pages / small.pages.max(1.0);
        let named = if grows > MOST { format!("  {grows:.1} times the pages") } else { String::new() };
        println!(
            "    {name:34} {:>12.1} {:>8.0} {:>12.1} {:>8.0}{named}",
            small.ms, small.pages, large.ms, large.pages
        );
    }
}

async fn in_shop([products, people, orders]: [usize; 3]) -> Vec<Cost> {
    let home = shop::folder();
    let more = "[database]\nstatement_timeout_ms = 60000\n";
    let shop = Shop::start_apart(home.path(), more);
    let admin = Admin::of(home.path(), &shop).await;
    // It brings the data key that all keys of the seed name.
    let (_, variant) = admin.keys_product("first", json!({})).await;
    admin.import(&variant, "FIRST-KEY-", 10).await;
    let began = Instant::now();
    let mut psql = Command::new(shop::postgres_program("psql"));
    psql.args(["-q", "-X", "-h"]).arg(shop.socket()).args(["-U", "dispense_owner"]);
    for (name, value) in [("products", products), ("people", people), ("orders", orders), ("keys", KEYS)] {
        psql.args(["-v", &format!("{name}={value}")]);
    }
    psql.args(["-v", &format!("admin={EMAIL}"), "-f"]);
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/scale.sql");
    assert!(psql.arg(script).arg("dispense").status().unwrap().success(), "the shop could not be made");
    let sql = shop.sql().await;
    let bytes: i64 = sql.query_one("select pg_database_size('dispense')", &[]).await.unwrap().get(0);
    println!(
        "    {products} products, {people} people, {orders} orders: {} MiB, made in {:.0} s",
        bytes / 1_048_576,
        began.elapsed().as_secs_f64()
    );
    let nobody = Admin::nobody(&shop);
    let mut costs = Vec::new();
    for (_, who, query) in &OPERATIONS {
        let who = match who {
            Who::Admin => &admin,
            Who::Anybody => &nobody,
        };
        costs.push(cost(&sql, who, query).await);
    }
    drop(sql);
    shop.stop();
    costs
}

async fn cost(sql: &Client, who: &Admin, query: &str) -> Cost {
    who.ask(query, json!({})).await;
    tokio::time::sleep(WRITTEN_DOWN).await;
    let before = touched(sql).await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        who.ask(query, json!({})).await;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    tokio::time::sleep(WRITTEN_DOWN).await;
    Cost { ms: median(times), pages: (touched(sql).await - before) as f64 / ROUNDS as f64 }
}

async fn touched(sql: &Client) -> i64 {
    let query = "select blks_hit + blks_read from pg_stat_database where datname = current_database()";
    sql.query_one(query, &[]).await.unwrap().get(0)
}
