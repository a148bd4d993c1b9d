use async_graphql::{ID, InputObject, SimpleObject};

use crate::graphql::people::types::{Role, Tokens, User};
use crate::graphql::scalars::LocaleTag;
use crate::graphql::user_error::{AccountError, StaffError};

/// Input of `userRegister`.
#[derive(InputObject)]
pub struct UserRegisterInput {
    /// The address to confirm and to sign in with.
    pub email: String,
    /// At least 10 characters, not easy to guess.
    pub password: String,
    /// What the person wants to be called.
    pub name: Option<String>,
    /// The language of mails; by default that of the request.
    pub locale: Option<LocaleTag>,
    /// The captcha's answer, when the shop asks for one.
    pub captcha_token: Option<String>,
}

/// Payload of `userRegister`. It is the same whether or not the address had an account.
#[derive(Default, SimpleObject)]
pub struct UserRegisterPayload {
    /// Names this registration: given to `userConfirmEmail`, no other one of the address is confirmed.
    pub registration: Option<String>,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<AccountError>,
}

/// Input of `userConfirmEmail`.
#[derive(InputObject)]
pub struct UserConfirmEmailInput {
    /// The address.
    pub email: String,
    /// The code out of the mail.
    pub code: String,
    /// The client's own registration, as `userRegister` named it: a code that was mailed for another one is refused.
    pub registration: Option<String>,
}

/// Payload of `userConfirmEmail`.
#[derive(Default, SimpleObject)]
pub struct UserConfirmEmailPayload {
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<AccountError>,
}

/// Input of `emailConfirmationResend`.
#[derive(InputObject)]
pub struct EmailConfirmationResendInput {
    /// The address.
    pub email: String,
    /// The client's own registration, as `userRegister` named it; without it, its newest.
    pub registration: Option<String>,
    /// The captcha's answer, when the shop asks for one.
    pub captcha_token: Option<String>,
}

/// Payload of `emailConfirmationResend`. Answers alike whether the address has an account or not.
#[derive(Default, SimpleObject)]
pub struct EmailConfirmationResendPayload {
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<AccountError>,
}

/// Input of `sessionCreate`.
#[derive(InputObject)]
pub struct SessionCreateInput {
    /// The address of the account.
    pub email: String,
    /// Its password.
    pub password: String,
    /// What the person will recognise the device by.
    pub device: Option<String>,
    /// The captcha's answer, when the shop asks for one.
    pub captcha_token: Option<String>,
}

/// Input of `sessionRefresh`.
#[derive(InputObject)]
pub struct SessionRefreshInput {
    /// The newest refresh token the device has.
    pub refresh_token: String,
}

/// Payload of `sessionCreate` and `sessionRefresh`.
#[derive(Default, SimpleObject)]
pub struct SessionPayload {
    /// The device's new tokens.
    pub tokens: Option<Tokens>,
    /// Who is signed in.
    pub user: Option<User>,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<AccountError>,
}

/// Input of `sessionRevoke`. With neither field the present session ends.
#[derive(InputObject)]
pub struct SessionRevokeInput {
    /// One of the person's own sessions.
    pub session_id: Option<ID>,
    /// A refresh token of the session, for devices whose access token has ended.
    pub refresh_token: Option<String>,
}

/// Payload of `sessionRevoke`.
#[derive(Default, SimpleObject)]
pub struct SessionRevokePayload {
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<AccountError>,
}

/// Payload of `sessionRevokeAll`.
#[derive(Default, SimpleObject)]
pub struct SessionRevokeAllPayload {
    /// How many sessions were open.
    pub revoked: i32,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<AccountError>,
}

/// Input of `passwordResetRequest`.
#[derive(InputObject)]
pub struct PasswordResetRequestInput {
    /// The address of the account.
    pub email: String,
    /// The captcha's answer, when the shop asks for one.
    pub captcha_token: Option<String>,
}

/// Payload of `passwordResetRequest`. Answers alike whether the address has an account or not.
#[derive(Default, SimpleObject)]
pub struct PasswordResetRequestPayload {
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<AccountError>,
}

/// Input of `passwordReset`.
#[derive(InputObject)]
pub struct PasswordResetInput {
    /// The address of the account.
    pub email: String,
    /// The code out of the mail.
    pub code: String,
    /// The new password.
    pub password: String,
}

/// Payload of `passwordReset`. Every session has ended: sign in again.
#[derive(Default, SimpleObject)]
pub struct PasswordResetPayload {
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<AccountError>,
}

/// Input of `passwordChange`.
#[derive(InputObject)]
pub struct PasswordChangeInput {
    /// The password so far.
    pub current_password: String,
    /// The new one.
    pub password: String,
}

/// Payload of `passwordChange`. Other sessions have ended; this one goes on after a refresh.
#[derive(Default, SimpleObject)]
pub struct PasswordChangePayload {
    /// The person.
    pub user: Option<User>,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<AccountError>,
}

/// Input of `profileUpdate`. What is left out stays as it is.
#[derive(InputObject)]
pub struct ProfileUpdateInput {
    /// What the person wants to be called; empty takes the name away.
    pub name: Option<String>,
    /// The language of mails.
    pub locale: Option<LocaleTag>,
}

/// Payload of `profileUpdate`.
#[derive(Default, SimpleObject)]
pub struct ProfileUpdatePayload {
    /// The person as they are now.
    pub user: Option<User>,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<AccountError>,
}

/// Input of `userSetRoles`.
#[derive(InputObject)]
pub struct UserSetRolesInput {
    /// The person.
    pub user_id: ID,
    /// Exactly the roles the person has afterwards, at least one.
    pub roles: Vec<Role>,
}

/// Payload of `userSetRoles`.
#[derive(Default, SimpleObject)]
pub struct UserSetRolesPayload {
    /// The person as they are now.
    pub user: Option<User>,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<StaffError>,
}
