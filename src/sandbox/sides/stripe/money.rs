//! Charges, payment intents, refunds and disputes: what was taken and what went back.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{NAME, Refused, StripeResult, error, missing, prefixed};
use crate::sandbox::acts;
use crate::sandbox::book::{Capture, Dispute, DisputeStatus, Payment, Refund};
use crate::sandbox::forms::Form;
use crate::sandbox::signing::fresh_id;
use crate::sandbox::simulator::Desk;

/// Days to answer a dispute in.
const DAYS_TO_ANSWER: i64 = 7;

/// A charge's number, from its payment intent's.
fn charge_no(trade_no: &str) -> String {
    trade_no.replace("pi_", "ch_")
}

fn by_intent(desk: &Desk, fields: &Form) -> Result<Payment, Refused> {
    let intent = fields.get("payment_intent");
    let of_charge = fields.get("charge").replace("ch_", "pi_");
    let intent = if intent.is_empty() { of_charge.as_str() } else { intent };
    desk.change(|book| book.by_trade(NAME, intent).cloned()).ok_or_else(|| missing("payment_intent"))
}

fn by_trade(desk: &Desk, intent: &str, what: &str) -> Result<Payment, Refused> {
    desk.change(|book| book.by_trade(NAME, intent).cloned()).ok_or_else(|| missing(what))
}

/// `GET /v1/payment_intents/{id}`.
pub(super) fn show_intent(desk: &Desk, id: &str, fields: &Form) -> StripeResult {
    let payment = by_trade(desk, id, "payment_intent")?;
    let capture = payment.capture(id).ok_or_else(|| missing("payment_intent"))?;
    let expanded =
        fields.0.iter().any(|(name, value)| name.starts_with("expand") && value == "latest_charge");
    let charge = if expanded { charge(&payment, capture) } else { json!(charge_no(id)) };
    Ok(json!({ "id": id, "object": "payment_intent", "livemode": false, "amount": capture.amount,
        "amount_received": capture.amount, "currency": capture.currency.to_ascii_lowercase(), "created": capture.at,
        "status": "succeeded", "metadata": payment.notes_of("intent."), "latest_charge": charge }))
}

/// `GET /v1/charges/{id}`.
pub(super) fn show_charge(desk: &Desk, id: &str) -> StripeResult {
    let intent = id.replace("ch_", "pi_");
    let payment = by_trade(desk, &intent, "charge")?;
    payment.capture(&intent).map(|capture| charge(&payment, capture)).ok_or_else(|| missing("charge"))
}

pub(super) fn create_refund(desk: &Arc<Desk>, fields: &Form) -> StripeResult {
    let intent = fields.get("payment_intent").to_owned();
    let payment = by_intent(desk, fields)?;
    let gone = |d: &Dispute| matches!(d.status, DisputeStatus::Opened | DisputeStatus::Lost);
    if payment.disputes_of(&intent).any(gone) {
        return Err(error("charge_disputed", "Charge has been charged back; cannot issue a refund."));
    }
    let left = payment.capture(&intent).map_or(0, |capture| payment.refundable(capture));
    let amount = match fields.get("amount") {
        "" => left,
        text => text.parse().map_err(|_| error("parameter_invalid_integer", "amount"))?,
    };
    if left == 0 {
        return Err(error("charge_already_refunded", "Charge has already been refunded."));
    }
    if amount < 1 || amount > left {
        return Err(error("amount_too_large", "Refund amount is greater than the unrefunded amount"));
    }
    let notes: BTreeMap<String, String> = prefixed(fields, "metadata").collect();
    let made = Refund::new(fresh_id("re_"), notes.get("refund_id").map(String::as_str), &intent, amount);
    let made = acts::refund_for_shop(desk, &payment, Refund { notes, ..made });
    Ok(refund(&payment, &made))
}

pub(super) fn list_refunds(desk: &Desk, fields: &Form) -> StripeResult {
    let (payment, intent) = (by_intent(desk, fields)?, fields.get("payment_intent"));
    let of_it = payment.refunds.iter().filter(|r| r.trade_no == intent);
    let list: Vec<Value> = of_it.rev().map(|r| refund(&payment, r)).collect();
    Ok(json!({ "object": "list", "data": list, "has_more": false }))
}

pub(super) fn show_refund(desk: &Desk, id: &str) -> StripeResult {
    let payment = desk.change(|book| book.by_refund(NAME, id).cloned()).ok_or_else(|| missing("refund"))?;
    payment.refunds.iter().find(|r| r.id == id).map(|r| refund(&payment, r)).ok_or_else(|| missing("refund"))
}

