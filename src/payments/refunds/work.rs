//! The work on one refund: it is sent to its gateway, or asked about, and the answer is applied as every other report
//! about it.

use std::time::Duration;

use diesel_async::AsyncPgConnection;

use crate::base::ids::RefundId;
use crate::base::money::Money;
use crate::base::outcome::{Failure, Fault, Outcome};
use crate::infra::effects::jobs::{self, NewJob, Payload};
use crate::infra::effects::tasks::{self, NewTask, TaskKind};
use crate::orders::store as orders;
use crate::payments::accounts::circuit::Lane;
use crate::payments::attempts::ask;
use crate::payments::attempts::store as attempts;
use crate::payments::case::SumToAsk;
use crate::payments::gateways::gateway::{Call, GatewayAnswer, NewRefund, PaymentRef, RefundRef, Refunding};
use crate::payments::jobs::WorkRefund;
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;
use crate::payments::notices::decide;
use crate::payments::refunds::hear::{self, Heard};
use crate::payments::refunds::model::Refund;
use crate::payments::refunds::state::{RefundChange, RefundState};
use crate::payments::refunds::store as refunds;
use crate::payments::tasks::{OfRefund, RefundOverdue, RefundUnclear, Unclear};
use crate::payments::{case, consequences};

const TIMEOUT: Duration = Duration::from_secs(15);

/// Questions after which a person is notified that a gateway does not say what became of a refund.
const UNCLEAR_AFTER: i32 = 4;

/// Sweep: queues the work on refunds whose own job was lost, and puts those before a person that nobody ends.
pub async fn sweep_forgotten(kit: &PaymentKit) -> Outcome<usize> {
    let mut tx = kit.db.begin().await?;
    let overdue = refunds::list_overdue(&mut tx, 100).await?;
    let late = |row: &Refund| of_refund(RefundOverdue::open(row.id, OfRefund { refund: row.id }), row);
    tasks::open(&tx, &kit.clock, &overdue.iter().map(late).collect::<Vec<_>>()).await?;
    let jobs: Vec<NewJob> = refunds::list_forgotten(&mut tx, 100)
        .await?
        .iter()
        .map(|id| WorkRefund { refund: *id }.job().besides("forgotten"))
        .collect();
    let added = jobs::add(&tx, &jobs).await?;
    tx.commit().await?;
    Ok(added)
}

/// Job `refund.work`: sends a refund, or asks about one that was sent, and applies the answer.
pub async fn work(kit: &PaymentKit, id: RefundId) -> Outcome<()> {
    let (refund, payment) = {
        let mut conn = kit.db.conn().await?;
        let Some(refund) = refunds::find(&mut conn, id).await? else { return Ok(()) };
        let payment = attempts::find(&mut conn, refund.payment_id).await?;
        (refund, payment.ok_or_else(|| Fault::bug("a refund without its payment"))?)
    };
    if !refund.state.is_open() {
        return Ok(());
    }
    if refund.origin == "gateway" {
        return follow(kit, &refund, &payment).await;
    }
    // Within the account's share from before it is marked as sent: what may not be called now must not look sent.
    let sent = async {
        let once = refund.state == RefundState::Requested && !repeatable(kit, &payment);
        Ok::<_, Failure>(match once && !mark_sent(kit, id).await? {
            true => None,
            false => Some(ask_gateway(kit, &refund, &payment).await),
        })
    };
    let is_clear = |sent: &_| !matches!(sent, Ok(Some(answer)) if !Refunding::is_clear(answer));
    let sent = kit.circuits.call(&payment.account_id, Lane::Background, sent, is_clear).await?;
    let Some(answer) = sent? else { return Ok(()) };
    crate::fault_point!("refund.r3");
    apply(kit, &refund, answer).await
}

