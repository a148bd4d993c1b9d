//! (b) Buffers that one claim touches, by EXPLAIN: it must not grow with the stock, nor with what was sold.

use tokio_postgres::Client;

use crate::scaled;
use crate::shop::{self, SHOP, Shop};

/// The program's own statement, cut out of its source, so that it is never another.
fn claim() -> String {
    let source = include_str!("../../src/vault/store.rs");
    let text = source.split_once("const CLAIM: &str = \"").unwrap().1.split_once("\";").unwrap().0;
    let text = text.trim_start_matches('\\').replace("$1", "$1::uuid[]").replace("$2", "$2::bigint[]");
    format!("prepare claim (uuid[], bigint[]) as {text}")
}

pub async fn measure() {
    println!("\n(b) buffers touched per claim of one key (EXPLAIN ANALYZE, BUFFERS; generic plan)");
    let home = shop::folder();
    let shop = Shop::start(home.path());
    let sql = shop.sql().await;
    let large = scaled(1_000_000.0);
    seed(&sql, 1, 1_000).await;
    seed(&sql, 2, large).await;
    sql.batch_execute("vacuum analyze vault_key").await.unwrap();
    sql.batch_execute("set plan_cache_mode = force_generic_plan").await.unwrap();
    sql.batch_execute(&claim()).await.unwrap();
    let small = buffers(&sql, 1).await;
    let big = buffers(&sql, 2).await;
    println!(
        "    10^3 keys: {small}; {large} keys: {big} (wanted: at most 3 more: {})",
        word(big <= small + 3)
    );
    let sales = scaled(50_000.0);
    for _ in 0..sales / 64 {
        sql.batch_execute(
            "with c as (select k.id from vault_key k where k.variant_id = '20000000-0000-4000-8000-000000000002'
               and k.state = 'available' order by k.expires_at, k.pos limit 64 for update skip locked)
             update vault_key k set state = 'voided', voided_at = app_now() from c where k.id = c.id",
        )
        .await
        .unwrap();
    }
    let dirty = buffers(&sql, 2).await;
    sql.batch_execute("vacuum vault_key").await.unwrap();
    let clean = buffers(&sql, 2).await;
    println!(
        "    after {sales} sales: {dirty}; after one vacuum: {clean} (wanted: at most twice {big}: {})",
        word(clean <= big * 2)
    );
    drop(sql);
    shop.stop();
}

fn word(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

async fn seed(sql: &Client, variant: usize, keys: usize) {
    let id = |kind: u8| format!("{kind}0000000-0000-4000-8000-{variant:012}");
    let (product, row, batch, data_key) = (id(1), id(2), id(4), id(3));
    sql.batch_execute(&format!(
        "set synchronous_commit = off;
         insert into product (id, seller_id, slug) values ('{product}', '{SHOP}', 'claims-{variant}');
         insert into variant (id, seller_id, product_id, kind) values ('{row}', '{SHOP}', '{product}', 'key');
         insert into data_key (id, kek_id, wrapped) values ('{data_key}', 'bench', 'x');
         insert into key_batch (id, seller_id, variant_id, origin, data_key_id)
           values ('{batch}', '{SHOP}', '{row}', 'import', '{data_key}');
         insert into vault_key (id, seller_id, variant_id, batch_id, fp, data_key_id, sealed)
           select gen_random_uuid(), '{SHOP}', '{row}', '{batch}', sha256(('{variant}:' || n)::bytea), '{data_key}',
             repeat('x', 60)::bytea from generate_series(1, {keys}) n"
    ))
    .await
    .unwrap();
}

/// The least of some claims, each rolled back: the first one also pays for what the planner reads.
async fn buffers(sql: &Client, variant: usize) -> i64 {
    let text = format!(
        "explain (analyze, buffers, format json) execute claim ('{{20000000-0000-4000-8000-{variant:012}}}', '{{1}}')"
    );
    let mut least = i64::MAX;
    for _ in 0..4 {
        sql.batch_execute("begin").await.unwrap();
        let messages = sql.simple_query(&text).await.unwrap();
        let plan: String = messages
            .into_iter()
            .filter_map(|m| match m {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(String::from),
                _ => None,
            })
            .collect();
        sql.batch_execute("rollback").await.unwrap();
        let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
        let part = |name: &str| plan[0]["Plan"][name].as_i64().unwrap();
        least = least.min(part("Shared Hit Blocks") + part("Shared Read Blocks"));
    }
    least
}
