//! Starts an attempt to pay. The attempt is a row before its gateway hears of it, so that nothing the gateway says can
//! come too early; a repeat with the same key asks the gateway for the same payment again.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{OrderId, PaymentId};
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::base::text::Email;
use crate::infra::db::{one, violated};
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::epoch::{self, Epoch};
use crate::infra::idempotency::{self, Claim};
use crate::orders::access::{self, AccessLevel};
use crate::orders::limits;
use crate::orders::model::Order;
use crate::orders::state::OrderState;
use crate::orders::store as orders;
use crate::payments::accounts::Account;
use crate::payments::accounts::store::find_pause;
use crate::payments::attempts::ask;
use crate::payments::attempts::store::{self as attempts, NewAttempt};
use crate::payments::attempts::{close, number, return_url, unstarted};
use crate::payments::events::{Declined, PaymentEvent, Started};
use crate::payments::gateways::gateway::{Action, Call, NewPayment, StartFailure};
use crate::payments::jobs::CheckPayment;
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;
use crate::payments::read;
use crate::payments::state::{PaymentChange, PaymentState};

/// Time for the gateway's answer.
const TIMEOUT: Duration = Duration::from_secs(8);

/// What the client can show and where its buyer comes back.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct StartOptions {
    /// The account's id.
    pub method: String,
    /// Kinds of action the client can perform: `redirect`, `qr`, `form`, `sdk`, `instructions`. A redirect to our
    /// hosted page is always possible.
    pub accepts: Vec<String>,
    pub return_url: Option<String>,
    pub platform: Option<String>,
    /// The gateway's own software the client has, as `SdkAction.sdk` names it.
    #[serde(default)]
    pub sdks: Vec<String>,
    /// The buyer as the gateway knows them (WeChat: the openid).
    #[serde(default)]
    pub payer: Option<String>,
    /// Where the buyer's client called from. Not part of what a repeat must say again: a phone changes networks.
    #[serde(default)]
    pub client_address: Option<String>,
}

/// A request to start a payment.
#[derive(Clone, Debug)]
pub struct Start {
    pub idempotency_key: String,
    pub order_id: OrderId,
    pub access_token: Option<String>,
    pub options: StartOptions,
}

/// A started payment.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub payment: Payment,
    pub replayed: bool,
}

/// Starts a payment for an unpaid order, or gives the one that was started before with this key or for the same
/// method. Refusals: `NOT_FOUND`, `ALREADY_PAID`, `ORDER_EXPIRED`, `ORDER_CANCELLED`, `NOTHING_DUE`, `NEEDS_ATTENTION`,
/// `METHOD_NOT_AVAILABLE`, `AMOUNT_BELOW_MINIMUM`, `AMOUNT_ABOVE_MAXIMUM`, `AMOUNT_NOT_SUPPORTED`,
/// `CURRENCY_NOT_SUPPORTED`,
/// `RETURN_URL_NOT_ALLOWED`, `GATEWAY_DECLINED`, `GATEWAY_UNAVAILABLE`, `GATEWAY_OUTCOME_UNKNOWN`, and those of
/// idempotency.
pub async fn start(kit: &PaymentKit, actor: &Actor, start: Start) -> Outcome<Attempt> {
    return_url::check(kit, start.options.return_url.as_deref())?;
    let (payment, replayed, others) = prepare(kit, actor, &start).await?;
    let payment = match payment.action.is_none() && payment.state.is_open() {
        true if replayed => unstarted::repeat(kit, payment).await?,
        true => ask_gateway(kit, payment).await?,
        false => payment,
    };
    // The buyer chose another way: earlier attempts are closed at their gateways, so that nobody pays twice. Money
    // that comes all the same is kept apart and refunded.
    for other in others {
        if let Err(failure) = close::close(kit, &other).await {
            tracing::warn!(?failure, payment = %other.id, "an earlier attempt could not be closed");
        }
    }
    Ok(Attempt { payment, replayed })
}

