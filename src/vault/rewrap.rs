//! Follows a rotation of the key ring: data keys that an older key wraps are wrapped again by the first. The stock
//! itself is not touched, so sales go on meanwhile; when nothing is left, the old key may leave the ring.

use crate::base::outcome::Fault;
use crate::infra::data_keys;
use crate::infra::kit::Kit;

/// Data keys wrapped again in one transaction.
const STEP: i64 = 100;

/// Returns how many were wrapped again; 0 when the rotation is through.
pub async fn sweep(kit: &Kit) -> Result<usize, Fault> {
    let mut tx = kit.db.begin().await?;
    let done = data_keys::rewrap(&mut tx, &kit.sealer, STEP).await?;
    crate::fault_point!("vault.rewrapped");
    tx.commit().await?;
    if done > 0 {
        tracing::info!(done, kek = kit.sealer.first_kek(), "data keys wrapped by the first key of the ring");
    }
    Ok(done)
}
