//! The jobs of this feature.

use crate::base::ids::{BatchId, VariantId};
use crate::infra::effects::jobs::payloads;

payloads! {
    /// Goes on with a generated batch whose maker was killed.
    "vault.generate" pub struct GenerateKeys { batch: BatchId, }

    /// Moves the keys of a committed import among those that are sold.
    "vault.commit_import" pub struct CommitImport { batch: BatchId, }

    /// Deletes the keys of an import that was given up.
    "vault.clear_import" pub struct ClearImport { batch: BatchId, }

    /// Keys that were held for a line are on sale again: lines that wait get them.
    "vault.keys_freed" pub struct KeysFreed { variant: VariantId, }
}
