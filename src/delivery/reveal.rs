//! Shows the secrets of delivered units to their buyer, and records the first time (K6, L6).

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{OrderId, UnitId};
use crate::base::outcome::{Failure, Fault, Outcome, Refusal};
use crate::base::secret::Secret;
use crate::infra::effects::events::{self, Event, NewEvent};
use crate::infra::kit::Kit;
use crate::orders::access::{self, AccessLevel};
use crate::orders::events::{OfLine, UnitEvent};
use crate::orders::gifts;
use crate::orders::hand_over::may_hand_over;
use crate::orders::model::{Order, Unit};
use crate::orders::read;
use crate::orders::store;
use crate::orders::unit::Target;
use crate::orders::unit::{UnitChange, UnitState};
use crate::orders::visits::{self, Visit, VisitAct};
use crate::payments::standing::{self, UnitStanding};
use crate::vault;
use crate::vault::reveal::OpenedKey;

/// One shown secret.
#[derive(Clone, Debug)]
pub struct RevealedSecret {
    pub unit: Unit,
    pub text: Secret,
}

/// A page of shown secrets.
#[derive(Clone, Debug)]
pub struct Revealed {
    pub order: Order,
    /// It was shown to a gift's recipient, who sees nothing of the money.
    pub is_gift: bool,
    pub secrets: Vec<RevealedSecret>,
    /// Number of the last unit shown within what was asked for, to go on after.
    pub last_unit_no: Option<i32>,
    pub has_next: bool,
}

/// Shows up to `first` secrets (1 to 500). Refusals: `NOT_FOUND`, `FORBIDDEN` (a watch ticket shows nothing, and
/// a gift is shown to its recipient alone), `NOT_PAID`, `NOT_READY`, `REFUNDED`, `REVOKED`, `REPLACED`. Showing again shows the same and keeps the first time.
/// `visit`: from where it is asked for, when that is a buyer's own device.
pub async fn reveal(
    kit: &Kit,
    actor: &Actor,
    target: &Target,
    token: Option<&str>,
    first: i64,
    after: i32,
    visit: Option<&Visit>,
) -> Outcome<Revealed> {
    let missing =
        || Failure::from(Refusal::new(ErrorCode::NotFound, "there is no such delivery").at(["target"]));
    let mut tx = kit.db.begin().await?;
    let order_id = read::order_of(&mut tx, target).await?.ok_or_else(missing)?;
    let order = store::lock(&mut tx, order_id).await?.ok_or_else(missing)?;
    let access_level = access::access_level(kit, actor, &order, token);
    match access_level {
        Some(AccessLevel::Recipient) => {}
        Some(AccessLevel::Buyer) => gifts::refuse_buyer(&mut tx, &order).await?,
        Some(AccessLevel::Status) => {
            return Err(Refusal::new(ErrorCode::Forbidden, "a watch ticket shows no secrets").into());
        }
        Some(AccessLevel::Staff) if order.user_id.is_some() && order.user_id == actor.user_id() => {
            gifts::refuse_buyer(&mut tx, &order).await?;
        }
        Some(AccessLevel::Staff) => {
            let text = "staff sees secrets only with a reason";
            return Err(Refusal::new(ErrorCode::Forbidden, text).into());
        }
        None => return Err(missing()),
    }
    let Page { standings, opened, last_unit_no, has_next } =
        open_page(&mut tx, kit, &order, target, first, after).await?;
    // Of a bundle there may be pieces without a secret among them: files are not seen here.
    let shown = |unit: &&Unit| opened.iter().any(|key| key.unit_id == unit.id);
    let newly: Vec<&Unit> =
        standings.iter().map(|s| &s.unit).filter(|u| u.state == UnitState::Assigned).filter(shown).collect();
    record(&mut tx, kit, actor, order_id, &newly).await?;
    if !opened.is_empty() {
        let visit = visit.filter(|_| actor.api_client.is_none());
        visits::keep(&mut tx, kit, order_id, (VisitAct::Revealed, None), visit).await?;
    }
    let secrets = standings
        .into_iter()
        .filter_map(|standing| {
            let key = opened.iter().find(|k| k.unit_id == standing.unit.id)?;
            let state = standing.unit.state.after(UnitChange::Reveal).unwrap_or(standing.unit.state);
            let revealed_at = standing.unit.revealed_at.or_else(|| Some(kit.clock.now()));
            Some(RevealedSecret {
                unit: Unit { state, revealed_at, ..standing.unit },
                text: key.text.clone(),
            })
        })
        .collect();
    tx.commit().await?;
    let is_gift = access_level == Some(AccessLevel::Recipient);
    Ok(Revealed { order, is_gift, secrets, last_unit_no, has_next })
}

