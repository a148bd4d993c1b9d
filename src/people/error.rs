//! The expected noes of people. Sign-in answers alike for an unknown address and a wrong password.

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;
use crate::people::code::NO_GOOD;

pub fn credentials_wrong() -> Refusal {
    Refusal::new(ErrorCode::CredentialsWrong, "the mail address or the password is wrong")
}

pub fn unauthenticated() -> Refusal {
    Refusal::new(ErrorCode::Unauthenticated, "sign in first")
}

pub fn token_expired() -> Refusal {
    Refusal::new(ErrorCode::TokenExpired, "the access token has expired: refresh and repeat")
}

pub fn forbidden() -> Refusal {
    Refusal::new(ErrorCode::Forbidden, "this is not allowed")
}

pub(super) fn suspended() -> Refusal {
    Refusal::new(ErrorCode::AccountSuspended, "this account is suspended; write to the shop's support")
}

pub(super) fn not_confirmed() -> Refusal {
    Refusal::new(ErrorCode::EmailNotConfirmed, "confirm the mail address first").at(["email"])
}

pub(super) fn refresh_invalid() -> Refusal {
    Refusal::new(ErrorCode::RefreshTokenInvalid, "this sign-in has ended: sign in again").at(["refreshToken"])
}

pub(super) fn refresh_reused() -> Refusal {
    Refusal::new(
        ErrorCode::RefreshTokenReused,
        "this token was used before: the sign-in has been ended, sign in again",
    )
    .at(["refreshToken"])
}

pub(super) fn code_wrong() -> Refusal {
    Refusal::new(ErrorCode::CodeWrong, NO_GOOD).at(["code"])
}

pub(super) fn rate_limited(seconds: u32) -> Refusal {
    Refusal::new(ErrorCode::RateLimited, "too many attempts, try again later").retry_after(seconds)
}

pub(super) fn user_not_found() -> Refusal {
    Refusal::new(ErrorCode::NotFound, "there is no such person")
}

pub(super) fn session_not_found() -> Refusal {
    Refusal::new(ErrorCode::NotFound, "there is no such session").at(["sessionId"])
}

pub(super) fn last_admin() -> Refusal {
    Refusal::new(ErrorCode::LastAdmin, "the shop needs an admin: make another one first")
}