/// Writes the attempt. Gives the attempts to be closed beside it.
async fn prepare(kit: &PaymentKit, actor: &Actor, start: &Start) -> Outcome<(Payment, bool, Vec<Payment>)> {
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such order").at(["orderId"]);
    let mut tx = kit.db.begin().await?;
    let order = orders::lock(&mut tx, start.order_id).await?.ok_or_else(missing)?;
    if access::access_level(kit, actor, &order, start.access_token.as_deref()) < Some(AccessLevel::Buyer) {
        return Err(missing().into());
    }
    let id = PaymentId(kit.clock.uuid());
    let scope = format!("order:{}", order.id.0);
    let asked = StartOptions { client_address: None, ..start.options.clone() };
    let body = serde_json::to_string(&asked).map_err(|e| Fault::bug(e.to_string()))?;
    let key = start.idempotency_key.as_str();
    if let Claim::Replay(id) =
        idempotency::claim(&mut tx, &scope, "paymentStart", key, &[body.as_str()], id.0).await?
    {
        let payment = attempts::find(&mut tx, PaymentId(id)).await?;
        let payment = payment.ok_or_else(|| Fault::bug("a replayed payment is gone"))?;
        return Ok((payment, true, Vec::new()));
    }
    let epoch = epoch::current(&mut tx).await?;
    if epoch.held {
        let text = "the shop was restored from a backup and takes payments again in a moment";
        return Err(Refusal::new(ErrorCode::MethodNotAvailable, text).retry_after(30).into());
    }
    refuse_unpayable(kit, &order)?;
    limits::refuse_over(&mut tx, &order).await?;
    if let Some(because) = find_pause(&mut tx, order.id, &start.options.method).await? {
        let refusal = Refusal::new(ErrorCode::MethodNotAvailable, because).at(["options", "methodId"]);
        return Err(refusal.verbatim().into());
    }
    let account = choose(kit, &order, &start.options.method)?;
    let earlier = attempts::list(&mut tx, order.id).await?;
    if earlier.iter().any(Payment::waits_for_a_person) {
        let text = "money came for this order that is not what was asked for; staff looks at it first";
        return Err(Refusal::new(ErrorCode::NeedsAttention, text).into());
    }
    let now = kit.clock.now();
    let same = earlier.iter().find(|p| {
        p.account_id == account.id
            && p.state.is_open()
            && p.action.is_some()
            && p.expires_at.is_none_or(|end| end > now)
    });
    if let Some(payment) = same {
        // Its key is not kept: the attempt belongs to the key that made it.
        return Ok((payment.clone(), false, Vec::new()));
    }
    let attempt = earlier.iter().map(|p| p.attempt).max().unwrap_or(0) + 1;
    let new = new_attempt(kit, &order, &account, id, attempt, &start.options, &epoch);
    attempts::insert(&mut tx, &new).await?;
    let job = CheckPayment { payment: id }.job().besides(0);
    jobs::add(&tx, &[job.at(new.next_check_at.unwrap_or(now))]).await?;
    let started = Started { account: account.id.clone(), attempt };
    let event = PaymentEvent::Started(id, started).by(actor.label()).of_order(order.id);
    events::append(&tx, &[event]).await?;
    let payment = attempts::find(&mut tx, id).await?.ok_or_else(|| Fault::bug("a new payment is gone"))?;
    tx.commit().await?;
    Ok((payment, false, earlier.into_iter().filter(|p| p.state.is_open()).collect()))
}

/// The row of an attempt.
fn new_attempt(
    kit: &PaymentKit,
    order: &Order,
    account: &Account,
    id: PaymentId,
    attempt: i32,
    options: &StartOptions,
    epoch: &Epoch,
) -> NewAttempt {
    let now = kit.clock.now();
    NewAttempt {
        id,
        order_id: order.id,
        account_id: account.id.clone(),
        account_snapshot: json!({ "id": account.id, "gateway": account.gateway, "title": account.title }),
        attempt,
        gateway_number: number::of_attempt(&order.number, order.placed_at, attempt, epoch),
        expected_minor: order.total_minor,
        expected_currency: order.currency.as_str().to_owned(),
        options: json!(options),
        expires_at: order.pay_by.max(now + TimeDelta::minutes(1)),
        next_check_at: Some(now + ask::gap(kit, 0)),
    }
}

