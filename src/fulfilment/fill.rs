//! Fills lines that waited for stock, the earliest paid first.

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, TransactionManager};

use crate::base::ids::{LineId, OrderId, VariantId};
use crate::base::outcome::Outcome;
use crate::fulfilment::assign::{self, PaidLine};
use crate::fulfilment::effects::{self, Occasion, failed};
use crate::fulfilment::jobs::Fill;
use crate::fulfilment::store::{self, Queue};
use crate::fulfilment::tasks::{AwaitingStock, DeliveryByHand, DeliveryFailed};
use crate::goods::{self, AskedVariant, Available};
use crate::infra::effects::jobs::{NewJob, Payload};
use crate::infra::effects::tasks::{self, TaskKind};
use crate::infra::kit::Kit;
use crate::infra::stuck::{self, RowName};
use crate::orders;
use crate::orders::model::Order;

/// Lines looked at in one transaction.
const LINES: i64 = 200;

/// How long a large line that cannot be filled keeps smaller ones behind it waiting.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// What a round of filling did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    pub lines: usize,
    pub units: usize,
    /// There may be more to do: the page was full, or somebody held an order.
    pub more: bool,
}

/// Job `fulfilment.fill`: fills what can be filled of one variant, in transactions of bounded size.
pub async fn run(kit: &Kit, variant_id: VariantId) -> Outcome<Filled> {
    let mut total = Filled::default();
    loop {
        let mut tx = kit.db.begin().await?;
        store::lock_variant(&mut tx, variant_id).await?;
        let filled = fill(&mut tx, kit, variant_id).await?;
        tx.commit().await?;
        total.lines += filled.lines;
        total.units += filled.units;
        total.more = filled.more;
        if !filled.more || filled.lines == 0 {
            break;
        }
    }
    if total.lines > 0 {
        kit.bell.ring();
    }
    Ok(total)
}

/// The jobs that fill what waits in an order whose hold was lifted.
pub async fn jobs_of_order(conn: &mut AsyncPgConnection, id: OrderId) -> Outcome<Vec<NewJob>> {
    let variants = store::list_waiting_variants(conn, id).await?;
    Ok(variants.into_iter().map(|variant| Fill { variant }.job()).collect())
}

/// Fills within the caller's transaction, which holds the variant's lock: nobody else brings its stock and its
/// waiting lines together meanwhile, so no line is left asleep beside a free key.
pub async fn fill(conn: &mut AsyncPgConnection, kit: &Kit, variant_id: VariantId) -> Outcome<Filled> {
    let by_hand = fill_by_hand(conn, kit, variant_id).await?;
    let stock = fill_waiting(conn, kit, variant_id, Queue::AwaitingStock).await?;
    Ok(Filled {
        lines: by_hand.lines + stock.lines,
        units: by_hand.units + stock.units,
        more: by_hand.more || stock.more,
    })
}

/// What was left to a person, for want of a file or because its delivery failed, is delivered when that is possible
/// now. Behind a savepoint: should it fail again, those that wait for stock are served all the same.
async fn fill_by_hand(conn: &mut AsyncPgConnection, kit: &Kit, variant_id: VariantId) -> Outcome<Filled> {
    AnsiTransactionManager::begin_transaction(conn).await?;
    match fill_waiting(conn, kit, variant_id, Queue::AwaitingPerson).await {
        Ok(filled) => {
            AnsiTransactionManager::commit_transaction(conn).await?;
            Ok(filled)
        }
        Err(failure) => {
            AnsiTransactionManager::rollback_transaction(conn).await?;
            tracing::warn!(variant = %variant_id, ?failure, "what is left to a person cannot be delivered yet");
            let lines = store::list_waiting(conn, variant_id, Queue::AwaitingPerson, LINES).await?;
            tasks::open(conn, &kit.clock, &lines.iter().map(failed).collect::<Vec<_>>()).await?;
            Ok(Filled::default())
        }
    }
}

