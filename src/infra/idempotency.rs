//! A client may say the same thing twice and mean it once (O2). The key is claimed in the transaction that does the
//! work, so a refusal stores nothing and the same key may be sent again with a mended body.

use diesel::prelude::*;
use diesel::sql_types::{Bytea, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::base::error_code::ErrorCode;
use crate::base::outcome::{Failure, Refusal};
use crate::infra::db::statement::Statement;

/// What became of claiming a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Ours: do the work in this transaction.
    New,
    /// Done before: build the answer from the present state of this thing.
    Replay(Uuid),
}

const CLAIM: &str = "insert into idempotency (scope, operation, key, request_digest, result_id)
  values ($1, $2, $3, $4, $5) on conflict do nothing";

#[derive(QueryableByName)]
struct KnownKeyRow {
    #[diesel(sql_type = Bytea)]
    request_digest: Vec<u8>,
    #[diesel(sql_type = SqlUuid)]
    result_id: Uuid,
}

const FIND: &str =
    "select request_digest, result_id from idempotency where scope = $1 and operation = $2 and key = $3";

/// Claims a key for `result_id`. A second caller waits for the first one's commit: up to the session's
/// `lock_timeout`, which is answered as `IN_PROGRESS`. Refuses keys of a wrong length, and a known key with another
/// body as `IDEMPOTENCY_CONFLICT`.
pub async fn claim(
    conn: &mut AsyncPgConnection,
    scope: &str,
    operation: &str,
    key: &str,
    request: &[&str],
    result_id: Uuid,
) -> Result<Claim, Failure> {
    if !(16..=255).contains(&key.chars().count()) || key.contains(char::is_control) {
        let text = "an idempotency key has 16 to 255 characters";
        return Err(Refusal::new(ErrorCode::Invalid, text).at(["idempotencyKey"]).into());
    }
    let digest = digest(request);
    let inserted = Statement::new(CLAIM)
        .bind::<Text, _>(scope)
        .bind::<Text, _>(operation)
        .bind::<Text, _>(key)
        .bind::<Bytea, _>(digest.as_slice())
        .bind::<SqlUuid, _>(result_id)
        .execute(conn)
        .await;
    match inserted {
        Ok(1) => return Ok(Claim::New),
        Ok(_) => {}
        Err(error) if crate::infra::db::errors::is_lock_timeout(&error) => {
            let refusal =
                Refusal::new(ErrorCode::InProgress, "the first call with this key still runs").retry_after(1);
            return Err(refusal.at(["idempotencyKey"]).into());
        }
        Err(error) => return Err(error.into()),
    }
    let known: KnownKeyRow = Statement::new(FIND)
        .bind::<Text, _>(scope)
        .bind::<Text, _>(operation)
        .bind::<Text, _>(key)
        .get_result(conn)
        .await?;
    if known.request_digest != digest {
        let text = "this idempotency key was used with another request";
        return Err(Refusal::new(ErrorCode::IdempotencyConflict, text).at(["idempotencyKey"]).into());
    }
    Ok(Claim::Replay(known.result_id))
}

/// What is known of a key without claiming it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    pub result_id: Uuid,
    /// It was used with this very request.
    pub same_request: bool,
}

/// Looks a key up. Another transaction that claims it at this moment is not waited for.
pub async fn find(
    conn: &mut AsyncPgConnection,
    scope: &str,
    operation: &str,
    key: &str,
    request: &[&str],
) -> QueryResult<Option<Used>> {
    let known: Option<KnownKeyRow> = Statement::new(FIND)
        .bind::<Text, _>(scope)
        .bind::<Text, _>(operation)
        .bind::<Text, _>(key)
        .get_result(conn)
        .await
        .optional()?;
    let digest = digest(request);
    Ok(known.map(|k| Used { result_id: k.result_id, same_request: k.request_digest == digest }))
}

fn digest(parts: &[&str]) -> Vec<u8> {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().to_vec()
}
