//! Opens and ends a batch. Between the two, chunks of keys are stored, each in a transaction of its own.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{BatchId, UserId, VariantId};
use crate::base::outcome::{Failure, Outcome, Refusal};
use crate::infra::data_keys;
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::kit::Kit;
use crate::vault::events::{BatchEvent, Ended, Opened};
use crate::vault::format::{KeyFormat, MIN_BITS};
use crate::vault::generate;
use crate::vault::jobs::GenerateKeys;
use crate::vault::layout::Layout;
use crate::vault::model::{Batch, KeyVariant};
use crate::vault::state::BatchChange;
use crate::vault::store;

/// Keys that one batch may generate.
pub const LARGEST_BATCH: i64 = 1_000_000;

/// A batch to be opened: an import, unless it says what to generate.
#[derive(Clone, Debug)]
pub struct NewBatch {
    pub variant_id: VariantId,
    pub generate: Option<Generate>,
    /// How the file of an import is laid out.
    pub layout: Layout,
    /// Its keys are looked at before they are sold.
    pub preview: bool,
    pub note: Option<String>,
    /// When its keys stop being sold; `None` is never.
    pub keys_expire_at: Option<DateTime<Utc>>,
    pub created_by: Option<UserId>,
}

impl NewBatch {
    pub fn import(variant_id: VariantId) -> Self {
        Self {
            variant_id,
            generate: None,
            layout: Layout::default(),
            preview: false,
            note: None,
            keys_expire_at: None,
            created_by: None,
        }
    }

    /// Without a format, the variant's own is taken.
    pub fn generate(variant_id: VariantId, quantity: i64, format: impl Into<Option<KeyFormat>>) -> Self {
        Self { generate: Some(Generate { quantity, format: format.into() }), ..Self::import(variant_id) }
    }
}

/// What to generate.
#[derive(Clone, Debug)]
pub struct Generate {
    /// 1 to 1,000,000.
    pub quantity: i64,
    pub format: Option<KeyFormat>,
}

/// Opens a batch with a data key of its own, in the caller's transaction, which has seen that the variant takes keys of
/// this actor. `TOO_MANY`, `FORMAT_TOO_WEAK`, `INVALID`.
pub async fn open(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    variant: KeyVariant,
    mut new: NewBatch,
) -> Outcome<Batch> {
    new.layout.check()?;
    if let Some(generate) = &mut new.generate {
        if !(1..=LARGEST_BATCH).contains(&generate.quantity) {
            let text = format!("a batch generates 1 to {LARGEST_BATCH} keys");
            return Err(Refusal::new(ErrorCode::TooMany, text).at(["quantity"]).into());
        }
        let own =
            || variant.key_format.and_then(|format| serde_json::from_value(format).ok()).unwrap_or_default();
        let format = generate.format.get_or_insert_with(own);
        format.check(variant.fold_case, MIN_BITS)?;
        if format.signed && kit.config.secrets.licences.is_empty() {
            let text = "the shop has no key to sign with: `secrets.licences` is not set";
            return Err(Refusal::new(ErrorCode::Invalid, text).at(["format", "signed"]).into());
        }
    }
    if new.keys_expire_at.is_some_and(|at| at <= kit.clock.now()) {
        return Err(Refusal::new(ErrorCode::Invalid, "the keys would have expired already")
            .at(["keysExpireAt"])
            .into());
    }
    let data_key = data_keys::create(conn, &kit.sealer, kit.clock.uuid()).await?;
    let id = BatchId(kit.clock.uuid());
    let batch = store::insert_batch(conn, id, data_key.id, variant.seller_id, &new).await?;
    let opened = Opened { variant: batch.variant_id, origin: batch.origin.as_str().into() };
    let event = BatchEvent::Opened(batch.id, opened).by(actor.label()).of_seller(batch.seller_id);
    events::append(conn, &[event]).await?;
    if new.generate.is_some() {
        // Whoever opened it makes the keys; should they be killed, the job goes on where they were.
        let job = GenerateKeys { batch: batch.id }.job();
        jobs::add(conn, &[job.at(kit.clock.now() + generate::HEAD_START)]).await?;
    }
    Ok(batch)
}

/// A batch of a seller whom the actor acts for.
pub async fn get(conn: &mut AsyncPgConnection, actor: &Actor, id: BatchId) -> Outcome<Batch> {
    match store::find_batch(conn, id).await?.filter(|b| actor.sells_for(b.seller_id)) {
        Some(batch) => Ok(batch),
        None => Err(Refusal::new(ErrorCode::NotFound, "there is no such batch").at(["batchId"]).into()),
    }
}

/// The same for staff too.
pub async fn get_any(conn: &mut AsyncPgConnection, actor: &Actor, id: BatchId) -> Outcome<Batch> {
    let seen = |batch: &Batch| actor.is_staff() || actor.sells_for(batch.seller_id);
    match store::find_batch(conn, id).await?.filter(seen) {
        Some(batch) => Ok(batch),
        None => Err(Refusal::new(ErrorCode::NotFound, "there is no such batch").at(["batchId"]).into()),
    }
}

/// No more keys are taken into a batch that was recalled.
pub fn refuse_recalled(batch: &Batch) -> Result<(), Refusal> {
    match batch.recalled_at {
        None => Ok(()),
        Some(_) => {
            let text = "this batch was recalled";
            Err(Refusal::new(ErrorCode::BatchAlreadyRecalled, text).at(["batchId"]))
        }
    }
}

/// Ends a batch in the caller's transaction, or takes it a step towards its end. A repeat changes nothing.
/// `IMPORT_ALREADY_COMMITTED` when it is too late for that, `IN_PROGRESS` when somebody else just changes it.
pub async fn end(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: BatchId,
    change: BatchChange,
) -> Outcome<Batch> {
    let batch = get(conn, actor, id).await?;
    let state = batch
        .state
        .after(change)
        .map_err(|e| Refusal::new(ErrorCode::ImportAlreadyCommitted, e.to_string()))?;
    if state == batch.state {
        return Ok(batch);
    }
    if store::advance_batch(conn, &batch, state).await? != 1 {
        return Err(Failure::from(
            Refusal::new(ErrorCode::InProgress, "the batch is just being ended").retry_after(1),
        ));
    }
    let ended = Ended { state: state.as_str().into(), added: batch.added, refused: batch.refused };
    let event = BatchEvent::Ended(id, ended).by(actor.label()).of_seller(batch.seller_id);
    events::append(conn, &[event]).await?;
    get(conn, actor, id).await
}
