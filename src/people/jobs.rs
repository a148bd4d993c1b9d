//! The jobs of this feature. What is mailed depends on who is known here, so it is decided here and not while the client
//! waits: an answer takes the same statements for every address.

use uuid::Uuid;

use crate::infra::effects::jobs::payloads;

payloads! {
    /// Somebody asked for a code that sets a new password. `client`: whose share of codes it counts to.
    "people.mail_reset" pub struct MailReset { email: String, client: String, }

    /// Somebody registered, or asked for another code of a registration.
    "people.mail_registration" pub struct MailRegistration { registration: Uuid, client: String, }
}
