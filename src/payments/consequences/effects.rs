//! What follows when money goes back beside its rows: events, mails to the buyer, tasks for staff, questions to the
//! gateway.

use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;

use crate::base::ids::{DisputeId, PaymentId};
use crate::base::outcome::Outcome;
use crate::infra::effects::Effects;
use crate::infra::effects::events::{Event, NewEvent};
use crate::infra::effects::messages::{MessageKind, NewMessage};
use crate::infra::effects::record::Nothing;
use crate::infra::effects::tasks::{NewTask, TaskKind};
use crate::orders;
use crate::orders::events::{OrderEvent, Paid};
use crate::orders::messages::{Made, to_buyer};
use crate::orders::model::Order;
use crate::payments::case::Case;
use crate::payments::cover::Coverage;
use crate::payments::disputes::{DisputeState, TrackedDispute};
use crate::payments::events::{self as facts, DisputeEvent, Moved, OfPayment, RefundEvent};
use crate::payments::kit::PaymentKit;
use crate::payments::messages::{self, RefundMade, Refunded};
use crate::payments::refunds::arithmetic::LEEWAY;
use crate::payments::refunds::model::{Basis, TrackedRefund};
use crate::payments::refunds::{RefundState, sums};
use crate::payments::tasks::{
    DisputeInquiry, DisputeLostInPart, DisputeWonLate, Disputed, Failed, OfOrder, OfRefund, OrderUncovered,
    PaymentDisputed, PaymentDouble, RefundFailed, RefundNeedsPerson, RefundOverdue, RefundSucceededLate,
    RefundUnclear, RefundUnitsUnknown,
};

/// Adds everything that refunds and disputes of a case give reason for.
pub async fn add(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    case: &Case,
    order: Option<&Order>,
    effects: &mut Effects,
) -> Outcome<()> {
    let read;
    let order = match order {
        Some(order) => Some(order),
        None => {
            read = orders::store::find(conn, case.order_id).await?;
            read.as_ref()
        }
    };
    let writer = Writer { case, order };
    for tracked in case.refunds.iter().filter(|r| r.is_changed() || r.needs_person || r.failure_mail_due) {
        writer.refund(tracked, effects);
    }
    for tracked in case.disputes.iter().filter(|d| d.is_changed()) {
        writer.dispute(tracked, effects);
    }
    if let Some(Coverage::Unclear(payment)) = case.coverage {
        let body = OfOrder { order: case.number.clone() };
        effects.tasks.push(writer.task(OrderUncovered::open(payment, body), payment));
    }
    if case.coverage == Some(Coverage::Covered) {
        effects.over.extend(case.payments.iter().map(|t| OrderUncovered::over(t.row.id)));
    }
    effects
        .over
        .extend(case.payments.iter().filter(|t| t.is_reallocated()).map(|t| PaymentDouble::over(t.row.id)));
    for question in &case.decided.sums_to_ask {
        let now = kit.clock.now();
        let later = now + LEEWAY + TimeDelta::minutes(3);
        let times = question.at_once.then_some(now).into_iter().chain([later]);
        effects.jobs.extend(times.map(|at| sums::job(question.payment_id, at)));
    }
    Ok(())
}

/// Events and tasks that were decided with the reports themselves.
pub fn of_case(case: &Case, actor: &str, effects: &mut Effects) {
    let decided = &case.decided;
    effects.events.extend(decided.events.iter().map(|e| e.clone().by(actor).of_order(case.order_id)));
    effects.tasks.extend(decided.tasks.iter().map(|task| task.clone().of_order(case.order_id)));
    if case.paid_now {
        let paid = Paid { number: case.number.clone() };
        effects.events.push(OrderEvent::Paid(case.order_id, paid).by(actor));
    }
}

struct Writer<'a> {
    case: &'a Case,
    order: Option<&'a Order>,
}

