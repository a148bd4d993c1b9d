//! The jobs of this feature.

use crate::base::ids::{GrantId, RecallId};
use crate::infra::effects::jobs::payloads;

payloads! {
    /// Closes the links and the session of a grant that was revoked.
    "delivery.close_grant" pub struct CloseGrant { grant: GrantId, }

    /// Sees to those who hold keys of a recalled batch.
    "delivery.recall" pub struct HandleRecall { recall: RecallId, }
}
