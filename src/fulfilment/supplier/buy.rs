//! One piece is bought: what is to be done next is decided under the order's lock and stored before anything is sent.

use std::time::{Duration, Instant};

use diesel_async::AsyncPgConnection;

use crate::base::ids::{OrderId, SupplierPurchaseId, UnitId, VariantId};
use crate::base::outcome::{Fault, Outcome};
use crate::base::secret::Secret;
use crate::fulfilment::supplier::apply::{self, Source};
use crate::fulfilment::supplier::give;
use crate::fulfilment::supplier::store::{self as units, WaitingUnit};
use crate::infra::effects::events::{self, Event};
use crate::infra::kit::Kit;
use crate::orders;
use crate::orders::model::Order;
use crate::orders::unit::{Target, UnitState};
use crate::suppliers::events::{Ended, OfPurchase, PurchaseEvent};
use crate::suppliers::state::{PurchaseChange, PurchaseState};
use crate::suppliers::store::{self, NewPurchase};
use crate::suppliers::{PricedOffer, Purchase, Supplier, SupplierState, breaker, call, read, secrets_of};

/// What the job does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextLook {
    Finished,
    /// At once.
    Again,
    Later(Duration),
}

/// Steps of one run: every supplier of a variant has its say, with a question each.
const STEPS: usize = 24;

/// A run that took so long begins no other call: it must end before its job's time does.
const SLOW: Duration = Duration::from_secs(15);

/// How often a unit is looked at whose money is on its way back.
const HELD: Duration = Duration::from_secs(60);

/// How often one is looked at that no supplier can be asked about.
const UNASKED: Duration = Duration::from_secs(3_600);

/// A call is given up for lost so many seconds after its own time.
const MARGIN: f64 = 15.0;

/// What is to be done outside the transaction that decided it.
enum Step {
    Do(NextLook),
    Order(Call),
    Ask(Call),
}

struct Call {
    supplier: Supplier,
    secrets: Vec<Secret>,
    purchase: Purchase,
}

/// Job `suppliers.buy`. Run twice at once, or after a crash anywhere, it buys once: the purchase is stored as being sent
/// before the call, and what was sent is asked about, never ordered blindly again.
pub async fn run(kit: &Kit, unit: UnitId) -> Outcome<NextLook> {
    let began = Instant::now();
    for _ in 0..STEPS {
        if began.elapsed() > SLOW {
            break;
        }
        let (call, heard) = match prepare(kit, unit).await? {
            Step::Do(NextLook::Again) => continue,
            Step::Do(next) => return Ok(next),
            Step::Order(call) => {
                crate::fault_point!("supplier.stored");
                let heard = call::order(kit, &call.supplier, &call.secrets, &call.purchase).await;
                (call, Some(heard))
            }
            Step::Ask(call) => {
                let heard = call::ask(kit, &call.supplier, &call.secrets, &call.purchase).await;
                (call, heard)
            }
        };
        let Some(heard) = heard else { return Ok(NextLook::Later(UNASKED)) };
        crate::fault_point!("supplier.heard");
        let of = (call.purchase.order_id, call.purchase.id);
        match apply::apply(kit, of, heard, Source::Call(call.purchase.calls)).await? {
            NextLook::Again => {}
            next => return Ok(next),
        }
    }
    Ok(NextLook::Later(Duration::from_secs(1)))
}

async fn prepare(kit: &Kit, unit: UnitId) -> Outcome<Step> {
    let mut tx = kit.db.begin().await?;
    let Some(order) = lock_order(&mut tx, unit).await? else { return Ok(Step::Do(NextLook::Finished)) };
    let Some(waiting) = units::find(&mut tx, unit).await? else { return Ok(Step::Do(NextLook::Finished)) };
    let step = match store::lock_live(&mut tx, unit).await? {
        None => Step::Do(without_purchase(&mut tx, kit, &order, (unit, &waiting)).await?),
        Some(purchase) if purchase.state == PurchaseState::Queued => {
            queued(&mut tx, kit, &order, &waiting, purchase).await?
        }
        Some(purchase) => sent(&mut tx, kit, purchase).await?,
    };
    tx.commit().await?;
    Ok(step)
}

/// The order of a unit, read without its lock and looked at again with it.
pub(super) async fn lock_order(conn: &mut AsyncPgConnection, unit: UnitId) -> Outcome<Option<Order>> {
    let Some(id) = orders::read::order_of(conn, &Target::Units(vec![unit])).await? else { return Ok(None) };
    Ok(orders::store::lock(conn, id).await?)
}

