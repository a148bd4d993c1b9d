//! The jobs of this feature.

use crate::base::ids::KeyId;
use crate::infra::effects::jobs::payloads;

payloads! {
    /// Ends the activations of a key that was taken back.
    "licences.close" pub struct CloseLicence { licence_key: KeyId, }
}
