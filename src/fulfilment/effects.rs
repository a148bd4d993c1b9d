//! What follows when lines got their goods or wait for them: events, mails, tasks, and the jobs that fill waiting lines.

use crate::app::App;
use crate::base::ids::LineId;
use crate::fulfilment::events::{Assigned, Awaiting, LineEvent};
use crate::fulfilment::jobs::Fill;
use crate::fulfilment::store::{Handed, HandedLine, PaidLine};
use crate::fulfilment::tasks::{AwaitingStock, DeliveryByHand, DeliveryFailed, OfVariant};
use crate::infra::effects::Effects;
use crate::infra::effects::events::{Event, NewEvent};
use crate::infra::effects::jobs::Payload;
use crate::infra::effects::messages::{MessageKind, NewMessage};
use crate::infra::effects::tasks::{NewTask, TaskKind};
use crate::orders::messages::{Lines, OrderAwaitingPerson, OrderAwaitingStock, OrderDelivered};
use crate::orders::model::Order;

/// When goods were assigned: it decides about mails and tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The payment was settled: one mail for all that is there, one for all that waits.
    Paid,
    /// Stock came for lines that waited: a mail per line.
    Filled,
}

/// What follows from these lines of these orders.
pub fn of_assignment(
    app: &App,
    orders: &[&Order],
    handed: &Handed,
    occasion: Occasion,
    actor: &str,
) -> Effects {
    let mut effects = Effects::default();
    for line in handed {
        effects.events.extend(line_events(line, occasion, actor));
        if !line.awaiting_stock.is_empty() && occasion == Occasion::Paid {
            let variant = line.line.variant_id;
            effects.jobs.push(Fill { variant }.job());
            effects.tasks.push(of_line(AwaitingStock::open(variant, OfVariant { variant }), &line.line));
        }
        if !line.awaiting_person.is_empty() {
            if occasion == Occasion::Paid {
                // What was missing may have come while this was settled.
                effects.jobs.push(Fill { variant: line.line.variant_id }.job());
            }
            let variant = line.line.variant_id;
            let task = DeliveryByHand::open(line.line.line_id, OfVariant { variant });
            effects.tasks.push(of_line(task, &line.line));
        }
    }
    for order in orders {
        let lines: Vec<&HandedLine> = handed.iter().filter(|h| h.line.order_id == order.id).collect();
        effects.messages.extend(order_messages(app, order, &lines, occasion));
    }
    effects
}

fn line_events(handed: &HandedLine, occasion: Occasion, actor: &str) -> Vec<NewEvent> {
    let line = &handed.line;
    let (id, variant) = (line.line_id, line.variant_id);
    let event = |event: LineEvent| event.by(actor).of_order(line.order_id).of_seller(line.seller_id);
    let mut events = Vec::new();
    if !handed.assigned.is_empty() {
        let units = handed.assigned.iter().map(|(unit, _)| *unit).collect();
        let keys = handed.assigned.iter().filter_map(|(_, key)| *key).collect();
        let made = if occasion == Occasion::Paid { LineEvent::Assigned } else { LineEvent::Filled };
        events.push(event(made(id, Assigned { variant, units, keys })));
    }
    if !handed.awaiting_stock.is_empty() && occasion == Occasion::Paid {
        let awaiting = Awaiting { variant, units: handed.awaiting_stock.len() };
        events.push(event(LineEvent::AwaitingStock(id, awaiting)));
    }
    if !handed.awaiting_person.is_empty() && occasion == Occasion::Paid {
        let awaiting = Awaiting { variant, units: handed.awaiting_person.len() };
        events.push(event(LineEvent::AwaitingPerson(id, awaiting)));
    }
    events
}

/// The task for a line that cannot be handed over although there is something to hand over.
pub(super) fn failed(line: &PaidLine) -> NewTask {
    of_line(DeliveryFailed::open(line.line_id, OfVariant { variant: line.variant_id }), line)
}

fn of_line(task: NewTask, line: &PaidLine) -> NewTask {
    task.of_order(line.order_id).of_line(line.line_id)
}

fn order_messages(app: &App, order: &Order, lines: &[&HandedLine], occasion: Occasion) -> Vec<NewMessage> {
    let Some(recipient) = &order.email else { return Vec::new() };
    let message = |made: Made, subject: String, lines: Vec<LineId>| {
        made(recipient, &order.locale, subject, Lines { lines: Some(lines) })
            .of_order(order.id)
            .of_user(order.user_id)
    };
    let ids = |wanted: fn(&HandedLine) -> bool| -> Vec<LineId> {
        lines.iter().filter(|h| wanted(h)).map(|h| h.line.line_id).collect()
    };
    let delivered = ids(|h| !h.assigned.is_empty());
    let waiting = ids(|h| !h.awaiting_stock.is_empty());
    let by_person = ids(|h| !h.awaiting_person.is_empty());
    let mut messages = Vec::new();
    match occasion {
        Occasion::Paid => {
            if !delivered.is_empty() {
                messages.push(message(OrderDelivered::to, order.id.0.to_string(), delivered));
            }
            if !waiting.is_empty() {
                messages.push(message(OrderAwaitingStock::to, order.id.0.to_string(), waiting));
            }
            if !by_person.is_empty() {
                messages.push(message(OrderAwaitingPerson::to, order.id.0.to_string(), by_person));
            }
        }
        Occasion::Filled => messages.extend(delivered.into_iter().map(|line| {
            // A line that is delivered in parts has a mail per part.
            message(OrderDelivered::to, format!("{}:{}:{}", order.id.0, line.0, app.clock.uuid()), vec![line])
        })),
    }
    messages
}

/// How a mail about lines of an order is made.
type Made = fn(&str, &str, String, Lines) -> NewMessage;
