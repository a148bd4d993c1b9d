//! Refunds: our refund's id is the idempotency key and is in the metadata, so that a refund whose answer was
//! lost can be found again after Stripe has forgotten the key.

use serde_json::Value;

use super::api::{Form, error_of, exchange, field, is_final_no};
use super::event;
use crate::infra::outbound::Outbound;
use crate::payments::gateways::gateway::{Call, NewRefund, RefundRef, Refunding};
use crate::payments::gateways::{amounts, json};

pub(super) async fn refund(outbound: &Outbound, call: &Call<'_>, refund: &NewRefund<'_>) -> Refunding {
    let Some(intent) = refund.payment.trade_no.filter(|id| event::is_id(id)) else {
        return failed("no_trade", "the payment has no trade number");
    };
    let unit = amounts::unit("stripe", refund.amount.currency);
    let Some(units) = unit.and_then(|unit| unit.units(refund.amount)) else {
        return failed("amount_inexpressible", "no amount Stripe can refund");
    };
    let mut form: Form = vec![
        field("payment_intent", intent),
        field("amount", units.to_string()),
        field("metadata[refund_id]", refund.refund_id),
        field("metadata[order_no]", refund.payment.number),
    ];
    if let Some(reason) = refund.reason {
        form.push(field("metadata[reason]", reason.chars().take(400).collect::<String>()));
    }
    match exchange(outbound, call, "/v1/refunds", Some((refund.refund_id.to_owned(), form))).await {
        Ok((200, answer)) => outcome(refund.refund_id, &answer),
        Ok((status, answer)) if is_final_no(status) => {
            let (code, message) = error_of(&answer);
            if code != "charge_already_refunded" {
                return Refunding::Failed { code, message };
            }
            // Perhaps by ourselves, long ago.
            let asked = RefundRef {
                refund_id: refund.refund_id,
                gateway_refund_id: None,
                payment: refund.payment,
                amount: refund.amount,
            };
            match refund_query(outbound, call, &asked).await {
                Refunding::NotFound => Refunding::Failed { code, message },
                found => found,
            }
        }
        Ok((status, _)) => Refunding::Unknown(format!("status {status}")),
        Err(error) => Refunding::Unknown(error.to_string()),
    }
}

pub(super) async fn refund_query(outbound: &Outbound, call: &Call<'_>, refund: &RefundRef<'_>) -> Refunding {
    if let Some(id) = refund.gateway_refund_id.filter(|id| event::is_id(id)) {
        return match exchange(outbound, call, &format!("/v1/refunds/{id}"), None).await {
            // One that was made at Stripe has its id alone.
            Ok((200, answer)) if json::text(&answer, &["id"]) == Some(id) => state(id, &answer),
            Ok((200, _)) => Refunding::Unknown("the answer is about another refund".into()),
            Ok((404, answer)) if error_of(&answer).0 == "resource_missing" => Refunding::NotFound,
            Ok((status, _)) => Refunding::Unknown(format!("status {status}")),
            Err(error) => Refunding::Unknown(error.to_string()),
        };
    }
    let Some(intent) = refund.payment.trade_no.filter(|id| event::is_id(id)) else {
        return Refunding::NotFound;
    };
    let path = format!("/v1/refunds?payment_intent={intent}&limit=100");
    let answer = match exchange(outbound, call, &path, None).await {
        Ok((200, answer)) => answer,
        Ok((status, _)) => return Refunding::Unknown(format!("status {status}")),
        Err(error) => return Refunding::Unknown(error.to_string()),
    };
    let Some(list) = answer.get("data").and_then(Value::as_array) else {
        return Refunding::Unknown("the answer is no list".into());
    };
    match list.iter().find(|r| json::text(r, &["metadata", "refund_id"]) == Some(refund.refund_id)) {
        Some(found) => outcome(refund.refund_id, found),
        None if answer.get("has_more").and_then(Value::as_bool) == Some(false) => Refunding::NotFound,
        None => Refunding::Unknown("more refunds than one page".into()),
    }
}

fn outcome(refund_id: &str, refund: &Value) -> Refunding {
    if json::text(refund, &["metadata", "refund_id"]) != Some(refund_id) {
        return Refunding::Unknown("the answer is about another refund".into());
    }
    let Some(id) = json::text(refund, &["id"]).filter(|id| event::is_id(id)) else {
        return Refunding::Unknown("the answer has no refund number".into());
    };
    state(id, refund)
}

fn state(id: &str, refund: &Value) -> Refunding {
    match json::text(refund, &["status"]) {
        Some("succeeded") => Refunding::Succeeded { gateway_refund_id: id.to_owned() },
        Some("pending" | "requires_action") => {
            Refunding::Pending { gateway_refund_id: id.to_owned(), needs_person: false }
        }
        Some(status @ ("failed" | "canceled")) => {
            failed(json::text(refund, &["failure_reason"]).unwrap_or(status), "the refund did not go through")
        }
        _ => Refunding::Unknown("the refund has no known status".into()),
    }
}

fn failed(code: &str, message: &str) -> Refunding {
    Refunding::Failed { code: code.to_owned(), message: message.to_owned() }
}
