//! A person has all suppliers tried again for a unit that waits for a person.

use crate::base::error_code::ErrorCode;
use crate::base::ids::{SupplierPurchaseId, UnitId};
use crate::base::outcome::{Outcome, Refusal};
use crate::fulfilment::supplier::buy::{first_answering, lock_order, write};
use crate::fulfilment::supplier::store as units;
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::kit::Kit;
use crate::suppliers::jobs::BuyFromSupplier;
use crate::suppliers::read;
use crate::suppliers::state::PurchaseState;
use crate::suppliers::store::{self, NewPurchase};

/// Begins another round for a unit; one that is being bought is looked at now. `NOT_FOUND`, and `ILLEGAL_TRANSITION` when
/// it does not wait for goods, is held, or is sold by nobody.
pub async fn retry(kit: &Kit, unit: UnitId) -> Outcome<()> {
    let refuse = |text: &str| Refusal::new(ErrorCode::IllegalTransition, text);
    let mut tx = kit.db.begin().await?;
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such delivery");
    let order = lock_order(&mut tx, unit).await?.ok_or_else(missing)?;
    let waiting = units::find(&mut tx, unit).await?.filter(units::WaitingUnit::takes);
    let waiting = waiting.ok_or_else(|| refuse("this delivery does not wait for goods, or is held"))?;
    if let Some(mut live) = store::lock_live(&mut tx, unit).await? {
        // A call that is on its way keeps its time: it is not asked about before it can have ended.
        if live.state != PurchaseState::Sending {
            live.wait = 0.0;
            write(&mut tx, &live, live.state).await?;
        }
    } else {
        let offers = read::list_offers(&tx, &[waiting.variant_id], true).await?;
        let offer = first_answering(&mut tx, kit, &offers).await?;
        let offer = offer.ok_or_else(|| refuse("no supplier sells it: name one, or deliver it by hand"))?;
        let before = read::list_purchases(&mut tx, unit).await?;
        let new = NewPurchase {
            id: SupplierPurchaseId(kit.clock.uuid()),
            seller_id: waiting.seller_id,
            order_id: order.id,
            unit_id: unit,
            round: before.iter().map(|purchase| purchase.round).max().unwrap_or(0) + 1,
            offer,
        };
        store::insert_purchases(&tx, &[new], false).await?;
    }
    jobs::add(&tx, &[BuyFromSupplier { piece: unit }.job()]).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}
