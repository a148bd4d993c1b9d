//! (j) Bytes per order, of a year of orders, before what is old has left and after.

use serde_json::json;
use tokio_postgres::Client;

use crate::admin::Admin;
use crate::shop::{self, Shop, Worker};
use crate::{notices, orders, scaled};

/// Sold in a year, as many each month.
const ORDERS: f64 = 5_000.0;
const MONTHS: usize = 12;
/// Tables that are shown; the others are in the sum.
const SHOWN: usize = 14;

pub async fn measure() {
    println!("\n(j) bytes per order, one key each, paid by a notice that came twice, mailed");
    let home = shop::folder();
    let shop = Shop::start(home.path());
    let admin = Admin::of(home.path(), &shop).await;
    let sql = shop.sql().await;
    let (_, variant) = admin.keys_product("yearly", json!({})).await;
    let each = scaled(ORDERS) / MONTHS;
    admin.import(&variant, "YEARLY-KEY-", each * MONTHS).await;
    let empty = total(&sql).await;
    // The months that are over have their partitions, as they would have.
    set_age(&sql, MONTHS as i32 * 30 + 31).await;
    sql.batch_execute("select make_partitions('event', 'created_at', 14), make_partitions('notice_body', 'received_at', 14)")
        .await
        .unwrap();
    for month in 0..MONTHS {
        set_age(&sql, (MONTHS - month) as i32 * 30).await;
        orders::unpaid(&sql, orders::uuid(&variant), month * each, each).await;
        asked(&sql, month * each, each).await;
        for _ in 0..2 {
            notices::over_http(&shop, 16, month * each, each).await;
        }
        work(home.path(), &sql, (month + 1) * each).await;
    }
    set_age(&sql, 0).await;
    let orders = (each * MONTHS) as f64;
    let before = total(&sql).await;
    let tables = sizes(&sql).await;
    let worker = Worker::start(home.path(), "");
    // Its sweeps run once soon after the start: what is due has left when nothing of it is there.
    while count(&sql, DUE).await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    worker.stop();
    let after = total(&sql).await;
    let left = sizes(&sql).await;
    println!(
        "    {orders:.0} orders in {MONTHS} months; tables and their indexes, vacuumed in full; bytes per order"
    );
    for (table, bytes) in tables.iter().take(SHOWN) {
        let now = left.iter().find(|(name, _)| name == table).map_or(0, |(_, bytes)| *bytes);
        println!("    {table:<22} {:>7.0} {:>7.0}", *bytes as f64 / orders, now as f64 / orders);
    }
    let per = |bytes: i64| (bytes - empty) as f64 / orders;
    println!("    {:<22} {:>7.0} {:>7.0}", "all", per(before), per(after));
    drop(sql);
    shop.stop();
}

const DUE: &str = "select count(*) from (select 1 from event where created_at < date_trunc('month', app_now() - interval '90 days')
      union all select 1 from notice_body where received_at < date_trunc('month', app_now() - interval '180 days')
      union all select 1 from job where state = 'done' and finished_at < app_now() - interval '7 days'
      union all select 1 from idempotency where created_at < app_now() - interval '7 days'
      union all select 1 from order_visit where at < app_now() - interval '180 days') due";

async fn count(sql: &Client, text: &str) -> i64 {
    sql.query_one(text, &[]).await.unwrap().get(0)
}

/// What placing an order by the API leaves besides.
async fn asked(sql: &Client, from: usize, count: usize) {
    let (first, last) = (orders::number(from), orders::number(from + count - 1));
    sql.batch_execute(&format!(
        "insert into idempotency (scope, operation, key, request_digest, result_id)
           select 'client:none:guest', 'orderPlace', id::text, sha256(id::text::bytea), id from orders
           where number between '{first}' and '{last}';
         insert into order_visit (id, order_id, act, sealed)
           select gen_random_uuid(), id, 'placed', repeat('x', 160)::bytea from orders where number between '{first}' and '{last}'"
    ))
    .await
    .unwrap();
}

/// Has the background work of a month done.
async fn work(home: &std::path::Path, sql: &Client, mails: usize) {
    let worker = Worker::start(home, "");
    while count(sql, "select count(*) from message where state = 'sent'").await < mails as i64
        || count(sql, "select count(*) from job where state in ('queued', 'running') and run_at <= app_now()")
            .await
            > 0
        || count(sql, "select seq - (select min(seq) from event_cursor) from event_head").await > 0
    {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    worker.stop();
}

/// Lets the database's clock be so many days behind.
async fn set_age(sql: &Client, days: i32) {
    sql.batch_execute(&format!(
        "create or replace function app_now() returns timestamptz language sql stable parallel safe as
           $$ select now() - interval '{days} days' $$"
    ))
    .await
    .unwrap();
}

const TABLES: &str = "select coalesce(i.inhparent::regclass::text, c.relname) as name,
      sum(pg_total_relation_size(c.oid))::bigint as bytes
    from pg_class c left join pg_inherits i on i.inhrelid = c.oid
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace group by 1 order by 2 desc";

/// Tables with all their partitions and indexes, the largest first.
async fn sizes(sql: &Client) -> Vec<(String, i64)> {
    let rows = sql.query(TABLES, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn total(sql: &Client) -> i64 {
    sql.batch_execute("vacuum full").await.unwrap();
    sizes(sql).await.iter().map(|(_, bytes)| bytes).sum()
}