/// Pieces of a target that may be shown, with their secrets.
pub(super) struct Page {
    pub standings: Vec<UnitStanding>,
    pub opened: Vec<OpenedKey>,
    /// Number of the last unit that was looked at within what was asked for, shown or not.
    pub last_unit_no: Option<i32>,
    pub has_next: bool,
}

/// Opens up to `first` secrets of a locked order, in the caller's transaction. Named pieces are shown when all of them may
/// be; of a line (of a bundle: of its parts) those that may be, and when that is none, the reason is returned. Nothing is recorded: who sees them does
/// that.
pub(super) async fn open_page(
    conn: &mut diesel_async::AsyncPgConnection,
    kit: &Kit,
    order: &Order,
    target: &Target,
    first: i64,
    after: i32,
) -> Outcome<Page> {
    let mut standings = standing::list_standings(conn, order.id, target, after, first + 1).await?;
    let has_next = standings.len() as i64 > first && matches!(target, Target::Line(_));
    standings.truncate(first as usize);
    if standings.is_empty() && after == 0 {
        return Err(Refusal::new(ErrorCode::NotFound, "there is no such delivery").at(["target"]).into());
    }
    let last_unit_no = standings.last().map(|s| s.number);
    match target {
        Target::Units(_) => standings.iter().try_for_each(|s| may_hand_over(&s.of(order)))?,
        Target::Line(_) => {
            let whole = after == 0 && !has_next;
            let verdicts: Vec<_> = standings.iter().map(|s| may_hand_over(&s.of(order))).collect();
            let mut shown = verdicts.iter().map(Result::is_ok);
            standings.retain(|_| shown.next() == Some(true));
            if standings.is_empty() && (whole || !order.state.is_paid()) {
                return Err(most_telling(verdicts).into());
            }
        }
    }
    let ids: Vec<UnitId> = standings.iter().map(|s| s.unit.id).collect();
    let opened = vault::reveal::open(conn, kit, &ids).await?;
    Ok(Page { standings, opened, last_unit_no, has_next })
}

/// Of the reasons why nothing may be shown, the one that a delivered piece has.
pub(super) fn most_telling(verdicts: Vec<Result<(), Refusal>>) -> Refusal {
    let why = verdicts.into_iter().filter_map(Result::err).min_by_key(|no| no.code == ErrorCode::NotReady);
    why.unwrap_or_else(|| Refusal::new(ErrorCode::NotReady, "nothing is ready yet"))
}

async fn record(
    conn: &mut diesel_async::AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    order_id: OrderId,
    newly: &[&Unit],
) -> Outcome<()> {
    let ids: Vec<UnitId> = newly.iter().map(|u| u.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    if store::advance_revealed(conn, &ids).await? != ids.len() {
        return Err(Fault::bug("a unit of a locked order changed its state").into());
    }
    vault::reveal::mark_revealed(conn, &ids).await?;
    let events: Vec<NewEvent> = newly
        .iter()
        .map(|unit| {
            UnitEvent::Revealed(unit.id, OfLine { line: unit.line_id })
                .by(actor.label())
                .of_order(order_id)
                .of_seller(unit.seller_id)
        })
        .collect();
    events::append(conn, &events).await?;
    kit.bell.ring();
    Ok(())
}
