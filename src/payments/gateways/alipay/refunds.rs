//! Refunds: our refund's id is `out_request_no`, and the same one never refunds twice. Alipay gives refunds no number of
//! its own, so that id names them on both sides.

use serde_json::{Value, json};

use super::{event, trade, wire};
use crate::infra::outbound::Outbound;
use crate::payments::gateways::gateway::{Call, NewRefund, PaymentRef, RefundRef, Refunding};
use crate::payments::gateways::json;

pub(super) async fn refund(outbound: &Outbound, call: &Call<'_>, refund: &NewRefund<'_>) -> Refunding {
    if refund.amount.currency.as_str() != "CNY" || refund.amount.minor <= 0 {
        let message = format!("{} is no amount Alipay can give back", refund.amount);
        return Refunding::Failed { code: "amount_inexpressible".into(), message };
    }
    let mut wanted = named(&refund.payment, refund.refund_id);
    wanted["refund_amount"] = json!(refund.amount.decimal());
    if let Some(reason) = refund.reason {
        wanted["refund_reason"] = json!(reason.chars().take(80).collect::<String>());
    }
    match wire::ask(outbound, call, "alipay.trade.refund", &[], &wanted).await {
        wire::Exchanged::Done(answer) if !about(&refund.payment, &answer) => another(),
        wire::Exchanged::Done(answer) if json::text(&answer, &["fund_change"]) == Some("Y") => {
            succeeded(refund.refund_id)
        }
        // No money moved by this call: it is a repeat of a refund that is done, or still on its way.
        wire::Exchanged::Done(_) => match found(outbound, call, refund.refund_id, &refund.payment).await {
            Refunding::NotFound => {
                Refunding::Pending { gateway_refund_id: refund.refund_id.to_owned(), needs_person: false }
            }
            found => found,
        },
        wire::Exchanged::No { code, message } => Refunding::Failed { code, message },
        wire::Exchanged::NotSent(text) | wire::Exchanged::Unknown(text) => Refunding::Unknown(text),
    }
}

pub(super) async fn refund_query(outbound: &Outbound, call: &Call<'_>, refund: &RefundRef<'_>) -> Refunding {
    found(outbound, call, refund.refund_id, &refund.payment).await
}

/// Code 10000 alone only says that the question was answered; a refund that was not received or did not go through has
/// no `refund_status`, and may be asked for again under its id.
async fn found(outbound: &Outbound, call: &Call<'_>, id: &str, payment: &PaymentRef<'_>) -> Refunding {
    let wanted = named(payment, id);
    match wire::ask(outbound, call, "alipay.trade.fastpay.refund.query", &[], &wanted).await {
        wire::Exchanged::Done(answer) => match json::text(&answer, &["refund_status"]) {
            Some("REFUND_SUCCESS") if !about(payment, &answer) => another(),
            Some("REFUND_SUCCESS") if json::text(&answer, &["out_request_no"]) == Some(id) => succeeded(id),
            Some("REFUND_SUCCESS") => another(),
            None | Some("") => Refunding::NotFound,
            Some(status) => Refunding::Unknown(format!("the refund has the status {status}")),
        },
        wire::Exchanged::No { code, .. } if code == trade::NO_TRADE => Refunding::NotFound,
        wire::Exchanged::No { code, .. } => {
            Refunding::Unknown(format!("Alipay does not answer the question: {code}"))
        }
        wire::Exchanged::NotSent(text) | wire::Exchanged::Unknown(text) => Refunding::Unknown(text),
    }
}

/// The trade by our number; money that nobody asked for has only Alipay's.
fn named(payment: &PaymentRef<'_>, refund_id: &str) -> Value {
    match payment.trade_no.filter(|_| payment.number.is_empty()) {
        Some(trade_no) => json!({ "trade_no": trade_no, "out_request_no": refund_id }),
        None => {
            json!({ "out_trade_no": event::number_there(payment.number), "out_request_no": refund_id })
        }
    }
}

fn about(payment: &PaymentRef<'_>, answer: &Value) -> bool {
    let given = |key| json::text(answer, &[key]);
    match payment.trade_no.filter(|_| payment.number.is_empty()) {
        Some(trade_no) => given("trade_no") == Some(trade_no),
        None => given("out_trade_no").map(event::number_here).as_deref() == Some(payment.number),
    }
}

fn another() -> Refunding {
    Refunding::Unknown("the answer is about another refund".into())
}

fn succeeded(id: &str) -> Refunding {
    Refunding::Succeeded { gateway_refund_id: id.to_owned() }
}
