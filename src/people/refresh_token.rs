//! Refresh tokens: 32 random bytes that mean nothing to anybody but the database, which keeps their SHA-256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::base::clock;
use crate::base::secret::Secret;

/// Shows the token's kind to people and to scanners for leaked secrets.
const PREFIX: &str = "drt_";

/// What the sealing of a successor is bound to beside its row.
pub(super) const SEALED: &str = "refresh_token.sealed";

/// A new token.
pub(super) fn generate() -> Secret {
    Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(clock::random::<32>())))
}

/// What is looked up; `None` when the text has not the form of a token.
pub(super) fn digest(token: &Secret) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(token.expose().strip_prefix(PREFIX)?).ok()?;
    (bytes.len() == 32).then(|| Sha256::digest(&bytes).to_vec())
}
