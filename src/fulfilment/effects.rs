//! What follows when lines got their goods or wait for them: events, mails, tasks, and the jobs that fill waiting lines.

use crate::base::ids::{LineId, UnitId};
use crate::fulfilment::events::{Assigned, Awaiting, LineEvent, Revoked};
use crate::fulfilment::jobs::Fill;
use crate::fulfilment::store::{Handed, HandedLine, PaidLine};
use crate::fulfilment::tasks::{AwaitingStock, DeliveryByHand, DeliveryFailed, OfVariant, OrderReview};
use crate::infra::effects::Effects;
use crate::infra::effects::events::Event;
use crate::infra::effects::jobs::Payload;
use crate::infra::effects::messages::{MessageKind, NewMessage};
use crate::infra::effects::record::Nothing;
use crate::infra::effects::tasks::{NewTask, TaskKind};
use crate::infra::kit::Kit;
use crate::orders::messages::{
    DeliveryReplaced, Lines, Made, OrderAwaitingPerson, OrderAwaitingStock, OrderDelivered, Pieces,
    ReplacementAwaited, to_buyer,
};
use crate::orders::model::Order;

/// When goods were assigned: it decides about mails and tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The payment was settled: one mail for all that is there, one for all that waits.
    Paid,
    /// Stock came for lines that waited: a mail per line.
    Filled,
    /// A piece takes the place of one that does not work: a mail about it alone.
    Replaced,
}

/// What follows from these lines of these orders.
pub fn of_assignment(
    kit: &Kit,
    orders: &[&Order],
    handed: &Handed,
    occasion: Occasion,
    actor: &str,
) -> Effects {
    let mut effects = handed.effects.clone();
    for line in &handed.lines {
        of_line(&mut effects, line, occasion, actor);
    }
    for order in orders {
        let lines: Vec<&HandedLine> = handed.lines.iter().filter(|h| h.line.order_id == order.id).collect();
        if lines.iter().any(|h| h.line.in_review) {
            effects.tasks.push(OrderReview::open(order.id, Nothing {}).of_order(order.id));
        }
        effects.messages.extend(order_messages(kit, order, &lines, occasion));
    }
    effects
}

/// What waits was recorded when the order was paid; a fill adds what it gave.
fn of_line(effects: &mut Effects, handed: &HandedLine, occasion: Occasion, actor: &str) {
    let line = &handed.line;
    let (id, variant) = (line.line_id, line.variant_id);
    let event = |event: LineEvent| event.by(actor).of_order(line.order_id).of_seller(line.seller_id);
    if !handed.assigned.is_empty() {
        let (units, keys) = (handed.assigned.clone(), handed.keys.clone());
        let made = match occasion {
            Occasion::Paid => LineEvent::Assigned,
            Occasion::Filled | Occasion::Replaced => LineEvent::Filled,
        };
        effects.events.push(event(made(id, Assigned { variant, units, keys })));
    }
    if occasion == Occasion::Filled {
        return;
    }
    let awaiting = |units: &[UnitId]| Awaiting { variant, units: units.len() };
    if !handed.awaiting_stock.is_empty() {
        effects.events.push(event(LineEvent::AwaitingStock(id, awaiting(&handed.awaiting_stock))));
        effects.jobs.push(Fill { variant }.job());
        effects.tasks.push(task(AwaitingStock::open(variant, OfVariant { variant }), line));
    }
    if !handed.awaiting_supplier.is_empty() {
        let waits = awaiting(&handed.awaiting_supplier);
        effects.events.push(event(LineEvent::AwaitingSupplier(id, waits)));
    }
    if !handed.cancelled.is_empty() {
        let revoked = Revoked { units: handed.cancelled.clone() };
        effects.events.push(event(LineEvent::Revoked(id, revoked)));
    }
    if !handed.awaiting_person.is_empty() {
        effects.events.push(event(LineEvent::AwaitingPerson(id, awaiting(&handed.awaiting_person))));
        // What was missing may have come while this was settled.
        effects.jobs.push(Fill { variant }.job());
        effects.tasks.push(task(DeliveryByHand::open(id, OfVariant { variant }), line));
    }
}

/// The task for a line that cannot get its goods although there are some.
pub(super) fn failed(line: &PaidLine) -> NewTask {
    task(DeliveryFailed::open(line.line_id, OfVariant { variant: line.variant_id }), line)
}

fn task(task: NewTask, line: &PaidLine) -> NewTask {
    task.of_order(line.order_id).of_line(line.line_id)
}

fn order_messages(kit: &Kit, order: &Order, lines: &[&HandedLine], occasion: Occasion) -> Vec<NewMessage> {
    let message = |made: Made<Lines>, subject: String, lines: Vec<LineId>| {
        to_buyer(made, order, subject, Lines::only(lines))
    };
    let ids = |wanted: fn(&HandedLine) -> bool| -> Vec<LineId> {
        lines.iter().filter(|h| wanted(h)).map(|h| h.line.line_id).collect()
    };
    let delivered = ids(|h| !h.assigned.is_empty());
    // What a supplier is asked for mostly comes within a minute: no mail before a person has to go on.
    let waiting = ids(|h| !h.awaiting_stock.is_empty());
    let by_person = ids(|h| !h.awaiting_person.is_empty());
    let mut messages = Vec::new();
    match occasion {
        Occasion::Paid => {
            if !delivered.is_empty() {
                messages.extend(message(OrderDelivered::to, order.id.0.to_string(), delivered));
            }
            if !waiting.is_empty() {
                messages.extend(message(OrderAwaitingStock::to, order.id.0.to_string(), waiting));
            }
            if !by_person.is_empty() {
                messages.extend(message(OrderAwaitingPerson::to, order.id.0.to_string(), by_person));
            }
        }
        // A line that is delivered in parts has a mail per part.
        Occasion::Filled => {
            messages.extend(lines.iter().filter(|h| !h.assigned.is_empty()).filter_map(|h| {
                let line = h.line.line_id;
                match h.assigned.iter().all(|unit| h.line.replacing.contains(&unit.0)) {
                    true => of_pieces(kit, order, DeliveryReplaced::to, &h.assigned),
                    false => {
                        let subject = format!("{}:{}:{}", order.id.0, line.0, kit.clock.uuid());
                        message(OrderDelivered::to, subject, vec![line])
                    }
                }
            }))
        }
        Occasion::Replaced => {
            let all = |units: fn(&HandedLine) -> &Vec<UnitId>| -> Vec<UnitId> {
                lines.iter().flat_map(|h| units(h)).copied().collect()
            };
            messages.extend(of_pieces(kit, order, DeliveryReplaced::to, &all(|h| &h.assigned)));
            let waiting = [all(|h| &h.awaiting_stock), all(|h| &h.awaiting_person)].concat();
            messages.extend(of_pieces(kit, order, ReplacementAwaited::to, &waiting));
        }
    }
    messages
}

/// A mail about pieces that take the place of others; none about none.
fn of_pieces(kit: &Kit, order: &Order, made: Made<Pieces>, pieces: &[UnitId]) -> Option<NewMessage> {
    if pieces.is_empty() {
        return None;
    }
    let subject = format!("{}:{}", order.id.0, kit.clock.uuid());
    to_buyer(made, order, subject, Pieces { pieces: pieces.to_vec() })
}