async fn fill_waiting(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    variant_id: VariantId,
    queue: Queue,
) -> Outcome<Filled> {
    let seen = store::list_waiting(conn, variant_id, queue, LINES).await?;
    if seen.is_empty() {
        return Ok(Filled::default());
    }
    let mut ids: Vec<OrderId> = seen.iter().map(|l| l.order_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let orders = orders::store::lock_free(conn, &ids).await?;
    // Looked at again under the locks: an order may have been refunded meanwhile.
    let waiting: Vec<PaidLine> = store::list_waiting(conn, variant_id, queue, LINES)
        .await?
        .into_iter()
        .filter(|l| orders.iter().any(|o| o.id == l.order_id && o.state.is_paid()))
        .collect();
    let chosen = choose(conn, kit, variant_id, waiting).await?;
    let mut handed = assign::hand_over(conn, kit, &chosen, queue.state()).await?;
    handed.lines.retain(|h| !h.assigned.is_empty());
    let units = handed.lines.iter().map(|h| h.assigned.len()).sum();
    let touched: Vec<&Order> =
        orders.iter().filter(|o| handed.lines.iter().any(|h| h.line.order_id == o.id)).collect();
    let effects = effects::of_assignment(kit, &touched, &handed, Occasion::Filled, "system");
    effects.write(conn, &kit.clock).await?;
    orders::store::advance_delivered(conn, &touched.iter().map(|o| o.id).collect::<Vec<_>>()).await?;
    end_tasks(conn, variant_id, &handed.lines.iter().map(|h| h.line.line_id).collect::<Vec<_>>()).await?;
    let more = (seen.len() as i64 == LINES && !handed.lines.is_empty()) || orders.len() < ids.len();
    Ok(Filled { lines: handed.lines.len(), units, more })
}

/// The lines that get something now.
async fn choose(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    variant_id: VariantId,
    waiting: Vec<PaidLine>,
) -> Outcome<Vec<PaidLine>> {
    if waiting.is_empty() {
        return Ok(waiting);
    }
    // What does not run out: whether there is any is seen when it is given.
    let Some(left) = free(conn, variant_id, &waiting).await? else { return Ok(waiting) };
    Ok(pick(waiting, left, kit.clock.now()).lines.into_iter().map(|(line, _)| line).collect())
}

/// How many pieces can be had for these lines of a variant; none where there is no end.
pub(super) async fn free(
    conn: &mut AsyncPgConnection,
    variant_id: VariantId,
    waiting: &[PaidLine],
) -> Outcome<Option<usize>> {
    let Some(first) = waiting.first() else { return Ok(Some(0)) };
    let wanted: usize = waiting.iter().map(|l| l.unit_ids.len()).sum();
    let asked = AskedVariant::single(variant_id, &first.kind, &first.offered, wanted as i64);
    let stock = goods::available(conn, &[asked]).await?;
    let Some(Available::Pieces(left)) = stock.get(&variant_id) else { return Ok(None) };
    Ok(Some(*left as usize))
}

/// Lines that get something, and how many pieces each.
pub(super) struct Picked {
    pub lines: Vec<(PaidLine, usize)>,
    pub left: usize,
}

/// Shares `left` pieces out to the lines in their order, as long as they last. A line too large for what is left stops the
/// queue until it has waited ten minutes; then smaller ones pass.
pub(super) fn pick(waiting: Vec<PaidLine>, mut left: usize, now: DateTime<Utc>) -> Picked {
    let mut lines = Vec::new();
    for line in waiting {
        if left == 0 {
            break;
        }
        let wants = line.unit_ids.len();
        let impatient = line.waiting_since.is_none_or(|since| now - since < PATIENCE);
        if wants <= left {
            left -= wants;
            lines.push((line, wants));
        } else if line.partial_delivery {
            lines.push((line, left));
            left = 0;
        } else if impatient {
            break;
        }
    }
    Picked { lines, left }
}

/// Sweep: fills what waits beside free keys although it should not. Each find is a defect and is counted as one.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let neglected = {
        let mut conn = kit.db.conn().await?;
        store::list_neglected(&mut conn).await?
    };
    let name = |id: &VariantId| RowName::of(id.0, id);
    stuck::each(kit, "neglected_lines", neglected, name, |variant_id| async move {
        let done = run(kit, variant_id).await?;
        if done.lines > 0 {
            tracing::warn!(variant = %variant_id, lines = done.lines, "lines waited beside free keys");
            metrics::counter!("dispense_neglected_lines_total").increment(done.lines as u64);
        }
        Ok(done.lines)
    })
    .await
}

/// Ends the tasks about lines that no person has to look at any more, and about the variant once no unit of it waits.
pub(super) async fn end_tasks(
    conn: &mut AsyncPgConnection,
    variant: VariantId,
    lines: &[LineId],
) -> Outcome<()> {
    let mut over = Vec::new();
    if !store::is_awaiting_stock(conn, variant).await? {
        over.push(AwaitingStock::over(variant));
    }
    let waiting = store::list_awaiting_person(conn, lines).await?;
    for line in lines.iter().filter(|line| !waiting.contains(line)) {
        over.extend([DeliveryByHand::over(*line), DeliveryFailed::over(*line)]);
    }
    tasks::resolve(conn, &over, "system").await?;
    Ok(())
}
