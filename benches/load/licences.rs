//! (h) Licences activated on a first device per second over HTTP, against `pgbench` doing the same statements.

use serde_json::json;
use tokio_postgres::Client;

use crate::admin::Admin;
use crate::shop::{self, Shop};
use crate::{client, median, notices, orders, per_second, rounds, scaled, verdict};

const LEVELS: [usize; 2] = [8, 32];
const WANTED: f64 = 0.5;
const PER_RUN: f64 = 3_200.0;

pub async fn measure() {
    println!("\n(h) activations per second: HTTP / pgbench -M prepared -j2, same cluster");
    let home = shop::folder();
    let shop = Shop::start(home.path());
    let admin = Admin::of(home.path(), &shop).await;
    let sql = shop.sql().await;
    let run = scaled(PER_RUN) / 32 * 32;
    let total = run * LEVELS.len() * 2 * rounds();
    let fields = json!({ "licensing": true, "activationLimit": 3 });
    let (product, variant) = admin.keys_product("licensed", fields).await;
    admin.import(&variant, "LICENCE-KEY-", total).await;
    orders::unpaid(&sql, orders::uuid(&variant), 0, total).await;
    notices::over_http(&shop, 32, 0, total).await;
    number_keys(&sql).await;
    let mut next = 0;
    let mut results: Vec<_> = LEVELS.map(|level| (level, Vec::new(), Vec::new())).into();
    for _ in 0..rounds() {
        for (level, ours, plain) in &mut results {
            shop::checkpoint(&sql).await;
            let done = over_http(&shop, &product, *level, next, run).await;
            ours.push(per_second(run, done.took));
            plain.push(shop.pgbench("activate.sql", *level, next + run, run));
            next += run * 2;
        }
    }
    let made: i64 = sql.query_one("select count(*) from licence_activation", &[]).await.unwrap().get(0);
    assert_eq!(made as usize, total, "each run activated every key of its own once");
    for (level, ours, plain) in results {
        let ratio = median(ours.iter().zip(&plain).map(|(ours, plain)| ours / plain).collect());
        println!(
            "    {level:>2} in flight: {:.0}/s / {:.0}/s, ratio {ratio:.2} (wanted {WANTED}: {})",
            median(ours),
            median(plain),
            verdict(ratio, WANTED)
        );
    }
    drop(sql);
    shop.stop();
}

/// Which key is the n-th of the file: its position in the stock says so.
async fn number_keys(sql: &Client) {
    sql.batch_execute(
        "create table bench_key as select row_number() over (order by k.pos) - 1 as n, coalesce(k.fp_next, k.fp) as fp, v.product_id
           from vault_key k join variant v on v.id = k.variant_id where k.state = 'sold';
         create unique index on bench_key (n)",
    )
    .await
    .unwrap();
    sql.batch_execute("vacuum analyze").await.unwrap();
}

async fn over_http(shop: &Shop, product: &str, in_flight: usize, start: usize, count: usize) -> client::Run {
    let product = product.to_owned();
    let activate = move |n: usize| {
        let key = format!("LICENCE-KEY-{:09}", start + n);
        let body = json!({ "productId": product, "key": key, "device": "bench-device" });
        client::post("/licences/activate", &[], &body.to_string())
    };
    client::run(&shop.address, in_flight, count, activate).await
}
