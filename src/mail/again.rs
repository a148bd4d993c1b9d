//! Staff has a message sent again, perhaps to a corrected address (D6).

use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::base::actor::Actor;
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::base::text::Email;
use crate::infra::events::{self, NewEvent};
use crate::infra::outbox;
use crate::infra::queue::{self, NewJob};
use crate::mail::state::MessageChange;
use crate::mail::store;

/// Puts a message that needs attention back into the queue, with a fresh number of attempts. Refuses with
/// `FORBIDDEN`, `NOT_FOUND`, `EMAIL_INVALID`, and `NOT_READY` when the message is on its way or was sent.
pub async fn send_again(app: &App, actor: &Actor, id: Uuid, recipient: Option<&str>) -> Outcome<()> {
    if !actor.is_staff() {
        return Err(Refusal::new("FORBIDDEN", "this is for staff").into());
    }
    let recipient = recipient.map(Email::parse).transpose()?;
    let mut tx = app.db.begin().await?;
    let message = store::lock(&mut tx, id)
        .await?
        .ok_or_else(|| Refusal::new("NOT_FOUND", "there is no such message"))?;
    if message.state.after(MessageChange::SendAgain).is_err() {
        return Err(Refusal::new("NOT_READY", "this message is on its way or was sent").into());
    }
    let changed =
        store::advance_again(&mut tx, id, message.state, recipient.as_ref().map(Email::typed)).await?;
    if changed != 1 {
        return Err(Fault::bug("a locked message changed").into());
    }
    let body = json!({ "kind": message.kind, "corrected": recipient.is_some() });
    let event = NewEvent::shop("message.sent_again", id, actor.label(), body);
    let event = match message.order_id {
        Some(order) => event.of_order(order),
        None => event,
    };
    events::append(&tx, &[event]).await?;
    queue::add(&tx, &[NewJob::new(outbox::SEND, json!({ "message": id })).once(id.to_string())]).await?;
    tx.commit().await?;
    app.bell.ring();
    Ok(())
}