/// Nothing runs for the unit: it is served from stock, by a supplier that was not tried yet, or by a person.
async fn without_purchase(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    order: &Order,
    (id, unit): (UnitId, &WaitingUnit),
) -> Outcome<NextLook> {
    if !unit.waits() {
        return Ok(NextLook::Finished);
    }
    if !unit.takes() {
        return Ok(NextLook::Later(HELD));
    }
    if give::from_stock(conn, kit, order, (id, unit)).await? {
        return Ok(NextLook::Finished);
    }
    let (round, untried) = untried(conn, id, unit.variant_id).await?;
    if let Some(offer) = first_answering(conn, kit, &untried).await? {
        let new = NewPurchase {
            id: SupplierPurchaseId(kit.clock.uuid()),
            seller_id: unit.seller_id,
            order_id: order.id,
            unit_id: id,
            round,
            offer,
        };
        store::insert_purchases(conn, &[new], false).await?;
        return Ok(NextLook::Again);
    }
    if unit.state == UnitState::AwaitingSupplier {
        give::to_a_person(conn, kit, order, (id, unit)).await?;
    }
    Ok(NextLook::Finished)
}

/// The round that a unit is in, and the offers that were not tried in it.
async fn untried(
    conn: &mut AsyncPgConnection,
    unit: UnitId,
    variant: VariantId,
) -> Outcome<(i32, Vec<PricedOffer>)> {
    let tried = read::tried(conn, unit).await?;
    let mut offers = read::list_offers(conn, &[variant], true).await?;
    offers.retain(|offer| !tried.suppliers.contains(&offer.supplier_id));
    Ok((tried.round, offers))
}

/// The first of them that answers.
async fn answering(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    offers: &[PricedOffer],
) -> Outcome<Option<PricedOffer>> {
    for offer in offers {
        let supplier = read::find(conn, offer.supplier_id).await?;
        if supplier.is_some_and(|supplier| breaker::is_closed(&supplier, kit.clock.now())) {
            return Ok(Some(offer.clone()));
        }
    }
    Ok(None)
}

/// The first of them that answers, else the first.
pub(super) async fn first_answering(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    offers: &[PricedOffer],
) -> Outcome<Option<PricedOffer>> {
    Ok(answering(conn, kit, offers).await?.or_else(|| offers.first().cloned()))
}

/// Nothing was sent yet.
async fn queued(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    order: &Order,
    unit: &WaitingUnit,
    purchase: Purchase,
) -> Outcome<Step> {
    if !unit.waits() {
        end(conn, order.id, purchase, PurchaseChange::Abandon, "NOT_WANTED").await?;
        return Ok(Step::Do(NextLook::Finished));
    }
    if !unit.takes() {
        return Ok(Step::Do(NextLook::Later(HELD)));
    }
    if give::from_stock(conn, kit, order, (purchase.unit_id, unit)).await? {
        end(conn, order.id, purchase, PurchaseChange::Abandon, "FROM_STOCK").await?;
        return Ok(Step::Do(NextLook::Finished));
    }
    let now = kit.clock.now();
    if purchase.wait > 0.0 {
        return Ok(Step::Do(NextLook::Later(rest_of(&purchase))));
    }
    let found = read::find(conn, purchase.supplier_id).await?;
    let supplier = found.ok_or_else(|| Fault::bug("a purchase at no supplier"))?;
    if supplier.state == SupplierState::Paused {
        end(conn, order.id, purchase, PurchaseChange::Abandon, "PAUSED").await?;
        return Ok(Step::Do(NextLook::Again));
    }
    if !breaker::is_closed(&supplier, now) {
        // What was sent once may still arrive there, although the supplier did not know it.
        let elsewhere = purchase.sent_at.is_none() && go_elsewhere(conn, kit, &purchase).await?;
        let open = supplier.open_until.and_then(|until| (until - now).to_std().ok()).unwrap_or_default();
        let later = NextLook::Later(open.max(Duration::from_secs(1)));
        return Ok(Step::Do(if elsewhere { NextLook::Again } else { later }));
    }
    if !breaker::may_try(conn, kit, &supplier).await? {
        return Ok(Step::Do(NextLook::Later(Duration::from_secs(5))));
    }
    let mut purchase = purchase;
    purchase.calls += 1;
    purchase.sent_at = Some(now);
    purchase.wait = given_up_after(&supplier);
    advance(conn, &mut purchase, PurchaseChange::Send).await?;
    let body =
        OfPurchase { supplier: supplier.id, piece: purchase.unit_id, request: purchase.request_id.clone() };
    let event = PurchaseEvent::Sent(purchase.id, body).by("system");
    events::append(conn, &[event.of_order(order.id).of_seller(purchase.seller_id)]).await?;
    let secrets = secrets_of(conn, kit, &supplier).await?;
    Ok(Step::Order(Call { supplier, secrets, purchase }))
}

