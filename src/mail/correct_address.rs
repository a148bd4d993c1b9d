//! Staff corrects the address of an order (C9, D6): what is still to be sent goes to the new one, the order's mail is sent
//! there again, and whatever the old address holds opens nothing any more.

use serde_json::json;

use crate::app::App;
use crate::base::actor::Actor;
use crate::base::ids::OrderId;
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text::Email;
use crate::infra::db::Transaction;
use crate::infra::events::{self, NewEvent};
use crate::infra::outbox::{self, NewMessage};
use crate::infra::queue::{self, NewJob};
use crate::mail::state::{MessageChange, MessageState};
use crate::mail::store;
use crate::orders::model::Order;
use crate::orders::revoke_access;
use crate::orders::staff::reveal::staff_with_reason;
use crate::orders::staff::store::{Act, insert_acts};
use crate::orders::store as orders;

/// Corrects the address. The same address again only sends what had been given up. Refuses with `FORBIDDEN`, `REASON_REQUIRED`,
/// `EMAIL_INVALID`, `NOT_FOUND`.
pub async fn correct_address(
    app: &App,
    actor: &Actor,
    id: OrderId,
    email: &str,
    reason: &str,
) -> Outcome<Order> {
    let (user, reason) = staff_with_reason(actor, reason)?;
    let email = Email::parse(email)?;
    app.config.mail.takes(&email)?;
    let missing = || Refusal::new("NOT_FOUND", "there is no such order").at(["orderId"]);
    let mut tx = app.db.begin().await?;
    let order = orders::lock(&mut tx, id).await?.ok_or_else(missing)?;
    if order.email.as_deref() == Some(email.typed()) {
        redirect(&mut tx, actor, &order, email.typed()).await?;
        tx.commit().await?;
        app.bell.ring();
        return Ok(order);
    }
    orders::advance_email(&mut tx, id, email.typed(), email.normalised()).await?;
    insert_acts(&mut tx, Act::AddressCorrected, id, &[], user, &reason).await?;
    let event = NewEvent::shop("order.address_corrected", id.0, actor.label(), json!({})).of_order(id);
    events::append(&tx, &[event]).await?;
    let order = revoke_access::raise(&mut tx, order, &actor.label(), "address_corrected").await?;
    let under_way = redirect(&mut tx, actor, &order, email.typed()).await?;
    let order = Order {
        email: Some(email.typed().to_owned()),
        email_normalised: Some(email.normalised().to_owned()),
        ..order
    };
    send_again(&mut tx, app, &order, &under_way).await?;
    tx.commit().await?;
    app.bell.ring();
    Ok(order)
}

/// Sends what was not sent yet to the new address, those that had been given up too, and ends their tasks. Gives the
/// kinds of what is under way now.
async fn redirect(tx: &mut Transaction, actor: &Actor, order: &Order, to: &str) -> Outcome<Vec<String>> {
    let messages = store::lock_unsent(tx, order.id, order.email.as_deref().unwrap_or_default()).await?;
    let mut jobs = Vec::new();
    for message in &messages {
        match message.state.after(MessageChange::SendAgain) {
            Ok(MessageState::Queued) if message.state != MessageState::Queued => {
                store::advance_again(tx, message.id, message.state, Some(to)).await?;
                let payload = json!({ "message": message.id });
                jobs.push(NewJob::new(outbox::SEND, payload).once(message.id.to_string()));
            }
            // Queued, or an attempt is under way: the next one goes to the new address.
            Ok(_) | Err(_) => {
                store::advance_recipient(tx, message.id, to).await?;
            }
        }
    }
    queue::add(tx, &jobs).await?;
    let subjects: Vec<String> = messages.iter().map(|m| m.id.to_string()).collect();
    let ended = store::resolve_undeliverable(tx, &subjects).await?;
    let facts: Vec<NewEvent> = ended
        .into_iter()
        .map(|task| {
            let body = json!({ "task_kind": "message_undeliverable", "noted": false });
            NewEvent::shop("task.resolved", task, actor.label(), body).of_order(order.id)
        })
        .collect();
    events::append(tx, &facts).await?;
    Ok(messages.into_iter().map(|m| m.kind).collect())
}

/// The order's mail once more, unless one that tells the same is on its way.
async fn send_again(tx: &mut Transaction, app: &App, order: &Order, under_way: &[String]) -> Outcome<()> {
    if !order.state.is_paid() {
        return Ok(());
    }
    let is_under_way = |kinds: &[&str]| under_way.iter().any(|kind| kinds.contains(&kind.as_str()));
    let units = orders::list_units(tx, &[order.id]).await?;
    let delivered = units.iter().any(|u| u.state.is_delivered());
    let waiting = units.iter().any(|u| u.state.is_waiting());
    let kind = match (delivered, waiting) {
        (true, _) if !is_under_way(&["order_delivered", "order_resend"]) => "order_resend",
        (false, true) if !is_under_way(&["order_awaiting_stock"]) => "order_awaiting_stock",
        _ => return Ok(()),
    };
    let message = NewMessage {
        id: app.clock.uuid(),
        kind,
        subject: format!("{}:{}", order.id.0, app.clock.uuid()),
        order_id: Some(order.id),
        user_id: order.user_id,
        recipient: order.email.clone().unwrap_or_default(),
        locale: order.locale.clone(),
        payload: json!({}),
    };
    outbox::enqueue(tx, &[message]).await?;
    Ok(())
}
