//! What was heard of a purchase is applied under its order's lock.

use std::time::Duration;

use diesel_async::AsyncPgConnection;

use crate::base::ids::{KeyId, OrderId, SupplierPurchaseId};
use crate::base::outcome::{Fault, Outcome};
use crate::catalogue;
use crate::fulfilment::jobs::Fill;
use crate::fulfilment::supplier::buy::{NextLook, advance, end, rest_of, write};
use crate::fulfilment::supplier::give;
use crate::fulfilment::supplier::store as units;
use crate::infra::effects::Effects;
use crate::infra::effects::events::Event;
use crate::infra::effects::jobs::Payload;
use crate::infra::effects::tasks::{NewTask, TaskKind};
use crate::infra::kit::Kit;
use crate::infra::queue;
use crate::orders;
use crate::orders::model::Order;
use crate::suppliers::events::{Bought, Called, Paused, PurchaseEvent, SupplierEvent};
use crate::suppliers::jobs::BuyFromSupplier;
use crate::suppliers::protocol::{Goods, Heard, StatedPrice};
use crate::suppliers::state::{PurchaseChange, PurchaseState};
use crate::suppliers::store;
use crate::suppliers::tasks::{
    PurchaseQuarantined, PurchaseTrouble, SupplierPaused, SupplierSilent, SupplierTrouble,
};
use crate::suppliers::{PricedOffer, Purchase, Supplier, breaker, read};
use crate::vault::bought::{self, BoughtAt, StoredText};
use crate::vault::freeze::freeze;

/// Where it was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The answer to the call of this number: what others did meanwhile counts more, unless it has goods.
    Call(i32),
    Callback,
}

/// The step after what was heard. A repeat changes nothing; goods are never thrown away, however late they come.
pub(super) async fn apply(
    kit: &Kit,
    (order_id, id): (OrderId, SupplierPurchaseId),
    heard: Heard,
    source: Source,
) -> Outcome<NextLook> {
    let mut tx = kit.db.begin().await?;
    let gone = || Fault::bug("a purchase of no order");
    let order = orders::store::lock(&mut tx, order_id).await?.ok_or_else(gone)?;
    let purchase = store::lock_purchase(&mut tx, id).await?.ok_or_else(gone)?;
    let supplier = read::find(&mut tx, purchase.supplier_id).await?.ok_or_else(gone)?;
    if let Source::Call(_) = source {
        breaker::count(&mut tx, kit, &supplier, &heard).await?;
    }
    let overtaken = matches!(source, Source::Call(number) if number != purchase.calls);
    let live = purchase.state.is_live() && !overtaken;
    let next = match heard {
        Heard::Delivered(goods) => delivered(&mut tx, kit, &order, &supplier, purchase, goods).await?,
        _ if !live => NextLook::Finished,
        Heard::Refused { reason } => {
            let change = PurchaseChange::Refuse;
            match purchase.state.after(change) {
                Ok(_) => {
                    end(&mut tx, order.id, purchase, change, &reason).await?;
                    over(&mut tx, kit, id).await?;
                    NextLook::Again
                }
                Err(_) => NextLook::Finished,
            }
        }
        other => undecided(&mut tx, kit, &order, purchase, other).await?,
    };
    if source == Source::Callback && next == NextLook::Again {
        // Whoever called back is not kept waiting for the next supplier.
        let mut effects = Effects::default();
        let of = store::lock_purchase(&mut tx, id).await?.ok_or_else(gone)?;
        effects.jobs.push(BuyFromSupplier { piece: of.unit_id }.job());
        effects.write(&tx, &kit.clock).await?;
    }
    crate::fault_point!("supplier.applied");
    tx.commit().await?;
    kit.bell.ring();
    Ok(next)
}

/// The trouble that it had no end is over.
async fn over(conn: &mut AsyncPgConnection, kit: &Kit, id: SupplierPurchaseId) -> Result<(), Fault> {
    let effects = Effects { over: vec![SupplierSilent::over(id)], ..Effects::default() };
    Ok(effects.write(conn, &kit.clock).await?)
}