/// `GET /v1/disputes`, of one payment intent or charge.
pub(super) fn list_disputes(desk: &Desk, fields: &Form) -> StripeResult {
    let payment = by_intent(desk, fields)?;
    let list: Vec<Value> = payment.disputes.iter().rev().map(|d| dispute(&payment, d)).collect();
    Ok(json!({ "object": "list", "url": "/v1/disputes", "data": list, "has_more": false }))
}

/// `GET /v1/disputes/{id}`.
pub(super) fn show_dispute(desk: &Desk, id: &str) -> StripeResult {
    let payment = desk.change(|book| book.by_dispute(NAME, id).cloned()).ok_or_else(|| missing("dispute"))?;
    payment.dispute(id).map(|found| dispute(&payment, found)).ok_or_else(|| missing("dispute"))
}

/// `amount_refunded` counts refunds that are on their way; one that fails leaves it.
pub(super) fn charge(payment: &Payment, capture: &Capture) -> Value {
    let refunded = payment.claimed(&capture.trade_no);
    json!({
        "id": charge_no(&capture.trade_no), "object": "charge", "livemode": false, "created": capture.at,
        "amount": capture.amount, "amount_captured": capture.amount, "amount_refunded": refunded,
        "refunded": refunded == capture.amount, "currency": capture.currency.to_ascii_lowercase(),
        "payment_intent": capture.trade_no, "metadata": payment.notes_of("intent."), "paid": true, "status": "succeeded",
        "disputed": payment.disputes_of(&capture.trade_no).any(|d| d.status != DisputeStatus::Inquiry),
    })
}

pub(super) fn refund(payment: &Payment, refund: &Refund) -> Value {
    let currency = payment.capture(&refund.trade_no).map(|c| &c.currency);
    json!({
        "id": refund.id, "object": "refund", "amount": refund.amount, "created": refund.at,
        "currency": currency.unwrap_or(&payment.currency).to_ascii_lowercase(),
        "payment_intent": refund.trade_no, "charge": charge_no(&refund.trade_no), "status": refund.status, "metadata": refund.notes,
        "failure_reason": if refund.status == "failed" { json!("declined") } else { Value::Null },
    })
}

/// The status in Stripe's terms. A dispute that the buyer gave up counts as won.
fn dispute_status(dispute: &Dispute) -> &'static str {
    match (dispute.status, dispute.answered) {
        (DisputeStatus::Inquiry, false) => "warning_needs_response",
        (DisputeStatus::Inquiry, true) => "warning_under_review",
        (DisputeStatus::Opened, false) => "needs_response",
        (DisputeStatus::Opened, true) => "under_review",
        (DisputeStatus::Lost, _) => "lost",
        (DisputeStatus::Withdrawn, _) if dispute.was_inquiry => "warning_closed",
        (DisputeStatus::Won | DisputeStatus::Withdrawn | DisputeStatus::WonAfterLost, _) => "won",
    }
}

/// An inquiry moves no money and may be refunded; a dispute has taken its amount until it is decided.
pub(super) fn dispute(payment: &Payment, dispute: &Dispute) -> Value {
    let currency = payment.capture(&dispute.trade_no).map(|c| &c.currency);
    let currency = currency.unwrap_or(&payment.currency).to_ascii_lowercase();
    let movement = |what: &str, amount: i64, at: i64| {
        json!({ "id": dispute.id.replace("dp_", &format!("txn_{what}_")), "object": "balance_transaction",
            "type": "adjustment", "amount": amount, "fee": 0, "net": amount, "currency": currency, "created": at,
            "source": dispute.id, "reporting_category": what })
    };
    let mut movements = Vec::new();
    let ended_as_inquiry = dispute.status == DisputeStatus::Withdrawn && dispute.was_inquiry;
    if dispute.status != DisputeStatus::Inquiry && !ended_as_inquiry {
        movements.push(movement("dispute", -dispute.amount, dispute.opened_at));
    }
    if dispute_status(dispute) == "won" {
        movements.push(movement("dispute_reversal", dispute.amount, dispute.moved_at));
    }
    json!({
        "id": dispute.id, "object": "dispute", "livemode": false, "amount": dispute.amount, "currency": currency,
        "charge": charge_no(&dispute.trade_no), "payment_intent": dispute.trade_no, "created": dispute.opened_at,
        "reason": dispute.reason, "status": dispute_status(dispute), "metadata": {},
        "is_charge_refundable": dispute.status == DisputeStatus::Inquiry, "balance_transactions": movements,
        "evidence_details": { "due_by": dispute.opened_at + DAYS_TO_ANSWER * 86_400, "past_due": false,
            "has_evidence": dispute.answered, "submission_count": i32::from(dispute.answered) },
    })
}
