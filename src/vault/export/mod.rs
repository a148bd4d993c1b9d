//! Keys leave the vault in a file that import takes again. Who asked for it and why is in the audit chain before the first
//! byte leaves; the file itself is never stored. It is made page by page, so that memory stays the same.

mod store;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{BatchId, KeyExportId, SellerId, UserId, VariantId};
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::infra::data_keys;
use crate::infra::effects::events::{self, Event};
use crate::infra::kit::Kit;
use crate::infra::seal::DataKey;
use crate::vault::events::{Asked, ExportEvent, Exported};
use crate::vault::layout::KeyFileFormat;
use crate::vault::reveal::{alarm, open_text};
use crate::vault::state::KeyState;

pub use store::Export;
use store::ExportedKey;

/// How long an export that was asked for can be fetched.
const LIVES: TimeDelta = TimeDelta::hours(1);

/// Keys opened at a time.
const PAGE: i64 = 500;

/// Characters of a reason.
const LONGEST_REASON: usize = 500;

/// What is to leave.
#[derive(Clone, Debug)]
pub struct NewExport {
    pub variant_id: VariantId,
    /// Keys in one of these states.
    pub states: Vec<KeyState>,
    /// Rows or objects.
    pub format: KeyFileFormat,
    pub reason: String,
}

/// Asks for a file of a variant's keys, in the caller's transaction, which has seen that the actor sells the variant.
/// `REASON_REQUIRED`, `INVALID`.
pub async fn ask(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    seller: SellerId,
    new: &NewExport,
) -> Outcome<Export> {
    let reason = new.reason.trim();
    if reason.is_empty() {
        return Err(Refusal::new(ErrorCode::ReasonRequired, "say why").at(["reason"]).into());
    }
    if reason.chars().count() > LONGEST_REASON {
        let text = format!("a reason has at most {LONGEST_REASON} characters");
        return Err(Refusal::new(ErrorCode::Invalid, text).at(["reason"]).into());
    }
    if !matches!(new.format, KeyFileFormat::Csv | KeyFileFormat::Jsonl) {
        return Err(Refusal::new(ErrorCode::Invalid, "keys leave as rows or objects").at(["format"]).into());
    }
    if new.states.is_empty() {
        return Err(Refusal::new(ErrorCode::Invalid, "keys of no state are no keys").at(["states"]).into());
    }
    let export = Export {
        id: KeyExportId(kit.clock.uuid()),
        seller_id: seller,
        variant_id: new.variant_id,
        states: new.states.iter().map(|state| state.as_str().to_owned()).collect(),
        format: if new.format == KeyFileFormat::Csv { "csv" } else { "jsonl" }.to_owned(),
        reason: reason.to_owned(),
        asked_by: actor.user_id().map(|UserId(id)| id),
        expires_at: kit.clock.now() + LIVES,
    };
    store::insert(conn, &export).await?;
    let asked =
        Asked { variant: export.variant_id, states: export.states.join(","), format: export.format.clone() };
    let event = ExportEvent::Asked(export.id, asked).by(actor.label()).of_seller(seller);
    events::append(conn, &[event]).await?;
    Ok(export)
}

/// An export that this actor asked for. `NOT_FOUND`.
pub async fn get(conn: &mut AsyncPgConnection, actor: &Actor, id: KeyExportId) -> Outcome<Export> {
    let own = |export: &Export| {
        actor.sells_for(export.seller_id) && export.asked_by == actor.user_id().map(|UserId(id)| id)
    };
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such export");
    Ok(store::find(conn, id).await?.filter(own).ok_or_else(missing)?)
}

/// An export that this actor asked for and may fetch now. What it is about to send is recorded before it does.
/// `NOT_FOUND`, `LINK_EXPIRED`.
pub async fn begin(kit: &Kit, actor: &Actor, id: KeyExportId) -> Outcome<Export> {
    let mut tx = kit.db.begin().await?;
    let export = get(&mut tx, actor, id).await?;
    if export.expires_at <= kit.clock.now() {
        return Err(Refusal::new(ErrorCode::LinkExpired, "this export is over: ask for another").into());
    }
    let begun = ExportEvent::Begun(id, Exported { variant: export.variant_id, keys: 0 });
    events::append(&tx, &[begun.by(actor.label()).of_seller(export.seller_id)]).await?;
    tx.commit().await?;
    Ok(export)
}

/// How far an export is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    batch: Option<BatchId>,
    /// The place of its key that was written last; none: it is through.
    after: Option<i64>,
    pub keys: i64,
    begun: bool,
}

/// The next piece of the file, and the place behind it; none when it is whole. Keys that come or change meanwhile may be in it
/// or not.
pub async fn next_piece(
    kit: &Kit,
    export: &Export,
    mut place: Place,
) -> Result<Option<(Zeroizing<Vec<u8>>, Place)>, Fault> {
    let mut piece = Zeroizing::new(Vec::new());
    if !place.begun {
        place.begun = true;
        if export.format == "csv" {
            piece.extend_from_slice(b"key,expires_at,state\n");
        }
    }
    let mut conn = kit.db.conn().await?;
    loop {
        let Some(batch) = store::find_batch(&mut conn, export.variant_id, place.batch, place.after).await?
        else {
            return Ok((!piece.is_empty()).then_some((piece, place)));
        };
        let after = place.after.filter(|_| place.batch == Some(batch)).unwrap_or(-1);
        let rows = store::list_keys(&mut conn, batch, after, &export.states, PAGE).await?;
        let is_last = (rows.len() as i64) < PAGE;
        place = Place {
            batch: Some(batch),
            // The batch is through: the next one comes.
            after: rows.last().map(|row| row.pos).filter(|_| !is_last),
            keys: place.keys + rows.len() as i64,
            begun: true,
        };
        let data_keys =
            data_keys::open(&mut conn, &kit.sealer, rows.iter().map(|row| row.data_key_id)).await?;
        for row in &rows {
            write(kit, export, &data_keys, row, &mut piece).await?;
        }
        if !piece.is_empty() {
            return Ok(Some((piece, place)));
        }
    }
}

async fn write(
    kit: &Kit,
    export: &Export,
    data_keys: &HashMap<Uuid, Arc<DataKey>>,
    row: &ExportedKey,
    piece: &mut Zeroizing<Vec<u8>>,
) -> Result<(), Fault> {
    let opened = open_text(kit, data_keys, row.id, export.variant_id, row.data_key_id, &row.sealed);
    let Ok(text) = opened else { return Err(alarm(kit, row.id).await) };
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let expires_at = row.expires_at.map(time);
    if export.format == "csv" {
        let fields = [text.expose(), expires_at.as_deref().unwrap_or_default(), row.state.as_str()];
        let mut writer = csv::Writer::from_writer(Vec::new());
        let written = writer.write_record(fields).and_then(|()| Ok(writer.flush()?));
        written.map_err(|e| Fault::bug(format!("a row of an export: {e}")))?;
        piece.extend_from_slice(writer.get_ref());
    } else {
        let object = json!({ "key": text.expose(), "expires_at": expires_at, "state": row.state.as_str() });
        piece.extend_from_slice(object.to_string().as_bytes());
        piece.push(b'\n');
    }
    Ok(())
}

/// Records that an export was sent to its end.
pub async fn end(kit: &Kit, actor: &Actor, export: &Export, keys: i64) -> Result<(), Fault> {
    let ended = ExportEvent::Ended(export.id, Exported { variant: export.variant_id, keys });
    let event = ended.by(actor.label()).of_seller(export.seller_id);
    events::append(&*kit.db.conn().await?, &[event]).await?;
    Ok(())
}