fn refuse_unpayable(kit: &PaymentKit, order: &Order) -> Result<(), Refusal> {
    match order.state {
        OrderState::PendingPayment if order.pay_by <= kit.clock.now() => {
            Err(Refusal::new(ErrorCode::OrderExpired, "the time to pay this order is over"))
        }
        OrderState::PendingPayment if order.total_minor == 0 => {
            Err(Refusal::new(ErrorCode::NothingDue, "there is nothing to pay"))
        }
        OrderState::PendingPayment => Ok(()),
        OrderState::Paid | OrderState::Closed => {
            Err(Refusal::new(ErrorCode::AlreadyPaid, "this order is paid"))
        }
        OrderState::Expired => {
            Err(Refusal::new(ErrorCode::OrderExpired, "the time to pay this order is over"))
        }
        OrderState::Cancelled => Err(Refusal::new(ErrorCode::OrderCancelled, "this order was cancelled")),
    }
}

fn choose(kit: &PaymentKit, order: &Order, method: &str) -> Result<Arc<Account>, Refusal> {
    let refuse = |code, text: &str| Refusal::new(code, text).at(["options", "methodId"]);
    let method = read::method(kit, method)
        .ok_or_else(|| refuse(ErrorCode::MethodNotAvailable, "there is no such way to pay"))?;
    match method.refuses(order.total()) {
        None => Ok(method.account),
        Some(code) => Err(refuse(code, "this way to pay does not take this amount")),
    }
}

/// Asks the gateway for what the buyer has to do. The attempt's fields are those of the first time, so a repeat is the
/// same request.
pub(super) async fn ask_gateway(kit: &PaymentKit, payment: Payment) -> Outcome<Payment> {
    let Some((account, gateway)) = kit.accounts.find(&payment.account_id) else {
        return Err(
            Refusal::new(ErrorCode::MethodNotAvailable, "this way to pay is no longer offered").into()
        );
    };
    let order = {
        let mut conn = kit.db.conn().await?;
        orders::find(&mut conn, payment.order_id)
            .await?
            .ok_or_else(|| Fault::bug("a payment without its order"))?
    };
    let base = kit.public_url();
    let id = payment.id.to_string();
    let (return_url, notify_url) = (format!("{base}/return/{id}"), format!("{base}/webhooks/{}", account.id));
    let title = format!("{} {}", kit.config.shop.name, order.number);
    let options: StartOptions = serde_json::from_value(payment.options.clone()).unwrap_or_default();
    // Gateways take what mail servers take: the domain in ASCII, and no local part beyond it. Theirs is a courtesy.
    let email = order.email.as_deref().and_then(|typed| Email::parse(typed).ok());
    let email = email.filter(|email| !email.needs_smtputf8());
    let new = NewPayment {
        number: payment.gateway_number.as_deref().unwrap_or_default(),
        payment_id: &id,
        money: order.total(),
        title: &title,
        locale: &order.locale,
        email: email.as_ref().map(Email::for_smtp),
        return_url: &return_url,
        cancel_url: &return_url,
        notify_url: &notify_url,
        started_at: payment.started_at,
        expires_at: payment.expires_at.unwrap_or(order.pay_by),
        accepts: &options.accepts,
        sdks: &options.sdks,
        platform: options.platform.as_deref(),
        payer: options.payer.as_deref(),
        client_address: options.client_address.as_deref(),
    };
    let call = Call { keys: &account.keys, now_unix: kit.clock.unix(), timeout: TIMEOUT };
    let started = match gateway.start(&call, &new).await {
        Ok(started) => started,
        Err(failure) => return Err(note_failure(kit, &payment, failure).await?.into()),
    };
    crate::fault_point!("payment.started");
    let payment = note_started(
        kit,
        &payment,
        &started.action,
        started.gateway_reference.as_deref(),
        started.expires_at,
    )
    .await?;
    if matches!(payment.state, PaymentState::Expired | PaymentState::Failed) {
        // It was given up while its gateway was being asked: nobody shall pay there what nobody waits for.
        close::close_there(kit, &(account, gateway), &payment).await;
        let text = "this payment was given up meanwhile; start another one";
        return Err(Refusal::new(ErrorCode::MethodNotAvailable, text).into());
    }
    Ok(payment)
}

