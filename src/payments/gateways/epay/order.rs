//! One of the platform's orders, and the questions about it.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{CURRENCY, account, code, identity, message, minor, text};
use crate::base::money::Currency;
use crate::payments::gateways::beijing;
use crate::payments::gateways::gateway::{Call, Closing, Facts, GatewayState, Meaning, PaymentRef, Queried};

/// Whether a refusal says that there is no such order; the code is the same for much else.
fn is_unknown_order(answer: &Value) -> bool {
    let said = message(answer).to_lowercase();
    code(answer).is_some_and(|code| code < 0)
        && ((said.contains("订单") && said.contains("不存在")) || said.contains("order not"))
}

/// One of the platform's orders: 0 unpaid, 1 paid, 2 refunded, 3 frozen, 4 authorised and not taken. Where it names no
/// merchant it is of the one that asked.
pub(super) fn order(object: &Value, asker: &str) -> Result<Facts, &'static str> {
    let need = |key: &str| text(object, key).filter(|text| !text.is_empty());
    let amount = match need("money") {
        Some(text) => minor(&text)?,
        // A JSON number with decimals is no amount: it says something else than what is written.
        None if object.get("money").is_some_and(Value::is_f64) => return Err("amount_malformed"),
        None => return Err("money_missing"),
    };
    if object.get("refundmoney").and_then(Value::as_f64).is_some_and(|sum| sum.fract() != 0.0) {
        return Err("refundmoney_malformed");
    }
    let refunded = need("refundmoney").map(|text| minor(&text)).transpose()?;
    let meaning = match need("status").as_deref() {
        Some("0") => Meaning::Open,
        Some("4") => Meaning::Pending,
        Some("1") if refunded.is_some_and(|sum| sum > 0) => Meaning::PartiallyRefunded,
        Some("1") => Meaning::Paid,
        Some("2") => Meaning::Refunded,
        Some("3") => return Err("the platform has frozen this order"),
        _ => return Err("the order has no known status"),
    };
    let mut facts = Facts::of(meaning);
    facts.number = Some(need("out_trade_no").ok_or("out_trade_no_missing")?);
    facts.trade_no = need("trade_no");
    if !matches!(meaning, Meaning::Open | Meaning::Pending) && facts.trade_no.is_none() {
        return Err("trade_no_missing");
    }
    facts.amount_minor = Some(amount);
    facts.currency = Currency::parse(CURRENCY).ok();
    // A whole that went back is not always counted by older platforms.
    facts.refunded_minor = refunded.filter(|sum| *sum > 0 || meaning == Meaning::Paid);
    facts.identity = identity(need("pid").as_deref().unwrap_or(asker));
    facts.occurred_at = moment(object, "endtime");
    facts.began_at = ["addtime", "endtime"].into_iter().filter_map(|key| moment(object, key)).min();
    Ok(facts)
}

/// `2027-01-15 16:00:00` on the platform's clock.
pub(super) fn moment(object: &Value, key: &str) -> Option<DateTime<Utc>> {
    beijing::read(object.get(key)?.as_str()?)
}

/// What an answer says of the payment that was asked about.
pub fn queried(call: &Call<'_>, payment: &PaymentRef<'_>, answer: &Value) -> Queried {
    let pid = account::pid(call.keys);
    match order(answer, pid) {
        Ok(facts) if facts.number.as_deref() != Some(payment.number) => {
            Queried::Unknown("the answer is about another order".into())
        }
        Ok(facts) if facts.identity != identity(pid) => {
            Queried::Unknown("the answer is about another merchant".into())
        }
        Ok(facts) => Queried::Known(GatewayState::new(&call.keys.id, facts)),
        Err(text) => Queried::Unknown(text.to_owned()),
    }
}

/// What a refusal to say anything of a payment means.
pub fn unanswered(answer: &Value) -> Queried {
    match is_unknown_order(answer) {
        true => Queried::NotFound,
        false => Queried::Unknown(format!("refused: {}", message(answer))),
    }
}

/// What is to be done with a payment that the platform did not close: what was paid already must not be given up.
pub fn unclosed(state: Queried) -> Closing {
    match state {
        Queried::Known(state) if !matches!(state.meaning, Meaning::Open | Meaning::Pending) => {
            Closing::AlreadyPaid(state)
        }
        Queried::Known(_) | Queried::Unsupported => Closing::Unsupported,
        Queried::NotFound => Closing::NothingToClose,
        Queried::Unknown(text) => Closing::Unknown(text),
    }
}
