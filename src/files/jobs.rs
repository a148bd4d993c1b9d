//! The jobs of this feature.

use crate::base::ids::VariantId;
use crate::infra::effects::jobs::payloads;

payloads! {
    /// A file was published: units that had none to be served from get it.
    "downloads.published" pub struct FilePublished { variant: VariantId, }
}
