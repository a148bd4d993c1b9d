//! Staff has a message sent again, perhaps to a corrected address (D6).

use uuid::Uuid;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::MessageId;
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text::Email;
use crate::infra::db::one;
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::effects::messages::{self, SendMessage};
use crate::infra::kit::Kit;
use crate::mail::events::{MessageEvent, SentAgain};
use crate::mail::state::MessageChange;
use crate::mail::{read, store};

/// Puts a message that needs attention back into the queue, with a fresh number of attempts. Refuses with
/// `FORBIDDEN`, `NOT_FOUND`, `EMAIL_INVALID`, `ADDRESS_SUPPRESSED`, and `NOT_READY` when the message is on its way or was sent.
pub async fn send_again(kit: &Kit, actor: &Actor, id: Uuid, recipient: Option<&str>) -> Outcome<()> {
    if !actor.is_staff() {
        return Err(Refusal::new(ErrorCode::Forbidden, "this is for staff").into());
    }
    let recipient = recipient.map(Email::parse).transpose()?;
    let mut tx = kit.db.begin().await?;
    let message = store::lock(&mut tx, id)
        .await?
        .ok_or_else(|| Refusal::new(ErrorCode::NotFound, "there is no such message"))?;
    let to = Email::parse(recipient.as_ref().map_or(&message.recipient, Email::typed))?;
    if read::find_suppression(&mut tx, to.normalised()).await?.is_some() {
        let text = "no mail is sent to this address: lift that first, or correct it";
        return Err(Refusal::new(ErrorCode::AddressSuppressed, text).into());
    }
    if message.state.after(MessageChange::SendAgain).is_err() {
        return Err(Refusal::new(ErrorCode::NotReady, "this message is on its way or was sent").into());
    }
    let changed =
        messages::advance_again(&mut tx, id, message.state.as_str(), recipient.as_ref().map(Email::typed))
            .await?;
    one(changed, "message")?;
    let (order, message_kind, message) = (message.order_id, message.kind, MessageId(id));
    let sent = SentAgain { kind: message_kind, corrected: recipient.is_some() };
    let event = MessageEvent::SentAgain(message, sent).by(actor.label()).of_order(order);
    events::append(&tx, &[event]).await?;
    jobs::add(&tx, &[SendMessage { message }.job()]).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}
