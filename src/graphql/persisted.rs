//! Automatic persisted queries: a client sends the SHA-256 of its document, and the document itself when asked to.

use std::time::Duration;

use async_graphql::parser::types::ExecutableDocument;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::outcome::Outcome;
use crate::graphql::context::GraphqlBackend;
use crate::graphql::error::Refused;
use crate::graphql::request::Parts;
use crate::graphql::secrets;
use crate::infra::persisted::{self, LARGEST, Quota};

/// Documents that are being kept at once by this process; in the database it is one at a time.
static TURNS: Semaphore = Semaphore::const_new(2);

/// How long an answer waits for its document to be kept.
const PATIENCE: Duration = Duration::from_secs(1);

/// Puts the document of a known hash into a request that has the hash alone.
///
/// # Errors
/// `PERSISTED_QUERY_NOT_FOUND`: send the document too. `BAD_REQUEST`: the hash is not the document's. The message of the
/// first is the one that clients of the protocol look for.
pub async fn resolve(backend: &GraphqlBackend, caller: &Caller, parts: &mut Parts) -> Result<(), Refused> {
    let Some(hash) = &parts.hash else { return Ok(()) };
    if !parts.query.trim().is_empty() {
        if Sha256::digest(parts.query.as_bytes()).as_slice() == hash.as_slice() {
            return Ok(());
        }
        return Err(Refused::new(ErrorCode::BadRequest, "`sha256Hash` is not the SHA-256 of `query`"));
    }
    match find(backend, caller, hash).await {
        Ok(Some(query)) => {
            parts.query = query;
            Ok(())
        }
        Ok(None) => Err(Refused::new(ErrorCode::PersistedQueryNotFound, "PersistedQueryNotFound")),
        Err(failure) => {
            tracing::error!(
                request_id = caller.request_id,
                ?failure,
                "a persisted query could not be looked up"
            );
            let refused =
                Refused::new(ErrorCode::Unavailable, "not available for the moment; please try again");
            Err(Refused { retry_after: Some(2), ..refused })
        }
    }
}

async fn find(backend: &GraphqlBackend, caller: &Caller, hash: &[u8]) -> Outcome<Option<String>> {
    if hash.len() != 32 {
        return Ok(None);
    }
    let mut conn = backend.db.conn().await?;
    Ok(persisted::find(&mut conn, hash, &source(backend, caller)).await?)
}

fn source(backend: &GraphqlBackend, caller: &Caller) -> Vec<u8> {
    persisted::source(&backend.config.secrets.access, caller.address)
}

/// The hash and text to be kept, when the client sent both and the text may lie in a table: not too large, and without
/// a secret or an address in it.
pub fn to_keep(parts: &Parts, document: &ExecutableDocument) -> Option<(Vec<u8>, String)> {
    let hash = parts.hash.clone()?;
    (parts.query.len() <= LARGEST && !secrets::stand_in(document)).then(|| (hash, parts.query.clone()))
}

/// Keeps a document that was found valid. That it cannot be kept does not harm the answer: the client sends it again.
pub async fn keep(backend: &GraphqlBackend, caller: &Caller, (hash, query): (Vec<u8>, String)) {
    let limits = &backend.config.limits;
    let room = Quota { rows: limits.persisted_queries, bytes: limits.persisted_query_bytes };
    // Whoever waits for the turn holds no connection meanwhile.
    let Ok(Ok(_turn)) = tokio::time::timeout(PATIENCE, TURNS.acquire()).await else { return };
    let kept: Outcome<()> = async {
        let mut tx = backend.db.begin().await?;
        persisted::keep(&mut tx, &hash, &query, &source(backend, caller), room).await?;
        tx.commit().await?;
        Ok(())
    }
    .await;
    if let Err(failure) = kept {
        tracing::warn!(request_id = caller.request_id, ?failure, "a persisted query could not be kept");
    }
}
