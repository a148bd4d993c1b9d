//! The expected noes of people. Sign-in answers alike for an unknown address and a wrong password.

use crate::base::outcome::Refusal;
use crate::people::code::NO_GOOD;

pub fn credentials_wrong() -> Refusal {
    Refusal::new("CREDENTIALS_WRONG", "the mail address or the password is wrong")
}

pub fn unauthenticated() -> Refusal {
    Refusal::new("UNAUTHENTICATED", "sign in first")
}

pub fn token_expired() -> Refusal {
    Refusal::new("TOKEN_EXPIRED", "the access token has expired: refresh and repeat")
}

pub fn forbidden() -> Refusal {
    Refusal::new("FORBIDDEN", "this is not allowed")
}

pub(super) fn suspended() -> Refusal {
    Refusal::new("ACCOUNT_SUSPENDED", "this account is suspended; write to the shop's support")
}

pub(super) fn not_confirmed() -> Refusal {
    Refusal::new("EMAIL_NOT_CONFIRMED", "confirm the mail address first").at(["email"])
}

pub(super) fn refresh_invalid() -> Refusal {
    Refusal::new("REFRESH_TOKEN_INVALID", "this sign-in has ended: sign in again").at(["refreshToken"])
}

pub(super) fn refresh_reused() -> Refusal {
    Refusal::new(
        "REFRESH_TOKEN_REUSED",
        "this token was used before: the sign-in has been ended, sign in again",
    )
    .at(["refreshToken"])
}

pub(super) fn code_wrong() -> Refusal {
    Refusal::new("CODE_WRONG", NO_GOOD).at(["code"])
}

pub(super) fn rate_limited(seconds: u32) -> Refusal {
    Refusal::new("RATE_LIMITED", "too many attempts, try again later").retry_after(seconds)
}

pub(super) fn user_not_found() -> Refusal {
    Refusal::new("NOT_FOUND", "there is no such person")
}

pub(super) fn session_not_found() -> Refusal {
    Refusal::new("NOT_FOUND", "there is no such session").at(["sessionId"])
}

pub(super) fn last_admin() -> Refusal {
    Refusal::new("LAST_ADMIN", "the shop needs an admin: make another one first")
}
