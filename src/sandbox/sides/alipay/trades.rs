//! Trades and refunds of the simulated Alipay.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{AlipayResult, BUYER, NAME};
use crate::base::clock::random;
use crate::sandbox::acts;
use crate::sandbox::book::{Capture, Payment, Refund, Status};
use crate::sandbox::forms::Form;
use crate::sandbox::notices;
use crate::sandbox::played::About;
use crate::sandbox::sides::china;
use crate::sandbox::signing::fresh_id;
use crate::sandbox::simulator::Desk;

const STATUS: (&str, &str) = ("ACQ.TRADE_STATUS_ERROR", "交易状态不合法");

/// A scanned trade exists; before that nobody but the shop knows of its QR code.
pub(super) fn exists(payment: &Payment) -> bool {
    payment.note("method") != "alipay.trade.precreate"
        || payment.note("seen") == "yes"
        || payment.status != Status::Open
}

pub(super) fn find(desk: &Desk, business: &Value, now: i64) -> Option<Payment> {
    let text = |name: &str| business[name].as_str().unwrap_or_default();
    let (trade_no, number) = (text("trade_no"), text("out_trade_no"));
    desk.change(|book| match trade_no {
        "" => book.numbered(NAME, number, now).cloned(),
        _ => book.of(NAME).find(|p| p.note("trade_no") == trade_no || p.capture(trade_no).is_some()).cloned(),
    })
}

/// Opens a payment, or finds it: a number of the shop's is bound to one amount and one subject.
pub(super) fn open(
    desk: &Desk,
    call: &Form,
    business: &Value,
    now: i64,
) -> Result<Payment, (&'static str, &'static str)> {
    let invalid = ("ACQ.INVALID_PARAMETER", "参数无效");
    let text = |name: &str| business[name].as_str().filter(|text| !text.is_empty());
    let number = text("out_trade_no").filter(|n| is_number(n)).ok_or(invalid)?;
    let amount = text("total_amount").and_then(china::fen).filter(|fen| *fen > 0).ok_or(invalid)?;
    let subject = text("subject").ok_or(invalid)?;
    let product = match call.get("method") {
        "alipay.trade.page.pay" => Some("FAST_INSTANT_TRADE_PAY"),
        "alipay.trade.wap.pay" => Some("QUICK_WAP_WAY"),
        _ => None,
    };
    if product.is_some() && text("product_code") != product || call.get("notify_url").contains('?') {
        return Err(invalid);
    }
    if let Some(known) = desk.change(|book| book.numbered(NAME, number, now).cloned()) {
        return match known.status {
            _ if (known.amount, known.title.as_str()) != (amount, subject) => {
                Err(("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改"))
            }
            Status::Paid => Err(("ACQ.TRADE_HAS_SUCCESS", "交易已被支付")),
            Status::Closed => Err(("ACQ.TRADE_HAS_CLOSE", "交易已经关闭")),
            _ => Ok(known),
        };
    }
    let minutes =
        |text: &str| text.strip_suffix('m').and_then(|m| m.parse::<i64>().ok()).map(|m| now + m * 60);
    let by_time = text("time_expire").and_then(china::moment);
    let notes = [("method", call.get("method").to_owned()), ("trade_no", number_of_trade(now))];
    let payment = Payment {
        title: subject.to_owned(),
        notify_url: Some(call.get("notify_url").to_owned()).filter(|url| !url.is_empty()),
        return_url: call.get("return_url").to_owned(),
        expires_at: by_time.or(text("timeout_express").and_then(minutes)).unwrap_or(now + 7_200),
        notes: notes.map(|(name, value)| (name.to_owned(), value)).into(),
        ..Payment::new(NAME, fresh_id("ap_"), number, amount, "CNY", now)
    };
    desk.change(|book| book.open(payment.clone()));
    Ok(payment)
}

/// Letters, digits and the underscore.
fn is_number(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// 28 digits: the day, a shard of the buyer's, and a count.
pub(super) fn number_of_trade(now: i64) -> String {
    format!("{}2200{:010}", china::digits(now), u64::from_le_bytes(random()) % 10_000_000_000)
}

/// `trade_status`. Money that went back whole closes the trade.
fn status(payment: &Payment) -> &'static str {
    match (payment.status, payment.captures.first()) {
        (_, Some(capture)) if payment.refunded(&capture.trade_no) == capture.amount => "TRADE_CLOSED",
        (_, Some(_)) => "TRADE_SUCCESS",
        (Status::Closed | Status::Failed, None) => "TRADE_CLOSED",
        _ => "WAIT_BUYER_PAY",
    }
}

pub(super) fn named(payment: &Payment) -> Value {
    json!({ "trade_no": payment.note("trade_no"), "out_trade_no": payment.number })
}

