//! (a) Notices settled per second over HTTP, signatures checked, every commit on the disk, against `pgbench` doing the
//! same work statement by statement on the same cluster.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispense::base::clock::Clock;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use tokio_postgres::Client;

use crate::shop::{SECRET, SHOP, Shop};
use crate::{client, median, orders, per_second, rounds, scaled, shop, verdict};

/// Product, notices in flight, the ratio aimed at, and what each round gave: ours, pgbench's.
type Row = (String, usize, f64, Vec<f64>, Vec<f64>);

const LEVELS: [(usize, f64); 3] = [(8, 0.8), (32, 2.0), (64, 3.0)];

/// Seconds' worth of work, roughly; a run of a fixed number of orders is timed.
const ORDERS_PER_RUN: f64 = 4_800.0;

const COUNTED: [&str; 9] = [
    "notice",
    "notice_body",
    "ledger_entry",
    "event",
    "message",
    "job",
    "(select 1 from vault_key where state = 'sold') sold",
    "(select 1 from orders where state = 'paid' and delivered_at is not null) paid",
    "(select 1 from unit where state = 'assigned') assigned",
];

/// The orders of a shop, given out run by run.
struct Orders {
    hot: usize,
    many: usize,
}

pub async fn measure() {
    let home = shop::folder();
    let shop = Shop::start(home.path());
    let sql = shop.sql().await;
    println!(
        "\n(a) notices settled per second: HTTP with checked signatures / pgbench -M prepared -j2, same cluster"
    );
    for name in ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "wal_sync_method"] {
        let value: String = sql.query_one(&format!("show {name}"), &[]).await.unwrap().get(0);
        print!("    {name}={value}");
    }
    println!();
    let run = scaled(ORDERS_PER_RUN) / 64 * 64;
    let total = run * LEVELS.len() * 2 * rounds();
    seed(&sql, total).await;
    let mut orders = Orders { hot: 0, many: total };
    let mut results: Vec<Row> = Vec::new();
    for product in ["one hot product", "100 products"] {
        for (level, wanted) in LEVELS {
            results.push((product.into(), level, wanted, Vec::new(), Vec::new()));
        }
    }
    for _ in 0..rounds() {
        for (product, level, _, ours, plain) in &mut results {
            let next = if product.starts_with("one") { &mut orders.hot } else { &mut orders.many };
            shop::checkpoint(&sql).await;
            let before = count(&sql).await;
            let start = std::mem::replace(next, *next + run);
            let done = over_http(&shop, *level, start, run).await;
            ours.push(per_second(run, done.took));
            let between = count(&sql).await;
            let start = std::mem::replace(next, *next + run);
            plain.push(shop.pgbench("notice.sql", *level, start, run));
            let after = count(&sql).await;
            compare(run, &before, &between, &after);
            println!(
                "    {product}, {level} in flight: {:>7.0}/s (p50 {:.1} ms, p99 {:.1} ms), pgbench {:>7.0}/s",
                ours[ours.len() - 1],
                done.p50.as_secs_f64() * 1e3,
                done.p99.as_secs_f64() * 1e3,
                plain[plain.len() - 1]
            );
        }
    }
    println!(
        "    rows per notice were counted in every table after every run, and were the same on both sides"
    );
    // A ratio compares two runs that followed each other: the machine's mood changes from round to round.
    println!("    medians (of the ratios: of each round's own ratio):");
    for (product, level, wanted, ours, plain) in results {
        let ratio = median(ours.iter().zip(&plain).map(|(ours, plain)| ours / plain).collect());
        let (ours, plain) = (median(ours), median(plain));
        println!(
            "    {product:>15}, {level:>2} in flight: {ours:>7.0}/s / {plain:>7.0}/s, ratio {ratio:.2} (wanted {wanted}: {})",
            verdict(ratio, wanted)
        );
    }
    drop(sql);
    shop.stop();
}

