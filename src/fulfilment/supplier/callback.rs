//! A supplier's late answer.

use crate::base::ids::SupplierId;
use crate::base::outcome::Outcome;
use crate::fulfilment::supplier::apply::{self, Source};
use crate::infra::kit::Kit;
use crate::infra::webhook_signature::{self, SignatureError, SignedMessage};
use crate::suppliers::protocol;
use crate::suppliers::{read, secrets_of};

/// What became of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callback {
    /// It is applied, or was before.
    Taken,
    /// There is no such supplier, or it names a purchase that there is not.
    NotFound,
    /// Its signature is not believed.
    Forged(SignatureError),
    /// It is signed, and says nothing that is understood.
    Unreadable,
}

/// Checks a callback by its supplier's own secrets, and applies it to the purchase that it names, which must be that
/// supplier's. The commit comes before the answer.
pub async fn receive(kit: &Kit, id: SupplierId, message: SignedMessage<'_>) -> Outcome<Callback> {
    let mut conn = kit.db.conn().await?;
    let Some(supplier) = read::find(&mut conn, id).await? else { return Ok(Callback::NotFound) };
    let secrets = secrets_of(&mut conn, kit, &supplier).await?;
    if let Err(error) = webhook_signature::verify(&secrets, message, kit.clock.unix()) {
        return Ok(Callback::Forged(error));
    }
    let Some(name) = protocol::named(&supplier.mapping, message.body) else {
        return Ok(Callback::Unreadable);
    };
    let Some(purchase) = read::find_purchase(&mut conn, id, &name).await? else {
        return Ok(Callback::NotFound);
    };
    drop(conn);
    let heard = protocol::read(&supplier.mapping, &name, &purchase.currency, message.body);
    if let protocol::Heard::Unknown { .. } = heard {
        return Ok(Callback::Unreadable);
    }
    apply::apply(kit, (purchase.order_id, purchase.id), heard, Source::Callback).await?;
    Ok(Callback::Taken)
}
