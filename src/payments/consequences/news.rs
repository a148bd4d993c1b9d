//! What has to be announced when money goes back: events, mails to the buyer, tasks for staff, questions to the
//! gateway.

use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;

use crate::app::App;
use crate::base::ids::{DisputeId, PaymentId};
use crate::base::outcome::Outcome;
use crate::fulfilment::tell::Told;
use crate::infra::effects::events::{Event, NewEvent};
use crate::infra::effects::messages::{MessageKind, NewMessage};
use crate::infra::effects::record::Nothing;
use crate::infra::effects::tasks::{self, NewTask, Over, TaskKind};
use crate::orders;
use crate::orders::events::{OrderEvent, Paid};
use crate::orders::model::Order;
use crate::payments::case::Case;
use crate::payments::consequences::reallocated;
use crate::payments::cover::Coverage;
use crate::payments::decide::News;
use crate::payments::disputes::{DisputeState, TrackedDispute};
use crate::payments::events::{self as facts, DisputeEvent, Moved, OfPayment, RefundEvent};
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
    app: &App,
    case: &Case,
    order: Option<&Order>,
    told: &mut Told,
) -> Outcome<()> {
    let read;
    let order = match order {
        Some(order) => Some(order),
        None => {
            read = orders::store::find(conn, case.order_id).await?;
            read.as_ref()
        }
    };
    let mut over: Vec<Over> = Vec::new();
    let writer = Writer { app, case, order };
    for tracked in case.refunds.iter().filter(|r| r.is_changed() || r.needs_person || r.failure_mail_due) {
        writer.refund(tracked, told, &mut over);
    }
    for tracked in case.disputes.iter().filter(|d| d.is_changed()) {
        writer.dispute(tracked, told, &mut over);
    }
    if let Some(Coverage::Unclear(payment)) = case.coverage {
        let body = OfOrder { order: case.number.clone() };
        told.tasks.push(writer.task(OrderUncovered::open(payment, body), payment));
    }
    if case.coverage == Some(Coverage::Covered) {
        over.extend(case.payments.iter().map(|t| OrderUncovered::over(t.row.id)));
    }
    over.extend(reallocated(case).map(PaymentDouble::over));
    for news in &case.news {
        if let News::AskSum { payment_id, at_once } = news {
            let now = app.clock.now();
            let later = now + LEEWAY + TimeDelta::minutes(3);
            let times = at_once.then_some(now).into_iter().chain([later]);
            told.jobs.extend(times.map(|at| sums::job(*payment_id, at)));
        }
    }
    tasks::resolve(conn, &over, "gateway").await?;
    Ok(())
}

/// Events and tasks that were decided with the words themselves.
pub fn case_rows(case: &Case, actor: &str, told: &mut Told) {
    for news in &case.news {
        match news {
            News::Event(event) => told.events.push(event.clone().by(actor).of_order(case.order_id)),
            News::Task(task) => told.tasks.push(task.clone().of_order(case.order_id)),
            News::Captured { .. } | News::Reallocated { .. } | News::AskSum { .. } => {}
        }
    }
    if case.paid_now {
        let paid = Paid { number: case.number.clone() };
        told.events.push(OrderEvent::Paid(case.order_id, paid).by(actor));
    }
}

struct Writer<'a> {
    app: &'a App,
    case: &'a Case,
    order: Option<&'a Order>,
}

