//! What a refund does to the keys of its units.

use std::collections::BTreeSet;

use diesel_async::AsyncPgConnection;

use crate::base::ids::{UnitId, VariantId};
use crate::base::outcome::Fault;
use crate::infra::effects::events::{self, Event, NewEvent};
use crate::vault::events::{KeyEvent, OfVariant};
use crate::vault::state::KeyState;
use crate::vault::store;

/// Voids the sold keys of refunded units; one that was neither revealed nor mailed goes back on sale when its unit is
/// among the `restocked` and its batch was not recalled. Answers the variants that have stock again. A repeat finds nothing left to do.
pub async fn give_back(
    conn: &mut AsyncPgConnection,
    actor: &str,
    units: &[UnitId],
    restocked: &[UnitId],
) -> Result<BTreeSet<VariantId>, Fault> {
    if !restocked.is_empty() {
        store::lock_batches_of(conn, restocked).await?;
    }
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
    Ok(keys.iter().filter(|key| key.state == KeyState::Available).map(|key| key.variant_id).collect())
}
