//! Signing secrets of connections that sellers make, sealed under a data key of the connection's own.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::infra::data_keys;
use crate::infra::kit::Kit;
use crate::infra::seal::{SealError, SealedPlace};

/// A connection's secrets as its row has them.
pub struct SealedSecrets<'a> {
    pub data_key_id: Uuid,
    pub secret: &'a [u8],
    /// The one before, and until when it counts too.
    pub old: Option<(&'a [u8], DateTime<Utc>)>,
}

/// Seals a secret; under the data key that is named, or under a new one.
pub async fn seal(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    place: SealedPlace,
    data_key: Option<Uuid>,
    secret: &Secret,
) -> Result<(Uuid, Vec<u8>), Fault> {
    let data_key = match data_key {
        Some(id) => data_keys::open(conn, &kit.sealer, [id]).await?.remove(&id),
        None => Some(data_keys::create(conn, &kit.sealer, kit.clock.uuid()).await?),
    };
    let data_key = data_key.ok_or_else(|| Fault::bug("a connection without its data key"))?;
    data_keys::count_uses(conn, data_key.id, 1).await?;
    Ok((data_key.id, kit.sealer.seal(&data_key, place, secret.expose().as_bytes())?))
}

/// The secret that signs first, and the one before for as long as both count.
pub async fn open(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    place: SealedPlace,
    sealed: SealedSecrets<'_>,
) -> Result<Vec<Secret>, Fault> {
    let data_keys = data_keys::open(conn, &kit.sealer, [sealed.data_key_id]).await?;
    let data_key = data_keys.get(&sealed.data_key_id).ok_or(SealError::Broken)?;
    let old = sealed.old.filter(|(_, until)| *until > kit.clock.now()).map(|(old, _)| old);
    let mut secrets = Vec::new();
    for sealed in std::iter::once(sealed.secret).chain(old) {
        let bytes = kit.sealer.open(data_key, place, sealed)?;
        secrets.push(std::str::from_utf8(&bytes).map(Secret::new).map_err(|_| SealError::Broken)?);
    }
    Ok(secrets)
}
