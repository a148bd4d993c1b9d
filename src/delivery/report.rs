//! The buyer says that something delivered does not work. It becomes a task for a person; access stays as it is.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{LineId, OrderId, TaskId, UnitId};
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::tasks::{self, TaskKind};
use crate::infra::idempotency::{self, Claim};
use crate::infra::kit::Kit;
use crate::orders::access::{self, AccessLevel};
use crate::orders::events::{Reported, UnitEvent};
use crate::orders::hand_over::may_hand_over;
use crate::orders::tasks::{DeliveryReported, Problem};
use crate::orders::unit::Target;
use crate::orders::{read, store};
use crate::payments::standing;
use crate::vault;

/// Longest free text, characters.
const LONGEST_TEXT: usize = 2_000;

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

/// Opens a task for a person and records an event. Gives the order and line it is about. Refusals: `NOT_FOUND`,
/// `FORBIDDEN` (staff and watch tickets report nothing), `NOT_PAID`, `NOT_READY`, `REFUNDED`, `REPLACED`, `REVOKED`,
/// `ALREADY_REPORTED` while an earlier report of the same unit is open, `INVALID`, and those of idempotency.
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
    let task_id = kit.clock.uuid();
    let scope = format!("order:{}", order_id.0);
    let unit = report.unit_id.0.to_string();
    let request = [unit.as_str(), problem.as_str(), report.wish.as_str(), text.unwrap_or_default()];
    let key = report.idempotency_key.as_str();
    if let Claim::Replay(_) =
        idempotency::claim(&mut tx, &scope, "deliveryReport", key, &request, task_id).await?
    {
        return Ok((order_id, line_id));
    }
    may_hand_over(&standing.of(&order))?;
    // Buyers paste the key that does not work. The queue is no place for it: the unit's id leads there.
    let mut words = text.map(str::to_owned);
    for opened in vault::reveal::open(&mut tx, kit, &[report.unit_id]).await? {
        words = words.map(|words| words.replace(opened.text.expose(), "[…]"));
    }
    let body = Problem { problem: problem.clone(), wish: report.wish.as_str().into(), text: words };
    let task = DeliveryReported::open(report.unit_id, body);
    let task = task.with_id(TaskId(task_id)).of_order(order_id).of_line(line_id);
    if tasks::open(&tx, &kit.clock, &[task]).await? == 0 {
        let text = "this was reported already; somebody will look at it";
        return Err(Refusal::new(ErrorCode::AlreadyReported, text).into());
    }
    let reported = Reported { line: line_id, problem, wish: report.wish.as_str().into() };
    let event = UnitEvent::Reported(report.unit_id, reported).by(actor.label()).of_order(order_id);
    events::append(&tx, &[event]).await.map_err(Fault::from)?;
    tx.commit().await?;
    kit.bell.ring();
    Ok((order_id, line_id))
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
