//! Asks a gateway to give money back. The refund is a row before the gateway hears of it; its own id is the key of
//! idempotency there, so that a repeat after a crash never refunds twice.

use std::time::Duration;

use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;
use serde_json::json;

use crate::app::App;
use crate::base::actor::{Actor, Role};
use crate::base::ids::{PaymentId, RefundId, UnitId};
use crate::base::money::Money;
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::fulfilment::tell::Told;
use crate::infra::events::{self, NewEvent};
use crate::infra::idempotency::{self, Claim};
use crate::infra::outbox;
use crate::infra::queue::{self, NewJob};
use crate::infra::tasks::{self, NewTask};
use crate::orders::store as orders;
use crate::payments::accounts::Spoken;
use crate::payments::ask;
use crate::payments::decide::{self, Case, Tracked};
use crate::payments::decide_back;
use crate::payments::gateway::{Call, NewRefund, PaymentRef, RefundRef, Refunding};
use crate::payments::model::{Payment, Refund};
use crate::payments::refund::write_news;
use crate::payments::state::{RefundChange, RefundState};
use crate::payments::store::refunds::{self, NewRefundRow};
use crate::payments::store::{attempts, slice};

/// The job that sends or asks about one refund; its payload is `{"refund": uuid}`.
pub const WORK: &str = "refund.work";

const TIMEOUT: Duration = Duration::from_secs(15);

/// Questions after which a person is told that a gateway does not say what became of a refund.
const UNCLEAR_AFTER: i32 = 4;

/// What is to be given back.
#[derive(Clone, Debug)]
pub struct RefundRequest {
    pub idempotency_key: String,
    pub payment_id: PaymentId,
    /// Units that lose their goods, and with none given: an amount alone.
    pub units: Vec<UnitId>,
    /// Minor units; with none given the units' own total, or everything that is left.
    pub amount_minor: Option<i64>,
    pub reason: Option<String>,
}

/// Records a refund and starts it. Refusals: `FORBIDDEN`, `NOT_FOUND`, `NOT_PAID`, `REFUND_TOO_LARGE`,
/// `REFUND_NOT_SUPPORTED`, `INVALID`, and those of idempotency. The outcome comes with the gateway's answer; access to the units is refused meanwhile.
pub async fn request(app: &App, actor: &Actor, wish: RefundRequest) -> Outcome<Refund> {
    if !actor.has(Role::Admin) && !actor.has(Role::Support) {
        return Err(Refusal::new("FORBIDDEN", "refunds are for staff").into());
    }
    let id = record(app, actor, &wish).await?;
    if let Err(failure) = work(app, id).await {
        tracing::warn!(?failure, refund = %id, "a refund goes on in the background");
    }
    let mut conn = app.db.conn().await?;
    Ok(refunds::find(&mut conn, id).await?.ok_or_else(|| Fault::bug("a recorded refund is gone"))?)
}

async fn record(app: &App, actor: &Actor, wish: &RefundRequest) -> Outcome<RefundId> {
    let missing = || Refusal::new("NOT_FOUND", "there is no such payment").at(["paymentId"]);
    let mut tx = app.db.begin().await?;
    let seen = attempts::find(&mut tx, wish.payment_id).await?.ok_or_else(missing)?;
    orders::lock(&mut tx, seen.order_id).await?.ok_or_else(missing)?;
    let payment = attempts::find(&mut tx, wish.payment_id).await?.ok_or_else(missing)?;
    let id = RefundId(app.clock.uuid());
    let scope = format!("staff:{}", actor.label());
    let units: Vec<String> = wish.units.iter().map(ToString::to_string).collect();
    let amount = wish.amount_minor.map(|a| a.to_string()).unwrap_or_default();
    let payment_text = wish.payment_id.to_string();
    let body = [payment_text.as_str(), &units.join(","), &amount, wish.reason.as_deref().unwrap_or_default()];
    if let Claim::Replay(known) =
        idempotency::claim(&mut tx, &scope, "orderRefund", &wish.idempotency_key, &body, id.0).await?
    {
        return Ok(RefundId(known));
    }
    refuse_impossible(app, &payment)?;
    let shares = shares(&mut tx, &payment, &wish.units).await?;
    let amount = amount_of(&mut tx, &payment, wish, &shares).await?;
    let row = NewRefundRow {
        id,
        order_id: payment.order_id,
        payment_id: payment.id,
        state: RefundState::Requested,
        amount_minor: amount,
        currency: decide::received_currency(&payment),
        reason: wish.reason.clone(),
        origin: if actor.system { "automatic" } else { "staff" },
        gateway_refund_id: None,
        requested_by: actor.user_id(),
    };
    refunds::insert(&mut tx, &row).await?;
    if !shares.is_empty() {
        refunds::insert_units(&mut tx, id, &shares).await?;
    }
    let body = json!({ "payment": payment.id.0, "amount_minor": amount, "units": units.len() });
    let event = NewEvent::shop("refund.requested", id.0, actor.label(), body).of_order(payment.order_id);
    events::append(&tx, &[event]).await?;
    // Should this program stop now, the job goes on; it waits so that it does not race the call that follows.
    let later = app.clock.now() + TimeDelta::seconds(60);
    let job = NewJob::new(WORK, json!({ "refund": id.0 })).once(format!("{}:0", id.0)).at(later);
    queue::add(&tx, &[job]).await?;
    crate::fault_point!("refund.r1");
    tx.commit().await?;
    Ok(id)
}

