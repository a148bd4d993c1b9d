//! Orders, captures and refunds of the simulated PayPal.

use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Value, json};

use super::{NAME, PayPalResult, back, decimals, id};
use crate::sandbox::acts;
use crate::sandbox::book::{Capture, Payment, Status};
use crate::sandbox::notices;
use crate::sandbox::played::{self, About, decimal};
use crate::sandbox::simulator::Desk;

/// An order that nobody approves lapses after three hours.
const LIFETIME: i64 = 3 * 3_600;

/// RFC 3339 in UTC.
pub(super) fn stamp(at: i64) -> String {
    DateTime::from_timestamp(at, 0).map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
}

pub(super) fn money(amount: i64, currency: &str) -> Value {
    json!({ "currency_code": currency, "value": decimal(amount, decimals(currency)) })
}

pub(super) fn amount_of(value: &Value) -> Option<(i64, String)> {
    let currency = value["currency_code"].as_str()?;
    let amount = played::amount(value["value"].as_str()?, decimals(currency))?;
    (amount > 0).then(|| (amount, currency.to_owned()))
}

fn find(desk: &Desk, id: &str, now: i64) -> Result<Payment, (u16, &'static str)> {
    let found = desk.change(|book| book.payment(id, now).filter(|p| p.side == NAME && p.id == id).cloned());
    found.ok_or((404, "INVALID_RESOURCE_ID"))
}