/// One that was made at the gateway is not ours to send: it is asked about under its name there, as the notice of its end
/// can be lost. An answer that does not know it changes nothing.
async fn follow(kit: &PaymentKit, refund: &Refund, payment: &Payment) -> Outcome<()> {
    let answer = match kit.accounts.find(&payment.account_id) {
        Some((account, gateway)) => {
            let call = Call { keys: &account.keys, now_unix: kit.clock.unix(), timeout: TIMEOUT };
            let id = refund.id.to_string();
            let reference = question(refund, payment, &id);
            let query = gateway.refund_query(&call, &reference);
            kit.circuits.call(&account.id, Lane::Background, query, Refunding::is_clear).await?
        }
        // It waits for its next turn as any other, so that it does not hold up those behind it.
        None => Refunding::Unsupported,
    };
    match answer {
        Refunding::Succeeded { .. } | Refunding::Pending { .. } | Refunding::Failed { .. } => {
            apply(kit, refund, answer).await
        }
        Refunding::Unknown(_) | Refunding::NotFound | Refunding::Unsupported => {
            let next = kit.clock.now() + ask::gap(kit, refund.checks);
            refunds::note_check(&mut *kit.db.conn().await?, refund.id, next).await?;
            Ok(())
        }
    }
}

fn question<'a>(refund: &'a Refund, payment: &'a Payment, id: &'a str) -> RefundRef<'a> {
    RefundRef {
        refund_id: id,
        gateway_refund_id: refund.gateway_refund_id.as_deref(),
        payment: reference(payment),
        amount: Money::new(refund.amount_minor, refund.currency),
    }
}

fn reference(payment: &Payment) -> PaymentRef<'_> {
    PaymentRef {
        number: payment.number_there(),
        gateway_reference: payment.gateway_reference.as_deref(),
        trade_no: payment.trade_no.as_deref(),
        money: Money::new(payment.received_minor.unwrap_or(0), decide::received_currency(payment)),
    }
}

fn repeatable(kit: &PaymentKit, payment: &Payment) -> bool {
    let found = kit.accounts.find(&payment.account_id);
    found.is_none_or(|(account, gateway)| gateway.abilities(&account.keys).refund_repeatable)
}

/// Writes down that a refund is on its way before it is, where sending it twice would give the money back twice: should
/// this program stop now, whoever goes on only asks about it. Says no when somebody else was faster.
async fn mark_sent(kit: &PaymentKit, id: RefundId) -> Outcome<bool> {
    let mut tx = kit.db.begin().await?;
    let Some(seen) = refunds::find(&mut tx, id).await? else { return Ok(false) };
    let order = orders::lock(&mut tx, seen.order_id).await?;
    let order = order.ok_or_else(|| Fault::bug("a refund without its order"))?;
    let mut case = case::load_one(&tx, kit, &order).await?;
    let found = case.refunds.iter_mut().find(|r| r.row.id == id && r.row.state == RefundState::Requested);
    let Some(tracked) = found else { return Ok(false) };
    tracked.row.state =
        tracked.row.state.after(RefundChange::LoseSight).map_err(|e| Fault::bug(e.to_string()))?;
    case.rebalance_payment(seen.payment_id);
    consequences::write_alone(&mut tx, kit, &case, &order).await?;
    refunds::note_check(&mut tx, id, kit.clock.now() + ask::gap(kit, 0)).await?;
    tx.commit().await?;
    Ok(true)
}

async fn ask_gateway(kit: &PaymentKit, refund: &Refund, payment: &Payment) -> Refunding {
    if payment.account_id == "free" {
        return Refunding::Unsupported;
    }
    let Some((account, gateway)) = kit.accounts.find(&payment.account_id) else {
        return Refunding::Unknown("the account left the configuration".into());
    };
    let id = refund.id.to_string();
    let call = Call { keys: &account.keys, now_unix: kit.clock.unix(), timeout: TIMEOUT };
    if refund.state != RefundState::Requested {
        let answer = gateway.refund_query(&call, &question(refund, payment, &id)).await;
        if answer != Refunding::NotFound {
            return answer;
        }
    }
    let new = NewRefund {
        refund_id: &id,
        payment: reference(payment),
        amount: Money::new(refund.amount_minor, refund.currency),
        reason: refund.reason.as_deref(),
    };
    gateway.refund(&call, &new).await
}

