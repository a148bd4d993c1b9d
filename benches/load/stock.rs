//! (g) Keys that come in: against `COPY` of the same rows into the same table, with what it takes of memory; and an import
//! that fills the lines which wait for it, against the same import without them.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_postgres::Client;

use crate::admin::Admin;
use crate::shop::{self, Shop};
use crate::{median, notices, orders, per_second, rounds, scaled, verdict};

/// Wanted: parts of the speed of `COPY` and of an import that nobody waits for, and MiB more of the server.
const OF_COPY: f64 = 0.15;
const OF_PLAIN: f64 = 0.12;
const MOST_MIB: f64 = 64.0;

pub async fn measure() {
    println!("\n(g) keys imported over HTTP");
    let home = shop::folder();
    // What an import does not fill itself its worker does.
    let shop = Shop::start_working(home.path(), "");
    let admin = Admin::of(home.path(), &shop).await;
    let sql = shop.sql().await;
    beside_copy(&shop, &admin, &sql).await;
    with_waiters(&shop, &admin, &sql).await;
    drop(sql);
    shop.stop();
}

async fn beside_copy(shop: &Shop, admin: &Admin, sql: &Client) {
    let count = scaled(1_000_000.0);
    let (_, variant) = admin.keys_product("imported", json!({})).await;
    // What only the first import costs is there already.
    admin.import(&variant, "WARM-", 2_000).await;
    let calm = shop.forget_peak();
    let began = Instant::now();
    admin.import(&variant, "IMPORTED-KEY-", count).await;
    let took = began.elapsed();
    let more = shop.peak() - calm;
    let stored: i64 = sql.query_one("select count(*) from vault_key", &[]).await.unwrap().get(0);
    assert_eq!(stored as usize, count + 2_000);
    let columns: String = sql
        .query_one(
            "select string_agg(quote_ident(column_name), ', ' order by ordinal_position) from information_schema.columns
             where table_name = 'vault_key' and is_generated = 'NEVER'",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    let rows = shop.data.join("rows.copy");
    psql(shop, &format!("\\copy vault_key ({columns}) to '{}'", rows.display()));
    sql.batch_execute("truncate vault_key cascade").await.unwrap();
    shop::checkpoint(sql).await;
    let began = Instant::now();
    psql(shop, &format!("\\copy vault_key ({columns}) from '{}'", rows.display()));
    let copied = began.elapsed();
    std::fs::remove_file(rows).unwrap();
    sql.batch_execute("truncate vault_key cascade").await.unwrap();
    let (ours, theirs) = (per_second(count, took), per_second(count + 2_000, copied));
    let ratio = ours / theirs;
    println!(
        "    {count} keys: {ours:.0}/s, COPY of the same rows {theirs:.0}/s, ratio {ratio:.2} (wanted {OF_COPY}: {})",
        verdict(ratio, OF_COPY)
    );
    println!(
        "    memory of the server at its most: {more:.1} MiB above {calm:.1} (wanted at most {MOST_MIB}: {})",
        verdict(MOST_MIB / more.max(0.1), 1.0)
    );
}

async fn with_waiters(shop: &Shop, admin: &Admin, sql: &Client) {
    let count = scaled(10_000.0);
    let (mut plain, mut filled) = (Vec::new(), Vec::new());
    for round in 0..rounds() {
        let (_, alone) = admin.keys_product(&format!("alone-{round}"), json!({})).await;
        let (_, awaited) = admin.keys_product(&format!("awaited-{round}"), json!({})).await;
        let from = round * count;
        orders::unpaid(sql, orders::uuid(&awaited), from, count).await;
        notices::over_http(shop, 32, from, count).await;
        let waiting = "select count(*) from unit where state = 'awaiting_stock'";
        assert_eq!(sql.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) as usize, count);
        shop::checkpoint(sql).await;
        let began = Instant::now();
        admin.import(&alone, &format!("ALONE-{round}-"), count).await;
        plain.push(per_second(count, began.elapsed()));
        let began = Instant::now();
        admin.import(&awaited, &format!("AWAITED-{round}-"), count).await;
        while sql.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        filled.push(per_second(count, began.elapsed()));
    }
    let ratio = median(filled.iter().zip(&plain).map(|(filled, plain)| filled / plain).collect());
    println!(
        "    {count} keys with as many lines that wait for them: {:.0}/s, without {:.0}/s, ratio {ratio:.2} (wanted {OF_PLAIN}: {})",
        median(filled),
        median(plain),
        verdict(ratio, OF_PLAIN)
    );
}

fn psql(shop: &Shop, command: &str) {
    let mut child = Command::new(shop::postgres_program("psql"))
        .args(["-q", "-X", "-v", "ON_ERROR_STOP=1", "-h"])
        .arg(shop.socket())
        .args(["-U", "dispense_owner", "dispense"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{command}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{command}");
}
