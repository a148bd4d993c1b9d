//! What a refund does to the keys of its units.

use diesel_async::AsyncPgConnection;

use crate::base::ids::{UnitId, VariantId};
use crate::base::outcome::Fault;
use crate::infra::effects::events::{self, Event, NewEvent};
use crate::vault::events::{KeyEvent, OfVariant};
use crate::vault::model::ChangedKey;
use crate::vault::secrets;
use crate::vault::state::KeyState;
use crate::vault::store;

/// Keys after a refund.
#[derive(Clone, Debug, Default)]
pub struct GivenBack {
    pub keys: Vec<ChangedKey>,
    /// Shared secrets of which more may be sold now, if they have a cap.
    pub shared: Vec<VariantId>,
}

impl GivenBack {
    /// Variants that have stock again, given those with a cap: the caller adds their fill jobs in the same transaction.
    pub fn restocked(&self, capped: &[VariantId]) -> Vec<VariantId> {
        let free = self.keys.iter().filter(|k| k.state == KeyState::Available);
        let shared = self.shared.iter().copied().filter(|variant| capped.contains(variant));
        let mut variants: Vec<VariantId> = free.map(|k| k.variant_id).chain(shared).collect();
        variants.sort();
        variants.dedup();
        variants
    }
}

/// Voids the sold keys of refunded units; one that was neither revealed nor mailed goes back on sale when its unit is
/// among the `restocked`. A repeat finds nothing left to do.
pub async fn give_back(
    conn: &mut AsyncPgConnection,
    actor: &str,
    units: &[UnitId],
    restocked: &[UnitId],
) -> Result<GivenBack, Fault> {
    let keys = store::advance_refunded(conn, units, restocked).await?;
    let facts: Vec<NewEvent> = keys
        .iter()
        .map(|key| {
            let free = key.state == KeyState::Available;
            let made = if free { KeyEvent::Restocked } else { KeyEvent::Voided };
            made(key.id, OfVariant { variant: key.variant_id }).by(actor).of_seller(key.seller_id)
        })
        .collect();
    events::append(conn, &facts).await?;
    let shared = secrets::advance_taken_back(conn, units).await?;
    Ok(GivenBack { keys, shared })
}
