//! Rows that the vault's tests need and that belong to features above it.

use diesel_async::AsyncPgConnection;
use dispense::base::actor::Actor;
use dispense::base::ids::{UnitId, VariantId};
use dispense::base::outcome::Outcome;
use dispense::catalogue::{self, intake};
use dispense::vault::batch::{self, NewBatch};
use dispense::vault::claim::{Want, assign, claim};
use dispense::vault::import::{Chunk, ChunkReader, Mark};
use dispense::vault::insert::{self, Inserted};
use dispense::vault::state::BatchChange;
use dispense::vault::{Batch, read};
use tokio::io::AsyncRead;
use uuid::Uuid;

use crate::harness::TestApp;

const SHOP: &str = "00000000-0000-7000-8000-000000000001";

/// A variant of a product on sale, of the kind *unique key*.
pub async fn variant(t: &TestApp) -> VariantId {
    let (product, variant) = (t.app.clock.uuid(), t.app.clock.uuid());
    t.db.sql(&format!(
        "insert into product (id, seller_id, slug, state, on_sale_at) \
         values ('{product}', '{SHOP}', 'p-{product}', 'on_sale', app_now()); \
         insert into variant (id, seller_id, product_id, kind) values ('{variant}', '{SHOP}', '{product}', 'key')"
    ))
    .await;
    VariantId(variant)
}

/// A paid order with one line of `count` units without goods.
pub async fn units(t: &TestApp, variant: VariantId, count: usize) -> Vec<UnitId> {
    let ids: Vec<Uuid> = (0..count).map(|_| t.app.clock.uuid()).collect();
    let (order, line, variant) = (t.app.clock.uuid(), t.app.clock.uuid(), variant.0);
    let number = hex::encode(&order.as_bytes()[8..]).to_uppercase();
    let units: Vec<String> = ids
        .iter()
        .enumerate()
        .map(|(n, id)| format!("('{id}', '{SHOP}', '{order}', '{line}', '{variant}', {}, 0)", n + 1))
        .collect();
    t.db.sql(&format!(
        "insert into orders (id, number, state, currency, subtotal_minor, total_minor, locale, pay_by, paid_at) \
         values ('{order}', '{number}', 'paid', 'EUR', 0, 0, 'en', app_now(), app_now()); \
         insert into order_line (id, seller_id, order_id, position, product_id, variant_id, title, variant_title, \
           kind, quantity, partial_delivery, mail_policy, unit_minor, total_minor, currency, locale) \
         select '{line}', '{SHOP}', '{order}', 1, product_id, id, '', '', kind, {count}, false, 'key', 0, 0, 'EUR', 'en' \
           from variant where id = '{variant}'; \
         insert into unit (id, seller_id, order_id, line_id, variant_id, unit_no, total_minor) values {}",
        units.join(",")
    ))
    .await;
    ids.into_iter().map(UnitId).collect()
}

/// Keys whose text nobody asks for. `expires` is SQL, one per key.
pub async fn bare_keys(t: &TestApp, variant: VariantId, expires: &[&str]) {
    let (batch, data_key, variant) = (t.app.clock.uuid(), t.app.clock.uuid(), variant.0);
    t.db.sql(&format!(
        "insert into data_key (id, kek_id, wrapped) values ('{data_key}', 'k1', ''); \
         insert into key_batch (id, seller_id, variant_id, origin, data_key_id) \
         values ('{batch}', '{SHOP}', '{variant}', 'import', '{data_key}')"
    ))
    .await;
    for expiry in expires {
        let (id, fp) = (t.app.clock.uuid(), hex::encode(dispense::base::clock::random::<32>()));
        t.db.sql(&format!(
            "insert into vault_key (id, seller_id, variant_id, batch_id, fp, data_key_id, sealed, expires_at) \
             values ('{id}', '{SHOP}', '{variant}', '{batch}', '\\x{fp}', '{data_key}', '', {expiry})"
        ))
        .await;
    }
}

/// Imports a file into a variant as the program does, chunk by chunk; the batch as it ended.
pub async fn import(t: &TestApp, variant: VariantId, file: &[u8]) -> Batch {
    let batch = intake::open_batch(&t.app, &Actor::system(), NewBatch::import(variant)).await.unwrap();
    go_on(t, batch, file).await
}

/// Stores a chunk as restocking does.
pub async fn insert_chunk(
    conn: &mut AsyncPgConnection,
    t: &TestApp,
    batch: &Batch,
    chunk: Chunk,
) -> Outcome<Inserted> {
    let folding = catalogue::read::list_folding(conn, batch.seller_id).await?;
    insert::insert_chunk(conn, &t.app, &Actor::system(), batch, &folding, chunk).await
}

/// Goes on with a batch after the lines it has read, to the end of the file.
pub async fn go_on(t: &TestApp, mut batch: Batch, file: &[u8]) -> Batch {
    let mut reader = reader(t, &batch, file);
    reader.pass(batch.lines).await.unwrap();
    while let Some(chunk) = reader.next().await.unwrap() {
        let mut tx = t.app.db.begin().await.unwrap();
        batch = insert_chunk(&mut tx, t, &batch, chunk).await.unwrap().batch;
        tx.commit().await.unwrap();
    }
    let mut conn = t.app.db.conn().await.unwrap();
    batch::end(&mut conn, &Actor::system(), batch.id, BatchChange::Finish).await.unwrap()
}

/// Reads a file for a batch from its beginning.
pub fn reader<R: AsyncRead + Unpin>(t: &TestApp, batch: &Batch, file: R) -> ChunkReader<R> {
    ChunkReader::new(file, t.app.sealer.line_chain(batch.id.0), Mark::default(), batch.layout().unwrap())
}

/// The report of a batch: `line:CODE` each.
pub async fn problems(t: &TestApp, batch: &Batch) -> Vec<String> {
    let mut conn = t.app.db.conn().await.unwrap();
    let rows = read::list_problems(&mut conn, batch.id, 0, 100_000).await.unwrap();
    rows.into_iter().map(|(line, code)| format!("{line}:{code}")).collect()
}

/// Sells one key for each unit.
pub async fn sell(t: &TestApp, variant: VariantId, units: &[UnitId]) {
    let tx = t.app.db.begin().await.unwrap();
    let want = Want { variant_id: variant, count: units.len() as i64 };
    let keys = claim(&tx, &[want]).await.unwrap().remove(0).key_ids;
    let pairs: Vec<_> = keys.into_iter().zip(units.iter().copied()).collect();
    assign(&tx, &pairs).await.unwrap();
    tx.commit().await.unwrap();
}
