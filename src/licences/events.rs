//! What is recorded of licences; never a key's text, nor what a device is called.

use crate::base::ids::{ActivationId, KeyId, UnitId};
use crate::infra::effects::events::event_kinds;
use crate::infra::effects::record::record;

/// How the seller's software is named in events.
pub const SOFTWARE: &str = "software";

record! {
    pub struct OfDelivery {
        delivery: UnitId,
        key: KeyId,
    }
}

event_kinds! {
    /// Events of licences.
    pub enum LicenceEvent {
        /// A device began to use a licence.
        "licence.activated" Activated(ActivationId, OfDelivery),
        /// A device does not use a licence any more: by its software, by the buyer or staff, or because the key was taken back.
        "licence.deactivated" Deactivated(ActivationId, OfDelivery),
    }
}
