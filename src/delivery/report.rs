//! The buyer says that something delivered does not work. It becomes a case for who sells it; access stays as it is.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{CaseId, LineId, OrderId, SellerId, UnitId};
use crate::base::outcome::{Outcome, Refusal};
use crate::delivery::cases::{self, NewCase};
use crate::delivery::events::{CaseEvent, OpenedCase};
use crate::delivery::messages::{CaseOpened, OfCase};
use crate::infra::effects::Effects;
use crate::infra::effects::events::Event;
use crate::infra::effects::messages::MessageKind;
use crate::infra::idempotency::{self, Claim};
use crate::infra::kit::Kit;
use crate::orders::access::{self, AccessLevel};
use crate::orders::events::{Reported, UnitEvent};
use crate::orders::hand_over::may_hand_over;
use crate::orders::unit::Target;
use crate::orders::{read, store};
use crate::payments::standing;
use crate::people;
use crate::vault;

/// Longest free text, characters.
const LONGEST_TEXT: usize = 2_000;

/// People of a seller who are mailed about one report.
const MOST_MAILED: i64 = 10;

/// What the buyer would like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Replace,
    Refund,
    Help,
}

impl Wish {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Refund => "refund",
            Self::Help => "help",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Replace, Self::Refund, Self::Help].into_iter().find(|wish| wish.as_str() == text)
    }
}

/// A report about one unit.
#[derive(Clone, Debug)]
pub struct ProblemReport {
    pub idempotency_key: String,
    pub unit_id: UnitId,
    pub access_token: Option<String>,
    /// Open code of the trouble (`invalid_key`, `already_used`): 1 to 64 of `a-z`, `0-9`, `_`, in either case.
    pub problem: String,
    pub wish: Wish,
    /// In the buyer's own words, 2,000 characters at most.
    pub text: Option<String>,
}

/// Opens a case and mails those who sell the piece. Gives the order and line it is about. Refusals: `NOT_FOUND`,
/// `FORBIDDEN` (staff and watch tickets report nothing), `NOT_PAID`, `NOT_READY`, `REFUNDED`, `REPLACED`, `REVOKED`,
/// `ALREADY_REPORTED` while an earlier report of the same unit waits for its answer, `INVALID`, and those of idempotency.
pub async fn report(kit: &Kit, actor: &Actor, report: ProblemReport) -> Outcome<(OrderId, LineId)> {
    let problem = problem_code(&report.problem)?;
    let text = report.text.as_deref().map(str::trim).filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.chars().count() > LONGEST_TEXT) {
        return Err(Refusal::new(ErrorCode::Invalid, "2,000 characters at most").at(["text"]).into());
    }
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such delivery").at(["deliveryId"]);
    let target = Target::Units(vec![report.unit_id]);
    let mut tx = kit.db.begin().await?;
    let order_id = read::order_of(&mut tx, &target).await?.ok_or_else(missing)?;
    let order = store::lock(&mut tx, order_id).await?.ok_or_else(missing)?;
    match access::access_level(kit, actor, &order, report.access_token.as_deref()) {
        Some(AccessLevel::Buyer) => {}
        Some(AccessLevel::Staff) if order.user_id.is_some() && order.user_id == actor.user_id() => {}
        Some(AccessLevel::Status | AccessLevel::Recipient | AccessLevel::Staff) => {
            return Err(Refusal::new(ErrorCode::Forbidden, "only its buyer reports it").into());
        }
        None => return Err(missing().into()),
    }
    let standings = standing::list_standings(&mut tx, order_id, &target, 0, 1).await?;
    let standing = standings.first().ok_or_else(missing)?;
    let line_id = standing.unit.line_id;
    let case = CaseId(kit.clock.uuid());
    let scope = format!("order:{}", order_id.0);
    let unit = report.unit_id.0.to_string();
    let request = [unit.as_str(), problem.as_str(), report.wish.as_str(), text.unwrap_or_default()];
    let key = report.idempotency_key.as_str();
    if let Claim::Replay(_) =
        idempotency::claim(&mut tx, &scope, "deliveryReport", key, &request, case.0).await?
    {
        return Ok((order_id, line_id));
    }
    may_hand_over(&standing.of(&order))?;
    // Buyers paste the key that does not work. A case is no place for it: the unit's id leads there.
    let mut words = text.map(str::to_owned);
    for opened in vault::reveal::open(&mut tx, kit, &[report.unit_id]).await? {
        words = words.map(|words| words.replace(opened.text.expose(), "[…]"));
    }
    let (unit, wish) = (&standing.unit, report.wish.as_str());
    let new = NewCase { id: case, unit, problem: &problem, wish, text: words.as_deref() };
    if cases::insert(&mut tx, &new).await? == 0 {
        let text = "this was reported already; somebody will look at it";
        return Err(Refusal::new(ErrorCode::AlreadyReported, text).into());
    }
    let mut effects = Effects::default();
    let opened = OpenedCase { delivery: unit.id, line: line_id, problem: problem.clone(), wish: wish.into() };
    let opened = CaseEvent::Opened(case, opened).by(actor.label()).of_order(order_id);
    let reported = Reported { line: line_id, problem, wish: wish.into() };
    let reported = UnitEvent::Reported(unit.id, reported).by(actor.label()).of_order(order_id);
    effects.events.extend([reported, opened.of_seller(unit.seller_id)]);
    for (recipient, locale) in recipients(&mut tx, kit, unit.seller_id).await? {
        let subject = format!("{}:{recipient}", case.0);
        let message = CaseOpened::to(&recipient, &locale, subject, OfCase { case });
        effects.messages.push(message.of_order(order_id));
    }
    effects.write(&tx, &kit.clock).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok((order_id, line_id))
}

/// Who is mailed about a case: the people of the seller, else the shop's support.
async fn recipients(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    seller: SellerId,
) -> Outcome<Vec<(String, String)>> {
    let shop = &kit.config.shop;
    let people = people::read::list_members(conn, seller, MOST_MAILED).await?;
    if !people.is_empty() {
        return Ok(people);
    }
    Ok(shop.support_email.iter().map(|email| (email.clone(), shop.default_locale.clone())).collect())
}

fn problem_code(text: &str) -> Result<String, Refusal> {
    let code = text.trim().to_ascii_lowercase();
    let fits = (1..=64).contains(&code.len())
        && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if fits {
        return Ok(code);
    }
    Err(Refusal::new(ErrorCode::Invalid, "a code of 1 to 64 letters, digits and underscores").at(["problem"]))
}
