//! The signing secrets of a connection, sealed under a data key of its own.

use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::base::ids::{SellerId, SupplierId};
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::infra::data_keys;
use crate::infra::kit::Kit;
use crate::infra::seal::{SealError, SealedPlace};
use crate::suppliers::model::Supplier;

/// The column, as its seals are bound to it; the secret before is moved with its seal.
const COLUMN: &str = "supplier.secret";

/// Seals a secret; under the data key that is named, or under a new one.
pub(super) async fn seal(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    (id, seller): (SupplierId, SellerId),
    data_key: Option<Uuid>,
    secret: &Secret,
) -> Result<(Uuid, Vec<u8>), Fault> {
    let data_key = match data_key {
        Some(id) => data_keys::open(conn, &kit.sealer, [id]).await?.remove(&id),
        None => Some(data_keys::create(conn, &kit.sealer, kit.clock.uuid()).await?),
    };
    let data_key = data_key.ok_or_else(|| Fault::bug("a supplier without its data key"))?;
    data_keys::count_uses(conn, data_key.id, 1).await?;
    let place = SealedPlace { column: COLUMN, row: id.0, owner: seller.0 };
    Ok((data_key.id, kit.sealer.seal(&data_key, place, secret.expose().as_bytes())?))
}

/// The secret that signs first, and the one before for as long as both count.
pub async fn opened(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    supplier: &Supplier,
) -> Result<Vec<Secret>, Fault> {
    let data_keys = data_keys::open(conn, &kit.sealer, [supplier.data_key_id]).await?;
    let data_key = data_keys.get(&supplier.data_key_id).ok_or(SealError::Broken)?;
    let overlaps = supplier.old_secret_until.is_some_and(|until| until > kit.clock.now());
    let old = supplier.old_secret.as_ref().filter(|_| overlaps);
    let mut secrets = Vec::new();
    for sealed in std::iter::once(&supplier.secret).chain(old) {
        let place = SealedPlace { column: COLUMN, row: supplier.id.0, owner: supplier.seller_id.0 };
        let bytes = kit.sealer.open(data_key, place, sealed)?;
        secrets.push(std::str::from_utf8(&bytes).map(Secret::new).map_err(|_| SealError::Broken)?);
    }
    Ok(secrets)
}
