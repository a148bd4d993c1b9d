//! What reading the catalogue needs beside the common kit.

use std::sync::Arc;

use crate::catalogue::shelf::ShelfMemory;
use crate::infra::kit::Kit;
use crate::leads_to_kit;

/// The kit of reads that remember what they read.
pub struct CatalogueKit {
    pub kit: Arc<Kit>,
    /// What buyers were shown of products, checked against the database each time.
    pub shelf: ShelfMemory,
}

leads_to_kit!(CatalogueKit);

impl CatalogueKit {
    pub fn new(kit: Arc<Kit>) -> Arc<Self> {
        Arc::new(Self { kit, shelf: ShelfMemory::default() })
    }
}
