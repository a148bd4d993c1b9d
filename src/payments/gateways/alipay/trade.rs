//! The state of a trade: `alipay.trade.query` and `alipay.trade.close`.

use serde_json::{Value, json};

use super::{event, wire};
use crate::base::money::{Currency, parse_minor};
use crate::infra::outbound::Outbound;
use crate::payments::gateways::gateway::{Call, Closing, Facts, GatewayState, Meaning, PaymentRef, Queried};
use crate::payments::gateways::{beijing, json};

pub(super) const NO_TRADE: &str = "ACQ.TRADE_NOT_EXIST";

pub(super) async fn query(outbound: &Outbound, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
    let named = json!({ "out_trade_no": event::number_there(payment.number) });
    match wire::ask(outbound, call, "alipay.trade.query", &[], &named).await {
        wire::Exchanged::Done(answer) => match state(call, payment, &answer) {
            Ok(state) => Queried::Known(state),
            Err(text) => Queried::Unknown(text.to_owned()),
        },
        wire::Exchanged::No { code, .. } if code == NO_TRADE => Queried::NotFound,
        wire::Exchanged::No { code, .. } => {
            Queried::Unknown(format!("Alipay does not answer the question: {code}"))
        }
        wire::Exchanged::NotSent(text) | wire::Exchanged::Unknown(text) => Queried::Unknown(text),
    }
}

fn state(call: &Call<'_>, payment: &PaymentRef<'_>, answer: &Value) -> Result<GatewayState, &'static str> {
    let text = |key| json::text(answer, &[key]).filter(|text| !text.is_empty());
    if text("out_trade_no").map(event::number_here).as_deref() != Some(payment.number) {
        return Err("the answer is about another payment");
    }
    // A closed trade that was paid before is one whose money went back whole.
    let paid_once = text("send_pay_date");
    let meaning = match text("trade_status") {
        Some("WAIT_BUYER_PAY") => Meaning::Open,
        Some("TRADE_SUCCESS" | "TRADE_FINISHED") => Meaning::Paid,
        Some("TRADE_CLOSED") if paid_once.is_some() => Meaning::Refunded,
        Some("TRADE_CLOSED") => Meaning::Closed,
        _ => return Err("the trade has no known status"),
    };
    let mut facts = Facts::of(meaning);
    facts.number = Some(payment.number.to_owned());
    facts.trade_no = text("trade_no").map(str::to_owned);
    facts.amount_minor = text("total_amount")
        .map(|amount| parse_minor(amount, 2))
        .transpose()
        .map_err(|_| "the trade's amount is malformed")?;
    facts.currency = Currency::parse("CNY").ok();
    facts.occurred_at = paid_once.and_then(beijing::read);
    facts.began_at = facts.occurred_at;
    // Only this application's own trades are disclosed to it, and the answer names neither it nor the seller.
    facts.identity = event::identity(call.keys);
    if matches!(meaning, Meaning::Paid | Meaning::Refunded) {
        if facts.trade_no.is_none() || facts.amount_minor.is_none() {
            return Err("the trade has no number or no amount");
        }
        facts.refunded_minor = facts.amount_minor.filter(|_| meaning == Meaning::Refunded);
    }
    Ok(GatewayState::new(&call.keys.id, facts))
}

/// Closes an unpaid trade. Before its code was scanned there is no trade: then `time_expire` ends it.
pub(super) async fn close(outbound: &Outbound, call: &Call<'_>, payment: &PaymentRef<'_>) -> Closing {
    let number = event::number_there(payment.number);
    let named = json!({ "out_trade_no": number });
    match wire::ask(outbound, call, "alipay.trade.close", &[], &named).await {
        wire::Exchanged::Done(answer) if json::text(&answer, &["out_trade_no"]) == Some(&number) => {
            Closing::Closed
        }
        wire::Exchanged::No { code, .. } if code == NO_TRADE => Closing::NothingToClose,
        // Not open: see what it is.
        wire::Exchanged::Done(_) | wire::Exchanged::No { .. } => match query(outbound, call, payment).await {
            Queried::Known(state) => match state.meaning {
                Meaning::Closed => Closing::Closed,
                Meaning::Paid | Meaning::Refunded => Closing::AlreadyPaid(state),
                _ => Closing::Unknown("the trade is open and Alipay does not close it".into()),
            },
            Queried::NotFound => Closing::NothingToClose,
            Queried::Unknown(text) => Closing::Unknown(text),
            Queried::Unsupported => Closing::Unsupported,
        },
        wire::Exchanged::NotSent(text) | wire::Exchanged::Unknown(text) => Closing::Unknown(text),
    }
}
