//! What webhooks need beside the common kit.

use std::sync::Arc;

use crate::infra::effects::events::KnownEvents;
use crate::infra::kit::Kit;
use crate::leads_to_kit;

/// The kit of actions that send events or say which there are.
pub struct HookKit {
    pub kit: Arc<Kit>,
    /// The kinds of events and their public form; gathered above this feature.
    pub known: KnownEvents,
}

leads_to_kit!(HookKit);

impl HookKit {
    pub fn new(kit: Arc<Kit>, known: KnownEvents) -> Arc<Self> {
        Arc::new(Self { kit, known })
    }
}
