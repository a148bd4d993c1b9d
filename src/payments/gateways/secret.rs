//! What is weak about a shared secret.

use std::collections::HashSet;

use zeroize::Zeroizing;

use crate::base::secret::Secret;

/// Shorter ones can be guessed.
const SHORTEST: usize = 24;

/// The faults of an account's shared secrets: there must be one, and each must be long and random. `bytes` gives what a
/// secret's text represents; none when it is malformed, which the caller reports.
pub(super) fn faults(
    secrets: &[Secret],
    bytes: impl Fn(&Secret) -> Option<Zeroizing<Vec<u8>>>,
) -> Vec<(&'static str, String)> {
    if secrets.is_empty() {
        let text = "needs at least one: without it anybody could say that money came";
        return vec![("secrets", text.to_owned())];
    }
    let complaints = secrets.iter().filter_map(|secret| weakness(secret.expose(), &bytes(secret)?));
    complaints.map(|complaint| ("secrets", complaint.to_owned())).collect()
}

fn weakness(text: &str, bytes: &[u8]) -> Option<&'static str> {
    let different = bytes.iter().collect::<HashSet<_>>().len();
    match () {
        () if text.trim().is_empty() => Some("has an empty one"),
        () if text.trim() != text => Some("has one with spaces or line breaks around it"),
        () if bytes.len() < SHORTEST => Some("has one of less than 24 bytes"),
        () if different < 8 => Some("has a weak one: its characters are not random"),
        () => None,
    }
}
