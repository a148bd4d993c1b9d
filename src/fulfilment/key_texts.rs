//! Brings the fingerprints of stored keys to the present definition of a key's text, a few keys at a time beside sales.

use crate::base::ids::VariantId;
use crate::base::outcome::Outcome;
use crate::catalogue;
use crate::fulfilment::store;
use crate::infra::kit::Kit;
use crate::infra::stuck::{self, RowName};
use crate::vault::fingerprints;

/// Keys of one call of the sweep, which is called again at once while it finds some.
const MOST: usize = 1_000;

/// The sweep. Each step is a transaction of its own, so a run that was killed goes on where it stopped. Returns how many
/// keys were seen to.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let variants = {
        let mut conn = kit.db.conn().await?;
        fingerprints::list_variants(&mut conn).await?
    };
    let name = |id: &VariantId| RowName::of(id.0, id);
    let mut seen_to = 0;
    for variant in variants {
        let left = MOST - seen_to;
        let work = |variant| see_to(kit, variant, left);
        seen_to += stuck::each(kit, "key_fingerprints", vec![variant], name, work).await?;
        if seen_to >= MOST {
            break;
        }
    }
    Ok(seen_to)
}

/// Sees to keys of a variant until there are none or so many are done. Returns how many.
async fn see_to(kit: &Kit, variant: VariantId, most: usize) -> Outcome<usize> {
    let (mut seen_to, mut after) = (0, None);
    loop {
        let mut tx = kit.db.begin().await?;
        store::lock_variant(&mut tx, variant).await?;
        let fold_case = catalogue::read::folds_case(&mut tx, variant).await?;
        let stepped = fingerprints::step(&mut tx, kit, variant, fold_case, after).await?;
        crate::fault_point!("key_texts.step");
        tx.commit().await?;
        seen_to += stepped.done + stepped.twins;
        after = stepped.last;
        if seen_to >= most || after.is_none() {
            return Ok(seen_to);
        }
    }
}
