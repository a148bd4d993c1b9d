//! Gives pieces their text.

use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::base::ids::{SellerId, UnitId, VariantId};
use crate::base::outcome::Fault;
use crate::infra::data_keys;
use crate::infra::kit::Kit;
use crate::infra::seal::SealedPlace;
use crate::vault::reveal::UNIT_TEXT;
use crate::vault::secrets::store::{self, Offer, Share};

/// What the next buyers of these shared secrets get, in one statement. Nobody else sells those with a cap before the
/// transaction ends.
pub async fn offers(
    conn: &AsyncPgConnection,
    variants: &[VariantId],
    capped: &[VariantId],
) -> Result<Vec<Offer>, Fault> {
    Ok(store::lock_offers(conn, variants, capped).await?)
}

/// Writes down which version each piece got, in one statement.
pub async fn mark_given(conn: &AsyncPgConnection, shares: &[Share]) -> Result<(), Fault> {
    if shares.is_empty() {
        return Ok(());
    }
    match store::insert_shares(conn, shares).await? == shares.len() {
        true => Ok(()),
        false => Err(Fault::bug("not every piece got its secret")),
    }
}

/// Seals a text that is one piece's own, in the caller's transaction, which makes sure that the piece has none yet.
pub async fn give_text(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    (unit, seller, variant): (UnitId, SellerId, VariantId),
    text: &str,
) -> Result<(), Fault> {
    let place = SealedPlace { column: UNIT_TEXT, row: unit.0, owner: variant.0 };
    let (data_key, sealed) = seal(conn, kit, place, text).await?;
    store::insert_text(conn, (unit, seller, variant), data_key, sealed).await?;
    Ok(())
}

/// Seals a text under a data key of its own; the key's id and the sealed text.
pub(super) async fn seal(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    place: SealedPlace,
    text: &str,
) -> Result<(Uuid, Vec<u8>), Fault> {
    let data_key = data_keys::create(conn, &kit.sealer, kit.clock.uuid()).await?;
    data_keys::count_uses(conn, data_key.id, 1).await?;
    Ok((data_key.id, kit.sealer.seal(&data_key, place, text.as_bytes())?))
}
