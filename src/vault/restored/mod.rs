//! After a backup was restored nobody knows which of its free keys were sold since: they are taken out of sale until it
//! is known, or a person decides.

mod store;

use diesel_async::AsyncPgConnection;

use crate::base::ids::VariantId;
use crate::base::outcome::Fault;
use crate::infra::effects::events::{self, Event};
use crate::vault::events::{Frozen, StockEvent, Thawed};
use crate::vault::model::VariantCount;

/// Freezes every key that may be sold now, for this epoch.
pub async fn freeze_all(conn: &mut AsyncPgConnection, epoch: i32) -> Result<Vec<VariantCount>, Fault> {
    let shelves = store::advance_to_frozen(conn, epoch).await?;
    let fact = |variant: &VariantCount| {
        let frozen = Frozen { count: variant.keys, epoch };
        StockEvent::Frozen(variant.variant_id, frozen).by("system").of_seller(variant.seller_id)
    };
    events::append(conn, &shelves.iter().map(fact).collect::<Vec<_>>()).await?;
    Ok(shelves)
}

/// Puts the keys of a variant that a restore froze back on sale, all but the first ones in the order in which they would
/// have been sold. The caller adds the variant's fill job in the same transaction. Answers how many.
pub async fn thaw(
    conn: &mut AsyncPgConnection,
    variant: VariantId,
    but_first: i64,
    actor: &str,
) -> Result<usize, Fault> {
    let thawed = store::advance_to_thawed(conn, variant, but_first).await?;
    if thawed > 0 {
        let body = Thawed { count: thawed, kept: but_first };
        events::append(conn, &[StockEvent::Thawed(variant, body).by(actor)]).await?;
    }
    Ok(thawed)
}

/// How many keys of each variant are still frozen by a restore.
pub async fn frozen(conn: &mut AsyncPgConnection) -> Result<Vec<VariantCount>, Fault> {
    Ok(store::list_frozen(conn).await?)
}
