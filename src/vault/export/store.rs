//! SQL of exports.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::{BatchId, KeyExportId, KeyId, SellerId, VariantId};
use crate::infra::db::schema::key_export;
use crate::infra::db::statement::Statement;
use crate::vault::state::KeyState;

/// An export that was asked for.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = key_export, check_for_backend(diesel::pg::Pg))]
pub struct Export {
    pub id: KeyExportId,
    pub seller_id: SellerId,
    pub variant_id: VariantId,
    pub states: Vec<String>,
    /// `csv` or `jsonl`.
    pub format: String,
    pub reason: String,
    pub asked_by: Option<Uuid>,
    pub expires_at: DateTime<Utc>,
}

pub(super) async fn insert(conn: &mut AsyncPgConnection, export: &Export) -> QueryResult<usize> {
    diesel::insert_into(key_export::table).values(export).execute(conn).await
}

pub(super) async fn find(conn: &mut AsyncPgConnection, id: KeyExportId) -> QueryResult<Option<Export>> {
    key_export::table.find(id).select(Export::as_select()).first(conn).await.optional()
}

#[derive(QueryableByName)]
struct OfBatch {
    #[diesel(sql_type = SqlUuid)]
    id: BatchId,
}

/// The batch that an export goes on with: the same while some of it is left, else the next one.
pub(super) async fn find_batch(
    conn: &mut AsyncPgConnection,
    variant: VariantId,
    batch: Option<BatchId>,
    after: Option<i64>,
) -> QueryResult<Option<BatchId>> {
    if let (Some(batch), Some(_)) = (batch, after) {
        return Ok(Some(batch));
    }
    let sql = "select id from key_batch where variant_id = $1 and ($2::uuid is null or id > $3) order by id limit 1";
    let rows: Vec<OfBatch> = Statement::new(sql)
        .bind::<SqlUuid, _>(variant)
        .bind::<Nullable<SqlUuid>, _>(batch)
        .bind::<Nullable<SqlUuid>, _>(batch)
        .load(conn)
        .await?;
    Ok(rows.into_iter().next().map(|row| row.id))
}

/// A key that leaves, still sealed.
#[derive(QueryableByName)]
pub(super) struct ExportedKey {
    #[diesel(sql_type = SqlUuid)]
    pub id: KeyId,
    #[diesel(sql_type = BigInt)]
    pub pos: i64,
    #[diesel(sql_type = Text)]
    pub state: KeyState,
    #[diesel(sql_type = SqlUuid)]
    pub data_key_id: Uuid,
    #[diesel(sql_type = Bytea)]
    pub sealed: Vec<u8>,
    /// None is never.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// In the order of their lines.
const KEYS: &str = "\
    select id, pos, state, data_key_id, sealed, nullif(expires_at, 'infinity') as expires_at from vault_key
     where batch_id = $1 and pos > $2 and state = any($3) order by pos limit $4";

pub(super) async fn list_keys(
    conn: &mut AsyncPgConnection,
    batch: BatchId,
    after: i64,
    states: &[String],
    limit: i64,
) -> QueryResult<Vec<ExportedKey>> {
    Statement::new(KEYS)
        .bind::<SqlUuid, _>(batch)
        .bind::<BigInt, _>(after)
        .bind::<Array<Text>, _>(states.to_vec())
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}
