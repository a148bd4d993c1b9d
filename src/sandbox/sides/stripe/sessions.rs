//! Checkout sessions.

use std::sync::Arc;

use serde_json::{Value, json};

use super::money::charge;
use super::{NAME, Refused, StripeResult, error, missing, prefixed};
use crate::sandbox::acts;
use crate::sandbox::book::{Capture, Payment, Status};
use crate::sandbox::forms::Form;
use crate::sandbox::notices;
use crate::sandbox::played::About;
use crate::sandbox::signing::fresh_id;
use crate::sandbox::simulator::Desk;

fn find(desk: &Desk, id: &str, now: i64) -> Result<Payment, Refused> {
    let found = desk.change(|book| book.payment(id, now).filter(|p| p.side == NAME).cloned());
    found.ok_or_else(|| missing("checkout.session"))
}

pub(super) fn create_session(desk: &Desk, fields: &Form, now: i64) -> StripeResult {
    let need = |name: &str| match fields.get(name) {
        "" => Err(error("parameter_missing", format!("Missing required param: {name}"))),
        value => Ok(value.to_owned()),
    };
    let number = |name: &'static str, text: &str| {
        text.parse::<i64>().map_err(|_| error("parameter_invalid_integer", name))
    };
    let amount = number("unit_amount", &need("line_items[0][price_data][unit_amount]")?)?;
    let expires_at = match fields.get("expires_at") {
        "" => now + 86_400,
        text => number("expires_at", text)?,
    };
    if !(now + 1_800..=now + 86_400).contains(&expires_at) {
        return Err(error("parameter_invalid", "expires_at must be 30 minutes to 24 hours from now"));
    }
    if need("mode")? != "payment" || amount < 1 {
        return Err(error("parameter_invalid", "only payments of something are played"));
    }
    let currency = need("line_items[0][price_data][currency]")?.to_ascii_uppercase();
    let metadata = prefixed(fields, "metadata").map(|(name, value)| (format!("session.{name}"), value));
    let of_intent = prefixed(fields, "payment_intent_data[metadata]");
    let payment = Payment {
        title: need("line_items[0][price_data][product_data][name]")?,
        return_url: need("success_url")?,
        cancel_url: fields.get("cancel_url").to_owned(),
        notes: metadata.chain(of_intent.map(|(name, value)| (format!("intent.{name}"), value))).collect(),
        expires_at,
        ..Payment::new(NAME, fresh_id("cs_test_"), fields.get("client_reference_id"), amount, &currency, now)
    };
    desk.change(|book| book.open(payment.clone()));
    Ok(session(desk, &payment, None, false))
}

pub(super) fn show_session(desk: &Desk, id: &str, fields: &Form, now: i64) -> StripeResult {
    let payment = find(desk, id, now)?;
    let expand = fields.get("expand[]").starts_with("payment_intent");
    Ok(session(desk, &payment, payment.captures.first(), expand))
}

pub(super) fn expire_session(desk: &Arc<Desk>, id: &str, now: i64) -> StripeResult {
    let payment = find(desk, id, now)?;
    if payment.status != Status::Open {
        let text = "Only Checkout Sessions with a status in [\"open\"] can be expired";
        return Err(error("session_not_open", text));
    }
    let notice = acts::enter(desk, &payment, Status::Closed, About::Closed);
    notices::send(desk, notice.into_iter().collect());
    Ok(session(desk, &Payment { status: Status::Closed, ..payment }, None, false))
}

/// A session; with money when a capture is given, whose amount then applies.
pub(super) fn session(desk: &Desk, payment: &Payment, capture: Option<&Capture>, expand: bool) -> Value {
    let (status, paid) = match payment.status {
        Status::Open | Status::Approved => ("open", "unpaid"),
        Status::Pending | Status::Failed => ("complete", "unpaid"),
        Status::Paid => ("complete", "paid"),
        Status::Closed => ("expired", "unpaid"),
    };
    let amount = capture.map_or(payment.amount, |c| c.amount);
    let currency = capture.map_or(&payment.currency, |c| &c.currency).to_ascii_lowercase();
    let intent = match (capture, payment.status) {
        (Some(capture), _) if expand => json!({ "id": capture.trade_no, "object": "payment_intent",
            "status": "succeeded", "latest_charge": charge(payment, capture) }),
        (Some(capture), _) => json!(capture.trade_no),
        (None, Status::Failed) if expand => {
            json!({ "id": "pi_declined", "object": "payment_intent", "status": "requires_payment_method" })
        }
        _ => Value::Null,
    };
    json!({
        "id": payment.id, "object": "checkout.session", "mode": "payment", "livemode": false,
        "created": payment.created, "expires_at": payment.expires_at, "status": status, "payment_status": paid,
        "amount_subtotal": amount, "amount_total": amount, "currency": currency, "payment_intent": intent,
        "client_reference_id": payment.number, "metadata": payment.notes_of("session."),
        "success_url": payment.return_url, "cancel_url": payment.cancel_url,
        "url": if status == "open" { json!(desk.page(&payment.id)) } else { Value::Null },
    })
}
