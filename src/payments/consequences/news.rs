//! What has to be announced when money goes back: events, mails to the buyer, tasks for staff, questions to the
//! gateway.

use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;
use serde_json::{Value, json};

use crate::app::App;
use crate::base::ids::{PaymentId, RefundId};
use crate::base::outcome::Outcome;
use crate::fulfilment::tell::Told;
use crate::infra::events::NewEvent;
use crate::infra::outbox::NewMessage;
use crate::infra::tasks::{self, NewTask};
use crate::orders;
use crate::orders::model::Order;
use crate::payments::case::Case;
use crate::payments::consequences::reallocated;
use crate::payments::cover::Coverage;
use crate::payments::decide::News;
use crate::payments::disputes::{DisputeState, TrackedDispute};
use crate::payments::refunds::arithmetic::LEEWAY;
use crate::payments::refunds::model::{Basis, TrackedRefund};
use crate::payments::refunds::{RefundState, sums};

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
    let mut over: Vec<(&'static str, String)> = Vec::new();
    let writer = Writer { app, case, order };
    for tracked in case.refunds.iter().filter(|r| r.is_changed() || r.needs_person || r.failure_mail_due) {
        writer.refund(tracked, told, &mut over);
    }
    for tracked in case.disputes.iter().filter(|d| d.is_changed()) {
        writer.dispute(tracked, told, &mut over);
    }
    if let Some(Coverage::Unclear(payment)) = case.coverage {
        let body = json!({ "order": case.number });
        told.tasks.push(writer.task("order_uncovered", payment.0.to_string(), payment, body));
    }
    if case.coverage == Some(Coverage::Covered) {
        over.extend(case.payments.iter().map(|t| ("order_uncovered", t.row.id.0.to_string())));
    }
    over.extend(reallocated(case).map(|id| ("payment_double", id.0.to_string())));
    for news in &case.news {
        if let News::AskSum { payment_id, at_once } = news {
            let now = app.clock.now();
            let later = now + LEEWAY + TimeDelta::minutes(3);
            let times = at_once.then_some(now).into_iter().chain([later]);
            told.jobs.extend(times.map(|at| sums::job(*payment_id, at)));
        }
    }
    tasks::resolve(conn, &over).await?;
    Ok(())
}

/// Events and tasks that were decided with the words themselves.
pub fn case_rows(app: &App, case: &Case, actor: &str, told: &mut Told) {
    for news in &case.news {
        match news {
            News::Event { kind, payment_id, body } => {
                told.events
                    .push(NewEvent::shop(kind, payment_id.0, actor, body.clone()).of_order(case.order_id));
            }
            News::Task { kind, payment_id, body } => {
                let subject = payment_id.map_or_else(|| case.order_id.0.to_string(), |p| p.0.to_string());
                told.tasks.push(NewTask {
                    id: app.clock.uuid(),
                    kind,
                    subject,
                    order_id: Some(case.order_id),
                    payment_id: *payment_id,
                    line_id: None,
                    body: body.clone(),
                });
            }
            News::Captured { .. } | News::Reallocated { .. } | News::AskSum { .. } => {}
        }
    }
    if case.paid_now {
        let body = json!({ "number": case.number });
        told.events.push(NewEvent::shop("order.paid", case.order_id.0, actor, body).of_order(case.order_id));
    }
}

struct Writer<'a> {
    app: &'a App,
    case: &'a Case,
    order: Option<&'a Order>,
}