/// What its gateway says it cannot do is not begun. An account that left the configuration may come back.
fn refuse_impossible(app: &App, payment: &Payment) -> Result<(), Refusal> {
    let able = |(account, gateway): Spoken| gateway.abilities(&account.keys).refund;
    if app.accounts.find(&payment.account_id).is_none_or(able) {
        return Ok(());
    }
    let text = "this gateway takes no refunds by itself: give it back in its own console";
    Err(Refusal::new("REFUND_NOT_SUPPORTED", text).at(["paymentId"]))
}

/// The named units of this payment's order with what each cost.
async fn shares(
    conn: &mut AsyncPgConnection,
    payment: &Payment,
    named: &[UnitId],
) -> Outcome<Vec<(UnitId, i64)>> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let units = orders::list_units(conn, &[payment.order_id]).await?;
    let mut shares = Vec::new();
    for id in named {
        let unit = units.iter().find(|u| u.id == *id);
        let unit =
            unit.ok_or_else(|| Refusal::new("NOT_FOUND", "this unit is not of this order").at(["units"]))?;
        if shares.iter().any(|(seen, _)| seen == id) {
            return Err(Refusal::new("INVALID", "a unit is named twice").at(["units"]).into());
        }
        shares.push((unit.id, unit.total_minor));
    }
    if !payment.allocated {
        let text = "this payment paid for no unit; refund an amount";
        return Err(Refusal::new("INVALID", text).at(["units"]).into());
    }
    Ok(shares)
}

async fn amount_of(
    conn: &mut AsyncPgConnection,
    payment: &Payment,
    wish: &RefundRequest,
    shares: &[(UnitId, i64)],
) -> Outcome<i64> {
    if !payment.state.was_captured() {
        return Err(Refusal::new("NOT_PAID", "no money came by this payment").at(["paymentId"]).into());
    }
    let left = payment.kept_minor() - refunds::sum_open(conn, payment.id).await?;
    let of_units: i64 = shares.iter().map(|s| s.1).sum();
    let amount = wish.amount_minor.unwrap_or(if shares.is_empty() { left } else { of_units });
    if amount <= 0 {
        let text = if left <= 0 { "everything was given back already" } else { "the amount must be above 0" };
        let code = if left <= 0 { "REFUND_TOO_LARGE" } else { "INVALID" };
        return Err(Refusal::new(code, text).at(["amount"]).into());
    }
    if amount > left {
        let most = Money::new(left, decide::received_currency(payment));
        return Err(Refusal::new("REFUND_TOO_LARGE", format!("at most {most} can be refunded"))
            .at(["amount"])
            .into());
    }
    Ok(amount)
}

