//! The job `message.send`: one attempt. Lease and content in one short transaction, the conversation outside any, the
//! outcome in another. A worker killed in between sends again under the same Message-ID.

use std::time::Duration;

use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::base::clock;
use crate::base::ids::MessageId;
use crate::base::outcome::{Fault, Outcome};
use crate::base::text::{Email, Locale, masked_email};
use crate::infra::db::one;
use crate::infra::effects::events::{self, Event, NewEvent};
use crate::infra::effects::messages::{self, MessageKind};
use crate::infra::effects::record::Nothing;
use crate::infra::effects::tasks::{self, TaskKind};
use crate::infra::kit::Kit;
use crate::infra::mailer::Letter;
use crate::infra::smtp::SendAttempt;
use crate::mail::events::{Attempted, MessageEvent};
use crate::mail::messages::TaskOpened;
use crate::mail::model::{Message, Suppression};
use crate::mail::state::{IllegalMessageChange, MessageChange, MessageState};
use crate::mail::suppress::{self, SuppressionCause};
use crate::mail::tasks::{MessageUndeliverable, Undelivered};
use crate::mail::{bounces, compose, facts::Content, read, store, texts};
use crate::orders;
use crate::orders::gifts::GiftRow;
use crate::orders::messages::{GiftSent, OrderDelivered, has_goods, to_buyer};

/// What to do with the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Finished,
    TryAgain(Duration),
}

/// Makes one attempt to send the message. A message that needs none is left alone.
pub async fn send(kit: &Kit, id: Uuid) -> Outcome<Next> {
    let Some((message, attempt, mut content)) = begin(kit, id).await? else { return Ok(Next::Finished) };
    compose::add_files(kit, &message, &mut content).await?;
    let locale = Locale::choose(&message.locale);
    let text = texts::render(&kit.config.shop, locale, &content);
    let letter = Letter {
        message_id: message.message_id.clone(),
        recipient: message.recipient.clone(),
        subject: text.subject,
        plain: text.plain,
        html: text.html,
        language: locale.as_str(),
        date: message.created_at,
    };
    crate::fault_point!("mail.before_send");
    let outcome = kit.mailer.send(&letter, kit.clock.now()).await;
    crate::fault_point!("mail.after_send");
    let next = end(kit, &message, attempt, outcome).await?;
    crate::fault_point!("mail.marked");
    Ok(next)
}

/// The message as it was read, the number of this attempt, and the content.
async fn begin(kit: &Kit, id: Uuid) -> Outcome<Option<(Message, i32, Content)>> {
    let mut tx = kit.db.begin().await?;
    // The order first, as everybody who changes anything about it does.
    if let Some(order) = store::find_order(&mut tx, id).await? {
        orders::store::lock(&mut tx, order).await?;
    }
    let Some(mut message) = store::lock(&mut tx, id).await? else { return Ok(None) };
    if message.state.after(MessageChange::Start).is_err() {
        return Ok(None);
    }
    let gift = gift_of(&mut tx, &message).await?;
    if let Some(gift) = gift.filter(|gift| gift.email != message.recipient) {
        let changed = messages::advance_recipient(&mut tx, id, message.state.as_str(), &gift.email).await?;
        one(changed, "message")?;
        message = store::lock(&mut tx, id).await?.ok_or_else(|| Fault::bug("a locked message is gone"))?;
    }
    let attempt = message.attempts + 1;
    store::advance_lost_attempts(&mut tx, id).await?;
    message.message_id = messages::of_domain(&message.message_id, kit.mailer.domain());
    let before = (message.state.as_str(), message.attempts);
    one(messages::advance_started(&mut tx, id, before, &message.message_id).await?, "message")?;
    store::insert_attempt(&mut tx, id, attempt, &masked_email(&message.recipient)).await?;
    if let Some(found) = suppression(&mut tx, &message).await? {
        withhold(&mut tx, kit, &message, attempt, &found).await?;
        tx.commit().await?;
        kit.bell.ring();
        return Ok(None);
    }
    let Some(content) = compose::content(&mut tx, kit, &message).await? else {
        let reason = "there is nothing left to report";
        store::advance_attempt(&mut tx, id, attempt, "refused", Some(reason)).await?;
        let failed = after(MessageState::Sending, MessageChange::Fail)?;
        one(advance(&mut tx, id, attempt, MessageState::Sending, failed).await?, "message")?;
        events::append(&tx, &[event(MessageEvent::Failed, &message, attempt)]).await?;
        tx.commit().await?;
        return Ok(None);
    };
    tx.commit().await?;
    Ok(Some((message, attempt, content)))
}

