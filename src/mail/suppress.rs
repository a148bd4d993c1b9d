//! Addresses that no mail is sent to: mail to them came back for good, or its reader complained. What would be sent there
//! goes before a person; staff lifts it.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{MessageId, SuppressionId};
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::base::text::Email;
use crate::delivery::reveal_for_staff::staff_with_reason;
use crate::infra::db::{Transaction, one};
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::effects::messages::{self, SendMessage};
use crate::infra::effects::tasks::{self, TaskKind};
use crate::infra::kit::Kit;
use crate::mail::events::{Lifted, Suppressed, SuppressionEvent};
use crate::mail::model::Suppression;
use crate::mail::read;
use crate::mail::state::MessageState;
use crate::mail::store;
use crate::mail::tasks::MessageUndeliverable;
use crate::orders;

/// Why no mail is sent to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressionCause {
    /// Mail came back for good.
    Bounce,
    /// Its reader reported a mail as unwanted.
    Complaint,
    /// The mail server knows no such mailbox.
    Refused,
}

impl SuppressionCause {
    pub const ALL: [SuppressionCause; 3] = [Self::Bounce, Self::Complaint, Self::Refused];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Refused => "refused",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }
}

/// Suppresses an address, unless it is already.
pub(super) async fn suppress(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    address: &Email,
    cause: SuppressionCause,
    reason: Option<&str>,
) -> Outcome<()> {
    let id = SuppressionId(kit.clock.uuid());
    if store::insert_suppression(conn, id, address.normalised(), cause.as_str(), reason).await? == 1 {
        let fact = Suppressed { cause: cause.as_str().into() };
        events::append(conn, &[SuppressionEvent::Suppressed(id, fact).by("system")]).await?;
    }
    Ok(())
}

/// Lifts a suppression, and sends again what of the last month's mails about orders did not get to the address. Refuses with
/// `FORBIDDEN`, `REASON_REQUIRED`, `NOT_FOUND`, and `ILLEGAL_TRANSITION` when it was lifted before.
pub async fn lift(kit: &Kit, actor: &Actor, id: SuppressionId, reason: &str) -> Outcome<Suppression> {
    let (user, reason) = staff_with_reason(actor, reason)?;
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such suppression").at(["suppressionId"]);
    let mut tx = kit.db.begin().await?;
    let found = read::get_suppression(&mut tx, id).await?.ok_or_else(missing)?;
    let held = store::list_orders_of_address(&mut tx, &found.email_normalised, MessageState::NeedsAttention);
    let mut again = 0;
    for to in held.await? {
        orders::store::lock(&mut tx, to.order_id).await?;
        for message in store::lock_in_state(&mut tx, &to, MessageState::NeedsAttention).await? {
            send_again(&mut tx, actor, MessageId(message.id)).await?;
            again += 1;
        }
    }
    if store::advance_lifted(&mut tx, id, user, &reason).await? == 0 {
        let text = "this was lifted before";
        return Err(Refusal::new(ErrorCode::IllegalTransition, text).at(["suppressionId"]).into());
    }
    let fact = SuppressionEvent::Lifted(id, Lifted { messages: again });
    events::append(&tx, &[fact.by(actor.label())]).await?;
    let lifted = read::get_suppression(&mut tx, id).await?;
    let lifted = lifted.ok_or_else(|| Fault::bug("a lifted suppression is gone"))?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(lifted)
}

/// Back into the queue; what was wrong with it is over.
async fn send_again(tx: &mut Transaction, actor: &Actor, id: MessageId) -> Outcome<()> {
    let from = MessageState::NeedsAttention.as_str();
    one(messages::advance_again(tx, id.0, from, None).await?, "message")?;
    jobs::add(tx, &[SendMessage { message: id }.job()]).await?;
    tasks::resolve(tx, &[MessageUndeliverable::over(id)], &actor.label()).await?;
    Ok(())
}
