//! Sweeps over what was paid and is not delivered. What the program can mend it mends; what it cannot is put before a person,
//! once for each cause, and taken away again when the cause has ended.

mod store;

use chrono::TimeDelta;

use crate::base::ids::{LineId, OrderId};
use crate::base::outcome::Outcome;
use crate::fulfilment::release;
use crate::fulfilment::tasks::{
    DeliveryByHand, DeliveryOverdue, GoodsOverdue, LateLine, LateVariant, OfVariant,
};
use crate::infra::effects::tasks::{self, NewTask, Over, TaskKind};
use crate::infra::kit::Kit;
use crate::infra::stuck::{self, RowName};
use crate::orders;
use crate::orders::holds;

/// Rows that one step looks at.
const AT_ONCE: i64 = 200;

/// How long what settles a payment is left alone with it.
const HEAD_START: TimeDelta = TimeDelta::minutes(1);

/// Sweep: gives paid orders their goods that have pieces which neither wait nor are reviewed. Settling leaves none: each find is
/// a defect and is counted as one. Returns how many orders got something.
pub async fn sweep_unassigned(kit: &Kit) -> Outcome<usize> {
    let found = store::list_unassigned(&mut *kit.db.conn().await?, HEAD_START, AT_ONCE).await?;
    let name = |id: &OrderId| RowName::of(id.0, id);
    stuck::each(
        kit,
        "unassigned_orders",
        found,
        name,
        |id| async move { Ok(usize::from(serve(kit, id).await?)) },
    )
    .await
}

async fn serve(kit: &Kit, id: OrderId) -> Outcome<bool> {
    let mut tx = kit.db.begin().await?;
    let Some(order) = orders::store::lock(&mut tx, id).await? else { return Ok(false) };
    if !order.state.is_paid() || holds::is_held(&mut tx, id).await? {
        return Ok(false);
    }
    if !release::hand_over(&mut tx, kit, &order, "system").await? {
        return Ok(false);
    }
    tx.commit().await?;
    kit.bell.ring();
    tracing::warn!(order = %id, "a paid order had been given nothing");
    metrics::counter!("dispense_defects_total", "kind" => "paid_unassigned").increment(1);
    Ok(true)
}

fn limit(kit: &Kit) -> TimeDelta {
    TimeDelta::hours(kit.config.shop.waiting_alert_hours)
}

/// Sweep: opens the task of a line again that waits for a person while none is open: nobody would deliver it. A task that a
/// person ended stays ended for as long as the shop lets things wait. Returns how many.
pub async fn sweep_persons(kit: &Kit) -> Outcome<usize> {
    let mut tx = kit.db.begin().await?;
    let left = store::list_left_to_nobody(&mut tx, HEAD_START, limit(kit), AT_ONCE).await?;
    let task = |line: &store::LeftLine| {
        let body = OfVariant { variant: line.variant_id };
        DeliveryByHand::open(line.line_id, body).of_order(line.order_id).of_line(line.line_id)
    };
    let opened = tasks::open(&tx, &kit.clock, &left.iter().map(task).collect::<Vec<_>>()).await?;
    tx.commit().await?;
    Ok(opened)
}

/// Sweep: puts what has waited for longer than `shop.waiting_alert_hours` before a person. Whatever waits for stock or suppliers
/// is one task per variant, however many buyers wait; what waits for a person is one per line. Returns how many were opened
/// or ended.
pub async fn sweep_overdue(kit: &Kit) -> Outcome<usize> {
    let mut tx = kit.db.begin().await?;
    let over: Vec<Over> = store::list_over(&mut tx, GoodsOverdue::KIND, DeliveryOverdue::KIND, AT_ONCE)
        .await?
        .into_iter()
        .filter_map(|row| match row.kind == GoodsOverdue::KIND {
            true => Some(GoodsOverdue::over(row.id()?.into())),
            false => Some(DeliveryOverdue::over(LineId(row.id()?))),
        })
        .collect();
    let ended = tasks::resolve(&tx, &over, "system").await?;
    let limit = limit(kit);
    let goods = store::list_late_variants(&mut tx, GoodsOverdue::KIND, limit, AT_ONCE).await?;
    let lines = store::list_late_lines(&mut tx, DeliveryOverdue::KIND, limit, AT_ONCE).await?;
    let of_goods = |late: store::LateVariantRow| {
        let body = LateVariant {
            variant: late.variant_id,
            state: late.state.as_str().to_ascii_uppercase(),
            pieces: late.pieces,
            since: late.since,
        };
        GoodsOverdue::open(late.variant_id, body)
    };
    let of_line = |late: store::LateLineRow| {
        let body = LateLine { variant: late.variant_id, state: late.state, since: late.since };
        DeliveryOverdue::open(late.line_id, body).of_order(late.order_id).of_line(late.line_id)
    };
    let new: Vec<NewTask> = goods.into_iter().map(of_goods).chain(lines.into_iter().map(of_line)).collect();
    let opened = tasks::open(&tx, &kit.clock, &new).await?;
    tx.commit().await?;
    Ok(ended + opened)
}