/// The gift whose goods are in this message.
async fn gift_of(conn: &mut AsyncPgConnection, message: &Message) -> Outcome<Option<GiftRow>> {
    match message.order_id.filter(|_| has_goods(&message.kind)) {
        Some(order) => Ok(orders::gifts::find(conn, order).await?),
        None => Ok(None),
    }
}

/// Mails a gift's buyer that its goods went.
async fn report_to_giver(conn: &mut AsyncPgConnection, kit: &Kit, message: &Message) -> Outcome<()> {
    if let Some(gift) = gift_of(conn, message).await?
        && let Some(order) = orders::store::find(conn, gift.order_id).await?
    {
        let mail = to_buyer(GiftSent::to, &order, message.id.to_string(), Nothing {});
        messages::enqueue(conn, &kit.clock, mail.as_slice()).await?;
    }
    Ok(())
}

/// The suppression of the message's address, if there is one.
async fn suppression(conn: &mut AsyncPgConnection, message: &Message) -> Outcome<Option<Suppression>> {
    match Email::parse(&message.recipient) {
        Ok(address) => Ok(read::find_suppression(conn, address.normalised()).await?),
        Err(_) => Ok(None),
    }
}

/// Ends an attempt before anything is sent. A person looks after what is about an order; a code is over before anybody
/// could.
async fn withhold(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    message: &Message,
    attempt: i32,
    found: &Suppression,
) -> Outcome<()> {
    let reason = match &found.reason {
        Some(reason) => format!("no mail is sent to this address ({}): {reason}", found.cause),
        None => format!("no mail is sent to this address ({})", found.cause),
    };
    metrics::counter!("dispense_mail_attempts_total", "outcome" => "suppressed").increment(1);
    store::advance_attempt(conn, message.id, attempt, "suppressed", Some(&reason)).await?;
    let failed = after(MessageState::Sending, MessageChange::Fail)?;
    one(advance(conn, message.id, attempt, MessageState::Sending, failed).await?, "message")?;
    events::append(conn, &[event(MessageEvent::Failed, message, attempt)]).await?;
    let escalated = after(failed, MessageChange::Escalate)?;
    one(advance(conn, message.id, attempt, failed, escalated).await?, "message")?;
    match message.order_id {
        Some(_) => put_before_a_person(conn, kit, message, attempt, "suppressed", Some(&reason)).await,
        None => {
            events::append(conn, &[event(MessageEvent::NeedsAttention, message, attempt)]).await?;
            Ok(())
        }
    }
}

