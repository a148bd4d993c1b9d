//! Refunds: our refund's id is `out_refund_no`, under which a repeat finds the first.

use serde_json::{Value, json};

use super::{WechatPay, event, wire};
use crate::infra::outbound::Method;
use crate::payments::gateways::gateway::{Call, NewRefund, RefundRef, Refunding};
use crate::payments::gateways::{form, json};

/// Bytes of a reason that are taken.
const REASON: usize = 80;

pub(super) async fn refund(gateway: &WechatPay, call: &Call<'_>, refund: &NewRefund<'_>) -> Refunding {
    let yuan = |money: &crate::base::money::Money| money.currency.as_str() == "CNY" && money.minor > 0;
    if !yuan(&refund.amount) || !yuan(&refund.payment.money) {
        let message = format!("{} is no amount WeChat Pay can give back", refund.amount);
        return Refunding::Failed { code: "amount_inexpressible".into(), message };
    }
    let mut wanted = json!({
        "out_refund_no": refund.refund_id,
        "amount": {
            "refund": refund.amount.minor, "total": refund.payment.money.minor, "currency": "CNY",
        },
    });
    // Money that nobody asked for has only the platform's number.
    match refund.payment.trade_no.filter(|_| refund.payment.number.is_empty()) {
        Some(trade_no) => wanted["transaction_id"] = json!(trade_no),
        None => wanted["out_trade_no"] = json!(refund.payment.number),
    }
    if let Some(reason) = refund.reason {
        let end = reason.floor_char_boundary(REASON);
        wanted["reason"] = json!(reason[..end]);
    }
    match wire::exchange(gateway, call, Method::Post, "/v3/refund/domestic/refunds", Some(wanted)).await {
        Ok((200, answer)) => match event::amount(&answer, "refund") {
            Ok(Some(amount)) if amount == refund.amount.minor => outcome(refund.refund_id, &answer),
            _ => Refunding::Unknown("the answer is about another amount".into()),
        },
        Ok((status, answer)) if wire::is_final_no(status) => {
            let (code, message) = wire::error_of(&answer);
            Refunding::Failed { code, message }
        }
        Ok((status, _)) => Refunding::Unknown(format!("status {status}")),
        Err(trouble) => Refunding::Unknown(trouble.text()),
    }
}

pub(super) async fn refund_query(gateway: &WechatPay, call: &Call<'_>, refund: &RefundRef<'_>) -> Refunding {
    let path = format!("/v3/refund/domestic/refunds/{}", form::escaped(refund.refund_id));
    match wire::exchange(gateway, call, Method::Get, &path, None).await {
        Ok((200, answer)) => outcome(refund.refund_id, &answer),
        Ok((404, answer)) if wire::error_of(&answer).0 == "RESOURCE_NOT_EXISTS" => Refunding::NotFound,
        Ok((status, answer)) => Refunding::Unknown(format!("status {status}: {}", wire::error_of(&answer).0)),
        Err(trouble) => Refunding::Unknown(trouble.text()),
    }
}

fn outcome(refund_id: &str, answer: &Value) -> Refunding {
    if json::text(answer, &["out_refund_no"]) != Some(refund_id) {
        return Refunding::Unknown("the answer is about another refund".into());
    }
    let Some(gateway_refund_id) = event::name(answer, &["refund_id"]) else {
        return Refunding::Unknown("the answer has no refund number".into());
    };
    match json::text(answer, &["status"]) {
        Some("SUCCESS") => Refunding::Succeeded { gateway_refund_id },
        Some("PROCESSING") => Refunding::Pending { gateway_refund_id, needs_person: false },
        Some("CLOSED") => Refunding::Failed {
            code: "CLOSED".into(),
            message: "the refund was closed without money moving".into(),
        },
        // The buyer's card or account does not take the money; it can still be completed in the merchant's console.
        Some("ABNORMAL") => Refunding::Pending { gateway_refund_id, needs_person: true },
        _ => Refunding::Unknown("the refund has no known status".into()),
    }
}
