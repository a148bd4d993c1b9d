//! Stock that a restore froze goes back on sale: by itself when it is certain that nothing was sold since the backup, else
//! by a person's decision.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::ids::VariantId;
use crate::base::outcome::Outcome;
use crate::fulfilment::jobs::Fill;
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::effects::tasks::{self, TaskKind};
use crate::infra::epoch::{self, Epoch};
use crate::payments::kit::PaymentKit;
use crate::payments::restored::store;
use crate::payments::tasks::{Frozen, RestoredStockFrozen};
use crate::vault::restored;

/// Puts the frozen keys of a variant back on sale, all but the first ones in the order in which they would have been sold:
/// those stay frozen. Lines that wait are filled. Answers how many keys.
pub async fn release(kit: &PaymentKit, actor: &Actor, variant: VariantId, but_first: i64) -> Outcome<usize> {
    let mut tx = kit.db.begin().await?;
    let thawed = thaw(&mut tx, variant, but_first.max(0), &actor.label()).await?;
    end_tasks(&mut tx).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(thawed)
}

async fn thaw(
    conn: &mut AsyncPgConnection,
    variant: VariantId,
    but_first: i64,
    actor: &str,
) -> Outcome<usize> {
    let thawed = restored::thaw(conn, variant, but_first, actor).await?;
    jobs::add(conn, &[Fill { variant }.job()]).await?;
    Ok(thawed)
}

/// Releases the stock when every question is answered and nothing was sold that is unknown here: no line of a statement,
/// no attempt that was paid meanwhile. What can be had for nothing stays frozen, because no gateway knows of it. What
/// stays is put before a person.
pub(super) async fn release_if_nothing_is_unknown(kit: &PaymentKit, epoch: &Epoch) -> Outcome<()> {
    let mut tx = kit.db.begin().await?;
    let questions = store::list_questions(&mut tx, epoch.id).await?;
    let found = epoch::current(&mut tx).await?.found_payments;
    let certain = found == 0 && questions.iter().all(|q| q.state == "answered" && q.unknown_lines == 0);
    let free = store::list_free_variants(&mut tx).await?;
    let mut waiting = Vec::new();
    for variant in restored::frozen(&mut tx).await? {
        if certain && !free.contains(&variant.variant_id) {
            thaw(&mut tx, variant.variant_id, 0, "system").await?;
            continue;
        }
        let frozen = Frozen { variant: variant.variant_id, keys: variant.keys, epoch: epoch.id };
        waiting.push(RestoredStockFrozen::open(variant.variant_id, frozen));
    }
    tasks::open(&tx, &kit.clock, &waiting).await?;
    end_tasks(&mut tx).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}

async fn end_tasks(conn: &mut AsyncPgConnection) -> Outcome<()> {
    let thawed = store::list_thawed(conn).await?;
    let over: Vec<_> = thawed.into_iter().map(RestoredStockFrozen::over).collect();
    tasks::resolve(conn, &over, "system").await?;
    Ok(())
}
