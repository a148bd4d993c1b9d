//! Asks gateways what became of payments, and believes the answer through the same settling as a notice (P7).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::clock;
use crate::base::ids::PaymentId;
use crate::base::money::Money;
use crate::base::outcome::{Fault, Outcome};
use crate::infra::db::Purpose;
use crate::infra::effects::jobs::{self, NewJob, Payload};
use crate::orders::state::OrderState;
use crate::orders::store as orders;
use crate::payments::accounts::Account;
use crate::payments::accounts::circuit::Lane;
use crate::payments::attempts::store as attempts;
use crate::payments::attempts::unstarted;
use crate::payments::gateways::gateway::{
    Call, Expected, Facts, Gateway, GatewayState, Match, Meaning, PaymentRef, Queried, came_clearly, matches,
};
use crate::payments::jobs::CheckPayment;
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;
use crate::payments::notices::belongs;
use crate::payments::report::{PaymentReport, Settled};
use crate::payments::state::PaymentState;

/// Time for a question in the background.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// What the gateway says.
#[derive(Clone, Debug)]
pub enum Asked {
    Known(Box<GatewayState>),
    NotFound,
    /// No usable answer: nothing may be concluded.
    Unclear,
    /// This gateway cannot be asked, or its account left the configuration.
    CannotAsk,
}

/// One question about one payment, outside any transaction. `Overloaded` when its gateway may not be asked now.
pub async fn ask(
    kit: &PaymentKit,
    payment_id: PaymentId,
    lane: Lane,
    timeout: Duration,
) -> Result<Asked, Fault> {
    let payment = {
        let mut conn = kit.db.conn_for(Purpose::Notices).await?;
        attempts::find(&mut conn, payment_id).await?
    };
    let Some(payment) = payment else { return Ok(Asked::NotFound) };
    ask_about(kit, &payment, lane, timeout).await
}

async fn ask_about(
    kit: &PaymentKit,
    payment: &Payment,
    lane: Lane,
    timeout: Duration,
) -> Result<Asked, Fault> {
    let Some((account, gateway)) = kit.accounts.find(&payment.account_id) else {
        return Ok(Asked::CannotAsk);
    };
    let asked_at = kit.clock.now();
    let call = Call { keys: &account.keys, now_unix: asked_at.timestamp(), timeout };
    let reference = named(payment);
    let query = tokio::time::timeout(timeout, gateway.query(&call, &reference));
    let answer = kit.circuits.call(&account.id, lane, query, came_clearly).await?;
    Ok(heard(payment, asked_at, answer))
}

/// How a payment's gateway knows it.
pub(in crate::payments) fn named(payment: &Payment) -> PaymentRef<'_> {
    PaymentRef {
        number: payment.number_there(),
        gateway_reference: payment.gateway_reference.as_deref(),
        trade_no: payment.trade_no.as_deref(),
        money: Money::new(payment.expected_minor, payment.expected_currency),
    }
}

fn heard(
    payment: &Payment,
    asked_at: DateTime<Utc>,
    answer: Result<Queried, tokio::time::error::Elapsed>,
) -> Asked {
    match answer {
        Ok(Queried::Known(state)) => Asked::Known(Box::new(state.asked(asked_at))),
        Ok(Queried::NotFound) => Asked::NotFound,
        Ok(Queried::Unsupported) => Asked::CannotAsk,
        Ok(Queried::Unknown(why)) => {
            tracing::warn!(payment = %payment.id, why, "a gateway's answer is unclear");
            Asked::Unclear
        }
        Err(_) => Asked::Unclear,
    }
}

/// Takes the money of a payment that the buyer has approved, outside any transaction; none when it may not be taken
/// (any more). After the order's end, for another amount or merchant, or beside money that is there already, it is
/// left: what is not captured is never paid.
async fn capture(kit: &PaymentKit, payment: &Payment, state: &GatewayState) -> Result<Option<Asked>, Fault> {
    let Some((account, gateway)) = kit.accounts.find(&payment.account_id) else { return Ok(None) };
    let identity = gateway.identity(&account.keys);
    let reference = named(payment);
    let expected = Expected {
        number: reference.number,
        amount_minor: payment.expected_minor,
        currency: payment.expected_currency,
        gateway_reference: reference.gateway_reference,
        trade_no: None,
        identity: &identity,
    };
    if matches(state.facts(), &expected) != Match::Fits
        || belongs::is_older(payment, state.facts())
        || !still_wanted(kit, payment).await?
    {
        return Ok(None);
    }
    let asked_at = kit.clock.now();
    let call = Call { keys: &account.keys, now_unix: asked_at.timestamp(), timeout: TIMEOUT };
    crate::fault_point!("payment.capture");
    let capture = tokio::time::timeout(TIMEOUT, gateway.capture(&call, &reference));
    let answer = kit.circuits.call(&account.id, Lane::Background, capture, came_clearly).await?;
    Ok(Some(heard(payment, asked_at, answer)))
}

