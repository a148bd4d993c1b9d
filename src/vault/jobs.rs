//! The jobs of this feature.

use crate::base::ids::BatchId;
use crate::infra::effects::jobs::payloads;

payloads! {
    /// Goes on with a generated batch whose maker was killed.
    "vault.generate" pub struct GenerateKeys { batch: BatchId, }
}
