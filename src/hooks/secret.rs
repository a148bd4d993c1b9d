//! The signing secrets of an endpoint, sealed under a data key of its own.

use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::base::ids::{HookEndpointId, SellerId};
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::hooks::model::HookEndpoint;
use crate::infra::kit::Kit;
use crate::infra::seal::SealedPlace;
use crate::infra::signing_secret::{self, SealedSecrets};

/// The column, as its seals are bound to it; the secret before is moved with its seal.
fn place(id: HookEndpointId, seller: SellerId) -> SealedPlace {
    SealedPlace { column: "hook_endpoint.secret", row: id.0, owner: seller.0 }
}

/// Seals a secret; under the data key that is named, or under a new one.
pub(super) async fn seal(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    (id, seller): (HookEndpointId, SellerId),
    data_key: Option<Uuid>,
    secret: &Secret,
) -> Result<(Uuid, Vec<u8>), Fault> {
    signing_secret::seal(conn, kit, place(id, seller), data_key, secret).await
}

/// The secret that signs first, and the one before for as long as both count.
pub(super) async fn open(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    endpoint: &HookEndpoint,
) -> Result<Vec<Secret>, Fault> {
    let sealed = SealedSecrets {
        data_key_id: endpoint.data_key_id,
        secret: &endpoint.secret,
        old: endpoint.old_secret.as_deref().zip(endpoint.old_secret_until),
    };
    signing_secret::open(conn, kit, place(endpoint.id, endpoint.seller_id), sealed).await
}
