//! What lists are sorted by is kept by the database's triggers. Two things they cannot see: the time when a price begins or
//! ends, and a currency that the shop was given without a price in it.

use crate::base::outcome::{Fault, Outcome};
use crate::catalogue::product_list::store;
use crate::infra::kit::Kit;

/// Products whose prices are computed again in one step.
const AT_ONCE: i64 = 500;

/// Sweep: computes what products cost from again whose prices began or ended. Returns how many.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    Ok(store::refresh_due(&mut *kit.db.conn().await?, AT_ONCE).await?)
}

/// Keeps prices in the shop's currencies, from its start on.
pub async fn start(kit: &Kit) -> Result<(), Fault> {
    let currencies: Vec<&str> = kit.config.shop.currencies.iter().map(String::as_str).collect();
    store::insert_currencies(&mut *kit.db.conn().await?, &currencies).await?;
    Ok(())
}
