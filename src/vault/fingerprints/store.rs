//! SQL of fingerprints that are computed anew.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Bytea, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{KeyId, SellerId, VariantId};
use crate::infra::db::statement::Statement;
use crate::vault::model::{OldPrint, PrintOf, VariantRow};

/// Locked, so that the later update waits for nobody. What a person was asked about already is left to that person.
const OLD_PRINTS: &str = "\
    select k.id, k.seller_id, k.variant_id, k.state, k.data_key_id, k.sealed
      from vault_key k
     where k.variant_id = $1 and k.fp_next is null and k.id > $2
       and not exists (select 1 from task t where t.kind = 'key_text_twin' and t.subject = k.id::text)
     order by k.id limit $3 for no key update skip locked";

pub(super) async fn lock_old_prints(
    conn: &mut AsyncPgConnection,
    variant: VariantId,
    after: Option<KeyId>,
    limit: i64,
) -> QueryResult<Vec<OldPrint>> {
    Statement::new(OLD_PRINTS)
        .bind::<SqlUuid, _>(variant)
        .bind::<SqlUuid, _>(after.map_or(uuid::Uuid::nil(), |key| key.0))
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}

pub(super) async fn list_old_print_variants(conn: &mut AsyncPgConnection) -> QueryResult<Vec<VariantId>> {
    let sql = "select distinct variant_id from vault_key where fp_next is null order by variant_id";
    let rows: Vec<VariantRow> = Statement::new(sql).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.variant_id).collect())
}

/// Who has these fingerprints.
pub(super) async fn list_prints(
    conn: &mut AsyncPgConnection,
    seller: SellerId,
    prints: Vec<Vec<u8>>,
) -> QueryResult<HashMap<Vec<u8>, KeyId>> {
    let sql = "select id, fp_next from vault_key where seller_id = $1 and fp_next = any($2)";
    let rows: Vec<PrintOf> =
        Statement::new(sql).bind::<SqlUuid, _>(seller).bind::<Array<Bytea>, _>(prints).load(conn).await?;
    Ok(rows.into_iter().map(|row| (row.fp_next, row.id)).collect())
}

const PRINTS: &str = "\
    update vault_key k set fp_next = m.fp from (select * from unnest($1::uuid[], $2::bytea[]) as t(id, fp)) m
     where k.id = m.id and k.fp_next is null";

pub(super) async fn advance_prints(
    conn: &mut AsyncPgConnection,
    prints: Vec<(KeyId, Vec<u8>)>,
) -> QueryResult<usize> {
    if prints.is_empty() {
        return Ok(0);
    }
    let (keys, prints): (Vec<KeyId>, Vec<Vec<u8>>) = prints.into_iter().unzip();
    Statement::new(PRINTS).bind::<Array<SqlUuid>, _>(keys).bind::<Array<Bytea>, _>(prints).execute(conn).await
}
