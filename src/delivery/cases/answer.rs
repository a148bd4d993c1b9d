//! Who sells a piece, or staff, answers what its buyer reported, and does what the answer says in the same transaction.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{CaseId, RefundId, UnitId};
use crate::base::outcome::{Failure, Fault, Outcome, Refusal};
use crate::base::text;
use crate::delivery::cases::model::CaseRow;
use crate::delivery::cases::read;
use crate::delivery::cases::state::CaseAction;
use crate::delivery::cases::store::{self, NewAnswer};
use crate::delivery::events::{AnsweredCase, CaseEvent};
use crate::delivery::messages::{CaseAnswered, OfAnswer};
use crate::delivery::replace::{self, LockedPiece, Why};
use crate::infra::db::one;
use crate::infra::effects::Effects;
use crate::infra::effects::events::Event;
use crate::infra::effects::messages::MessageKind;
use crate::infra::effects::tasks::TaskKind;
use crate::infra::idempotency::{self, Claim};
use crate::orders::messages::to_buyer;
use crate::orders::tasks::DeliveryReported;
use crate::orders::{self};
use crate::payments::kit::PaymentKit;
use crate::payments::refunds::request::{self, RefundOf, RefundRequest};
use crate::vault;

/// Longest answer, characters.
const LONGEST_TEXT: usize = 4_000;

/// An answer to a case.
#[derive(Clone, Debug)]
pub struct AnswerRequest {
    pub idempotency_key: String,
    pub case_id: CaseId,
    pub action: CaseAction,
    /// What the buyer reads.
    pub text: String,
    /// Staff lets a replacement pass although the warranty is over or the number is reached.
    pub override_limits: bool,
}

/// A case that was answered.
#[derive(Clone, Debug)]
pub struct CaseReply {
    pub case: CaseRow,
    /// It was answered by an earlier call with the same key.
    pub replayed: bool,
}

/// Answers a case, for who sells the piece and for staff. `NOT_FOUND`, `INVALID`, `ILLEGAL_TRANSITION` for a closed one, those
/// of idempotency, and what a replacement or a refund of the piece refuses: then nothing is answered.
pub async fn answer(kit: &PaymentKit, actor: &Actor, wish: AnswerRequest) -> Outcome<CaseReply> {
    let text = text::clean(&wish.text, "text", LONGEST_TEXT, true)?;
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such case").at(["caseId"]);
    let mut tx = kit.db.begin().await?;
    let seen = read::find(&mut tx, wish.case_id).await?.ok_or_else(missing)?;
    if !actor.is_staff() && !actor.sells_for(seen.seller_id) {
        return Err(missing().into());
    }
    let piece = replace::lock(&mut tx, seen.unit_id).await?;
    let piece = piece.ok_or_else(|| Fault::bug("a case without its piece"))?;
    let case = store::lock(&mut tx, wish.case_id).await?.ok_or_else(missing)?;
    let (id, over) = (case.id.0.to_string(), wish.override_limits.to_string());
    let request = [id.as_str(), wish.action.as_str(), text.as_str(), over.as_str()];
    let (scope, key) = (format!("user:{}", actor.label()), wish.idempotency_key.as_str());
    if let Claim::Replay(_) =
        idempotency::claim(&mut tx, &scope, "caseAnswer", key, &request, case.id.0).await?
    {
        return Ok(CaseReply { case, replayed: true });
    }
    let closed = |_| Refusal::new(ErrorCode::IllegalTransition, "this case is closed").at(["caseId"]);
    let after = case.state.after(wish.action).map_err(closed)?;
    let text = without_keys(&mut tx, kit, &case, text).await?;
    let (mut successor, mut refund) = (None, None);
    match wish.action {
        CaseAction::Replace => {
            let new = UnitId(kit.clock.uuid());
            let why = Why::Warranty { override_limits: wish.override_limits };
            let made = replace::make(&mut tx, kit, actor, &piece, new, (why, actor.user_id())).await;
            made.map_err(of_the_case)?;
            successor = Some(new);
        }
        CaseAction::Refund => {
            let given = give_back(&mut tx, kit, actor, &case, &text).await;
            refund = Some(given.map_err(of_the_case)?);
        }
        CaseAction::Reject | CaseAction::Help => {}
    }
    let new = NewAnswer {
        action: wish.action,
        text: &text,
        answered_by: actor.user_id(),
        by_staff: actor.is_staff(),
        successor,
        refund,
    };
    let number = store::insert_answer(&mut tx, case.id, &new).await?;
    // Whoever replaces a piece closes what was reported of it.
    let before = store::lock(&mut tx, case.id).await?.ok_or_else(missing)?.state;
    one(store::advance(&mut tx, case.id, (before, after), wish.action.outcome()).await?, "case")?;
    effects(&case, &piece, wish.action, number, actor).write(&tx, &kit.clock).await?;
    crate::fault_point!("case.answered");
    let case = store::lock(&mut tx, case.id).await?.ok_or_else(missing)?;
    tx.commit().await?;
    kit.bell.ring();
    if let Some(refund) = refund {
        request::send(kit, refund).await;
    }
    Ok(CaseReply { case, replayed: false })
}

/// What a replacement or a refund refuses is about the case that was named, not about the inputs of those calls.
fn of_the_case(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(no) if no.field != ["overrideLimits"] => (*no).at(["caseId"]).into(),
        other => other,
    }
}

fn effects(case: &CaseRow, piece: &LockedPiece, action: CaseAction, number: i64, actor: &Actor) -> Effects {
    let mut effects = Effects::default();
    let body = AnsweredCase { delivery: case.unit_id, action: action.as_str().into() };
    let event = CaseEvent::Answered(case.id, body).by(actor.label());
    effects.events.push(event.of_order(case.order_id).of_seller(case.seller_id));
    effects.over.push(DeliveryReported::over(case.unit_id));
    let payload = OfAnswer { case: case.id, answer: number };
    effects.messages.extend(to_buyer(CaseAnswered::to, &piece.order, number.to_string(), payload));
    effects
}

/// Gives the money for the piece, or for what is in its place, back.
async fn give_back(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    actor: &Actor,
    case: &CaseRow,
    text: &str,
) -> Outcome<RefundId> {
    let wish = RefundRequest {
        idempotency_key: format!("case:{}", case.id),
        of: RefundOf::Order(case.order_id),
        units: vec![case.unit_id],
        amount_minor: None,
        reason: Some(text.chars().take(500).collect()),
    };
    request::record(conn, kit, actor, &wish).await
}

/// Whoever answers may paste a key. The answer is no place for it: the buyer sees it on the order page.
async fn without_keys(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    case: &CaseRow,
    mut text: String,
) -> Outcome<String> {
    let mut units = orders::store::list_current(conn, &[case.unit_id]).await?;
    units.push(case.unit_id);
    for opened in vault::reveal::open(conn, kit, &units).await? {
        text = text.replace(opened.text.expose(), "[…]");
    }
    Ok(text)
}
