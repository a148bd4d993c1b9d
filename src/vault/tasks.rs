//! What of keys is put before a person.

use crate::base::ids::{KeyId, SellerId, UnitId, VariantId};
use crate::infra::effects::record::record;
use crate::infra::effects::tasks::task_kinds;

record! {
    pub struct Sealed {
        key: KeyId,
    }

    pub struct SealedPiece {
        piece: UnitId,
    }

    pub struct Twins {
        key: KeyId,
        /// The other key of the same text.
        twin: KeyId,
        /// Which of the two was taken out of sale; none when both were sold.
        frozen: Option<KeyId>,
        variant: VariantId,
        seller: SellerId,
    }
}

task_kinds! {
    /// Tasks of the vault.
    pub const TASKS = [
        /// A stored key does not open: its row was changed, or it is another database's.
        "seal_broken" SealBroken(KeyId, Sealed),
        /// The text of a delivered piece does not open: its row was changed, or it is another database's.
        "piece_seal_broken" PieceSealBroken(UnitId, SealedPiece),
        /// Two keys have the same text under the present rules.
        "key_text_twin" KeyTextTwin(KeyId, Twins),
    ];
}