/// Sweep: queues the work on refunds whose own job was lost.
pub async fn sweep_forgotten(app: &App) -> Outcome<usize> {
    let mut tx = app.db.begin().await?;
    let jobs: Vec<NewJob> = refunds::list_forgotten(&mut tx, 100)
        .await?
        .iter()
        .map(|id| NewJob::new(WORK, json!({ "refund": id.0 })).once(format!("{}:forgotten", id.0)))
        .collect();
    let added = queue::add(&tx, &jobs).await?;
    tx.commit().await?;
    Ok(added)
}

/// Job `refund.work`: sends a refund, or asks about one that was sent, and applies the answer.
pub async fn work(app: &App, id: RefundId) -> Outcome<()> {
    let (refund, payment) = {
        let mut conn = app.db.conn().await?;
        let Some(refund) = refunds::find(&mut conn, id).await? else { return Ok(()) };
        let payment = attempts::find(&mut conn, refund.payment_id).await?;
        (refund, payment.ok_or_else(|| Fault::bug("a refund without its payment"))?)
    };
    if !refund.state.is_open() {
        return Ok(());
    }
    if refund.state == RefundState::Requested && !repeatable(app, &payment) && !mark_sent(app, id).await? {
        return Ok(());
    }
    let answer = ask_gateway(app, &refund, &payment).await;
    crate::fault_point!("refund.r3");
    apply(app, &refund, answer).await
}

fn repeatable(app: &App, payment: &Payment) -> bool {
    let found = app.accounts.find(&payment.account_id);
    found.is_none_or(|(account, gateway)| gateway.abilities(&account.keys).refund_repeatable)
}

/// Writes down that a refund is on its way before it is, where sending it twice would give the money back twice: should
/// this program stop now, whoever goes on only asks about it. Says no when somebody else was faster.
async fn mark_sent(app: &App, id: RefundId) -> Outcome<bool> {
    let mut tx = app.db.begin().await?;
    let Some(seen) = refunds::find(&mut tx, id).await? else { return Ok(false) };
    orders::lock(&mut tx, seen.order_id).await?;
    let Some(row) = refunds::lock(&mut tx, id).await?.filter(|r| r.state == RefundState::Requested) else {
        return Ok(false);
    };
    let after = row.state.after(RefundChange::LoseSight).map_err(|e| Fault::bug(e.to_string()))?;
    refunds::advance(&mut tx, &row, after, None, None, Some(app.clock.now() + ask::gap(app, 0))).await?;
    tx.commit().await?;
    Ok(true)
}

async fn ask_gateway(app: &App, refund: &Refund, payment: &Payment) -> Refunding {
    if payment.account_id == "free" {
        return Refunding::Unsupported;
    }
    let Some((account, gateway)) = app.accounts.find(&payment.account_id) else {
        return Refunding::Unknown("the account left the configuration".into());
    };
    let id = refund.id.to_string();
    let reference = PaymentRef {
        number: payment.number_there(),
        gateway_reference: payment.gateway_reference.as_deref(),
        trade_no: payment.trade_no.as_deref(),
        money: Money::new(payment.received_minor.unwrap_or(0), decide::received_currency(payment)),
    };
    let call = Call { keys: &account.keys, now_unix: app.clock.unix(), timeout: TIMEOUT };
    if refund.state != RefundState::Requested {
        let question = RefundRef {
            refund_id: &id,
            gateway_refund_id: refund.gateway_refund_id.as_deref(),
            payment: reference,
            amount: Money::new(refund.amount_minor, refund.currency),
        };
        let answer = gateway.refund_query(&call, &question).await;
        if answer != Refunding::NotFound {
            return answer;
        }
    }
    let new = NewRefund {
        refund_id: &id,
        payment: reference,
        amount: Money::new(refund.amount_minor, refund.currency),
        reason: refund.reason.as_deref(),
    };
    gateway.refund(&call, &new).await
}

