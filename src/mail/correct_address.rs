//! Staff corrects the address of an order (C9, D6): what is still to be sent goes to the new one, the order's mail is sent
//! there again, and whatever the old address holds opens nothing any more.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::base::actor::Actor;
use crate::base::ids::{MessageId, OrderId};
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::base::text::Email;
use crate::infra::db::Transaction;
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::effects::messages::SendMessage;
use crate::infra::effects::messages::{self, NewMessage};
use crate::infra::effects::record::Nothing;
use crate::infra::effects::tasks::{self, TaskKind};
use crate::mail::model::Message;
use crate::mail::state::{MessageChange, MessageState};
use crate::mail::store;
use crate::mail::tasks::MessageUndeliverable;
use crate::orders::events::OrderEvent;
use crate::orders::model::Order;
use crate::orders::revoke_access;
use crate::orders::staff::reveal::staff_with_reason;
use crate::orders::staff::store::{Act, insert_acts};
use crate::orders::store as orders;
use crate::orders::unit::UnitState;

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
    events::append(&tx, &[OrderEvent::AddressCorrected(id, Nothing {}).by(actor.label())]).await?;
    let order = revoke_access::raise(&mut tx, order, &actor.label(), "address_corrected").await?;
    let queued = redirect(&mut tx, actor, &order, email.typed()).await?;
    let order = Order {
        email: Some(email.typed().to_owned()),
        email_normalised: Some(email.normalised().to_owned()),
        ..order
    };
    send_again(&mut tx, app, &order, &queued).await?;
    tx.commit().await?;
    app.bell.ring();
    Ok(order)
}

/// Sends what was not sent yet to the new address, those that had been given up too, and ends their tasks. Gives what is
/// queued to that address now.
async fn redirect(tx: &mut Transaction, actor: &Actor, order: &Order, to: &str) -> Outcome<Vec<Message>> {
    let same = order.email.as_deref() == Some(to);
    let change = if same { MessageChange::SendAgain } else { MessageChange::Redirect };
    let messages = store::lock_unsent(tx, order.id, order.email.as_deref().unwrap_or_default()).await?;
    let mut jobs = Vec::new();
    for message in &messages {
        // To the same address, an attempt that is under way is left to its end.
        if message.state.after(change).is_err() || (same && message.state == MessageState::Queued) {
            continue;
        }
        if store::advance_again(tx, message.id, message.state, Some(to)).await? != 1 {
            return Err(Fault::bug("a locked message changed").into());
        }
        jobs.push(SendMessage { message: MessageId(message.id) }.job());
    }
    jobs::add(tx, &jobs).await?;
    let over: Vec<_> = messages.iter().map(|m| MessageUndeliverable::over(MessageId(m.id))).collect();
    tasks::resolve(tx, &over, &actor.label()).await?;
    Ok(messages)
}

/// Tells the new address what the order has and waits for, as far as nothing that is queued for it does.
async fn send_again(tx: &mut Transaction, app: &App, order: &Order, queued: &[Message]) -> Outcome<()> {
    if !order.state.is_paid() {
        return Ok(());
    }
    let units = orders::list_units(tx, &[order.id]).await?;
    let lines_where = |wanted: fn(UnitState) -> bool| -> BTreeSet<Uuid> {
        units.iter().filter(|unit| wanted(unit.state)).map(|unit| unit.line_id.0).collect()
    };
    let delivered = lines_where(UnitState::is_delivered);
    let by_person = lines_where(|state| state == UnitState::AwaitingPerson);
    let waiting = lines_where(|state| state.is_waiting() && state != UnitState::AwaitingPerson);
    // The mail about what was delivered also lists the rest of its lines; one about what waits is sent where nothing was.
    let wanted: Vec<(&'static str, &[&str], BTreeSet<Uuid>)> = match delivered.is_empty() {
        false => vec![("order_resend", &["order_delivered", "order_resend"], delivered)],
        true => vec![
            ("order_awaiting_stock", &["order_awaiting_stock"], waiting),
            ("order_awaiting_person", &["order_awaiting_person"], by_person),
        ],
    };
    let mut messages = Vec::new();
    for (kind, alike, lines) in wanted {
        let told: Vec<&Message> = queued.iter().filter(|m| alike.contains(&m.kind.as_str())).collect();
        let untold: Vec<Uuid> =
            lines.into_iter().filter(|line| !told.iter().any(|m| tells_of(m, *line))).collect();
        if untold.is_empty() {
            continue;
        }
        messages.push(NewMessage {
            id: app.clock.uuid(),
            kind,
            subject: format!("{}:{}", order.id.0, app.clock.uuid()),
            order_id: Some(order.id),
            user_id: order.user_id,
            recipient: order.email.clone().unwrap_or_default(),
            locale: order.locale.clone(),
            payload: json!({ "lines": untold }),
        });
    }
    messages::enqueue(tx, &messages).await?;
    Ok(())
}

/// Whether a message of an order is about this line: one that names none is about all.
fn tells_of(message: &Message, line: Uuid) -> bool {
    match message.payload.get("lines").and_then(Value::as_array) {
        Some(lines) if !lines.is_empty() => lines.iter().any(|id| id.as_str() == Some(&line.to_string())),
        _ => true,
    }
}
