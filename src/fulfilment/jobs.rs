//! The jobs of this feature.

use crate::base::ids::VariantId;
use crate::infra::effects::jobs::payloads;

payloads! {
    /// Gives waiting lines of a variant what is on stock.
    "fulfilment.fill" pub struct Fill { variant: VariantId, }

    /// A file was published: units that had none to be served from get it.
    "downloads.published" pub struct FilePublished { variant: VariantId, }
}