impl Writer<'_> {
    fn refund(&self, tracked: &TrackedRefund, told: &mut Told, over: &mut Vec<Over>) {
        let row = &tracked.row;
        let id = row.id;
        let task = |task| self.task(task, row.payment_id);
        let about = OfRefund { refund: id };
        if tracked.needs_person {
            told.tasks.push(task(RefundNeedsPerson::open(id, about.clone())));
        }
        if row.basis == Basis::Sum && row.amount_minor == 0 {
            over.push(RefundUnitsUnknown::over(id));
        }
        if tracked.before.as_ref().is_some_and(|b| b.amount_minor != row.amount_minor) {
            let moved = Moved { payment: row.payment_id, amount_minor: row.amount_minor };
            told.events.push(self.event(RefundEvent::Corrected(row.id, moved)));
        }
        if tracked.before.as_ref().is_some_and(|b| b.basis != row.basis) {
            let payment = OfPayment { payment: row.payment_id };
            told.events.push(self.event(RefundEvent::Identified(row.id, payment)));
        }
        let moved = tracked.moved_from();
        if tracked.mail_due && row.counted_minor > 0 {
            told.messages.extend(self.mail(RefundMade::to, tracked, moved.flatten()));
        }
        if tracked.failure_mail_due && row.state == RefundState::Failed {
            told.messages.extend(self.mail(messages::RefundFailed::to, tracked, moved.flatten()));
        }
        let Some(from) = moved else { return };
        match row.state {
            RefundState::Requested => {}
            RefundState::Pending => {
                told.events.push(self.event(RefundEvent::Pending(row.id, Nothing {})));
            }
            RefundState::Unknown => {
                told.events.push(self.event(RefundEvent::Unknown(row.id, Nothing {})));
            }
            RefundState::Succeeded => {
                let moved = Moved { payment: row.payment_id, amount_minor: row.counted_minor };
                told.events.push(self.event(RefundEvent::Succeeded(row.id, moved)));
                over.extend([
                    RefundFailed::over(id),
                    RefundUnclear::over(id),
                    RefundNeedsPerson::over(id),
                    RefundOverdue::over(id),
                ]);
                if from == Some(RefundState::Failed) {
                    told.tasks.push(task(RefundSucceededLate::open(id, about.clone())));
                }
                if self.asks_for_units(tracked) {
                    told.tasks.push(task(RefundUnitsUnknown::open(id, about)));
                }
            }
            RefundState::Failed => {
                let code = row.failure_code.as_deref().unwrap_or("failed");
                let failed = facts::RefundFailed { code: code.into() };
                told.events.push(self.event(RefundEvent::Failed(row.id, failed)));
                over.extend([
                    RefundUnclear::over(id),
                    RefundNeedsPerson::over(id),
                    RefundOverdue::over(id),
                    RefundUnitsUnknown::over(id),
                    RefundSucceededLate::over(id),
                ]);
                told.tasks.push(task(RefundFailed::open(id, Failed { refund: id, code: code.into() })));
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

    fn dispute(&self, tracked: &TrackedDispute, told: &mut Told, over: &mut Vec<Over>) {
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
            over.extend([PaymentDisputed::over(id), DisputeInquiry::over(id)]);
        }
        match row.state {
            DisputeState::Inquiry => {
                told.events.push(event(DisputeEvent::Inquiry));
                told.tasks.push(task(DisputeInquiry::open));
            }
            DisputeState::Opened => {
                told.events.push(event(DisputeEvent::Opened));
                told.tasks.push(task(PaymentDisputed::open));
                over.push(DisputeInquiry::over(id));
            }
            DisputeState::Won => {
                told.events.push(event(DisputeEvent::Won));
                over.push(DisputeLostInPart::over(id));
                if from == Some(DisputeState::Lost) {
                    told.tasks.push(task(DisputeWonLate::open));
                }
            }
            DisputeState::Withdrawn => told.events.push(event(DisputeEvent::Withdrawn)),
            DisputeState::Lost => {
                told.events.push(event(DisputeEvent::Lost));
                over.push(DisputeWonLate::over(id));
                let paying = self.case.payment(row.payment_id).filter(|p| p.allocated);
                if paying.is_some_and(|p| p.kept_minor() > 0) {
                    told.tasks.push(task(DisputeLostInPart::open));
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

    /// A mail about one refund. Its first success and its first failure are written of once; one that turns again is
    /// news again.
    fn mail(
        &self,
        made: fn(&str, &str, String, Refunded) -> NewMessage,
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
        let message = made(order.email.as_deref()?, &order.locale, subject, refunded);
        Some(message.of_order(order.id).of_user(order.user_id))
    }
}
