//! Asks a gateway to give money back. The refund is a row before the gateway hears of it; its own id is the key of
//! idempotency there, so that a repeat after a crash never refunds twice.

use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;

use crate::base::actor::{Actor, Role};
use crate::base::error_code::ErrorCode;
use crate::base::ids::{LineId, OrderId, PaymentId, RefundId, UnitId};
use crate::base::money::{Money, spread};
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::idempotency::{self, Claim};
use crate::orders::model::Unit;
use crate::orders::store as orders;
use crate::orders::unit::UnitState;
use crate::payments::accounts::Spoken;
use crate::payments::attempts::store as attempts;
use crate::payments::case::{self, Case};
use crate::payments::consequences::{self, already_refunded};
use crate::payments::disputes;
use crate::payments::events::{RefundEvent, Requested};
use crate::payments::jobs::WorkRefund;
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;
use crate::payments::notices::decide;
use crate::payments::refunds::arithmetic;
use crate::payments::refunds::model::{Basis, Refund, TrackedRefund};
use crate::payments::refunds::state::RefundState;
use crate::payments::refunds::store as refunds;
use crate::payments::refunds::{whole_line, work};

/// Whose money is to be given back.
#[derive(Clone, Copy, Debug)]
pub enum RefundOf {
    /// Of the payment that pays for the order when the refund is recorded. A repeat is the same request, also when
    /// another payment pays by then.
    Order(OrderId),
    Payment(PaymentId),
    /// Of the order's payment, for one of its lines: all its units that were not refunded yet. Those of a bundle are its
    /// parts'.
    Line(OrderId, LineId),
}

/// What is to be given back.
#[derive(Clone, Debug)]
pub struct RefundRequest {
    pub idempotency_key: String,
    pub of: RefundOf,
    /// Units that lose their goods, and with none given: an amount alone.
    pub units: Vec<UnitId>,
    /// Minor units; with none given the units' own total, or everything that is left.
    pub amount_minor: Option<i64>,
    pub reason: Option<String>,
}

/// Records a refund and starts it. Refusals: `FORBIDDEN`, `NOT_FOUND`, `NOT_PAID`, `ALREADY_REFUNDED`, `DISPUTE_OPEN`,
/// `REFUND_TOO_LARGE`, `REFUND_NOT_SUPPORTED`, `INVALID`, and those of idempotency. The outcome comes with the gateway's
/// answer; access to the units is refused meanwhile.
pub async fn request(kit: &PaymentKit, actor: &Actor, wish: RefundRequest) -> Outcome<Refund> {
    if !actor.has(Role::Admin) && !actor.has(Role::Support) {
        return Err(Refusal::new(ErrorCode::Forbidden, "refunds are for staff").into());
    }
    let mut tx = kit.db.begin().await?;
    let id = record(&mut tx, kit, actor, &wish).await?;
    crate::fault_point!("refund.r1");
    tx.commit().await?;
    send(kit, id).await;
    let mut conn = kit.db.conn().await?;
    Ok(refunds::find(&mut conn, id).await?.ok_or_else(|| Fault::bug("a recorded refund is gone"))?)
}

/// Sends a recorded refund to its gateway. What does not come to its end goes on in the background.
pub async fn send(kit: &PaymentKit, id: RefundId) {
    if let Err(failure) = work::work(kit, id).await {
        tracing::warn!(?failure, refund = %id, "a refund goes on in the background");
    }
}