async fn apply(app: &App, refund: &Refund, answer: Refunding) -> Outcome<()> {
    let mut tx = app.db.begin().await?;
    let order = orders::lock(&mut tx, refund.order_id)
        .await?
        .ok_or_else(|| Fault::bug("a refund without its order"))?;
    let payment = attempts::find(&mut tx, refund.payment_id).await?;
    let payment = payment.ok_or_else(|| Fault::bug("a refund without its payment"))?;
    let Some(row) = refunds::lock(&mut tx, refund.id).await?.filter(|r| r.state.is_open()) else {
        return Ok(());
    };
    match answer {
        Refunding::Succeeded { gateway_refund_id } => {
            let mut case = Case {
                order_id: order.id,
                number: order.number.clone(),
                state: order.state,
                payments: vec![Tracked {
                    before: payment.state,
                    row: payment,
                    is_new: false,
                    changed: false,
                }],
                refunds: vec![row.clone()],
                paid_now: false,
                news: Vec::new(),
            };
            decide_back::refund_succeeded(&mut case, row.id, gateway_refund_id, row.amount_minor);
            write_case(&mut tx, app, &case).await?;
        }
        Refunding::Pending { gateway_refund_id } => {
            again(&mut tx, app, &row, RefundChange::Accept, Some(&gateway_refund_id)).await?;
        }
        Refunding::Unknown(why) => {
            tracing::warn!(why, refund = %row.id, "the outcome of a refund is unknown");
            again(&mut tx, app, &row, RefundChange::LoseSight, None).await?;
            if row.checks == UNCLEAR_AFTER {
                let body = json!({ "refund": row.id.to_string(), "gateway": why });
                tasks::open(&tx, &[task(app, &row, "refund_unclear", body)]).await?;
            }
        }
        Refunding::NotFound => again(&mut tx, app, &row, RefundChange::LoseSight, None).await?,
        Refunding::Failed { code, message } => {
            tracing::warn!(code, message, refund = %row.id, "a gateway refused a refund");
            fail(&mut tx, app, &row, &code).await?;
        }
        Refunding::Unsupported => fail(&mut tx, app, &row, "unsupported").await?,
    }
    crate::fault_point!("refund.r4");
    tx.commit().await?;
    app.bell.ring();
    Ok(())
}

async fn write_case(conn: &mut AsyncPgConnection, app: &App, case: &Case) -> Outcome<()> {
    let changed: Vec<&Tracked> = case.payments.iter().filter(|t| t.changed).collect();
    if !changed.is_empty() && slice::advance(conn, &changed).await? != changed.len() {
        return Err(Fault::bug("a locked payment changed its state").into());
    }
    let mut told = Told::default();
    for news in &case.news {
        write_news(conn, app, case, news, &mut told).await?;
    }
    tasks::open(conn, &told.tasks).await?;
    events::append(conn, &told.events).await?;
    outbox::enqueue(conn, &told.messages).await?;
    Ok(())
}

/// The next look at a refund that has not ended, after a growing gap.
async fn again(
    conn: &mut AsyncPgConnection,
    app: &App,
    row: &Refund,
    change: RefundChange,
    gateway_refund_id: Option<&str>,
) -> Outcome<()> {
    let after = row.state.after(change).unwrap_or(row.state);
    let next = app.clock.now() + ask::gap(app, row.checks);
    refunds::advance(conn, row, after, gateway_refund_id, None, Some(next)).await?;
    let job =
        NewJob::new(WORK, json!({ "refund": row.id.0 })).once(format!("{}:{}", row.id.0, row.checks + 1));
    queue::add(conn, &[job.at(next)]).await?;
    Ok(())
}

/// A refund that will not happen gives access back and goes to a person.
async fn fail(conn: &mut AsyncPgConnection, app: &App, row: &Refund, code: &str) -> Outcome<()> {
    let after = row.state.after(RefundChange::Fail).map_err(|e| Fault::bug(e.to_string()))?;
    refunds::advance(conn, row, after, None, Some(code), None).await?;
    let event =
        NewEvent::shop("refund.failed", row.id.0, "gateway", json!({ "code": code })).of_order(row.order_id);
    events::append(conn, &[event]).await?;
    let body = json!({ "refund": row.id.to_string(), "code": code });
    tasks::open(conn, &[task(app, row, "refund_failed", body)]).await?;
    Ok(())
}

fn task(app: &App, row: &Refund, kind: &'static str, body: serde_json::Value) -> NewTask {
    NewTask {
        id: app.clock.uuid(),
        kind,
        subject: row.id.0.to_string(),
        order_id: Some(row.order_id),
        payment_id: Some(row.payment_id),
        line_id: None,
        body,
    }
}
