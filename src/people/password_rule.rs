//! Which passwords are taken: long ones that are not among the first anybody tries (NIST SP 800-63B, 3.1.1). No rule
//! about kinds of characters, which only makes people write them down.

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;
use crate::base::secret::Secret;
use crate::base::text::Email;

const SHORTEST: usize = 10;
/// Hashing takes any length; this only keeps a request small.
const LONGEST: usize = 256;

/// Long enough to pass by length, yet among the first guesses of every list.
const GUESSED_FIRST: [&str; 32] = [
    "1234567890",
    "0123456789",
    "0987654321",
    "12345678910",
    "123456789a",
    "1q2w3e4r5t",
    "1qaz2wsx3edc",
    "q1w2e3r4t5",
    "qwertyuiop",
    "qwerty12345",
    "qwerty123456",
    "asdfghjkl1",
    "zxcvbnm123",
    "abcdefghij",
    "abcd123456",
    "a123456789",
    "aa12345678",
    "woaini1314",
    "woaini520",
    "password12",
    "password123",
    "password1234",
    "passw0rd123",
    "iloveyou12",
    "letmein123",
    "welcome123",
    "welcome1234",
    "administrator",
    "admin12345",
    "changeme123",
    "football123",
    "sunshine123",
];

/// Refuses what is too short, too long, a first guess, one repeated character, or the person's own address.
pub(super) fn check(password: &Secret, email: &Email, field: &'static str) -> Result<(), Refusal> {
    let weak = |text: String| Err(Refusal::new(ErrorCode::PasswordTooWeak, text).at([field]));
    let length = password.expose().chars().count();
    if length < SHORTEST {
        return weak(format!("a password has at least {SHORTEST} characters"));
    }
    if length > LONGEST {
        return weak(format!("a password has at most {LONGEST} characters"));
    }
    let lower = password.expose().to_lowercase();
    let mut characters = lower.chars();
    let first = characters.next();
    if characters.all(|c| Some(c) == first) {
        return weak("a password is more than one character repeated".into());
    }
    let local = email.normalised().rsplit_once('@').map_or("", |(local, _)| local);
    if lower == email.normalised()
        || (local.len() >= 4 && lower.starts_with(local) && lower.len() < local.len() + 5)
    {
        return weak("a password is not the mail address".into());
    }
    if GUESSED_FIRST.contains(&lower.as_str()) {
        return Err(Refusal::new(
            ErrorCode::PasswordBreached,
            "this password is among the first anybody would try",
        )
        .at([field]));
    }
    Ok(())
}
