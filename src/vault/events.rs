//! What is recorded of keys and their batches; never a text.

use crate::base::ids::{BatchId, KeyId, SecretVersionId, VariantId};
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
        /// A batch has ended.
        "keys.batch_ended" Ended(BatchId, Ended),
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