async fn end(kit: &Kit, message: &Message, attempt: i32, outcome: SendAttempt) -> Outcome<Next> {
    let (name, reason) = match &outcome {
        SendAttempt::Sent(said) => ("sent", said.as_deref()),
        SendAttempt::Temporary(reason) | SendAttempt::Failing(_, reason) => ("retry", Some(reason.as_str())),
        SendAttempt::Permanent(reason) | SendAttempt::NoMailbox(reason) => ("refused", Some(reason.as_str())),
        SendAttempt::Unknown(reason) => ("unknown", Some(reason.as_str())),
    };
    metrics::counter!("dispense_mail_attempts_total", "outcome" => name).increment(1);
    let gap = match &outcome {
        SendAttempt::Sent(_) | SendAttempt::Permanent(_) | SendAttempt::NoMailbox(_) => None,
        SendAttempt::Temporary(_) | SendAttempt::Failing(..) | SendAttempt::Unknown(_) => {
            let tried = usize::try_from(attempt - message.attempts_before).unwrap_or(usize::MAX);
            kit.config.worker.message_gaps.get(tried.saturating_sub(1)).copied()
        }
    };
    let (state, kind) = match (&outcome, gap) {
        (SendAttempt::Sent(_), _) => {
            (after(MessageState::Sending, MessageChange::Deliver)?, Some(MessageEvent::Sent as Made))
        }
        (_, Some(_)) => (after(MessageState::Sending, MessageChange::Postpone)?, None),
        (_, None) => (after(MessageState::Sending, MessageChange::Fail)?, Some(MessageEvent::Failed as Made)),
    };
    let mut tx = kit.db.begin().await?;
    store::advance_attempt(&mut tx, message.id, attempt, name, reason).await?;
    if advance(&mut tx, message.id, attempt, MessageState::Sending, state).await? == 0 {
        // What this attempt came to stays on record.
        let now = store::lock(&mut tx, message.id).await?;
        tx.commit().await?;
        tracing::warn!(message = %message.id, attempt, "this attempt's end counts for nothing any more");
        // Queued meanwhile, for another address: nobody else has the job.
        let queued = now.is_some_and(|m| m.state == MessageState::Queued && m.attempts == attempt);
        return Ok(if queued { Next::TryAgain(Duration::ZERO) } else { Next::Finished });
    }
    if let Some(kind) = kind {
        events::append(&tx, &[event(kind, message, attempt)]).await?;
    }
    if state == MessageState::Sent {
        if read::has_bounced_since(&mut tx, message.id, attempt).await? {
            bounces::came_back(&mut tx, kit, &Message { attempts: attempt, ..message.clone() }, None).await?;
        } else if message.kind == OrderDelivered::KIND {
            report_to_giver(&mut tx, kit, message).await?;
        }
    }
    if let (SendAttempt::NoMailbox(reason), Ok(address)) = (&outcome, Email::parse(&message.recipient)) {
        suppress::suppress(&mut tx, kit, &address, SuppressionCause::Refused, Some(reason)).await?;
    }
    if state == MessageState::Failed {
        let escalated = after(state, MessageChange::Escalate)?;
        one(advance(&mut tx, message.id, attempt, state, escalated).await?, "message")?;
        put_before_a_person(&mut tx, kit, message, attempt, name, reason).await?;
    }
    tx.commit().await?;
    kit.bell.ring();
    Ok(gap.map_or(Next::Finished, |seconds| {
        Next::TryAgain(Duration::from_secs_f64(seconds as f64 * clock::jitter()))
    }))
}

async fn put_before_a_person(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    message: &Message,
    attempt: i32,
    outcome: &str,
    reason: Option<&str>,
) -> Outcome<()> {
    tracing::error!(message = %message.id, kind = message.kind, attempt, outcome, reason, "a mail needs a person");
    events::append(conn, &[event(MessageEvent::NeedsAttention, message, attempt)]).await?;
    // A mail that reports trouble to staff must not be reported by another such mail.
    if message.kind == TaskOpened::KIND {
        return Ok(());
    }
    let id = MessageId(message.id);
    let body = Undelivered {
        message: id,
        kind: message.kind.clone(),
        attempts: attempt,
        outcome: outcome.into(),
        reason: reason.map(str::to_owned),
    };
    let task = MessageUndeliverable::open(id, body).of_order(message.order_id);
    tasks::open(conn, &kit.clock, &[task]).await?;
    Ok(())
}

/// How an event of a message is made.
type Made = fn(MessageId, Attempted) -> MessageEvent;

fn event(made: Made, message: &Message, attempt: i32) -> NewEvent {
    let attempted = Attempted { kind: message.kind.clone(), attempt };
    made(MessageId(message.id), attempted).by("system").of_order(message.order_id)
}

/// Ends what an attempt began; rows changed.
async fn advance(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    attempt: i32,
    from: MessageState,
    to: MessageState,
) -> Result<usize, Fault> {
    Ok(messages::advance(conn, id, attempt, from.as_str(), to.as_str()).await?)
}

fn after(state: MessageState, change: MessageChange) -> Result<MessageState, Fault> {
    state
        .after(change)
        .map_err(|IllegalMessageChange| Fault::bug(format!("a message cannot {change:?} when {state:?}")))
}
