//! Shows secrets of a buyer's order to staff, who say why: each time is recorded and counted, and a key that staff has
//! seen never goes back on sale (C9).

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{UnitId, UserId};
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text;
use crate::delivery::reveal::{Page, RevealedSecret, open_page};
use crate::infra::effects::events::{self, Event, NewEvent};
use crate::infra::kit::Kit;
use crate::orders::events::{OfLine, UnitEvent};
use crate::orders::model::Order;
use crate::orders::staff::store::{self, Act};
use crate::orders::unit::Target;
use crate::orders::{read, store as orders};
use crate::vault;

/// Longest reason, characters.
const LONGEST_REASON: usize = 500;

/// A page of secrets, and how often staff was shown secrets of the order, this time included.
#[derive(Clone, Debug)]
pub struct RevealedToStaff {
    pub order: Order,
    pub secrets: Vec<RevealedSecret>,
    pub last_unit_no: Option<i32>,
    pub has_next: bool,
    pub times: i64,
}

/// The person and the reason of an act of staff. `FORBIDDEN`, `REASON_REQUIRED`, `INVALID`.
pub fn staff_with_reason(actor: &Actor, reason: &str) -> Outcome<(UserId, String)> {
    let user = match actor.user_id() {
        Some(user) if actor.is_staff() => user,
        _ => return Err(Refusal::new(ErrorCode::Forbidden, "this is for staff").into()),
    };
    Ok((user, text::reason(reason, "reason", LONGEST_REASON, "say why")?))
}

/// Shows up to `first` secrets (1 to 500) to staff. The buyer's state does not change: the buyer has not seen them.
/// Refusals: those of [`crate::delivery::reveal::reveal`], `FORBIDDEN`, `REASON_REQUIRED`.
pub async fn reveal_for_staff(
    kit: &Kit,
    actor: &Actor,
    target: &Target,
    reason: &str,
    first: i64,
    after: i32,
) -> Outcome<RevealedToStaff> {
    let (user, reason) = staff_with_reason(actor, reason)?;
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such delivery").at(["target"]);
    let mut tx = kit.db.begin().await?;
    let id = read::order_of(&mut tx, target).await?.ok_or_else(missing)?;
    let order = orders::lock(&mut tx, id).await?.ok_or_else(missing)?;
    let Page { standings, opened, last_unit_no, has_next } =
        open_page(&mut tx, kit, &order, target, first, after).await?;
    let shown: Vec<UnitId> = opened.iter().map(|key| key.unit_id).collect();
    if !shown.is_empty() {
        vault::reveal::mark_revealed(&mut tx, &shown).await?;
        store::insert_acts(&mut tx, Act::DeliveryShown, id, &shown, user, &reason).await?;
        let units = standings.iter().map(|s| &s.unit).filter(|u| shown.contains(&u.id));
        let facts: Vec<NewEvent> = units
            .map(|unit| {
                UnitEvent::ShownToStaff(unit.id, OfLine { line: unit.line_id })
                    .by(actor.label())
                    .of_order(id)
                    .of_seller(unit.seller_id)
            })
            .collect();
        events::append(&tx, &facts).await?;
    }
    let times = store::count_shown(&mut tx, id).await?;
    tx.commit().await?;
    metrics::counter!("dispense_secrets_shown_to_staff_total").increment(shown.len() as u64);
    kit.bell.ring();
    let secrets = standings
        .into_iter()
        .filter_map(|standing| {
            let key = opened.iter().find(|k| k.unit_id == standing.unit.id)?;
            Some(RevealedSecret { unit: standing.unit, text: key.text.clone() })
        })
        .collect();
    Ok(RevealedToStaff { order, secrets, last_unit_no, has_next, times })
}
