//! PayPal's events: type, type of the resource, summary, resource.

use serde_json::{Value, json};

use super::orders;
use crate::sandbox::book::Payment;
use crate::sandbox::played::About;
use crate::sandbox::simulator::Desk;

type Event = (&'static str, &'static str, &'static str, Value);

/// None where PayPal says nothing: an order that lapses is not told of.
pub(super) fn event(desk: &Desk, merchant: &str, payment: &Payment, about: About<'_>) -> Option<Event> {
    let reserved = match payment.captures.first() {
        Some(capture) => capture.trade_no.clone(),
        None => payment.note("capture_id").to_owned(),
    };
    let capture = |trade: &str, status: &str| orders::described(desk, merchant, payment, trade, Some(status));
    Some(match about {
        About::Approved => {
            let order = orders::order(desk, merchant, payment);
            ("CHECKOUT.ORDER.APPROVED", "checkout-order", "An order has been approved by buyer", order)
        }
        About::Paid(trade) => {
            ("PAYMENT.CAPTURE.COMPLETED", "capture", "Payment completed", capture(trade, "COMPLETED"))
        }
        About::Pending if !reserved.is_empty() => {
            ("PAYMENT.CAPTURE.PENDING", "capture", "Payment pending", capture(&reserved, "PENDING"))
        }
        About::Failed if !reserved.is_empty() => {
            ("PAYMENT.CAPTURE.DENIED", "capture", "Payment denied", capture(&reserved, "DECLINED"))
        }
        About::Refund(id) => {
            let refund = payment.refund(id)?;
            let body = orders::described_refund(desk, payment, refund);
            match refund.status.as_str() {
                "succeeded" => ("PAYMENT.CAPTURE.REFUNDED", "refund", "A capture payment was refunded", body),
                "failed" => ("PAYMENT.REFUND.FAILED", "refund", "A refund failed", body),
                _ => ("PAYMENT.REFUND.PENDING", "refund", "A refund is pending", body),
            }
        }
        About::Disputed(trade) => (
            "CUSTOMER.DISPUTE.CREATED",
            "dispute",
            "A new dispute opened",
            dispute(merchant, payment, trade, None)?,
        ),
        About::DisputeWon(trade) => {
            let body = dispute(merchant, payment, trade, Some("RESOLVED_SELLER_FAVOUR"))?;
            ("CUSTOMER.DISPUTE.RESOLVED", "dispute", "A dispute was resolved", body)
        }
        About::DisputeLost(trade) => {
            let body = dispute(merchant, payment, trade, Some("RESOLVED_BUYER_FAVOUR"))?;
            ("CUSTOMER.DISPUTE.RESOLVED", "dispute", "A dispute was resolved", body)
        }
        About::Pending | About::Failed | About::Closed | About::Refunded(_) => return None,
    })
}

fn dispute(merchant: &str, payment: &Payment, trade: &str, outcome: Option<&str>) -> Option<Value> {
    let capture = payment.capture(trade)?;
    let id: String = trade.chars().take(5).chain("-".chars()).chain(trade.chars().skip(5).take(9)).collect();
    let mut body = json!({ "dispute_id": format!("PP-R-{id}"), "create_time": orders::stamp(capture.at),
        "disputed_transactions": [{ "seller_transaction_id": trade, "invoice_number": payment.note("invoice_id"),
            "custom": payment.note("custom_id"), "seller": { "merchant_id": merchant } }],
        "reason": "UNAUTHORISED", "dispute_amount": orders::money(capture.amount, &capture.currency),
        "status": if outcome.is_some() { "RESOLVED" } else { "OPEN" } });
    if let Some(outcome) = outcome {
        body["dispute_outcome"] = json!({ "outcome_code": outcome });
    }
    Some(body)
}
