//! What serving downloads needs beside the common kit.

use std::sync::Arc;

use crate::delivery::Streams;
use crate::infra::kit::Kit;
use crate::leads_to_kit;

/// The kit of downloads.
pub struct DeliveryKit {
    pub kit: Arc<Kit>,
    /// Downloads that run in this process.
    pub streams: Streams,
}

leads_to_kit!(DeliveryKit);

impl DeliveryKit {
    pub fn new(kit: Arc<Kit>) -> Arc<Self> {
        Arc::new(Self { kit, streams: Streams::default() })
    }
}
