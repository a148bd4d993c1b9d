//! A seller publishes a version of a shared secret.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::ids::{SecretVersionId, VariantId};
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::infra::data_keys;
use crate::infra::effects::events::{self, Event};
use crate::infra::kit::Kit;
use crate::infra::seal::Place;
use crate::vault::events::{PublishedSecret, SecretEvent};
use crate::vault::reveal::SECRET_VERSION;
use crate::vault::secrets::store::{self, NewSecret, SecretVersion};

/// Publishes a text as the newest version, in the caller's transaction. The text that is the newest already is not
/// published again: a repeat answers the same. `NOT_FOUND` for variants that the actor does not sell, `INVALID` for
/// retired ones.
pub async fn publish(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    variant: VariantId,
    text: &str,
) -> Outcome<SecretVersion> {
    let missing = || Refusal::new("NOT_FOUND", "there is no such variant").at(["variantId"]);
    let shelf = store::lock_shelf(conn, variant).await?.filter(|s| actor.sells_for(s.seller_id));
    let shelf = shelf.ok_or_else(missing)?;
    if shelf.state != "active" {
        return Err(Refusal::new("INVALID", "this variant is retired").at(["variantId"]).into());
    }
    let newest = store::find_newest(conn, variant).await?;
    if let Some(newest) = &newest
        && opened(conn, kit, newest).await?.as_slice() == text.as_bytes()
    {
        return Ok(newest.clone());
    }
    let (data_key, wrapped) = kit.sealer.make_data_key(kit.clock.uuid()).map_err(Fault::from)?;
    data_keys::insert(conn, &wrapped).await?;
    data_keys::count_uses(conn, data_key.id, 1).await?;
    let id = SecretVersionId(kit.clock.uuid());
    let place = Place { column: SECRET_VERSION, row: id.0, owner: variant.0 };
    let new = NewSecret {
        id,
        seller_id: shelf.seller_id,
        variant_id: variant,
        number: newest.map_or(0, |version| version.number) + 1,
        data_key_id: data_key.id,
        sealed: kit.sealer.seal(&data_key, place, text.as_bytes()).map_err(Fault::from)?,
        published_by: actor.user_id(),
    };
    let version = store::insert_version(conn, new).await?;
    let body = PublishedSecret { variant, number: version.number };
    let event = SecretEvent::Published(id, body).by(actor.label()).of_seller(version.seller_id);
    events::append(conn, &[event]).await?;
    Ok(version)
}

async fn opened(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    version: &SecretVersion,
) -> Result<zeroize::Zeroizing<Vec<u8>>, Fault> {
    let data_keys = data_keys::open(conn, &kit.sealer, [version.data_key_id]).await?;
    let data_key =
        data_keys.get(&version.data_key_id).ok_or_else(|| Fault::bug("a secret without its data key"))?;
    let place = Place { column: SECRET_VERSION, row: version.id.0, owner: version.variant_id.0 };
    Ok(kit.sealer.open(data_key, place, &version.sealed)?)
}