/// Moves what was not sent to a supplier that answers and was not tried. False: there is none.
async fn go_elsewhere(conn: &mut AsyncPgConnection, kit: &Kit, purchase: &Purchase) -> Outcome<bool> {
    let (_, untried) = untried(conn, purchase.unit_id, purchase.variant_id).await?;
    match answering(conn, kit, &untried).await? {
        Some(offer) => Ok(store::advance_supplier(conn, purchase.id, &offer).await? == 1),
        None => Ok(false),
    }
}

/// It was sent, and what became of it is not known yet.
async fn sent(conn: &mut AsyncPgConnection, kit: &Kit, mut purchase: Purchase) -> Outcome<Step> {
    if purchase.wait > 0.0 {
        return Ok(Step::Do(NextLook::Later(rest_of(&purchase))));
    }
    let found = read::find(conn, purchase.supplier_id).await?;
    let supplier = found.ok_or_else(|| Fault::bug("a purchase at no supplier"))?;
    let before = purchase.state;
    if before == PurchaseState::Sending {
        // Whoever sent it is gone: the answer is lost.
        purchase.state = step(before, PurchaseChange::LoseAnswer)?;
    }
    purchase.calls += 1;
    purchase.wait = given_up_after(&supplier);
    write(conn, &purchase, before).await?;
    let secrets = secrets_of(conn, kit, &supplier).await?;
    Ok(Step::Ask(Call { supplier, secrets, purchase }))
}

/// Seconds after which a call is given up for lost.
fn given_up_after(supplier: &Supplier) -> f64 {
    f64::from(supplier.timeout_seconds) + MARGIN
}

/// How long a purchase is to be left alone yet.
pub(super) fn rest_of(purchase: &Purchase) -> Duration {
    Duration::from_secs_f64(purchase.wait.clamp(1.0, 86_400.0))
}

/// The state after a change that was looked at before.
pub(super) fn step(from: PurchaseState, change: PurchaseChange) -> Result<PurchaseState, Fault> {
    from.after(change).map_err(|error| Fault::bug(error.to_string()))
}

/// Moves a locked purchase.
pub(super) async fn advance(
    conn: &mut AsyncPgConnection,
    purchase: &mut Purchase,
    change: PurchaseChange,
) -> Result<(), Fault> {
    let before = purchase.state;
    purchase.state = step(before, change)?;
    write(conn, purchase, before).await
}

/// Writes a locked purchase.
pub(super) async fn write(
    conn: &mut AsyncPgConnection,
    purchase: &Purchase,
    before: PurchaseState,
) -> Result<(), Fault> {
    match store::advance_purchase(conn, purchase, before).await? {
        1 => Ok(()),
        _ => Err(Fault::bug("a locked purchase changed its state")),
    }
}

/// Ends a locked purchase without goods.
pub(super) async fn end(
    conn: &mut AsyncPgConnection,
    order: OrderId,
    mut purchase: Purchase,
    change: PurchaseChange,
    reason: &str,
) -> Result<(), Fault> {
    purchase.reason = Some(reason.to_owned());
    advance(conn, &mut purchase, change).await?;
    let ended = Ended {
        supplier: purchase.supplier_id,
        piece: purchase.unit_id,
        request: purchase.request_id.clone(),
        reason: reason.to_owned(),
    };
    let made = match change {
        PurchaseChange::Refuse => PurchaseEvent::Refused,
        PurchaseChange::Quarantine => PurchaseEvent::Quarantined,
        _ => PurchaseEvent::Abandoned,
    };
    let event = made(purchase.id, ended).by("system").of_order(order).of_seller(purchase.seller_id);
    events::append(conn, &[event]).await?;
    Ok(())
}