/// Records a refund in the caller's transaction, which sends it when it is committed. Whoever calls has looked at who may do
/// so. Refusals: those of [`request`] but `FORBIDDEN`. A repeat answers the same refund.
pub async fn record(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    actor: &Actor,
    wish: &RefundRequest,
) -> Outcome<RefundId> {
    let (order_id, subject) = match wish.of {
        RefundOf::Order(id) => (Some(id), id.to_string()),
        RefundOf::Payment(id) => (attempts::find(conn, id).await?.map(|p| p.order_id), id.to_string()),
        RefundOf::Line(id, line) => (Some(id), line.to_string()),
    };
    let missing = || match wish.of {
        RefundOf::Order(_) | RefundOf::Line(..) => {
            Refusal::new(ErrorCode::NotFound, "there is no such order").at(["orderId"])
        }
        RefundOf::Payment(_) => {
            Refusal::new(ErrorCode::NotFound, "there is no such payment").at(["paymentId"])
        }
    };
    let order = orders::lock(conn, order_id.ok_or_else(missing)?).await?.ok_or_else(missing)?;
    let mut case = case::load_one(conn, kit, &order).await?;
    let id = RefundId(kit.clock.uuid());
    let scope = format!("staff:{}", actor.label());
    let named: Vec<String> = wish.units.iter().map(ToString::to_string).collect();
    let amount = wish.amount_minor.map(|a| a.to_string()).unwrap_or_default();
    let body = [subject.as_str(), &named.join(","), &amount, wish.reason.as_deref().unwrap_or_default()];
    if let Claim::Replay(known) =
        idempotency::claim(conn, &scope, "orderRefund", &wish.idempotency_key, &body, id.0).await?
    {
        return Ok(RefundId(known));
    }
    let is_meant = |payment: &&Payment| match wish.of {
        RefundOf::Order(_) | RefundOf::Line(..) => payment.allocated,
        RefundOf::Payment(id) => payment.id == id,
    };
    let payment = case.payments.iter().map(|t| &t.row).find(is_meant).cloned();
    let payment =
        payment.ok_or_else(|| Refusal::new(ErrorCode::NotPaid, "this order is not paid").at(["orderId"]))?;
    refuse_impossible(kit, &payment)?;
    let named = match wish.of {
        RefundOf::Line(order, line) => whole_line::units(conn, order, line).await?,
        RefundOf::Order(_) | RefundOf::Payment(_) => wish.units.clone(),
    };
    let units = named_units(conn, &payment, &named).await?;
    refuse_disputed(conn, &payment).await?;
    let amount = amount_of(&case, &payment, wish, &units)?;
    refuse_inexpressible(kit, &payment, amount)?;
    let row = Refund {
        state: RefundState::Requested,
        succeeded_at: None,
        ever_succeeded: false,
        basis: Basis::Refund,
        reason: wish.reason.clone(),
        origin: if actor.system { "automatic" } else { "staff" }.into(),
        requested_by: actor.user_id(),
        ..arithmetic::blank(&payment, id, amount, kit.clock.now())
    };
    let prices: Vec<i64> = units.iter().map(|unit| unit.total_minor).collect();
    let shares = units.iter().map(|unit| unit.id).zip(spread(amount, &prices)).collect();
    case.refunds.push(TrackedRefund::naming(row, shares));
    case.rebalance_payment(payment.id);
    consequences::write_alone(conn, kit, &case, &order).await?;
    let requested = Requested { payment: payment.id, amount_minor: amount, units: units.len() };
    let event = RefundEvent::Requested(id, requested).by(actor.label()).of_order(payment.order_id);
    events::append(conn, &[event]).await?;
    // Should this program stop now, the job goes on; it waits so that it does not race the call that follows.
    let later = kit.clock.now() + TimeDelta::seconds(60);
    let job = WorkRefund { refund: id }.job().besides(0).at(later);
    jobs::add(conn, &[job]).await?;
    Ok(id)
}

/// What its gateway says it cannot do is not begun. An account that left the configuration may come back.
fn refuse_impossible(kit: &PaymentKit, payment: &Payment) -> Result<(), Refusal> {
    let able = |(account, gateway): Spoken| gateway.abilities(&account.keys).refund;
    if kit.accounts.find(&payment.account_id).is_none_or(able) {
        return Ok(());
    }
    let text = "this gateway takes no refunds by itself: give it back in its own console";
    Err(Refusal::new(ErrorCode::RefundNotSupported, text).at(["paymentId"]))
}

