//! All SQL that changes activations.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Bool, Bytea, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::base::ids::{ActivationId, KeyId, UnitId};
use crate::infra::db::statement::Statement;
use crate::licences::model::{Activation, LicenceRow, Owned, SeenRow};

/// Shares the lock of a piece, which a row of one of its devices needs. Before the key's lock, as everybody takes them: a refund
/// holds the piece and then wants the key.
pub(super) async fn lock_unit(conn: &mut AsyncPgConnection, unit: UnitId) -> QueryResult<usize> {
    Statement::new("select id from unit where id = $1 for key share")
        .bind::<SqlUuid, _>(unit.0)
        .execute(conn)
        .await
}

/// Locks a key against a second device that is activated meanwhile, and against what takes the key back.
pub(super) async fn lock_key(conn: &mut AsyncPgConnection, key: KeyId) -> QueryResult<usize> {
    Statement::new("select id from vault_key where id = $1 for no key update")
        .bind::<SqlUuid, _>(key.0)
        .execute(conn)
        .await
}

/// The caller holds the key's lock and has counted.
pub(super) async fn insert(
    conn: &mut AsyncPgConnection,
    licence: &LicenceRow,
    activation: &Activation,
    device: [u8; 32],
) -> QueryResult<usize> {
    Statement::new(
        "insert into licence_activation (id, seller_id, key_id, unit_id, device, name, metadata) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind::<SqlUuid, _>(activation.id.0)
    .bind::<SqlUuid, _>(licence.seller_id.0)
    .bind::<SqlUuid, _>(licence.key_id.0)
    .bind::<SqlUuid, _>(activation.unit_id.0)
    .bind::<Bytea, _>(device.to_vec())
    .bind::<Text, _>(activation.name.clone())
    .bind::<Jsonb, _>(activation.metadata.clone())
    .execute(conn)
    .await
}

const SEEN: &str = "update licence_activation \
    set last_seen_at = app_now(), name = coalesce($1, name), metadata = coalesce($2, metadata) \
    where id = $3 and removed_at is null and ($4 or last_seen_at <= app_now() - interval '1 hour') \
    returning last_seen_at";

/// The device was seen. `changed`: another name or other metadata are given; without that it is written at most once an hour,
/// also by several at once. When it was, if this is who wrote it.
pub(super) async fn advance_seen(
    conn: &mut AsyncPgConnection,
    id: ActivationId,
    name: Option<&str>,
    metadata: Option<&Value>,
    changed: bool,
) -> QueryResult<Option<DateTime<Utc>>> {
    let row: Option<SeenRow> = Statement::new(SEEN)
        .bind::<Nullable<Text>, _>(name.map(str::to_owned))
        .bind::<Nullable<Jsonb>, _>(metadata.cloned())
        .bind::<SqlUuid, _>(id.0)
        .bind::<Bool, _>(changed)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|row| row.last_seen_at))
}

/// One of several who remove it at once does.
pub(super) async fn advance_removed(
    conn: &mut AsyncPgConnection,
    id: ActivationId,
    by: &str,
) -> QueryResult<usize> {
    Statement::new(
        "update licence_activation set removed_at = app_now(), removed_by = $1 where id = $2 and removed_at is null",
    )
    .bind::<Text, _>(by.to_owned())
    .bind::<SqlUuid, _>(id.0)
    .execute(conn)
    .await
}

/// Activations of a piece that holds the key now are left alone: a key may have been sold again.
const ORPHANED: &str = "update licence_activation a set removed_at = app_now(), removed_by = 'system' \
    from unit u where a.key_id = $1 and a.removed_at is null and u.id = a.unit_id \
      and not exists (select 1 from vault_key k where k.id = a.key_id and k.unit_id = a.unit_id and k.state = 'sold') \
    returning a.id, a.key_id, a.unit_id, u.line_id, u.order_id, a.seller_id";

/// Removes the activations of a key that its piece does not hold any more.
pub(super) async fn advance_orphaned(conn: &mut AsyncPgConnection, key: KeyId) -> QueryResult<Vec<Owned>> {
    Statement::new(ORPHANED).bind::<SqlUuid, _>(key.0).load(conn).await
}
