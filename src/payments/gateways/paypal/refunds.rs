//! Refunds of captures (developer.paypal.com, Payments v2). Our refund's id is the `PayPal-Request-Id`, and is the
//! `custom_id` in the refund, so that one whose answer was lost is found again after PayPal has forgotten the request.

use serde_json::{Value, json};

use super::api::{Sent, error_of, exchange, is_final_no};
use super::{PayPal, currencies, event};
use crate::infra::outbound::CallError;
use crate::payments::gateways::gateway::{Call, NewRefund, RefundRef, Refunding};
use crate::payments::gateways::json;

pub(super) async fn refund(paypal: &PayPal, call: &Call<'_>, refund: &NewRefund<'_>) -> Refunding {
    let Some(capture) = refund.payment.trade_no.filter(|id| event::is_id(id)) else {
        return failed("no_trade", "the payment has no trade number");
    };
    let Some(value) = currencies::text(refund.amount) else {
        return failed("amount_inexpressible", "no amount PayPal can refund");
    };
    let mut body = json!({
        "amount": { "currency_code": refund.amount.currency.as_str(), "value": value },
        "custom_id": refund.refund_id,
    });
    if let Some(reason) = refund.reason {
        body["note_to_payer"] = reason.chars().take(255).collect::<String>().into();
    }
    let path = format!("/v2/payments/captures/{capture}/refund");
    let sent = Sent::post(path, Some(refund.refund_id.to_owned()), body.to_string().into_bytes());
    match exchange(paypal, call, &sent).await {
        Ok((200 | 201, answer)) => outcome(refund.refund_id, &answer),
        Ok((status, answer)) if is_final_no(status) => {
            let (code, message) = error_of(&answer);
            // "Refunded already": perhaps by ourselves, long ago.
            let asked = RefundRef {
                refund_id: refund.refund_id,
                gateway_refund_id: None,
                payment: refund.payment,
                amount: refund.amount,
            };
            match refund_query(paypal, call, &asked).await {
                found @ (Refunding::Succeeded { .. } | Refunding::Pending { .. }) => found,
                _ => Refunding::Failed { code, message },
            }
        }
        Ok((status, _)) => Refunding::Unknown(format!("status {status}")),
        Err(error) => Refunding::Unknown(error.to_string()),
    }
}

pub(super) async fn refund_query(paypal: &PayPal, call: &Call<'_>, refund: &RefundRef<'_>) -> Refunding {
    if let Some(id) = refund.gateway_refund_id.filter(|id| event::is_id(id)) {
        return match exchange(paypal, call, &Sent::get(format!("/v2/payments/refunds/{id}"))).await {
            Ok((200, answer)) => outcome(refund.refund_id, &answer),
            Ok((404, _)) => Refunding::NotFound,
            Ok((status, _)) => Refunding::Unknown(format!("status {status}")),
            Err(error) => Refunding::Unknown(error.to_string()),
        };
    }
    match listed(paypal, call, refund).await {
        Ok(list) => match list.iter().find(|r| event::refund_id(r).as_deref() == Some(refund.refund_id)) {
            Some(found) => outcome(refund.refund_id, found),
            None if list.iter().any(|other| may_be(other, refund)) => {
                Refunding::Unknown("a refund of this amount does not say whose it is".into())
            }
            None => Refunding::NotFound,
        },
        Err(error) => Refunding::Unknown(error.to_string()),
    }
}

/// A listed refund that names nobody (made at PayPal's own pages, or by a call that did not name it) and could be this one
/// by its amount.
fn may_be(listed: &Value, refund: &RefundRef<'_>) -> bool {
    let said = listed.get("amount").and_then(|amount| currencies::money(amount).ok());
    event::refund_id(listed).is_none() && said.is_none_or(|said| said == refund.amount)
}

/// All refunds that the payment's order lists.
async fn listed(paypal: &PayPal, call: &Call<'_>, refund: &RefundRef<'_>) -> Result<Vec<Value>, CallError> {
    let unknown = |text: &str| CallError::Unknown(text.to_owned());
    let order = match refund.payment.gateway_reference.filter(|id| event::is_id(id)) {
        Some(order) => order.to_owned(),
        None => {
            let capture = refund.payment.trade_no.filter(|id| event::is_id(id));
            let capture = capture.ok_or_else(|| unknown("the payment has no trade number"))?;
            let (status, answer) =
                exchange(paypal, call, &Sent::get(format!("/v2/payments/captures/{capture}"))).await?;
            let facts = event::capture(&answer).map_err(unknown)?;
            facts
                .gateway_reference
                .filter(|_| status == 200)
                .ok_or_else(|| unknown("the capture does not name its order"))?
        }
    };
    let (status, answer) = exchange(paypal, call, &Sent::get(format!("/v2/checkout/orders/{order}"))).await?;
    let units = answer.get("purchase_units").and_then(Value::as_array);
    match units.map(Vec::as_slice) {
        Some([unit]) if status == 200 => {
            let refunds = json::at(unit, &["payments", "refunds"]).and_then(Value::as_array);
            Ok(refunds.cloned().unwrap_or_default())
        }
        _ => Err(unknown("the order does not list its refunds")),
    }
}

fn outcome(refund_id: &str, refund: &Value) -> Refunding {
    if event::refund_id(refund).is_some_and(|said| said != refund_id) {
        return Refunding::Unknown("the answer is about another refund".into());
    }
    let Some(id) = json::text(refund, &["id"]).filter(|id| event::is_id(id)) else {
        return Refunding::Unknown("the answer has no refund number".into());
    };
    match json::text(refund, &["status"]) {
        Some("COMPLETED") => Refunding::Succeeded { gateway_refund_id: id.to_owned() },
        Some("PENDING") => Refunding::Pending { gateway_refund_id: id.to_owned(), needs_person: false },
        Some(status @ ("FAILED" | "CANCELLED")) => failed(status, "the refund did not go through"),
        _ => Refunding::Unknown("the refund has no known status".into()),
    }
}

fn failed(code: &str, message: &str) -> Refunding {
    Refunding::Failed { code: code.to_owned(), message: message.to_owned() }
}