/// What the gateway cannot express in its own decimals is not begun either.
fn refuse_inexpressible(kit: &PaymentKit, payment: &Payment, amount_minor: i64) -> Result<(), Refusal> {
    let money = Money::new(amount_minor, decide::received_currency(payment));
    let expressible =
        |(_, gateway): Spoken| gateway.unit(money.currency).is_some_and(|unit| unit.units(money).is_some());
    if kit.accounts.find(&payment.account_id).is_none_or(expressible) {
        return Ok(());
    }
    let text = format!("this gateway cannot give back exactly {money}: name an amount that it can express");
    Err(Refusal::new(ErrorCode::RefundNotSupported, text).at(["amount"]))
}

/// The named units of this payment's order.
async fn named_units(
    conn: &mut AsyncPgConnection,
    payment: &Payment,
    named: &[UnitId],
) -> Outcome<Vec<Unit>> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let units = orders::list_units(conn, &[payment.order_id]).await?;
    // The money for a piece that was replaced is the money for what is in its place.
    let named = &orders::list_current(conn, named).await?;
    let mut found: Vec<Unit> = Vec::new();
    for id in named {
        let unit = units.iter().find(|u| u.id == *id);
        let unit = unit.ok_or_else(|| {
            Refusal::new(ErrorCode::NotFound, "this unit is not of this order").at(["units"])
        })?;
        if found.iter().any(|seen| seen.id == *id) {
            return Err(Refusal::new(ErrorCode::Invalid, "a unit is named twice").at(["units"]).into());
        }
        if matches!(unit.state, UnitState::Revoked | UnitState::Cancelled) {
            return Err(already_refunded().into());
        }
        found.push(unit.clone());
    }
    if !payment.allocated {
        let text = "this payment paid for no unit; refund an amount";
        return Err(Refusal::new(ErrorCode::Invalid, text).at(["units"]).into());
    }
    // The index `refund_unit_once` decides between two who ask at once; this is the kinder way to learn it.
    if !refunds::list_named_of(conn, named).await?.is_empty() {
        return Err(already_refunded().into());
    }
    Ok(found)
}

/// Whoever decides the dispute decides about this money: gateways refuse such refunds or pay twice.
async fn refuse_disputed(conn: &mut AsyncPgConnection, payment: &Payment) -> Outcome<()> {
    if !disputes::store::is_open(conn, payment.id).await? {
        return Ok(());
    }
    let text = "the payment is disputed: accept or contest the dispute at the gateway";
    Err(Refusal::new(ErrorCode::DisputeOpen, text).at(["paymentId"]).into())
}

fn amount_of(case: &Case, payment: &Payment, wish: &RefundRequest, units: &[Unit]) -> Outcome<i64> {
    if !payment.state.was_captured() {
        return Err(Refusal::new(ErrorCode::NotPaid, "no money came by this payment")
            .at(["paymentId"])
            .into());
    }
    let open = |r: &&TrackedRefund| r.row.payment_id == payment.id && r.row.state.is_open();
    let asked: i64 = case.refunds.iter().filter(open).map(|r| r.row.amount_minor).sum();
    let left = payment.kept_minor() - asked;
    let of_units: i64 = units.iter().map(|unit| unit.total_minor).sum();
    let amount = wish.amount_minor.unwrap_or(if units.is_empty() { left } else { of_units });
    if amount <= 0 {
        let text = if left <= 0 { "everything was given back already" } else { "the amount must be above 0" };
        let code = if left <= 0 { ErrorCode::RefundTooLarge } else { ErrorCode::Invalid };
        return Err(Refusal::new(code, text).at(["amount"]).into());
    }
    let most = if units.is_empty() { left } else { left.min(of_units) };
    if amount > most {
        let most = Money::new(most.max(0), decide::received_currency(payment));
        return Err(Refusal::new(ErrorCode::RefundTooLarge, format!("at most {most} can be refunded"))
            .at(["amount"])
            .into());
    }
    Ok(amount)
}
