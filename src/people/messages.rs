//! Mails to people about their account, and with codes.

use uuid::Uuid;

use crate::infra::effects::messages::message_kinds;
use crate::infra::effects::record::{Nothing, record};

record! {
    pub struct Coded {
        /// Of which the code is made when the mail is sent.
        code: Uuid,
    }
}

message_kinds! {
    /// A code that opens a guest's order.
    "order_access_code" OrderAccessCode(Coded);
    /// A code that proves a guest's address at checkout.
    "prove_email" ProveEmail(Coded);
    /// A code that confirms a registration.
    "confirm_email" ConfirmEmail(Coded);
    /// A code that sets a new password.
    "reset_password" ResetPassword(Coded);
    /// Somebody registered with an address that has an account.
    "email_taken" EmailTaken(Nothing);
    /// The password was changed.
    "password_changed" PasswordChanged(Nothing);
}