impl Writer<'_> {
    fn refund(&self, tracked: &TrackedRefund, told: &mut Told, over: &mut Vec<(&'static str, String)>) {
        let row = &tracked.row;
        let subject = row.id.0.to_string();
        let task = |kind, body| self.task(kind, subject.clone(), row.payment_id, body);
        let about = || json!({ "refund": row.id.to_string() });
        if tracked.needs_person {
            told.tasks.push(task("refund_needs_person", about()));
        }
        if row.basis == Basis::Sum && row.amount_minor == 0 {
            over.push(("refund_units_unknown", subject.clone()));
        }
        if tracked.before.as_ref().is_some_and(|b| b.amount_minor != row.amount_minor) {
            let body = json!({ "payment": row.payment_id.0, "amount_minor": row.amount_minor });
            told.events.push(self.event("refund.corrected", row.id, body));
        }
        if tracked.before.as_ref().is_some_and(|b| b.basis != row.basis) {
            told.events.push(self.event("refund.identified", row.id, json!({ "payment": row.payment_id.0 })));
        }
        let moved = tracked.moved_from();
        if tracked.mail_due && row.counted_minor > 0 {
            told.messages.extend(self.mail("refund_made", tracked, moved.flatten()));
        }
        if tracked.failure_mail_due && row.state == RefundState::Failed {
            told.messages.extend(self.mail("refund_failed", tracked, moved.flatten()));
        }
        let Some(from) = moved else { return };
        match row.state {
            RefundState::Requested => {}
            RefundState::Pending => told.events.push(self.event("refund.pending", row.id, json!({}))),
            RefundState::Unknown => told.events.push(self.event("refund.unknown", row.id, json!({}))),
            RefundState::Succeeded => {
                let body = json!({ "payment": row.payment_id.0, "amount_minor": row.counted_minor });
                told.events.push(self.event("refund.succeeded", row.id, body));
                over.extend(
                    ["refund_failed", "refund_unclear", "refund_needs_person", "refund_overdue"]
                        .map(|k| (k, subject.clone())),
                );
                if from == Some(RefundState::Failed) {
                    told.tasks.push(task("refund_succeeded_late", about()));
                }
                if self.asks_for_units(tracked) {
                    told.tasks.push(task("refund_units_unknown", about()));
                }
            }
            RefundState::Failed => {
                let code = row.failure_code.as_deref().unwrap_or("failed");
                told.events.push(self.event("refund.failed", row.id, json!({ "code": code })));
                over.extend(
                    [
                        "refund_unclear",
                        "refund_needs_person",
                        "refund_overdue",
                        "refund_units_unknown",
                        "refund_succeeded_late",
                    ]
                    .map(|k| (k, subject.clone())),
                );
                let body = json!({ "refund": row.id.to_string(), "code": code });
                told.tasks.push(task("refund_failed", body));
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

    fn dispute(&self, tracked: &TrackedDispute, told: &mut Told, over: &mut Vec<(&'static str, String)>) {
        let row = &tracked.row;
        let subject = row.id.0.to_string();
        let Some(from) = tracked.moved_from() else { return };
        let body = json!({ "payment": row.payment_id.0, "amount_minor": row.amount_minor });
        let event =
            |kind| NewEvent::shop(kind, row.id.0, "gateway", body.clone()).of_order(self.case.order_id);
        let about =
            || json!({ "order": self.case.number, "dispute": row.gateway_dispute_id, "reason": row.reason });
        let task = |kind| self.task(kind, subject.clone(), row.payment_id, about());
        if row.state.is_decided() {
            over.extend(["payment_disputed", "dispute_inquiry"].map(|kind| (kind, subject.clone())));
        }
        match row.state {
            DisputeState::Inquiry => {
                told.events.push(event("dispute.inquiry"));
                told.tasks.push(task("dispute_inquiry"));
            }
            DisputeState::Opened => {
                told.events.push(event("dispute.opened"));
                told.tasks.push(task("payment_disputed"));
                over.push(("dispute_inquiry", subject.clone()));
            }
            DisputeState::Won => {
                told.events.push(event("dispute.won"));
                over.push(("dispute_lost_in_part", subject.clone()));
                if from == Some(DisputeState::Lost) {
                    told.tasks.push(task("dispute_won_late"));
                }
            }
            DisputeState::Withdrawn => told.events.push(event("dispute.withdrawn")),
            DisputeState::Lost => {
                told.events.push(event("dispute.lost"));
                over.push(("dispute_won_late", subject.clone()));
                let paying = self.case.payment(row.payment_id).filter(|p| p.allocated);
                if paying.is_some_and(|p| p.kept_minor() > 0) {
                    told.tasks.push(task("dispute_lost_in_part"));
                }
            }
        }
    }

    fn event(&self, kind: &'static str, id: RefundId, body: Value) -> NewEvent {
        NewEvent::shop(kind, id.0, "gateway", body).of_order(self.case.order_id)
    }

    fn task(&self, kind: &'static str, subject: String, payment: PaymentId, body: Value) -> NewTask {
        NewTask {
            id: self.app.clock.uuid(),
            kind,
            subject,
            order_id: Some(self.case.order_id),
            payment_id: Some(payment),
            line_id: None,
            body,
        }
    }

    /// A mail about one refund. Its first success and its first failure are written of once; one that turns again is
    /// news again.
    fn mail(
        &self,
        kind: &'static str,
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
        Some(NewMessage {
            id: self.app.clock.uuid(),
            kind,
            subject,
            order_id: Some(order.id),
            user_id: order.user_id,
            recipient: order.email.clone()?,
            locale: order.locale.clone(),
            payload: json!({ "refund": row.id.0, "amount_minor": row.amount_minor, "currency": row.currency.as_str() }),
        })
    }
}
