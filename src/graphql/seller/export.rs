use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::base::ids::VariantId;
use crate::catalogue::intake;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::scalars::{DateTime, Url};
use crate::graphql::seller::types::KeyFileFormat;
use crate::graphql::user_error::StockError;
use crate::vault::export::NewExport;
use crate::vault::state;

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "state::KeyState")]
pub enum KeyState {
    /// It may be sold.
    Available,
    /// It is held for an order that is not paid yet.
    Reserved,
    /// It belongs to a buyer.
    Sold,
    /// It is out of sale while somebody looks at it.
    Frozen,
    /// Its date passed before it was sold.
    Expired,
    /// It is never sold again.
    Voided,
}

/// Input of `keysExport`.
#[derive(InputObject)]
pub struct KeysExportInput {
    /// Of which variant.
    variant_id: ID,
    /// Keys in these states; by default those that may be sold.
    states: Option<Vec<KeyState>>,
    /// `CSV` or `JSONL`; both can be imported again.
    format: KeyFileFormat,
    /// Why the keys leave. It is kept, and that they left is in the audit chain.
    reason: String,
}

/// Payload of `keysExport`.
#[derive(Default, SimpleObject)]
pub struct KeysExportPayload {
    /// Where the file is fetched by `GET`, with the same access token.
    result_url: Option<Url>,
    /// Until when.
    result_expires_at: Option<DateTime>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StockError>,
}

/// Keys on their way out.
#[derive(Default)]
pub struct ExportMutation;

#[Object]
impl ExportMutation {
    /// Asks for a file of a variant's keys, in clear. It is made while it is fetched and stored nowhere.
    async fn keys_export(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which keys, and why.")] input: KeysExportInput,
    ) -> Answer<KeysExportPayload> {
        ctx.person()?;
        let done = async {
            let states = input.states.unwrap_or_else(|| vec![KeyState::Available]);
            let new = NewExport {
                variant_id: id::read(&input.variant_id, "variantId", VariantId::parse)?,
                states: states.into_iter().map(Into::into).collect(),
                format: input.format.into(),
                reason: input.reason,
            };
            intake::ask_export(ctx.backend(), ctx.actor(), &new).await
        };
        Ok(match split(done.await)? {
            Ok(export) => KeysExportPayload {
                result_url: Some(Url(format!("{}/jobs/{}/result", ctx.backend().public_url(), export.id))),
                result_expires_at: Some(export.expires_at.into()),
                user_errors: Vec::new(),
            },
            Err(refusal) => {
                KeysExportPayload { user_errors: ctx.user_errors(refusal)?, ..KeysExportPayload::default() }
            }
        })
    }
}
