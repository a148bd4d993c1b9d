//! What is over is kept for a while and then forgotten.

use crate::base::outcome::Outcome;
use crate::infra::kit::Kit;

/// Days that a delivery and its attempts are kept after its end.
const DAYS: i32 = 60;

/// Rows deleted in one transaction.
const BATCH: i64 = 1_000;

/// Returns how many were forgotten.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    Ok(super::store::delete_old(&mut *kit.db.conn().await?, DAYS, BATCH).await?)
}
