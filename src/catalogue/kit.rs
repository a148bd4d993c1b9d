//! What reading the catalogue needs beside the common kit.

use std::sync::Arc;

use crate::catalogue::product_list::ProductListCache;
use crate::infra::kit::Kit;
use crate::leads_to_kit;

/// The kit of reads that remember what they read.
pub struct CatalogueKit {
    pub kit: Arc<Kit>,
    /// What buyers were shown of products, checked against the database each time.
    pub product_list: ProductListCache,
}

leads_to_kit!(CatalogueKit);

impl CatalogueKit {
    pub fn new(kit: Arc<Kit>) -> Arc<Self> {
        Arc::new(Self { kit, product_list: ProductListCache::default() })
    }
}