pub(super) fn described(payment: &Payment) -> Value {
    let mut answer = named(payment);
    let paid = payment.captures.first();
    let amount = china::yuan(paid.map_or(payment.amount, |capture| capture.amount));
    answer["trade_status"] = json!(status(payment));
    answer["total_amount"] = json!(amount);
    answer["buyer_user_id"] = json!(BUYER);
    answer["buyer_logon_id"] = json!("san***@sandbox.example");
    if let Some(capture) = paid {
        answer["send_pay_date"] = json!(china::time(capture.at));
        answer["receipt_amount"] = json!(amount);
        answer["buyer_pay_amount"] = json!(amount);
    }
    answer
}

pub(super) fn close(desk: &Arc<Desk>, payment: &Payment) -> AlipayResult {
    if !matches!(payment.status, Status::Open | Status::Pending) {
        return Err(STATUS);
    }
    notices::send(desk, acts::enter(desk, payment, Status::Closed, About::Closed).into_iter().collect());
    Ok(named(payment))
}

/// Undoes a trade of which the shop does not know how it ended.
pub(super) fn cancel(desk: &Arc<Desk>, payment: Option<Payment>, business: &Value) -> Value {
    let Some(payment) = payment else {
        return json!({ "out_trade_no": business["out_trade_no"], "retry_flag": "N" });
    };
    let mut answer = named(&payment);
    answer["retry_flag"] = json!("N");
    answer["action"] = match payment.captures.first() {
        Some(capture) => {
            let left = payment.refundable(capture);
            if left > 0 {
                let refund = Refund::new(fresh_id("alr_"), None, &capture.trade_no, left);
                acts::refund_for_shop(desk, &payment, refund);
            }
            json!("refund")
        }
        None => {
            let closed = close(desk, &payment);
            json!(if closed.is_ok() { "close" } else { "" })
        }
    };
    answer
}

pub(super) fn refund(desk: &Arc<Desk>, payment: &Payment, business: &Value) -> AlipayResult {
    let Some(capture) = payment.captures.first() else { return Err(STATUS) };
    let text = |name: &str| business[name].as_str().unwrap_or_default();
    let amount = china::fen(text("refund_amount")).filter(|fen| *fen > 0);
    let amount = amount.ok_or(("ACQ.INVALID_PARAMETER", "参数无效"))?;
    let request = text("out_request_no");
    if request.is_empty() && amount != capture.amount {
        return Err(("ACQ.INVALID_PARAMETER", "部分退款须传 out_request_no"));
    }
    let failed = ("ACQ.SELLER_BALANCE_NOT_ENOUGH", "卖家余额不足");
    if let Some(first) = payment.refund(request).filter(|_| !request.is_empty()) {
        return match first.status.as_str() {
            _ if first.amount != amount => Err(("ACQ.DISCORDANT_REPEAT_REQUEST", "退款信息不一致")),
            "failed" => Err(failed),
            _ => Ok(refunded(payment, capture, "N")),
        };
    }
    if amount > payment.refundable(capture) {
        return Err(("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限"));
    }
    let request = Some(request).filter(|request| !request.is_empty());
    let new = Refund::new(fresh_id("alr_"), request, &capture.trade_no, amount);
    let made = acts::refund_for_shop(desk, payment, new);
    let now = desk.read(|book| book.payments.iter().find(|p| p.id == payment.id).cloned());
    match made.status.as_str() {
        "failed" => Err(failed),
        "succeeded" => Ok(refunded(now.as_ref().unwrap_or(payment), capture, "Y")),
        _ => Ok(refunded(now.as_ref().unwrap_or(payment), capture, "N")),
    }
}

/// `refund_fee` is the sum of all refunds; `fund_change` says whether money moved by this very call.
fn refunded(payment: &Payment, capture: &Capture, change: &str) -> Value {
    let mut answer = named(payment);
    answer["fund_change"] = json!(change);
    answer["refund_fee"] = json!(china::yuan(payment.refunded(&capture.trade_no)));
    answer["buyer_user_id"] = json!(BUYER);
    answer
}

/// Nothing but the numbers when the refund is not known, or not done yet.
pub(super) fn refund_query(payment: &Payment, business: &Value) -> Value {
    let mut answer = named(payment);
    let request = business["out_request_no"].as_str().unwrap_or_default();
    if let Some(refund) = payment.refund(request).filter(|refund| refund.status == "succeeded") {
        answer["out_request_no"] = json!(request);
        answer["refund_status"] = json!("REFUND_SUCCESS");
        answer["refund_amount"] = json!(china::yuan(refund.amount));
        answer["total_amount"] = json!(china::yuan(payment.amount));
        answer["gmt_refund_pay"] = json!(china::time(refund.moved_at));
    }
    answer
}
