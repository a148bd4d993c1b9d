//! Staff corrects the address of an order (C9, D6): what is still to be sent goes to the new one, the order's mail is sent
//! there again, and whatever the old address holds opens nothing any more.

use std::collections::BTreeSet;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{LineId, MessageId, OrderId};
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text::Email;
use crate::delivery::reveal_for_staff::staff_with_reason;
use crate::infra::db::{Transaction, one};
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::effects::messages::SendMessage;
use crate::infra::effects::messages::{self, MessageKind};
use crate::infra::effects::record::Nothing;
use crate::infra::effects::record::Record;
use crate::infra::effects::tasks::{self, TaskKind};
use crate::infra::kit::Kit;
use crate::mail::model::Message;
use crate::mail::state::{MessageChange, MessageState};
use crate::mail::tasks::MessageUndeliverable;
use crate::mail::{read, store};
use crate::orders::events::OrderEvent;
use crate::orders::gifts;
use crate::orders::messages::{
    Lines, Made, OrderAwaitingPerson, OrderAwaitingStock, OrderDelivered, OrderResend, has_goods, to_buyer,
};
use crate::orders::model::Order;
use crate::orders::revoke_access;
use crate::orders::staff::store::{Act, insert_acts};
use crate::orders::store as orders;
use crate::orders::unit::UnitState;

/// Corrects the address of an order's buyer, or with `of_gift` that of its gift's recipient. The same address again only sends
/// what had been given up. Refuses with `FORBIDDEN`, `REASON_REQUIRED`, `EMAIL_INVALID`, `NOT_FOUND`, `INVALID` when the
/// order is no gift, and `ADDRESS_SUPPRESSED` when no mail is sent there.
pub async fn correct_address(
    kit: &Kit,
    actor: &Actor,
    id: OrderId,
    email: &str,
    of_gift: bool,
    reason: &str,
) -> Outcome<Order> {
    let (user, reason) = staff_with_reason(actor, reason)?;
    let email = Email::parse(email)?;
    kit.config.mail.takes(&email)?;
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such order").at(["orderId"]);
    let mut tx = kit.db.begin().await?;
    let order = orders::lock(&mut tx, id).await?.ok_or_else(missing)?;
    if read::find_suppression(&mut tx, email.normalised()).await?.is_some() {
        let text = "no mail is sent to this address: lift that first";
        return Err(Refusal::new(ErrorCode::AddressSuppressed, text).at(["email"]).into());
    }
    let gift = gifts::find(&mut tx, id).await?.map(|gift| gift.email);
    if of_gift && gift.is_none() {
        return Err(Refusal::new(ErrorCode::Invalid, "this order is no gift").at(["gift"]).into());
    }
    let (was, other) = if of_gift { (gift, order.email.clone()) } else { (order.email.clone(), gift) };
    if was.as_deref() == Some(email.typed()) {
        redirect(&mut tx, actor, id, email.typed(), email.typed()).await?;
        tx.commit().await?;
        kit.bell.ring();
        return Ok(order);
    }
    let order = match of_gift {
        true => {
            one(gifts::advance_address(&mut tx, id, &email).await?, "gift")?;
            order
        }
        false => {
            one(orders::advance_email(&mut tx, id, email.typed(), email.normalised()).await?, "order")?;
            let (typed, normalised) = (email.typed().to_owned(), email.normalised().to_owned());
            Order { email: Some(typed), email_normalised: Some(normalised), ..order }
        }
    };
    insert_acts(&mut tx, Act::AddressCorrected, id, &[], user, &reason).await?;
    events::append(&tx, &[OrderEvent::AddressCorrected(id, Nothing {}).by(actor.label())]).await?;
    let order = revoke_access::raise(&mut tx, order, &actor.label(), "address_corrected").await?;
    let mut queued = redirect(&mut tx, actor, id, was.as_deref().unwrap_or_default(), email.typed()).await?;
    if let Some(other) = other {
        // Goods of a gift go to its recipient, whomever the message was written for.
        let unsent = store::lock_unsent(&mut tx, id, &other).await?;
        queued.extend(unsent.into_iter().filter(|message| has_goods(&message.kind)));
    }
    send_again(&mut tx, kit, &order, &queued).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(order)
}

/// Sends what was not sent yet to the new address, those that had been given up too, and ends their tasks. Gives what is
/// queued to that address now.
async fn redirect(
    tx: &mut Transaction,
    actor: &Actor,
    order: OrderId,
    from: &str,
    to: &str,
) -> Outcome<Vec<Message>> {
    let same = from == to;
    let change = if same { MessageChange::SendAgain } else { MessageChange::Redirect };
    let messages = store::lock_unsent(tx, order, from).await?;
    let mut jobs = Vec::new();
    for message in &messages {
        // To the same address, an attempt that is under way is left to its end.
        if message.state.after(change).is_err() || (same && message.state == MessageState::Queued) {
            continue;
        }
        one(messages::advance_again(tx, message.id, message.state.as_str(), Some(to)).await?, "message")?;
        jobs.push(SendMessage { message: MessageId(message.id) }.job());
    }
    jobs::add(tx, &jobs).await?;
    let over: Vec<_> = messages.iter().map(|m| MessageUndeliverable::over(MessageId(m.id))).collect();
    tasks::resolve(tx, &over, &actor.label()).await?;
    Ok(messages)
}

/// Mails the new address what the order has and waits for, as far as no message that is queued for it does.
async fn send_again(tx: &mut Transaction, kit: &Kit, order: &Order, queued: &[Message]) -> Outcome<()> {
    if !order.state.is_paid() {
        return Ok(());
    }
    let units = orders::list_units(tx, &[order.id]).await?;
    let lines_where = |wanted: fn(UnitState) -> bool| -> BTreeSet<LineId> {
        units.iter().filter(|unit| wanted(unit.state)).map(|unit| unit.line_id).collect()
    };
    let delivered = lines_where(UnitState::is_delivered);
    let by_person = lines_where(|state| state == UnitState::AwaitingPerson);
    let waiting = lines_where(|state| state.is_waiting() && state != UnitState::AwaitingPerson);
    // The mail about what was delivered also lists the rest of its lines; one about what waits is sent where nothing was.
    let wanted: Vec<(Made<Lines>, &[&str], BTreeSet<LineId>)> = match delivered.is_empty() {
        false => vec![(OrderResend::to, &[OrderDelivered::KIND, OrderResend::KIND], delivered)],
        true => vec![
            (OrderAwaitingStock::to, &[OrderAwaitingStock::KIND], waiting),
            (OrderAwaitingPerson::to, &[OrderAwaitingPerson::KIND], by_person),
        ],
    };
    let mut messages = Vec::new();
    for (made, alike, lines) in wanted {
        let same: Vec<&Message> = queued.iter().filter(|m| alike.contains(&m.kind.as_str())).collect();
        let rest: Vec<LineId> =
            lines.into_iter().filter(|line| !same.iter().any(|m| is_about(m, *line))).collect();
        if rest.is_empty() {
            continue;
        }
        let subject = format!("{}:{}", order.id.0, kit.clock.uuid());
        messages.extend(to_buyer(made, order, subject, Lines::only(rest)));
    }
    messages::enqueue(tx, &kit.clock, &messages).await?;
    Ok(())
}

/// Whether a message of an order is about this line: one that names none is about all.
fn is_about(message: &Message, line: LineId) -> bool {
    match Lines::read(&message.payload).and_then(|named| named.lines) {
        Some(lines) if !lines.is_empty() => lines.contains(&line),
        _ => true,
    }
}
