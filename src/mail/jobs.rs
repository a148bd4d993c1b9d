//! The jobs of this feature.

use crate::base::ids::TaskId;
use crate::infra::effects::jobs::payloads;

payloads! {
    /// Mails staff about a task.
    "mail.alert" pub struct AlertStaff { task: TaskId, }
}
