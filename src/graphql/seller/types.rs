use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::delivery::recall::read as recalls;
use crate::fulfilment::read as stock;
use crate::goods::{self, Supply};
use crate::graphql::catalogue::Variant;
use crate::graphql::connection::Listed;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt, fault};
use crate::graphql::loaders;
use crate::graphql::scalars::{DateTime, Int64};
use crate::graphql::seller::recalls::KeyRecall;
use crate::vault::layout::KeyFileFormat as Format;
use crate::vault::state::BatchState as State;
use crate::vault::{Batch, Origin, read};

impl Listed for VariantStock {
    const NAME: &'static str = "VariantStock";
}

impl Listed for KeyBatch {
    const NAME: &'static str = "KeyBatch";
}

/// What there is of a variant, counted to the last key.
pub struct VariantStock(pub stock::VariantStock);

/// What there is of a variant, counted to the last key.
#[Object]
impl VariantStock {
    /// The variant.
    async fn variant(&self, ctx: &Context<'_>) -> Answer<Option<Variant>> {
        loaders::variant(ctx, self.0.variant_id).await
    }

    /// Keys that may be sold; null for kinds without keys.
    async fn available(&self) -> Option<Int64> {
        (goods::supply(&self.0.kind) == Some(Supply::Keys)).then_some(Int64(self.0.available))
    }

    /// Keys held for orders that are not paid yet.
    async fn reserved(&self) -> Int64 {
        Int64(self.0.reserved)
    }

    /// Keys that were sold.
    async fn sold(&self) -> Int64 {
        Int64(self.0.sold)
    }

    /// Paid pieces that wait for keys.
    async fn waiting(&self) -> Int64 {
        Int64(self.0.waiting)
    }

    /// At or under the variant's own threshold.
    async fn low(&self) -> bool {
        self.0.low
    }
}

/// Where the keys of a batch come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Origin")]
pub enum KeyOrigin {
    /// They were brought in.
    Import,
    /// They were made here.
    Generated,
    /// They were bought at a supplier, one by one.
    Bought,
}

/// How far a batch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "State")]
pub enum KeyBatchState {
    /// Keys are coming in.
    Running,
    /// Its file is read, and its keys wait for `keyImportCommit`.
    Ready,
    /// Its keys are being put on sale.
    Committing,
    /// It has all its keys.
    Done,
    /// It broke off.
    Failed,
    /// It was given up before its keys were sold.
    Cancelled,
}

/// How a file of keys is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Format")]
pub enum KeyFileFormat {
    /// One key a line.
    Text,
    /// Rows of fields, as RFC 4180 has it.
    Csv,
    /// A JSON value a line: a text, or an object with the key in one field.
    Jsonl,
    /// Keys of several lines, with a line of its own between two of them.
    Blocks,
}

/// A line of an import that was not taken. Its text is not kept.
#[derive(SimpleObject)]
pub struct KeyProblem {
    /// The line, from 1; of a key of several lines the first.
    line: Int64,
    /// Open code: `DUPLICATE`, `TOO_LONG`, `INVALID_UTF8`, `INVALID_UTF16`, `CONTROL_CHARACTER`, `HIDDEN_CHARACTER`,
    /// `INVALID_CSV`, `UNCLOSED_QUOTE`, `WRONG_COLUMNS`, `INVALID_JSON`, `NO_KEY`, `INVALID_EXPIRY`, `EXPIRED`.
    code: String,
}

/// Keys that came into the vault together.
pub struct KeyBatch(pub Batch);

/// Keys that came into the vault together.
#[Object]
impl KeyBatch {
    /// The batch's id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The variant they are for.
    async fn variant(&self, ctx: &Context<'_>) -> Answer<Option<Variant>> {
        loaders::variant(ctx, self.0.variant_id).await
    }

    /// Where they come from.
    async fn origin(&self) -> KeyOrigin {
        self.0.origin.into()
    }

    /// How far it has come.
    async fn state(&self) -> KeyBatchState {
        self.0.state.into()
    }

    /// What its maker noted.
    async fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }

    /// Lines read so far, blank ones counted.
    async fn lines(&self) -> Int64 {
        Int64(self.0.lines)
    }

    /// Bytes of the file read so far: the `Upload-Offset` with which the rest of a file that broke off is sent.
    async fn offset(&self) -> Int64 {
        Int64(self.0.bytes)
    }

    /// Whether its keys are looked at before they are sold.
    async fn preview(&self) -> bool {
        self.0.preview
    }

    /// How the file of an import is laid out; null for keys that came otherwise.
    async fn format(&self) -> Answer<Option<KeyFileFormat>> {
        match self.0.origin {
            Origin::Import => Ok(Some(self.0.layout().map_err(fault)?.format.into())),
            Origin::Generated | Origin::Bought => Ok(None),
        }
    }

    /// Keys that are read and wait for `keyImportCommit`.
    async fn staged(&self) -> Int64 {
        Int64(self.0.staged)
    }

    /// Keys taken in.
    async fn added(&self) -> Int64 {
        Int64(self.0.added)
    }

    /// Lines that were not taken.
    async fn refused(&self) -> Int64 {
        Int64(self.0.refused)
    }

    /// Of those: lines whose text is there already, in this file or before.
    async fn duplicates(&self) -> Int64 {
        Int64(self.0.duplicates)
    }

    /// The lines that were not taken, in their order.
    async fn problems(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; by default 20.", default = 20)] first: Option<i32>,
        #[graphql(desc = "Only those after this line.")] after_line: Option<Int64>,
    ) -> Answer<Vec<KeyProblem>> {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let after = after_line.map_or(0, |line| line.0);
        let rows =
            read::list_problems(&mut conn, self.0.id, after, i64::from(first.unwrap_or(20).clamp(1, 100)))
                .await
                .or_top()?;
        Ok(rows.into_iter().map(|(line, code)| KeyProblem { line: Int64(line), code }).collect())
    }

    /// Since when none of its keys is sold any more, because it was recalled.
    async fn recalled_at(&self) -> Option<DateTime> {
        self.0.recalled_at.map(Into::into)
    }

    /// Its recall; null when it was not recalled.
    async fn recall(&self, ctx: &Context<'_>) -> Answer<Option<KeyRecall>> {
        if self.0.recalled_at.is_none() {
            return Ok(None);
        }
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        Ok(recalls::find_of_batch(&mut conn, self.0.id).await.or_top()?.map(KeyRecall))
    }

    /// When it was opened.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it was ended.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(Into::into)
    }
}
