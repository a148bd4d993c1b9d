//! Stripe's events: what happened, with the object as it was then.

use serde_json::Value;

use super::money::{charge, dispute, refund};
use super::sessions::session;
use crate::sandbox::book::{Payment, Status};
use crate::sandbox::played::{About, DisputeNews, RefundNews};
use crate::sandbox::simulator::Desk;

/// The event for something that happened: its type and its object.
pub(super) fn event(desk: &Desk, payment: &Payment, about: About<'_>) -> Option<(&'static str, Value)> {
    Some(match about {
        About::Paid(trade) => {
            ("checkout.session.completed", session(desk, payment, Some(payment.capture(trade)?), false))
        }
        About::Pending => {
            let pending = Payment { status: Status::Pending, ..payment.clone() };
            ("checkout.session.completed", session(desk, &pending, None, false))
        }
        About::Closed => ("checkout.session.expired", session(desk, payment, None, false)),
        About::Failed => ("checkout.session.async_payment_failed", session(desk, payment, None, false)),
        // The sum alone: which refund changed it is in its own events.
        About::Refunded(trade, _) => ("charge.refunded", charge(payment, payment.capture(trade)?)),
        About::Refund(id, news) => {
            let kind = match news {
                RefundNews::Created => "refund.created",
                RefundNews::Updated => "refund.updated",
                RefundNews::UpdatedOfCharge => "charge.refund.updated",
                RefundNews::Failed => "refund.failed",
            };
            (kind, refund(payment, payment.refund(id)?))
        }
        About::Dispute(id, news) => {
            let kind = match news {
                DisputeNews::Opened => "charge.dispute.created",
                DisputeNews::Updated => "charge.dispute.updated",
                DisputeNews::FundsWithdrawn => "charge.dispute.funds_withdrawn",
                DisputeNews::FundsReinstated => "charge.dispute.funds_reinstated",
                DisputeNews::Closed => "charge.dispute.closed",
                DisputeNews::Reversed => return None,
            };
            (kind, dispute(payment, payment.dispute(id)?))
        }
        About::Approved => return None,
    })
}