async fn apply(kit: &PaymentKit, refund: &Refund, answer: Refunding) -> Outcome<()> {
    let mut tx = kit.db.begin().await?;
    let order = orders::lock(&mut tx, refund.order_id)
        .await?
        .ok_or_else(|| Fault::bug("a refund without its order"))?;
    let mut case = case::load_one(&tx, kit, &order).await?;
    let index = case.payments.iter().position(|t| t.row.id == refund.payment_id);
    let index = index.ok_or_else(|| Fault::bug("a refund without its payment"))?;
    // A notice was faster.
    if !case.refunds.iter().any(|r| r.row.id == refund.id && r.row.state.is_open()) {
        return Ok(());
    }
    let heard = |change| Heard {
        refund_id: Some(refund.id),
        gateway_refund_id: None,
        amount_minor: None,
        change,
        said_at: kit.clock.now(),
        made_at: None,
        failure_code: None,
        needs_person: false,
    };
    let (heard, unclear) = match &answer {
        Refunding::Succeeded { gateway_refund_id } => {
            (Heard { gateway_refund_id: Some(gateway_refund_id), ..heard(RefundChange::Succeed) }, None)
        }
        Refunding::Pending { gateway_refund_id, needs_person } => {
            let pending = heard(RefundChange::Accept);
            let named = Some(gateway_refund_id.as_str());
            (Heard { gateway_refund_id: named, needs_person: *needs_person, ..pending }, None)
        }
        Refunding::Unknown(why) => {
            tracing::warn!(why, refund = %refund.id, "the outcome of a refund is unknown");
            (heard(RefundChange::LoseSight), Some(why))
        }
        Refunding::NotFound => (heard(RefundChange::LoseSight), None),
        Refunding::Failed { code, message } => {
            tracing::warn!(code, message, refund = %refund.id, "a gateway refused a refund");
            (Heard { failure_code: Some(code), ..heard(RefundChange::Fail) }, None)
        }
        Refunding::Unsupported => {
            (Heard { failure_code: Some("unsupported"), ..heard(RefundChange::Fail) }, None)
        }
    };
    hear::one_refund(&mut case, index, &heard);
    case.rebalance(index);
    hear::doubt(&mut case, index);
    if unclear.is_some() {
        // What the gateway does not say of one refund, it may say of all together.
        case.decided.sums_to_ask.push(SumToAsk { payment_id: refund.payment_id, at_once: true });
    }
    consequences::write_alone(&mut tx, kit, &case, &order).await?;
    if case.refunds.iter().any(|r| r.row.id == refund.id && r.row.state.is_open()) {
        again(&mut tx, kit, refund).await?;
        if let Some(why) = unclear.filter(|_| refund.checks == UNCLEAR_AFTER) {
            let body = Unclear { refund: refund.id, gateway: why.clone() };
            let task = of_refund(RefundUnclear::open(refund.id, body), refund);
            tasks::open(&tx, &kit.clock, &[task]).await?;
        }
    }
    crate::fault_point!("refund.r4");
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}

/// The next look at a refund that has not ended, after a growing gap.
async fn again(conn: &mut AsyncPgConnection, kit: &PaymentKit, row: &Refund) -> Outcome<()> {
    let next = kit.clock.now() + ask::gap(kit, row.checks);
    refunds::note_check(conn, row.id, next).await?;
    let job = WorkRefund { refund: row.id }.job().besides(row.checks + 1);
    jobs::add(conn, &[job.at(next)]).await?;
    Ok(())
}

fn of_refund(task: NewTask, row: &Refund) -> NewTask {
    task.of_order(row.order_id).of_payment(row.payment_id)
}
