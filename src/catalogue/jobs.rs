//! The jobs of this feature.

use crate::base::ids::VariantId;
use crate::infra::effects::jobs::payloads;

payloads! {
    /// More may be sold of a variant than before: units that wait get it.
    "catalogue.cap_raised" pub struct CapRaised { variant: VariantId, }
}
