//! Opens sold texts for the one who bought them: the only way from a sealed row to its text.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::base::ids::{KeyId, UnitId, VariantId};
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::infra::data_keys;
use crate::infra::effects::tasks::{self, NewTask, TaskKind};
use crate::infra::kit::Kit;
use crate::infra::seal::{DataKey, SealError, SealedPlace};
use crate::vault::insert::SEALED_COLUMN;
use crate::vault::store;
use crate::vault::tasks::{PieceSealBroken, SealBroken, Sealed, SealedPiece};

/// Where the texts are stored that are no keys.
pub(super) const SECRET_VERSION: &str = "secret_version.sealed";
pub(super) const UNIT_TEXT: &str = "unit_secret.sealed";

/// The opened text of a piece: its key, its version of a shared secret, or a text of its own.
#[derive(Clone)]
pub struct OpenedKey {
    pub unit_id: UnitId,
    pub text: Secret,
    /// When the buyer first saw it, if before this call.
    pub revealed_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl OpenedKey {
    /// For lists: enough to distinguish one's keys, too little to use one.
    pub fn masked(&self) -> String {
        masked(self.text.expose())
    }
}

impl fmt::Debug for OpenedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedKey({})", self.unit_id)
    }
}

/// Opens the texts of the given units; units without one are left out. Whoever shows the texts to a buyer also calls
/// `mark_revealed`, in the same transaction. A row that does not open raises the alarm (an error in the log and a
/// task) and fails the whole call: it was changed by somebody who cannot seal.
pub async fn open(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    units: &[UnitId],
) -> Result<Vec<OpenedKey>, Fault> {
    let rows = store::list_sealed(conn, units).await?;
    let data_keys = data_keys::open(conn, &kit.sealer, rows.iter().map(|r| r.data_key_id)).await?;
    let mut opened = Vec::with_capacity(rows.len());
    for row in rows {
        let place = SealedPlace { column: column_of(&row.source)?, row: row.id, owner: row.variant_id.0 };
        let is_key = place.column == SEALED_COLUMN;
        match open_at(kit, &data_keys, place, row.data_key_id, &row.sealed) {
            Ok(text) => opened.push(OpenedKey {
                unit_id: row.unit_id,
                text,
                revealed_at: row.revealed_at,
                expires_at: row.expires_at,
            }),
            Err(_) if is_key => return Err(alarm(kit, KeyId(row.id)).await),
            Err(_) => {
                let unit = row.unit_id;
                let task = PieceSealBroken::open(unit, SealedPiece { piece: unit });
                return Err(alarm_with(kit, &unit.to_string(), task).await);
            }
        }
    }
    Ok(opened)
}

fn column_of(source: &str) -> Result<&'static str, Fault> {
    let columns = [SEALED_COLUMN, SECRET_VERSION, UNIT_TEXT];
    let known = columns.into_iter().find(|column| column.strip_suffix(".sealed") == Some(source));
    known.ok_or_else(|| Fault::bug(format!("no sealed texts lie in {source}")))
}

/// The text of one sealed key.
pub(super) fn open_text(
    kit: &Kit,
    data_keys: &HashMap<Uuid, Arc<DataKey>>,
    key: KeyId,
    variant: VariantId,
    data_key: Uuid,
    sealed: &[u8],
) -> Result<Secret, SealError> {
    let place = SealedPlace { column: SEALED_COLUMN, row: key.0, owner: variant.0 };
    open_at(kit, data_keys, place, data_key, sealed)
}

/// The text that is sealed at a place.
pub(super) fn open_at(
    kit: &Kit,
    data_keys: &HashMap<Uuid, Arc<DataKey>>,
    place: SealedPlace,
    data_key: Uuid,
    sealed: &[u8],
) -> Result<Secret, SealError> {
    let data_key = data_keys.get(&data_key).ok_or(SealError::Broken)?;
    let bytes = kit.sealer.open(data_key, place, sealed)?;
    std::str::from_utf8(&bytes).map(Secret::new).map_err(|_| SealError::Broken)
}

/// Records that buyers see the keys of these units now; the first time counts. Returns how many it was the first
/// time for.
pub async fn mark_revealed(conn: &mut AsyncPgConnection, units: &[UnitId]) -> Result<usize, Fault> {
    Ok(store::advance_revealed(conn, units).await?)
}

/// Records that the texts of these units' keys leave by mail now; the first time counts. Returns how many are
/// marked: all of them, or somebody took one back.
pub async fn mark_mailed(conn: &mut AsyncPgConnection, units: &[UnitId]) -> Result<usize, Fault> {
    Ok(store::advance_mailed(conn, units).await?)
}

/// Opens a task for a person, on a connection of its own: the caller's transaction ends with the fault.
pub(super) async fn alarm(kit: &Kit, key: KeyId) -> Fault {
    alarm_with(kit, &key.to_string(), SealBroken::open(key, Sealed { key })).await
}

async fn alarm_with(kit: &Kit, row: &str, task: NewTask) -> Fault {
    tracing::error!(row, "a sealed text does not open: its row was changed");
    let opened =
        async { Ok::<_, Fault>(tasks::open(&*kit.db.conn().await?, &kit.clock, &[task]).await?) }.await;
    if let Err(fault) = opened {
        tracing::error!(row, %fault, "the task for it could not be written");
    }
    Fault::bug("a sealed text does not open")
}

/// `VC-****-7Q`: the prefix up to the first hyphen when it is short, and the last two characters. Texts under 12
/// characters show their end alone, under 8 nothing.
pub fn masked(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() < 8 {
        return "****".into();
    }
    let end: String = characters[characters.len() - 2..].iter().collect();
    match text.split_once('-') {
        Some((prefix, _)) if characters.len() >= 12 && (1..=4).contains(&prefix.chars().count()) => {
            format!("{prefix}-****-{end}")
        }
        _ => format!("****{end}"),
    }
}
