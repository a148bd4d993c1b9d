//! The signing secrets of a connection, sealed under a data key of its own.

use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::base::ids::{SellerId, SupplierId};
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::infra::kit::Kit;
use crate::infra::seal::SealedPlace;
use crate::infra::signing_secret::{self, SealedSecrets};
use crate::suppliers::model::Supplier;

/// The column, as its seals are bound to it; the secret before is moved with its seal.
fn place(id: SupplierId, seller: SellerId) -> SealedPlace {
    SealedPlace { column: "supplier.secret", row: id.0, owner: seller.0 }
}

/// Seals a secret; under the data key that is named, or under a new one.
pub(super) async fn seal(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    (id, seller): (SupplierId, SellerId),
    data_key: Option<Uuid>,
    secret: &Secret,
) -> Result<(Uuid, Vec<u8>), Fault> {
    signing_secret::seal(conn, kit, place(id, seller), data_key, secret).await
}

/// The secret that signs first, and the one before for as long as both count.
pub async fn opened(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    supplier: &Supplier,
) -> Result<Vec<Secret>, Fault> {
    let sealed = SealedSecrets {
        data_key_id: supplier.data_key_id,
        secret: &supplier.secret,
        old: supplier.old_secret.as_deref().zip(supplier.old_secret_until),
    };
    signing_secret::open(conn, kit, place(supplier.id, supplier.seller_id), sealed).await
}