/// `total` orders for each of the two cases (each run takes its own), and keys for all of them.
async fn seed(sql: &Client, total: usize) {
    let began = Instant::now();
    let all = total * 2;
    let text = format!(
        "set synchronous_commit = off;
         insert into product (id, seller_id, slug, state, on_sale_at)
           select ('10000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, '{SHOP}', 'bench-' || n, 'on_sale', app_now()
           from generate_series(0, 100) n;
         insert into variant (id, seller_id, product_id, kind)
           select ('20000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, '{SHOP}',
             ('10000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'key' from generate_series(0, 100) n;
         insert into data_key (id, kek_id, wrapped) values ('30000000-0000-4000-8000-000000000000', 'bench', 'x');
         insert into key_batch (id, seller_id, variant_id, origin, data_key_id)
           select ('40000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, '{SHOP}',
             ('20000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'import', '30000000-0000-4000-8000-000000000000'
           from generate_series(0, 100) n;
         insert into vault_key (id, seller_id, variant_id, batch_id, fp, data_key_id, sealed)
           select gen_random_uuid(), '{SHOP}', ('20000000-0000-4000-8000-' || lpad(v.v::text, 12, '0'))::uuid,
             ('40000000-0000-4000-8000-' || lpad(v.v::text, 12, '0'))::uuid, sha256(n::text::bytea),
             '30000000-0000-4000-8000-000000000000', repeat('x', 60)::bytea
           from generate_series(0, {all} + 9999) n, lateral (select case when n < {total} then 0 else 1 + n % 100 end as v) v;
         insert into orders (id, number, currency, subtotal_minor, total_minor, email, email_normalised, locale, pay_by)
           select gen_random_uuid(), 'B' || lpad(n::text, 9, '0'), 'USD', 990, 990, n || '@buyer.example',
             n || '@buyer.example', 'en', app_now() + interval '1 day' from generate_series(0, {all} - 1) n;
         insert into order_line (id, seller_id, order_id, position, product_id, variant_id, title, variant_title, kind, quantity,
             partial_delivery, mail_policy, unit_minor, total_minor, currency, locale)
           select gen_random_uuid(), '{SHOP}', o.id, 0, ('10000000-0000-4000-8000-' || lpad(v.v::text, 12, '0'))::uuid,
             ('20000000-0000-4000-8000-' || lpad(v.v::text, 12, '0'))::uuid, 'Thing', 'Standard', 'key', 1, false, 'key', 990,
             990, 'USD', 'en'
           from orders o, lateral (select substr(o.number, 2)::int as n) n,
             lateral (select case when n.n < {total} then 0 else 1 + n.n % 100 end as v) v;
         insert into unit (id, seller_id, order_id, line_id, variant_id, unit_no, total_minor)
           select gen_random_uuid(), seller_id, order_id, id, variant_id, 1, 990 from order_line;
         insert into payment (id, order_id, account_id, account_snapshot, attempt, gateway_number, expected_minor,
             expected_currency)
           select gen_random_uuid(), id, 'bench', '{{}}', 1, number, 990, 'USD' from orders"
    );
    sql.batch_execute(&text).await.unwrap();
    sql.batch_execute("vacuum analyze").await.unwrap();
    println!("    {all} unpaid orders for one key each made in {:.0} s", began.elapsed().as_secs_f64());
}

/// Pays the orders `start..start + count` by signed notices.
pub async fn over_http(shop: &Shop, in_flight: usize, start: usize, count: usize) -> client::Run {
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    // A payment older than its order is another shop's, and is not settled.
    let clock = Clock::default();
    let (at, said_at) = (clock.unix(), clock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    let notice = move |n: usize| {
        let number = orders::number(start + n);
        let id = format!("evt_{number}");
        let body = json!({
            "type": "payment.succeeded", "timestamp": said_at,
            "data": { "order_no": number, "trade_no": format!("T{number}"), "amount_minor": 990, "currency": "USD", "status": "paid" },
        })
        .to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{id}.{at}.{body}").as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        let at = at.to_string();
        let headers = [
            ("webhook-id", id.as_str()),
            ("webhook-timestamp", at.as_str()),
            ("webhook-signature", signature.as_str()),
        ];
        client::post("/webhooks/bench", &headers, &body)
    };
    client::run(&shop.address, in_flight, count, notice).await
}

async fn count(sql: &Client) -> Vec<i64> {
    let parts: Vec<String> = COUNTED.iter().map(|t| format!("(select count(*) from {t})")).collect();
    let row = sql.query_one(&format!("select {}", parts.join(", ")), &[]).await.unwrap();
    (0..COUNTED.len()).map(|i| row.get(i)).collect()
}

fn compare(run: usize, before: &[i64], between: &[i64], after: &[i64]) {
    for (index, table) in COUNTED.iter().enumerate() {
        let (ours, plain) = (between[index] - before[index], after[index] - between[index]);
        assert_eq!(ours, plain, "{run} notices wrote {ours} rows of {table}, pgbench {plain}");
        assert!(ours >= run as i64, "{run} notices left {ours} rows of {table}");
    }
}