/// `POST /v2/checkout/orders`.
pub(super) fn create(desk: &Desk, merchant: &str, wish: &Value, now: i64) -> PayPalResult {
    let unit = &wish["purchase_units"][0];
    let (amount, currency) = amount_of(&unit["amount"]).ok_or((422, "DECIMAL_PRECISION"))?;
    if wish["intent"] != "CAPTURE" || wish["purchase_units"].as_array().is_none_or(|units| units.len() != 1) {
        return Err((400, "INVALID_PARAMETER_VALUE"));
    }
    if !super::CURRENCIES.contains(&currency.as_str()) {
        return Err((422, "CURRENCY_NOT_SUPPORTED"));
    }
    if unit["payee"]["merchant_id"].as_str().is_some_and(|payee| payee != merchant) {
        return Err((422, "PAYEE_ACCOUNT_INVALID"));
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (custom, invoice) = (text(&unit["custom_id"]), text(&unit["invoice_id"]));
    let used = desk.read(|book| {
        book.of(NAME)
            .any(|p| !invoice.is_empty() && p.note("invoice_id") == invoice && !p.captures.is_empty())
    });
    if used {
        return Err((422, "DUPLICATE_INVOICE_ID"));
    }
    let source = &wish["payment_source"]["paypal"]["experience_context"];
    let context = if source.is_object() { source } else { &wish["application_context"] };
    let number = if custom.is_empty() { invoice.clone() } else { custom.clone() };
    let by_source = if source.is_object() { "yes" } else { "no" };
    let notes = [("custom_id", custom), ("invoice_id", invoice), ("by_source", by_source.to_owned())];
    let payment = Payment {
        title: unit["description"].as_str().unwrap_or("An order").to_owned(),
        return_url: text(&context["return_url"]),
        cancel_url: text(&context["cancel_url"]),
        expires_at: now + LIFETIME,
        notes: notes.map(|(name, value)| (name.to_owned(), value)).into(),
        ..Payment::new(NAME, id(17), &number, amount, &currency, now)
    };
    desk.change(|book| book.open(payment.clone()));
    Ok((if by_source == "yes" { 200 } else { 201 }, order(desk, merchant, &payment)))
}

pub(super) fn show(desk: &Desk, merchant: &str, id: &str, now: i64) -> PayPalResult {
    let payment = find(desk, id, now)?;
    // What nobody approved in time is gone.
    match payment.status {
        Status::Closed if payment.captures.is_empty() => Err((404, "INVALID_RESOURCE_ID")),
        _ => Ok((200, order(desk, merchant, &payment))),
    }
}

/// `POST /v2/checkout/orders/{id}/capture`: takes what the buyer approved, in the way that was ordered on the page.
pub(super) fn capture(desk: &Arc<Desk>, merchant: &str, id: &str, now: i64) -> PayPalResult {
    let payment = find(desk, id, now)?;
    match payment.status {
        Status::Approved => {}
        Status::Paid | Status::Pending => return Err((422, "ORDER_ALREADY_CAPTURED")),
        Status::Failed => return Err((422, "INSTRUMENT_DECLINED")),
        Status::Open => return Err((422, "ORDER_NOT_APPROVED")),
        Status::Closed => return Err((404, "INVALID_RESOURCE_ID")),
    }
    let how = payment.note("take.how");
    if how == "pend" {
        desk.change(|book| book.note(id, "capture_id", &super::id(17)));
        let notice = acts::enter(desk, &payment, Status::Pending, About::Pending);
        notices::send(desk, notice.into_iter().collect());
    } else {
        let amount = payment.note("take.amount").parse().unwrap_or(payment.amount);
        let currency = Some(payment.note("take.currency")).filter(|code| !code.is_empty());
        for _ in 0..if how == "pay-twice" { 2 } else { 1 } {
            let capture = Capture {
                trade_no: super::id(17),
                amount,
                currency: currency.unwrap_or(&payment.currency).to_owned(),
                at: now,
            };
            desk.change(|book| book.capture(id, capture.clone()));
            let notice = acts::report(desk, id, About::Paid(&capture.trade_no)).into_iter().collect();
            match how {
                "lose-notice" => notices::lose(desk, notice),
                _ => notices::send(desk, notice),
            }
        }
    }
    Ok((201, order(desk, merchant, &find(desk, id, now)?)))
}

/// An order as it is shown and reported.
pub(super) fn order(desk: &Desk, merchant: &str, payment: &Payment) -> Value {
    let status = match payment.status {
        Status::Open if payment.note("by_source") == "yes" => "PAYER_ACTION_REQUIRED",
        Status::Open => "CREATED",
        Status::Approved => "APPROVED",
        Status::Pending | Status::Paid => "COMPLETED",
        Status::Failed => "APPROVED",
        Status::Closed => "VOIDED",
    };
    let mut captures: Vec<Value> =
        payment.captures.iter().map(|c| described(desk, merchant, payment, &c.trade_no, None)).collect();
    if let (Status::Pending, reserved) = (payment.status, payment.note("capture_id")) {
        captures.push(described(desk, merchant, payment, reserved, Some("PENDING")));
    }
    let refunds: Vec<Value> =
        payment.refunds.iter().map(|r| back::described_refund(desk, payment, r)).collect();
    let mut unit = json!({ "reference_id": "default", "amount": money(payment.amount, &payment.currency),
        "payee": { "merchant_id": merchant, "email_address": "seller@sandbox.example" },
        "description": payment.title });
    for name in ["custom_id", "invoice_id"] {
        if !payment.note(name).is_empty() {
            unit[name] = json!(payment.note(name));
        }
    }
    if !captures.is_empty() {
        unit["payments"] = json!({ "captures": captures });
        if !refunds.is_empty() {
            unit["payments"]["refunds"] = json!(refunds);
        }
    }
    let own = format!("{}/paypal/v2/checkout/orders/{}", desk.base, payment.id);
    let approve = if payment.note("by_source") == "yes" { "payer-action" } else { "approve" };
    let mut links = vec![json!({ "href": own, "rel": "self", "method": "GET" })];
    match payment.status {
        Status::Open => {
            let href = format!("{}/paypal/checkoutnow?token={}", desk.base, payment.id);
            links.push(json!({ "href": href, "rel": approve, "method": "GET" }));
        }
        Status::Approved => {
            links.push(json!({ "href": format!("{own}/capture"), "rel": "capture", "method": "POST" }));
        }
        _ => {}
    }
    json!({ "id": payment.id, "intent": "CAPTURE", "status": status, "purchase_units": [unit],
        "create_time": stamp(payment.created), "links": links })
}

/// One capture; `status` says otherwise than that it is done.
pub(super) fn described(
    desk: &Desk,
    merchant: &str,
    payment: &Payment,
    trade: &str,
    status: Option<&str>,
) -> Value {
    let capture = payment.capture(trade);
    let (amount, currency) =
        capture.map_or((payment.amount, payment.currency.as_str()), |c| (c.amount, c.currency.as_str()));
    let refunded = payment.refunded(trade);
    let done = match refunded {
        0 => "COMPLETED",
        all if all == amount => "REFUNDED",
        _ => "PARTIALLY_REFUNDED",
    };
    let at = stamp(capture.map_or(payment.created, |capture| capture.at));
    let mut body = json!({ "id": trade, "status": status.unwrap_or(done), "amount": money(amount, currency),
        "final_capture": true, "payee": { "merchant_id": merchant, "email_address": "seller@sandbox.example" },
        "seller_protection": { "status": "NOT_ELIGIBLE" }, "create_time": at, "update_time": at,
        "supplementary_data": { "related_ids": { "order_id": payment.id } },
        "seller_receivable_breakdown": { "gross_amount": money(amount, currency),
            "paypal_fee": money(fee(amount), currency), "net_amount": money(amount - fee(amount), currency) },
        "links": [{ "href": format!("{}/paypal/v2/payments/captures/{trade}", desk.base), "rel": "self",
            "method": "GET" }] });
    if status == Some("PENDING") {
        body["status_details"] = json!({ "reason": "PENDING_REVIEW" });
    }
    for name in ["custom_id", "invoice_id"] {
        if !payment.note(name).is_empty() {
            body[name] = json!(payment.note(name));
        }
    }
    body
}

/// 3.49 per cent and 49 of the smallest units, never more than the amount.
pub(super) fn fee(amount: i64) -> i64 {
    ((amount * 349 + 5_000) / 10_000 + 49).min(amount)
}

pub(super) fn show_capture(desk: &Desk, merchant: &str, trade: &str) -> PayPalResult {
    let payment = desk.change(|book| book.by_trade(NAME, trade).cloned());
    let pending = || {
        desk.read(|book| {
            book.of(NAME).find(|p| p.note("capture_id") == trade && p.status == Status::Pending).cloned()
        })
    };
    match (payment, pending()) {
        (Some(payment), _) => Ok((200, described(desk, merchant, &payment, trade, None))),
        (None, Some(payment)) => Ok((200, described(desk, merchant, &payment, trade, Some("PENDING")))),
        (None, None) => Err((404, "INVALID_RESOURCE_ID")),
    }
}