impl Writer<'_> {
    fn refund(&self, tracked: &TrackedRefund, effects: &mut Effects) {
        let row = &tracked.row;
        let id = row.id;
        let task = |task| self.task(task, row.payment_id);
        let about = OfRefund { refund: id };
        if tracked.needs_person {
            effects.tasks.push(task(RefundNeedsPerson::open(id, about.clone())));
        }
        if row.basis == Basis::Sum && row.amount_minor == 0 {
            effects.over.push(RefundUnitsUnknown::over(id));
        }
        if tracked.before.as_ref().is_some_and(|b| b.amount_minor != row.amount_minor) {
            let moved = Moved { payment: row.payment_id, amount_minor: row.amount_minor };
            effects.events.push(self.event(RefundEvent::Corrected(row.id, moved)));
        }
        if tracked.before.as_ref().is_some_and(|b| b.basis != row.basis) {
            let payment = OfPayment { payment: row.payment_id };
            effects.events.push(self.event(RefundEvent::Identified(row.id, payment)));
        }
        let moved = tracked.moved_from();
        if tracked.mail_due && row.counted_minor > 0 {
            effects.messages.extend(self.mail(RefundMade::to, tracked, moved.flatten()));
        }
        if tracked.failure_mail_due && row.state == RefundState::Failed {
            effects.messages.extend(self.mail(messages::RefundFailed::to, tracked, moved.flatten()));
        }
        let Some(from) = moved else { return };
        match row.state {
            RefundState::Requested => {}
            RefundState::Pending => {
                effects.events.push(self.event(RefundEvent::Pending(row.id, Nothing {})));
            }
            RefundState::Unknown => {
                effects.events.push(self.event(RefundEvent::Unknown(row.id, Nothing {})));
            }
            RefundState::Succeeded => {
                let moved = Moved { payment: row.payment_id, amount_minor: row.counted_minor };
                effects.events.push(self.event(RefundEvent::Succeeded(row.id, moved)));
                effects.over.extend([
                    RefundFailed::over(id),
                    RefundUnclear::over(id),
                    RefundNeedsPerson::over(id),
                    RefundOverdue::over(id),
                ]);
                if from == Some(RefundState::Failed) {
                    effects.tasks.push(task(RefundSucceededLate::open(id, about.clone())));
                }
                if self.asks_for_units(tracked) {
                    effects.tasks.push(task(RefundUnitsUnknown::open(id, about)));
                }
            }
            RefundState::Failed => {
                let code = row.failure_code.as_deref().unwrap_or("failed");
                let failed = facts::RefundFailed { code: code.into() };
                effects.events.push(self.event(RefundEvent::Failed(row.id, failed)));
                effects.over.extend([
                    RefundUnclear::over(id),
                    RefundNeedsPerson::over(id),
                    RefundOverdue::over(id),
                    RefundUnitsUnknown::over(id),
                    RefundSucceededLate::over(id),
                ]);
                effects.tasks.push(task(RefundFailed::open(id, Failed { refund: id, code: code.into() })));
            }
        }
    }

    /// A part of the order's money went back, and nobody said for which units. Staff that asks for an amount alone
    /// means just that.
    fn asks_for_units(&self, tracked: &TrackedRefund) -> bool {
        let row = &tracked.row;
        let paying = self.case.payment(row.payment_id).filter(|p| p.allocated);
        row.origin == "gateway" && tracked.units.is_empty() && paying.is_some_and(|p| p.kept_minor() > 0)
    }

    fn dispute(&self, tracked: &TrackedDispute, effects: &mut Effects) {
        let row = &tracked.row;
        let id = row.id;
        let Some(from) = tracked.moved_from() else { return };
        let moved = Moved { payment: row.payment_id, amount_minor: row.amount_minor };
        let event = |made: fn(DisputeId, Moved) -> DisputeEvent| self.event(made(row.id, moved.clone()));
        let about = Disputed {
            order: self.case.number.clone(),
            dispute: row.gateway_dispute_id.clone(),
            reason: row.reason.clone(),
        };
        let task =
            |made: fn(DisputeId, Disputed) -> NewTask| self.task(made(id, about.clone()), row.payment_id);
        if row.state.is_decided() {
            effects.over.extend([PaymentDisputed::over(id), DisputeInquiry::over(id)]);
        }
        match row.state {
            DisputeState::Inquiry => {
                effects.events.push(event(DisputeEvent::Inquiry));
                effects.tasks.push(task(DisputeInquiry::open));
            }
            DisputeState::Opened => {
                effects.events.push(event(DisputeEvent::Opened));
                effects.tasks.push(task(PaymentDisputed::open));
                effects.over.push(DisputeInquiry::over(id));
            }
            DisputeState::Won => {
                effects.events.push(event(DisputeEvent::Won));
                effects.over.push(DisputeLostInPart::over(id));
                if from == Some(DisputeState::Lost) {
                    effects.tasks.push(task(DisputeWonLate::open));
                }
            }
            DisputeState::Withdrawn => effects.events.push(event(DisputeEvent::Withdrawn)),
            DisputeState::Lost => {
                effects.events.push(event(DisputeEvent::Lost));
                effects.over.push(DisputeWonLate::over(id));
                let paying = self.case.payment(row.payment_id).filter(|p| p.allocated);
                if paying.is_some_and(|p| p.kept_minor() > 0) {
                    effects.tasks.push(task(DisputeLostInPart::open));
                }
            }
        }
    }

    fn event(&self, event: impl Event) -> NewEvent {
        event.by("gateway").of_order(self.case.order_id)
    }

    fn task(&self, task: NewTask, payment: PaymentId) -> NewTask {
        task.of_order(self.case.order_id).of_payment(payment)
    }

    /// A mail about one refund. Its first success and its first failure are each mailed once; one that turns again is
    /// mailed again.
    fn mail(
        &self,
        made: Made<Refunded>,
        tracked: &TrackedRefund,
        from: Option<RefundState>,
    ) -> Option<NewMessage> {
        let order = self.order?;
        let row = &tracked.row;
        let turned = matches!(from, Some(RefundState::Failed | RefundState::Succeeded));
        let subject = match row.said_at.filter(|_| turned) {
            Some(at) => format!("{}:{}", row.id.0, at.timestamp()),
            None => row.id.0.to_string(),
        };
        let refunded = Refunded {
            refund: row.id,
            amount_minor: Some(row.amount_minor),
            currency: Some(row.currency.as_str().into()),
        };
        to_buyer(made, order, subject, refunded)
    }
}