/// Neither goods nor a no.
async fn undecided(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    order: &Order,
    mut purchase: Purchase,
    heard: Heard,
) -> Outcome<NextLook> {
    let before = purchase.state;
    let mut gap = queue::gap_after(purchase.calls);
    let (word, change) = match heard {
        Heard::Pending { reference } => {
            purchase.reference = reference.or(purchase.reference);
            ("PENDING", PurchaseChange::Wait)
        }
        Heard::NotKnown => {
            gap = Duration::ZERO;
            ("NOT_KNOWN", PurchaseChange::TakeBack)
        }
        Heard::NotSent { why, retry_after } => {
            tracing::debug!(purchase = %purchase.id, why, "a call of a supplier was not sent");
            gap = retry_after.map_or(gap, Duration::from_secs);
            if before == PurchaseState::Sending {
                purchase.sent_at = None;
            }
            (if retry_after.is_some() { "BUSY" } else { "NOT_SENT" }, PurchaseChange::TakeBack)
        }
        Heard::Unknown { why } => {
            tracing::warn!(purchase = %purchase.id, why, "what became of a purchase is not known");
            ("UNKNOWN", PurchaseChange::LoseAnswer)
        }
        Heard::Delivered(_) | Heard::Refused { .. } => return Ok(NextLook::Finished),
    };
    // A question that was not answered changes nothing: neither that it is pending, nor that it is unknown.
    let question = before != PurchaseState::Sending && matches!(word, "BUSY" | "NOT_SENT");
    if !question && let Ok(after) = before.after(change) {
        purchase.state = after;
    }
    // What a supplier forgot after it had accepted it is asked about further.
    if purchase.state == before && before != PurchaseState::Sending && word == "NOT_KNOWN" {
        gap = queue::gap_after(purchase.calls);
    }
    purchase.wait = gap.as_secs_f64();
    let called = Called {
        supplier: purchase.supplier_id,
        piece: purchase.unit_id,
        request: purchase.request_id.clone(),
        call: purchase.calls,
        heard: word.to_owned(),
    };
    write(conn, &purchase, before).await?;
    let event = PurchaseEvent::Called(purchase.id, called).by("system");
    let event = event.of_order(order.id).of_seller(purchase.seller_id);
    Effects { events: vec![event], ..Effects::default() }.write(conn, &kit.clock).await?;
    if word == "NOT_SENT" && purchase.state == PurchaseState::Queued {
        let offers = read::list_offers(conn, &[purchase.variant_id], true).await?;
        // Each has its turn at once, and then they are waited for.
        if usize::try_from(purchase.calls).is_ok_and(|calls| calls < offers.len())
            && let Some(other) = next_of(&offers, &purchase)
            && store::advance_supplier(conn, purchase.id, other).await? == 1
        {
            purchase.wait = 0.0;
            write(conn, &purchase, purchase.state).await?;
            return Ok(NextLook::Again);
        }
    }
    Ok(if gap.is_zero() { NextLook::Again } else { NextLook::Later(rest_of(&purchase)) })
}

/// The supplier after the present one, around the end.
fn next_of<'a>(offers: &'a [PricedOffer], purchase: &Purchase) -> Option<&'a PricedOffer> {
    let at = offers.iter().position(|offer| offer.supplier_id == purchase.supplier_id)?;
    offers.get((at + 1) % offers.len()).filter(|offer| offer.supplier_id != purchase.supplier_id)
}

/// Goods came: they become a key, and the unit's if it still takes it. What is not as it was agreed is kept out of sale.
async fn delivered(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    order: &Order,
    supplier: &Supplier,
    mut purchase: Purchase,
    goods: Goods,
) -> Outcome<NextLook> {
    // Goods are proof that it was sent, whatever became of the call.
    purchase.sent_at = purchase.sent_at.or_else(|| Some(kit.clock.now()));
    let at =
        BoughtAt { seller_id: purchase.seller_id, variant_id: purchase.variant_id, supplier_id: supplier.id };
    let folding = catalogue::read::list_folding(conn, purchase.seller_id).await?;
    let mut stored = Vec::with_capacity(goods.texts.len());
    for text in goods.texts.iter().take(20) {
        stored.push(bought::store_text(conn, kit, at, &folding, text).await?);
    }
    let same = |one: &StoredText| matches!(one, StoredText::Known(key) if Some(*key) == purchase.key_id);
    if purchase.state == PurchaseState::Delivered && stored.iter().all(same) && !stored.is_empty() {
        return Ok(NextLook::Finished);
    }
    let price = match goods.price {
        Some(StatedPrice::Of(price)) => Some(price.minor),
        Some(StatedPrice::Unreadable) | None => None,
    };
    if let Some(reason) = wrong(&purchase, &goods, &stored) {
        keep_out_of_sale(conn, purchase.id, &stored).await?;
        return quarantine(conn, kit, order, supplier, (purchase, price), reason).await;
    }
    let Some(StoredText::New(key)) = stored.first().copied() else {
        return Err(Fault::bug("goods without a key").into());
    };
    purchase.key_id = Some(key);
    purchase.price_minor = price;
    purchase.reference = goods.reference.or(purchase.reference);
    advance(conn, &mut purchase, PurchaseChange::Deliver).await?;
    let unit = units::find(conn, purchase.unit_id).await?.filter(units::WaitingUnit::takes);
    let bought = Bought {
        supplier: supplier.id,
        piece: purchase.unit_id,
        request: purchase.request_id.clone(),
        key,
        price_minor: price,
        currency: purchase.currency.clone(),
        given: unit.is_some(),
    };
    let mut effects = Effects::default();
    let event = PurchaseEvent::Delivered(purchase.id, bought).by("system");
    effects.events.push(event.of_order(order.id).of_seller(purchase.seller_id));
    effects.over.push(SupplierSilent::over(purchase.id));
    match unit {
        Some(unit) => give::key(conn, kit, order, (purchase.unit_id, &unit), key).await?,
        // Stock from now on: whoever waits for a piece gets it, this unit too when its hold is lifted.
        None => {
            effects.jobs.push(Fill { variant: purchase.variant_id }.job());
            effects.jobs.push(BuyFromSupplier { piece: purchase.unit_id }.job());
        }
    }
    effects.write(conn, &kit.clock).await?;
    Ok(NextLook::Finished)
}

