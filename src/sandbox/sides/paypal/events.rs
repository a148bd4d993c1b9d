//! PayPal's events: type, type of the resource, summary, resource.

use serde_json::{Value, json};

use super::{back, orders};
use crate::sandbox::book::{Dispute, DisputeStatus, Payment};
use crate::sandbox::played::{About, DisputeNews, RefundNews};
use crate::sandbox::simulator::Desk;

type Event = (&'static str, &'static str, &'static str, Value);

/// None where PayPal says nothing: an order that lapses is not reported.
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
        About::Refund(id, news) => {
            let refund = payment.refund(id)?;
            let body = back::described_refund(desk, payment, refund);
            match (refund.status.as_str(), news) {
                ("failed", RefundNews::Failed) => {
                    ("PAYMENT.REFUND.FAILED", "refund", "A refund failed", body)
                }
                ("failed", _) | (_, RefundNews::UpdatedOfCharge | RefundNews::Failed) => return None,
                ("succeeded", _) => {
                    ("PAYMENT.CAPTURE.REFUNDED", "refund", "A capture payment was refunded", body)
                }
                _ => ("PAYMENT.REFUND.PENDING", "refund", "A refund is pending", body),
            }
        }
        About::Dispute(id, news) => {
            let found = payment.dispute(id)?;
            let body = dispute(desk, merchant, payment, found);
            match news {
                DisputeNews::Opened => ("CUSTOMER.DISPUTE.CREATED", "dispute", "A new dispute opened", body),
                // What was decided once is decided again: an appeal.
                DisputeNews::Updated if found.decided_at.is_some() => {
                    ("CUSTOMER.DISPUTE.RESOLVED", "dispute", "A dispute was resolved", body)
                }
                DisputeNews::Updated => {
                    ("CUSTOMER.DISPUTE.UPDATED", "dispute", "A dispute was updated", body)
                }
                DisputeNews::Closed => {
                    ("CUSTOMER.DISPUTE.RESOLVED", "dispute", "A dispute was resolved", body)
                }
                DisputeNews::Reversed => {
                    let body = reversal(desk, payment, found)?;
                    ("PAYMENT.CAPTURE.REVERSED", "refund", "A capture payment was reversed", body)
                }
                DisputeNews::FundsWithdrawn | DisputeNews::FundsReinstated => return None,
            }
        }
        About::Pending | About::Failed | About::Closed | About::Refunded(..) => return None,
    })
}

/// `dispute_life_cycle_stage` is `INQUIRY` while buyer and seller talk, `CHARGEBACK` once somebody else decides.
pub(super) fn dispute(desk: &Desk, merchant: &str, payment: &Payment, dispute: &Dispute) -> Value {
    let currency = payment.capture(&dispute.trade_no).map_or(&payment.currency, |c| &c.currency);
    let talk =
        dispute.was_inquiry && matches!(dispute.status, DisputeStatus::Inquiry | DisputeStatus::Withdrawn);
    let status = match (dispute.status.is_undecided(), dispute.answered) {
        (true, false) => "WAITING_FOR_SELLER_RESPONSE",
        (true, true) => "UNDER_REVIEW",
        (false, _) => "RESOLVED",
    };
    let mut body = json!({ "dispute_id": dispute.id, "create_time": orders::stamp(dispute.opened_at),
        "update_time": orders::stamp(dispute.moved_at),
        "disputed_transactions": [{ "seller_transaction_id": dispute.trade_no, "invoice_number": payment.note("invoice_id"),
            "custom": payment.note("custom_id"), "seller": { "merchant_id": merchant } }],
        "reason": dispute.reason, "status": status,
        "dispute_amount": orders::money(dispute.amount, currency),
        "dispute_life_cycle_stage": if talk { "INQUIRY" } else { "CHARGEBACK" },
        "dispute_channel": if dispute.was_inquiry { "INTERNAL" } else { "EXTERNAL" },
        "links": [{ "href": format!("{}/paypal/v1/customer/disputes/{}", desk.base, dispute.id), "rel": "self",
            "method": "GET" }] });
    let outcome = match dispute.status {
        DisputeStatus::Inquiry | DisputeStatus::Opened => return body,
        DisputeStatus::Won | DisputeStatus::WonAfterLost => "RESOLVED_SELLER_FAVOUR",
        DisputeStatus::Lost => "RESOLVED_BUYER_FAVOUR",
        DisputeStatus::Withdrawn => "CANCELED_BY_BUYER",
    };
    body["dispute_outcome"] =
        json!({ "outcome_code": outcome, "amount_refunded": orders::money(dispute.taken, currency) });
    body
}

/// The money that a lost dispute takes, as a movement of the capture.
fn reversal(desk: &Desk, payment: &Payment, dispute: &Dispute) -> Option<Value> {
    let capture = payment.capture(&dispute.trade_no)?;
    let amount = orders::money(dispute.taken, &capture.currency);
    let up = format!("{}/paypal/v2/payments/captures/{}", desk.base, capture.trade_no);
    let at = orders::stamp(dispute.moved_at);
    let mut body = json!({ "id": dispute.id.replace("PP-R-", "REV"), "status": "COMPLETED", "amount": amount,
        "create_time": at, "update_time": at, "seller_payable_breakdown": { "gross_amount": amount },
        "links": [{ "href": up, "rel": "up", "method": "GET" }] });
    for name in ["custom_id", "invoice_id"] {
        if !payment.note(name).is_empty() {
            body[name] = json!(payment.note(name));
        }
    }
    Some(body)
}
