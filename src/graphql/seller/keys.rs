use std::time::Duration;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::ids::{BatchId, VariantId};
use crate::base::outcome::Outcome;
use crate::catalogue::intake;
use crate::fulfilment::restock;
use crate::graphql::catalogue::KeyFormatInput;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt, split};
use crate::graphql::id;
use crate::graphql::scalars::{DateTime, Url};
use crate::graphql::seller::types::{KeyBatch, KeyFileFormat};
use crate::graphql::user_error::StockError;
use crate::vault::Batch;
use crate::vault::batch::{self, NewBatch};
use crate::vault::layout::Layout;

/// How long a call waits for its keys to be made; the making goes on after it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Input of `keyImportCreate`.
#[derive(InputObject)]
pub struct KeyImportCreateInput {
    /// Which variant the keys are for.
    variant_id: ID,
    /// For oneself.
    note: Option<String>,
    /// When the keys stop being sold that have no date of their own in the file; never when left out.
    keys_expire_at: Option<DateTime>,
    /// How the file is laid out; by default one key a line.
    format: Option<KeyFileFormat>,
    /// Of CSV: the character between two fields, by default a comma. Of keys of several lines: the line between two keys, by
    /// default `---`.
    separator: Option<String>,
    /// Of CSV: whether the first row has the names of the fields; by default it does.
    header: Option<bool>,
    /// Of CSV and JSONL: which fields are meant.
    columns: Option<KeyColumnsInput>,
    /// Whether the keys are looked at before they are sold: then `keyImportCommit` puts them on sale. By default they are
    /// sold as soon as they are read.
    preview: Option<bool>,
}

/// Which fields of a row or object are meant.
#[derive(InputObject)]
pub struct KeyColumnsInput {
    /// The field with the key; by default `key`. Without a header the number of the field, by default 1.
    key: Option<String>,
    /// The field with the date at which the key stops being sold: an RFC 3339 time, or a day, whose beginning in UTC is meant;
    /// empty is never. By default `expires_at`, if there is such a field.
    expires_at: Option<String>,
}

/// Payload of `keyImportCreate`.
#[derive(Default, SimpleObject)]
pub struct KeyImportCreatePayload {
    /// The batch.
    batch: Option<KeyBatch>,
    /// Send the file there by `POST` with the same access token. When it broke off, send the same file
    /// again, or the rest with `Upload-Offset`.
    upload_url: Option<Url>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StockError>,
}

/// Input of `keysGenerate`.
#[derive(InputObject)]
pub struct KeysGenerateInput {
    /// Which variant the keys are for.
    variant_id: ID,
    /// How many, 1 to 1,000,000.
    quantity: i32,
    /// How they look; by default as the variant's pattern.
    format: Option<KeyFormatInput>,
    /// For oneself.
    note: Option<String>,
    /// When the keys stop being sold; never when left out.
    keys_expire_at: Option<DateTime>,
}

/// Payload of `keysGenerate`.
#[derive(Default, SimpleObject)]
pub struct KeysGeneratePayload {
    /// The batch; a large one is still running.
    batch: Option<KeyBatch>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StockError>,
}

/// Taking keys in and making them.
#[derive(Default)]
pub struct KeyMutation;

#[Object]
impl KeyMutation {
    /// Opens a batch and returns where its keys are to be sent.
    async fn key_import_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the keys are for.")] input: KeyImportCreateInput,
    ) -> Answer<KeyImportCreatePayload> {
        let created_by = Some(ctx.person()?.user_id);
        let done = async {
            let variant = id::read(&input.variant_id, "variantId", VariantId::parse)?;
            let new = NewBatch {
                note: input.note,
                keys_expire_at: input.keys_expire_at.map(|d| d.0),
                created_by,
                layout: layout(input.format, input.separator, input.header, input.columns),
                preview: input.preview.unwrap_or(false),
                ..NewBatch::import(variant)
            };
            intake::open_batch(ctx.backend(), ctx.actor(), new).await
        };
        Ok(match split(done.await)? {
            Ok(batch) => KeyImportCreatePayload {
                upload_url: Some(Url(format!("{}/keys/import/{}", ctx.backend().public_url(), batch.id))),
                batch: Some(KeyBatch(batch)),
                user_errors: Vec::new(),
            },
            Err(refusal) => KeyImportCreatePayload {
                user_errors: ctx.user_errors(refusal)?,
                ..KeyImportCreatePayload::default()
            },
        })
    }

    /// Makes keys that nobody can guess.
    async fn keys_generate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be made.")] input: KeysGenerateInput,
    ) -> Answer<KeysGeneratePayload> {
        let created_by = Some(ctx.person()?.user_id);
        let done = async {
            let variant = id::read(&input.variant_id, "variantId", VariantId::parse)?;
            let new = NewBatch {
                note: input.note,
                keys_expire_at: input.keys_expire_at.map(|d| d.0),
                created_by,
                ..NewBatch::generate(variant, i64::from(input.quantity), input.format.map(Into::into))
            };
            intake::open_batch(ctx.backend(), ctx.actor(), new).await
        };
        let opened = match split(done.await)? {
            Ok(batch) => batch,
            Err(refusal) => {
                return Ok(KeysGeneratePayload { batch: None, user_errors: ctx.user_errors(refusal)? });
            }
        };
        let batch = make(ctx, opened.id).await.or_top()?.unwrap_or(opened);
        Ok(KeysGeneratePayload { batch: Some(KeyBatch(batch)), user_errors: Vec::new() })
    }
}

fn layout(
    format: Option<KeyFileFormat>,
    separator: Option<String>,
    header: Option<bool>,
    columns: Option<KeyColumnsInput>,
) -> Layout {
    let (key, expires_at) = columns.map_or((None, None), |c| (c.key, c.expires_at));
    Layout {
        format: format.map(Into::into).unwrap_or_default(),
        separator,
        headless: header == Some(false),
        key,
        expires_at,
        columns: None,
    }
}

/// Makes the keys in a task of its own; a large batch is still running when the answer leaves.
async fn make(ctx: &Context<'_>, id: BatchId) -> Outcome<Option<Batch>> {
    let (backend, actor) = (ctx.backend().clone(), ctx.actor().clone());
    let work = tokio::spawn(async move {
        let made = restock::generate(&backend, &actor, id).await;
        if let Err(failure) = &made {
            tracing::error!(?failure, batch = %id, "a batch of keys was not made whole");
        }
        made
    });
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(made)) => made.map(Some),
        Ok(Err(_)) | Err(_) => {
            let mut conn = ctx.backend().db.conn().await?;
            batch::get(&mut conn, ctx.actor(), id).await.map(Some)
        }
    }
}
