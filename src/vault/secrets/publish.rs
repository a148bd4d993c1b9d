//! A seller publishes a version of a shared secret.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::ids::{SecretVersionId, SellerId, VariantId};
use crate::base::outcome::{Fault, Outcome};
use crate::base::secret::Secret;
use crate::infra::data_keys;
use crate::infra::effects::events::{self, Event};
use crate::infra::kit::Kit;
use crate::infra::seal::SealedPlace;
use crate::vault::events::{PublishedSecret, SecretEvent};
use crate::vault::reveal::{SECRET_VERSION, open_at};
use crate::vault::secrets::give;
use crate::vault::secrets::store::{self, NewSecret, SecretVersion};

/// Publishes a text as the newest version, in the caller's transaction, which has locked the variant: one version at a
/// time is published, and numbers have no holes. The text that is the newest already is not published again: a repeat
/// answers the same.
pub async fn publish(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    (seller_id, variant): (SellerId, VariantId),
    text: &str,
) -> Outcome<SecretVersion> {
    let newest = store::find_newest(conn, variant).await?;
    if let Some(newest) = &newest
        && opened(conn, kit, newest).await?.expose() == text
    {
        return Ok(newest.clone());
    }
    let id = SecretVersionId(kit.clock.uuid());
    let place = SealedPlace { column: SECRET_VERSION, row: id.0, owner: variant.0 };
    let (data_key_id, sealed) = give::seal(conn, kit, place, text).await?;
    let new = NewSecret {
        id,
        seller_id,
        variant_id: variant,
        number: newest.map_or(0, |version| version.number) + 1,
        data_key_id,
        sealed,
        published_by: actor.user_id(),
    };
    let version = store::insert_version(conn, new).await?;
    let body = PublishedSecret { variant, number: version.number };
    let event = SecretEvent::Published(id, body).by(actor.label()).of_seller(version.seller_id);
    events::append(conn, &[event]).await?;
    Ok(version)
}

async fn opened(conn: &mut AsyncPgConnection, kit: &Kit, version: &SecretVersion) -> Result<Secret, Fault> {
    let data_keys = data_keys::open(conn, &kit.sealer, [version.data_key_id]).await?;
    let place = SealedPlace { column: SECRET_VERSION, row: version.id.0, owner: version.variant_id.0 };
    Ok(open_at(kit, &data_keys, place, version.data_key_id, &version.sealed)?)
}
