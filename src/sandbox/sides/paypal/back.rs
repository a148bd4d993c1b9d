//! Refunds and disputes of the simulated PayPal.

use std::sync::Arc;

use serde_json::{Value, json};

use super::orders::{amount_of, money, stamp};
use super::{NAME, PayPalResult, events, id};
use crate::sandbox::acts;
use crate::sandbox::book::{Payment, Refund};
use crate::sandbox::forms::Form;
use crate::sandbox::simulator::Desk;

/// `POST /v2/payments/captures/{id}/refund`; without an amount, all that is left.
pub(super) fn refund(desk: &Arc<Desk>, trade: &str, wish: &Value, request_id: &str) -> PayPalResult {
    let payment =
        desk.change(|book| book.by_trade(NAME, trade).cloned()).ok_or((404, "INVALID_RESOURCE_ID"))?;
    let capture = payment.capture(trade).ok_or((404, "INVALID_RESOURCE_ID"))?;
    let left = payment.refundable(capture);
    let amount = match &wish["amount"] {
        Value::Null => left,
        value => match amount_of(value) {
            Some((amount, currency)) if currency == capture.currency => amount,
            Some(_) => return Err((422, "CURRENCY_MISMATCH")),
            None => return Err((422, "DECIMAL_PRECISION")),
        },
    };
    match () {
        () if payment.is_disputed(trade) && amount < left => {
            return Err((422, "CAPTURE_DISPUTED_PARTIAL_REFUND_NOT_ALLOWED"));
        }
        () if left == 0 => return Err((422, "CAPTURE_FULLY_REFUNDED")),
        () if amount > left => return Err((422, "REFUND_AMOUNT_EXCEEDED")),
        () => {}
    }
    let named = ["custom_id", "invoice_id"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), wish[name].as_str()?.to_owned())));
    let new = Refund { notes: named.collect(), ..Refund::new(id(17), Some(request_id), trade, amount) };
    let made = acts::refund_for_shop(desk, &payment, new);
    if made.status == "failed" {
        return Err((422, "REFUND_FAILED_INSUFFICIENT_FUNDS"));
    }
    let payment = desk.change(|book| book.by_trade(NAME, trade).cloned()).unwrap_or(payment);
    Ok((201, described_refund(desk, &payment, &made)))
}

pub(super) fn show_refund(desk: &Desk, id: &str) -> PayPalResult {
    let payment =
        desk.change(|book| book.by_refund(NAME, id).cloned()).ok_or((404, "INVALID_RESOURCE_ID"))?;
    let refund = payment.refunds.iter().find(|r| r.id == id).ok_or((404, "INVALID_RESOURCE_ID"))?;
    Ok((200, described_refund(desk, &payment, refund)))
}

pub(super) fn described_refund(desk: &Desk, payment: &Payment, refund: &Refund) -> Value {
    let currency = payment.capture(&refund.trade_no).map_or(&payment.currency, |capture| &capture.currency);
    let status = match refund.status.as_str() {
        "succeeded" => "COMPLETED",
        "failed" => "FAILED",
        _ => "PENDING",
    };
    let up = format!("{}/paypal/v2/payments/captures/{}", desk.base, refund.trade_no);
    let own = format!("{}/paypal/v2/payments/refunds/{}", desk.base, refund.id);
    let mut body = json!({ "id": refund.id, "status": status, "amount": money(refund.amount, currency),
        "create_time": stamp(refund.at), "update_time": stamp(refund.moved_at),
        "seller_payable_breakdown": { "gross_amount": money(refund.amount, currency),
            "total_refunded_amount": money(payment.refunded(&refund.trade_no), currency) },
        "links": [{ "href": own, "rel": "self", "method": "GET" }, { "href": up, "rel": "up", "method": "GET" }] });
    for name in ["custom_id", "invoice_id"] {
        let of_order = Some(payment.note(name)).filter(|text| !text.is_empty());
        if let Some(text) = refund.notes.get(name).map(String::as_str).or(of_order) {
            body[name] = json!(text);
        }
    }
    body
}

/// `GET /v1/customer/disputes`, of one transaction.
pub(super) fn list_disputes(desk: &Desk, merchant: &str, query: &Form) -> PayPalResult {
    let trade = query.get("disputed_transaction_id");
    let payment = desk.change(|book| book.by_trade(NAME, trade).cloned());
    let items: Vec<Value> = payment
        .iter()
        .flat_map(|payment| {
            payment
                .disputes_of(trade)
                .map(|d| events::dispute(desk, merchant, payment, d))
                .collect::<Vec<_>>()
        })
        .collect();
    Ok((200, json!({ "items": items, "links": [] })))
}

/// `GET /v1/customer/disputes/{id}`.
pub(super) fn show_dispute(desk: &Desk, merchant: &str, id: &str) -> PayPalResult {
    let unknown = (404, "INVALID_RESOURCE_ID");
    let payment = desk.change(|book| book.by_dispute(NAME, id).cloned()).ok_or(unknown)?;
    let dispute = payment.dispute(id).ok_or(unknown)?;
    Ok((200, events::dispute(desk, merchant, &payment, dispute)))
}
