//! The jobs of this feature.

use crate::infra::effects::jobs::payloads;

payloads! {
    /// A guest asked for the way back to orders. `number`: empty for any order of the address.
    "orders.mail_access" pub struct MailAccess { email: String, number: String, locale: String, client: String, }
}
