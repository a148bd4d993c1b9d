//! What is recorded of keys and their batches; never a text.

use chrono::{DateTime, Utc};

use crate::base::ids::{BatchId, KeyExportId, KeyId, LineId, RecallId, SecretVersionId, VariantId};
use crate::infra::effects::events::event_kinds;
use crate::infra::effects::record::record;

record! {
    pub struct Opened {
        variant: VariantId,
        /// Open code: where its keys come from.
        origin: String,
    }

    pub struct Added {
        variant: VariantId,
        /// Keys stored.
        added: usize,
        /// Lines refused.
        refused: i64,
    }

    pub struct Ended {
        state: String,
        /// Keys stored in all.
        added: i64,
        /// Lines refused in all.
        refused: i64,
    }

    pub struct RecalledBatch {
        variant: VariantId,
        recall: RecallId,
        /// Open code of what those who hold keys of it get: `replace`, `refund`, `list_only`.
        action: String,
        /// Keys that were taken out of sale.
        frozen: i64,
        /// Pieces whose buyers hold a key of it.
        holders: i64,
    }

    pub struct PublishedSecret {
        variant: VariantId,
        /// Of the version, from 1.
        number: i32,
    }

    pub struct OfVariant {
        variant: VariantId,
    }

    pub struct Expired {
        /// How many keys.
        count: i64,
    }

    pub struct Frozen {
        /// How many keys.
        count: i64,
        /// Of which restore.
        epoch: i32,
    }

    pub struct Asked {
        variant: VariantId,
        /// States of the keys, with commas between them.
        states: String,
        /// Open code: `csv`, `jsonl`.
        format: String,
    }

    pub struct Exported {
        variant: VariantId,
        /// How many keys have left.
        keys: i64,
    }

    pub struct Reserved {
        variant: VariantId,
        keys: Vec<KeyId>,
        until: DateTime<Utc>,
    }

    pub struct Released {
        variant: VariantId,
        keys: Vec<KeyId>,
        /// Open code: `lapsed`, `order_over`, `not_served`, `recalled`.
        cause: String,
    }

    pub struct Thawed {
        /// How many keys.
        count: usize,
        /// How many of the variant stay frozen.
        kept: i64,
    }
}

event_kinds! {
    /// Events of batches of keys.
    pub enum BatchEvent {
        /// A batch was opened.
        "keys.batch_opened" Opened(BatchId, Opened),
        /// Keys of a batch were stored.
        "keys.added" Added(BatchId, Added),
        /// Keys of an import were stored that is looked at before they are sold.
        "keys.staged" Staged(BatchId, Added),
        /// A batch has ended.
        "keys.batch_ended" Ended(BatchId, Ended),
        /// A batch was recalled, or those who hold keys of a recalled one are to get something; why is kept beside it.
        "batch.recalled" Recalled(BatchId, RecalledBatch),
    }
}

event_kinds! {
    /// Events of the stock of a variant.
    pub enum StockEvent {
        /// Keys expired unsold.
        "keys.expired" Expired(VariantId, Expired),
        /// A restore took keys out of sale.
        "keys.frozen" Frozen(VariantId, Frozen),
        /// Keys that a restore had frozen are on sale again.
        "keys.thawed" Thawed(VariantId, Thawed),
    }
}

event_kinds! {
    /// Events of keys that are held for lines.
    pub enum HoldEvent {
        /// Keys are held for a line that was placed.
        "line.reserved" Reserved(LineId, Reserved),
        /// Keys that were held for a line are held no longer: they are on sale again, unless their batch was recalled.
        "line.released" Released(LineId, Released),
    }
}

event_kinds! {
    /// Events of files of keys that leave.
    pub enum ExportEvent {
        /// Somebody asked for a file of keys; why is kept beside it.
        "keys.export_asked" Asked(KeyExportId, Asked),
        /// The file begins to be sent.
        "keys.export_begun" Begun(KeyExportId, Exported),
        /// The file was sent to its end.
        "keys.exported" Ended(KeyExportId, Exported),
    }
}

event_kinds! {
    /// Events of single keys.
    pub enum KeyEvent {
        /// The key was taken out of sale.
        "key.frozen" Frozen(KeyId, OfVariant),
        /// The key is on sale again.
        "key.thawed" Thawed(KeyId, OfVariant),
        /// The key is never sold again.
        "key.voided" Voided(KeyId, OfVariant),
        /// The key was given back unseen and is on sale again.
        "key.restocked" Restocked(KeyId, OfVariant),
    }
}

event_kinds! {
    /// Events of shared secrets.
    pub enum SecretEvent {
        /// A version was published.
        "secret.published" Published(SecretVersionId, PublishedSecret),
    }
}