/// Whether the order still waits for this payment's money.
async fn still_wanted(kit: &PaymentKit, payment: &Payment) -> Result<bool, Fault> {
    let mut conn = kit.db.conn().await?;
    let Some(order) = orders::find(&mut conn, payment.order_id).await? else { return Ok(false) };
    let payments = attempts::list(&mut conn, payment.order_id).await?;
    let open = payments.iter().any(|p| p.id == payment.id && p.state.is_open());
    let pending = order.state == OrderState::PendingPayment && order.pay_by > kit.clock.now();
    Ok(pending && open && !payments.iter().any(|p| p.allocated))
}

/// What the gateway says about a number that we do not know, as one term for a task.
pub async fn ask_by_number(
    kit: &PaymentKit,
    account: &Account,
    gateway: &dyn Gateway,
    facts: &Facts,
    timeout: Duration,
) -> &'static str {
    let (Some(number), Some(currency)) = (facts.number.as_deref(), facts.currency) else { return "unasked" };
    let reference = PaymentRef {
        number,
        gateway_reference: facts.gateway_reference.as_deref(),
        trade_no: facts.trade_no.as_deref(),
        money: Money::new(facts.amount_minor.unwrap_or(0), currency),
    };
    let call = Call { keys: &account.keys, now_unix: kit.clock.unix(), timeout };
    let query = tokio::time::timeout(timeout, gateway.query(&call, &reference));
    match kit.circuits.call(&account.id, Lane::Notices, query, came_clearly).await {
        Ok(Ok(Queried::Known(state))) => state.meaning.as_str(),
        Ok(Ok(Queried::NotFound)) => "not_found",
        Ok(Ok(Queried::Unsupported)) | Err(_) => "unasked",
        Ok(Ok(Queried::Unknown(_)) | Err(_)) => "unclear",
    }
}

/// Asks now, takes the money where the buyer has approved it, and applies the answer. Returns whether something
/// changed. `Overloaded` when the gateway may not be asked now.
pub async fn reconcile(kit: &PaymentKit, payment: &Payment) -> Outcome<bool> {
    let mut asked = ask_about(kit, payment, Lane::Background, TIMEOUT).await?;
    if let Asked::Known(state) = &asked
        && state.meaning == Meaning::Approved
        && let Some(taken) = capture(kit, payment, state).await?
    {
        asked = taken;
    }
    let settled = match asked {
        Asked::Known(state) => {
            let known = match state.meaning {
                Meaning::Open => payment.state == PaymentState::Started,
                Meaning::Pending | Meaning::Approved => payment.state == PaymentState::Pending,
                Meaning::Ignored => true,
                _ => false,
            };
            if known {
                return Ok(false);
            }
            kit.intake.settle(PaymentReport::Answer { payment_id: payment.id, state }).await?
        }
        Asked::NotFound | Asked::Unclear | Asked::CannotAsk => return Ok(false),
    };
    Ok(settled == Settled::Applied)
}

/// Job `payment.check`: asks about a quiet payment; if it is still open, the next question comes after a larger gap.
pub async fn check(kit: &PaymentKit, payment_id: PaymentId) -> Outcome<()> {
    let find = async || -> Result<Option<Payment>, Fault> {
        let mut conn = kit.db.conn().await?;
        Ok(attempts::find(&mut conn, payment_id).await?)
    };
    let Some(payment) = find().await? else { return Ok(()) };
    if !payment.state.is_open() {
        return Ok(());
    }
    if unstarted::is_unstarted(kit, &payment) {
        unstarted::step(kit, payment).await?;
    } else {
        reconcile(kit, &payment).await?;
    }
    let Some(payment) = find().await? else { return Ok(()) };
    if payment.state.is_open() {
        let mut tx = kit.db.begin().await?;
        let gap = gap(kit, payment.checks);
        let next = kit.clock.now() + gap;
        attempts::note_check(&mut tx, payment_id, next).await?;
        let job = CheckPayment { payment: payment_id }.job().besides(payment.checks + 1).at(next);
        jobs::add(&tx, &[job]).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Sweep: queues the questions about open payments whose own job was lost.
pub async fn sweep_forgotten(kit: &PaymentKit) -> Outcome<usize> {
    let mut tx = kit.db.begin().await?;
    let forgotten = attempts::claim_forgotten(&mut tx, 100).await?;
    let jobs: Vec<NewJob> = forgotten
        .iter()
        .map(|payment| CheckPayment { payment: *payment }.job().besides("forgotten"))
        .collect();
    let added = jobs::add(&tx, &jobs).await?;
    tx.commit().await?;
    Ok(added)
}

/// The gap before the n-th question, with jitter; the last gap repeats.
pub fn gap(kit: &PaymentKit, checks: i32) -> TimeDelta {
    let gaps = &kit.config.worker.payment_check_gaps;
    let seconds = gaps.get(checks.max(0) as usize).or(gaps.last()).copied().unwrap_or(3_600);
    TimeDelta::milliseconds((seconds as f64 * 1_000.0 * clock::jitter()) as i64)
}
