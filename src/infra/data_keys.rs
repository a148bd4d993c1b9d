//! The table of wrapped data keys.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::outcome::Fault;
use crate::infra::db::schema::data_key;
use crate::infra::seal::{DataKey, SealError, Sealer, WrappedKey};

type Row = (Uuid, String, Vec<u8>);

fn wrapped((id, kek_id, wrapped): Row) -> WrappedKey {
    WrappedKey { id, kek_id, wrapped }
}

/// Stores a new data key.
pub async fn insert(conn: &mut AsyncPgConnection, key: &WrappedKey) -> QueryResult<()> {
    diesel::insert_into(data_key::table)
        .values((
            data_key::id.eq(key.id),
            data_key::kek_id.eq(&key.kek_id),
            data_key::wrapped.eq(&key.wrapped),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// A new data key, stored wrapped.
pub async fn create(conn: &mut AsyncPgConnection, sealer: &Sealer, id: Uuid) -> Result<Arc<DataKey>, Fault> {
    let (data_key, wrapped) = sealer.make_data_key(id)?;
    insert(conn, &wrapped).await?;
    Ok(data_key)
}

/// Counts what a data key sealed. The database refuses more than 2^32.
pub async fn count_uses(conn: &mut AsyncPgConnection, id: Uuid, uses: i64) -> QueryResult<()> {
    diesel::update(data_key::table.find(id))
        .set(data_key::uses.eq(data_key::uses + uses))
        .execute(conn)
        .await?;
    Ok(())
}

/// The named data keys, unwrapped; asks the database only for those that are not in memory.
pub async fn open(
    conn: &mut AsyncPgConnection,
    sealer: &Sealer,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Arc<DataKey>>, Fault> {
    let mut found = HashMap::new();
    let mut wanted = Vec::new();
    for id in ids {
        match sealer.cached(id) {
            Some(key) => {
                found.insert(id, key);
            }
            None => wanted.push(id),
        }
    }
    if wanted.is_empty() {
        return Ok(found);
    }
    let rows: Vec<Row> = data_key::table
        .filter(data_key::id.eq_any(&wanted))
        .select((data_key::id, data_key::kek_id, data_key::wrapped))
        .load(conn)
        .await?;
    for row in rows {
        found.insert(row.0, sealer.unwrap_data_key(&wrapped(row))?);
    }
    match wanted.iter().find(|id| !found.contains_key(id)) {
        Some(id) => Err(SealError::UnknownKey(id.to_string()).into()),
        None => Ok(found),
    }
}

/// Key-encryption keys that stored data keys need and the ring lacks. Not empty: the program must not start,
/// because part of the stock could never be delivered.
pub async fn missing_keks(conn: &mut AsyncPgConnection, sealer: &Sealer) -> QueryResult<Vec<String>> {
    let used: Vec<String> =
        data_key::table.select(data_key::kek_id).distinct().order(data_key::kek_id).load(conn).await?;
    Ok(used.into_iter().filter(|id| !sealer.has_kek(id)).collect())
}

/// Wraps up to `limit` data keys again that an older key of the ring wraps; the data keys themselves stay, so
/// sales go on meanwhile, and a run that was cut goes on where it stopped. Returns how many it wrapped.
pub async fn rewrap(conn: &mut AsyncPgConnection, sealer: &Sealer, limit: i64) -> Result<usize, Fault> {
    let rows: Vec<Row> = data_key::table
        .filter(data_key::kek_id.ne(sealer.first_kek()))
        .select((data_key::id, data_key::kek_id, data_key::wrapped))
        .order(data_key::id)
        .limit(limit)
        .load(conn)
        .await?;
    let mut done = 0;
    for row in rows {
        let old = wrapped(row);
        if let Some(new) = sealer.rewrap(&old)? {
            // The old wrapping in the condition: two programs that rewrap at once do not undo each other.
            let same = data_key::table.find(old.id).filter(data_key::kek_id.eq(&old.kek_id));
            done += diesel::update(same)
                .set((data_key::kek_id.eq(&new.kek_id), data_key::wrapped.eq(&new.wrapped)))
                .execute(conn)
                .await?;
        }
    }
    Ok(done)
}