async fn note_started(
    kit: &PaymentKit,
    payment: &Payment,
    action: &Action,
    reference: Option<&str>,
    expires_at: Option<DateTime<Utc>>,
) -> Outcome<Payment> {
    let mut conn = kit.db.conn().await?;
    let noted = attempts::note_started(&mut conn, payment.id, &json!(action), reference, expires_at).await;
    if let Err(error) = &noted
        && violated(error, "payment_reference_key")
    {
        let why = "the gateway gave the reference of another payment";
        drop(conn);
        let failure = StartFailure::Refused { code: "reference_taken".into(), message: why.into() };
        return Err(note_failure(kit, payment, failure).await?.into());
    }
    noted?;
    let payment = attempts::find(&mut conn, payment.id).await?;
    Ok(payment.ok_or_else(|| Fault::bug("a started payment is gone"))?)
}

/// What the gateway's no means for the attempt: an unclear one is asked about until it is clear.
async fn note_failure(kit: &PaymentKit, payment: &Payment, failure: StartFailure) -> Outcome<Refusal> {
    let (change, code, refusal) = match failure {
        StartFailure::Unsupported => (
            Some(PaymentChange::Fail),
            "unsupported".to_owned(),
            Refusal::new(ErrorCode::MethodNotAvailable, "this way to pay cannot be started"),
        ),
        // Nothing was asked there; another start, with the payer named, is another attempt.
        StartFailure::PayerNeeded => (
            Some(PaymentChange::Fail),
            "payer_needed".to_owned(),
            Refusal::new(ErrorCode::PayerIdRequired, "this way to pay wants to know the payer")
                .at(["options", "payerId"]),
        ),
        // Nothing happened there, so the same key may try again.
        StartFailure::NotSent(why) => {
            tracing::warn!(why, payment = %payment.id, "a gateway could not be reached");
            (
                None,
                String::new(),
                Refusal::new(ErrorCode::GatewayUnavailable, "the payment service does not answer")
                    .retry_after(5),
            )
        }
        StartFailure::Unknown(why) => {
            tracing::warn!(why, payment = %payment.id, "the outcome of starting a payment is unknown");
            let text = "the payment service did not answer clearly; try again with the same key";
            (
                Some(PaymentChange::LoseSight),
                "unknown".to_owned(),
                Refusal::new(ErrorCode::GatewayOutcomeUnknown, text).retry_after(5),
            )
        }
        StartFailure::Refused { code, message } => {
            tracing::warn!(code, message, payment = %payment.id, "a gateway refused to start a payment");
            (
                Some(PaymentChange::Fail),
                code,
                Refusal::new(ErrorCode::GatewayDeclined, "the payment service refused this payment"),
            )
        }
    };
    let Some(change) = change else { return Ok(refusal) };
    let mut tx = kit.db.begin().await?;
    orders::lock(&mut tx, payment.order_id).await?;
    let now = attempts::find(&mut tx, payment.id).await?.ok_or_else(|| Fault::bug("a payment is gone"))?;
    if now.state.was_captured() {
        // The money came while its gateway was being asked.
        return Ok(Refusal::new(ErrorCode::AlreadyPaid, "this payment is paid"));
    }
    if let Ok(after) = now.state.after(change)
        && after != now.state
    {
        one(attempts::advance(&mut tx, now.id, now.state, after, Some(&code)).await?, "payment")?;
        let made = if after == PaymentState::Failed { PaymentEvent::Failed } else { PaymentEvent::Unknown };
        let event = made(now.id, Declined { code: Some(code) }).by("system").of_order(now.order_id);
        events::append(&tx, &[event]).await?;
    }
    tx.commit().await?;
    Ok(refusal)
}
