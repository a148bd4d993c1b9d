//! Secrets of API clients: `dcs_`, the client's id, and 32 random bytes. The database has their SHA-256 alone; a secret this
//! random needs no slow hash.

use sha2::{Digest, Sha256};

use crate::base::clock::random;
use crate::base::ids::{self, ApiClientId};
use crate::base::secret::Secret;

const PREFIX: &str = "dcs";

/// Begins publishable ids.
const PUBLISHABLE: &str = "dcp";

/// Whether a bearer token has the form of such a secret, or its beginning.
pub fn is_secret(token: &Secret) -> bool {
    token.expose().starts_with("dcs_")
}

/// A new one.
pub(super) fn new(id: ApiClientId) -> Secret {
    Secret::new(format!("{}_{}", ids::encode(PREFIX, id.0), hex::encode(random::<32>())))
}

pub(super) fn publishable(id: ApiClientId) -> String {
    ids::encode(PUBLISHABLE, id.0)
}

pub(super) fn digest(secret: &Secret) -> Vec<u8> {
    Sha256::digest(secret.expose().as_bytes()).to_vec()
}

/// Whose secret it says that it is.
pub(super) fn client_of(secret: &Secret) -> Option<ApiClientId> {
    let (id, rest) = secret.expose().rsplit_once('_')?;
    match ids::decode(id).ok()? {
        (PREFIX, uuid) if rest.len() == 64 => Some(ApiClientId(uuid)),
        _ => None,
    }
}