/// Why goods are not sold: the first of the reasons that they have.
fn wrong(purchase: &Purchase, goods: &Goods, stored: &[StoredText]) -> Option<&'static str> {
    let too_dear = match goods.price {
        Some(StatedPrice::Of(price)) => {
            price.currency.as_str() != purchase.currency || price.minor > purchase.max_price_minor
        }
        Some(StatedPrice::Unreadable) => true,
        None => false,
    };
    if purchase.state.after(PurchaseChange::Deliver).is_err() {
        return Some("DELIVERED_TWICE");
    }
    if goods.of_another {
        return Some("OTHER_PURCHASE");
    }
    if goods.spoilt {
        return Some("TEXT_UNREADABLE");
    }
    if stored.len() != 1 || goods.texts.len() != 1 {
        return Some("WRONG_COUNT");
    }
    if too_dear {
        return Some("PRICE_ABOVE_AGREED");
    }
    matches!(stored.first(), Some(StoredText::Known(_))).then_some("KEY_KNOWN")
}

/// New keys among them are frozen until a person has looked at them.
async fn keep_out_of_sale(
    conn: &mut AsyncPgConnection,
    id: SupplierPurchaseId,
    stored: &[StoredText],
) -> Result<(), Fault> {
    let new = stored.iter().filter_map(|one| match one {
        StoredText::New(key) => Some(*key),
        StoredText::Known(_) => None,
    });
    let new: Vec<KeyId> = new.collect();
    freeze(conn, &new, "system").await?;
    store::insert_quarantine(conn, id, &new).await?;
    Ok(())
}

/// The supplier was paid for something that is not sold. A person looks at it; the unit goes to the next supplier. One that
/// takes more than was agreed is asked no further.
async fn quarantine(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    order: &Order,
    supplier: &Supplier,
    (mut purchase, price): (Purchase, Option<i64>),
    reason: &'static str,
) -> Outcome<NextLook> {
    let mut effects = Effects::default();
    let (id, unit, variant) = (purchase.id, purchase.unit_id, purchase.variant_id);
    effects.tasks.push(trouble(&purchase, order.id, reason));
    let open = purchase.state.after(PurchaseChange::Quarantine).is_ok();
    if open {
        purchase.price_minor = price;
        end(conn, order.id, purchase, PurchaseChange::Quarantine, reason).await?;
        effects.over.push(SupplierSilent::over(id));
    }
    tracing::warn!(purchase = %id, unit = %unit, variant = %variant, reason, "goods of a supplier are kept out of sale");
    if reason == "PRICE_ABOVE_AGREED" && store::advance_paused(conn, supplier.id, reason).await? {
        let paused = Paused { reason: reason.to_owned() };
        let event = SupplierEvent::Paused(supplier.id, paused).by("system");
        effects.events.push(event.of_seller(supplier.seller_id));
        let trouble = SupplierTrouble { name: supplier.name.clone(), reason: reason.to_owned() };
        effects.tasks.push(SupplierPaused::open(supplier.id, trouble));
    }
    effects.write(conn, &kit.clock).await?;
    Ok(if open { NextLook::Again } else { NextLook::Finished })
}

fn trouble(purchase: &Purchase, order: OrderId, reason: &str) -> NewTask {
    let trouble = PurchaseTrouble {
        supplier: purchase.supplier_id,
        piece: purchase.unit_id,
        variant: purchase.variant_id,
        request: purchase.request_id.clone(),
        reason: reason.to_owned(),
    };
    PurchaseQuarantined::open(purchase.id, trouble).of_order(order)
}
