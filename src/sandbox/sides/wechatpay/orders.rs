//! Orders and refunds of the simulated WeChat Pay.

use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Value, json};

use super::{NAME, WechatPayResult};
use crate::base::clock::random;
use crate::sandbox::acts;
use crate::sandbox::book::{Capture, Payment, Refund, Status};
use crate::sandbox::forms::Form;
use crate::sandbox::notices;
use crate::sandbox::played::{About, Reply};
use crate::sandbox::sides::china;
use crate::sandbox::signing::fresh_id;
use crate::sandbox::simulator::Desk;

const PARAMETER: (u16, &str, &str) = (400, "PARAM_ERROR", "参数错误");
const NO_ORDER: (u16, &str, &str) = (404, "ORDER_NOT_EXIST", "订单不存在");

/// 28 digits: a prefix, the day, a count.
pub(super) fn number(prefix: &str, now: i64) -> String {
    format!("{prefix}{}{:010}", china::digits(now), u64::from_le_bytes(random()) % 10_000_000_000)
}

fn is_number(text: &str) -> bool {
    (6..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-*|".contains(&b))
}

/// An order and what its kind gives the client. The same request gives the same order; another one under the same
/// number is refused.
pub(super) fn start(desk: &Desk, kind: &str, wish: &Value, now: i64) -> WechatPayResult {
    let text = |name: &str| wish[name].as_str().filter(|text| !text.is_empty());
    let out_trade_no = text("out_trade_no").filter(|n| is_number(n)).ok_or(PARAMETER)?;
    let amount = wish["amount"]["total"].as_i64().filter(|fen| *fen > 0).ok_or(PARAMETER)?;
    let title = text("description").ok_or(PARAMETER)?;
    let notify_url =
        text("notify_url").filter(|url| url.starts_with("http") && !url.contains('?')).ok_or(PARAMETER)?;
    let expires = text("time_expire").map(DateTime::parse_from_rfc3339).transpose().map_err(|_| PARAMETER)?;
    let needed = match kind {
        "jsapi" => wish["payer"]["openid"].is_string(),
        "h5" => {
            wish["scene_info"]["payer_client_ip"].is_string()
                && wish["scene_info"]["h5_info"]["type"].is_string()
        }
        _ => true,
    };
    if !needed || wish["amount"].get("currency").is_some_and(|currency| currency != "CNY") {
        return Err(PARAMETER);
    }
    let said = json!([kind, wish]).to_string();
    let known = desk.change(|book| book.numbered(NAME, out_trade_no, now).cloned());
    let payment = match known {
        Some(known) if known.note("said") != said => {
            return Err((403, "OUT_TRADE_NO_USED", "商户订单号重复"));
        }
        Some(known) if known.status == Status::Closed => return Err((400, "ORDER_CLOSED", "订单已关闭")),
        Some(known) if !known.captures.is_empty() => return Err((400, "ORDERPAID", "该订单已支付")),
        Some(known) => known,
        None => {
            let openid = wish["payer"]["openid"].as_str().unwrap_or("oSandboxBuyer000000000000001");
            let trade_type = if kind == "h5" { "MWEB".to_owned() } else { kind.to_ascii_uppercase() };
            let notes = [
                ("said", said),
                ("trade_type", trade_type),
                ("openid", openid.to_owned()),
                ("attach", text("attach").unwrap_or_default().to_owned()),
            ];
            let payment = Payment {
                title: title.to_owned(),
                notify_url: Some(notify_url.to_owned()),
                expires_at: expires.map_or(now + 7 * 86_400, |at| at.timestamp()),
                notes: notes.map(|(name, value)| (name.to_owned(), value)).into(),
                ..Payment::new(NAME, fresh_id("wx"), out_trade_no, amount, "CNY", now)
            };
            desk.change(|book| book.open(payment.clone()));
            payment
        }
    };
    Ok((
        200,
        match kind {
            "native" => json!({ "code_url": desk.page(&payment.id) }),
            "h5" => {
                let path = "wechatpay/cgi-bin/mmpayweb-bin/checkmweb";
                json!({ "h5_url": format!("{}/{path}?prepay_id={}&package={}", desk.base, payment.id, payment.created) })
            }
            _ => json!({ "prepay_id": payment.id }),
        },
    ))
}

/// Where a phone's browser lands; `redirect_url` is where it goes back to.
pub(super) fn open_in_browser(desk: &Desk, query: &Form) -> Reply {
    let id = query.get("prepay_id");
    desk.change(|book| {
        if let Some(payment) = book.payments.iter_mut().find(|p| p.side == NAME && p.id == id) {
            payment.return_url = query.get("redirect_url").to_owned();
        }
    });
    Reply::see_other(desk.page(id))
}

pub(super) fn by_number(
    desk: &Desk,
    number: &str,
    now: i64,
) -> Result<Payment, (u16, &'static str, &'static str)> {
    desk.change(|book| book.numbered(NAME, number, now).cloned()).ok_or(NO_ORDER)
}

pub(super) fn by_trade(desk: &Desk, trade: &str) -> Result<Payment, (u16, &'static str, &'static str)> {
    desk.change(|book| book.by_trade(NAME, trade).cloned()).ok_or(NO_ORDER)
}

pub(super) fn close(desk: &Arc<Desk>, number: &str, now: i64) -> WechatPayResult {
    let payment = by_number(desk, number, now)?;
    match payment.status {
        Status::Closed => Err((400, "ORDER_CLOSED", "订单已关闭")),
        _ if !payment.captures.is_empty() => Err((400, "ORDERPAID", "该订单已支付")),
        _ => {
            let notice = acts::enter(desk, &payment, Status::Closed, About::Closed);
            notices::send(desk, notice.into_iter().collect());
            Ok((204, Value::Null))
        }
    }
}

/// An order as queries and notices show it, with the money of one capture.
pub(super) fn described(payment: &Payment, capture: Option<&Capture>, mchid: &str, appid: &str) -> Value {
    let gone = |capture: &Capture| payment.refunds.iter().any(|r| r.trade_no == capture.trade_no);
    let (state, text) = match (payment.status, capture) {
        (_, Some(capture)) if gone(capture) => ("REFUND", "转入退款"),
        (_, Some(_)) => ("SUCCESS", "支付成功"),
        (Status::Pending | Status::Approved, None) => ("USERPAYING", "用户支付中"),
        (Status::Closed, None) => ("CLOSED", "订单已关闭"),
        (Status::Failed, None) => ("PAYERROR", "支付失败"),
        (Status::Open | Status::Paid, None) => ("NOTPAY", "订单未支付"),
    };
    let mut order = json!({ "mchid": mchid, "appid": appid, "out_trade_no": payment.number,
        "trade_state": state, "trade_state_desc": text,
        "amount": { "total": payment.amount, "currency": "CNY" } });
    if let Some(capture) = capture {
        order["transaction_id"] = json!(capture.trade_no);
        order["trade_type"] = json!(payment.note("trade_type"));
        order["bank_type"] = json!("OTHERS");
        order["attach"] = json!(payment.note("attach"));
        order["success_time"] = json!(china::stamp(capture.at));
        order["payer"] = json!({ "openid": payment.note("openid") });
        order["amount"] = json!({ "total": capture.amount, "payer_total": capture.amount,
            "currency": capture.currency, "payer_currency": capture.currency });
    }
    order
}

/// `out_refund_no` is the key of idempotency.
pub(super) fn refund(desk: &Arc<Desk>, wish: &Value, now: i64) -> WechatPayResult {
    let text = |name: &str| wish[name].as_str().filter(|text| !text.is_empty());
    let out_refund_no = text("out_refund_no").filter(|n| n.len() <= 64).ok_or(PARAMETER)?;
    let amount = wish["amount"]["refund"].as_i64().filter(|fen| *fen > 0).ok_or(PARAMETER)?;
    if wish["amount"]["currency"] != "CNY" {
        return Err(PARAMETER);
    }
    let payment = match (text("transaction_id"), text("out_trade_no")) {
        (Some(trade), _) => by_trade(desk, trade),
        (None, Some(number)) => by_number(desk, number, now),
        (None, None) => Err(PARAMETER),
    };
    let payment = payment.map_err(|_| (404, "RESOURCE_NOT_EXISTS", "订单不存在"))?;
    let of_it = |c: &&Capture| text("transaction_id").is_none_or(|trade| trade == c.trade_no);
    let capture = payment.captures.iter().find(of_it).ok_or((400, "INVALID_REQUEST", "订单未支付"))?;
    if wish["amount"]["total"].as_i64() != Some(capture.amount) {
        return Err((400, "INVALID_REQUEST", "订单金额不一致"));
    }
    if let Some(first) = payment.refund(out_refund_no) {
        return match first.amount == amount {
            true => Ok((200, described_refund(&payment, first))),
            false => Err((400, "INVALID_REQUEST", "退款单号已存在，参数不一致")),
        };
    }
    if desk.change(|book| book.by_refund(NAME, out_refund_no).is_some()) {
        return Err((400, "INVALID_REQUEST", "退款单号已用于其他订单"));
    }
    if amount > payment.refundable(capture) {
        return Err((400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，退款金额超限"));
    }
    let notify_url = text("notify_url").map(|url| ("notify_url".to_owned(), url.to_owned()));
    let new = Refund::new(number("5030", now), Some(out_refund_no), &capture.trade_no, amount);
    let made = Refund { notes: notify_url.into_iter().collect(), ..new };
    let made = acts::refund_for_shop(desk, &payment, made);
    Ok((200, described_refund(&payment, &made)))
}

pub(super) fn show_refund(desk: &Desk, number: &str) -> WechatPayResult {
    let missing = (404, "RESOURCE_NOT_EXISTS", "退款单不存在");
    let payment = desk.change(|book| book.by_refund(NAME, number).cloned()).ok_or(missing)?;
    let is = |r: &&Refund| r.refund_id.as_deref() == Some(number);
    payment.refunds.iter().find(is).map(|r| (200, described_refund(&payment, r))).ok_or(missing)
}

fn refund_status(refund: &Refund) -> &'static str {
    match refund.status.as_str() {
        "succeeded" => "SUCCESS",
        "failed" => "CLOSED",
        "abnormal" => "ABNORMAL",
        _ => "PROCESSING",
    }
}

fn amounts(payment: &Payment, refund: &Refund) -> Value {
    let total = payment.capture(&refund.trade_no).map_or(payment.amount, |capture| capture.amount);
    json!({ "total": total, "refund": refund.amount, "payer_total": total, "payer_refund": refund.amount })
}

fn described_refund(payment: &Payment, refund: &Refund) -> Value {
    let mut amount = amounts(payment, refund);
    amount["settlement_total"] = amount["total"].clone();
    amount["settlement_refund"] = json!(refund.amount);
    amount["discount_refund"] = json!(0);
    amount["currency"] = json!("CNY");
    let mut answer = json!({ "refund_id": refund.id, "out_refund_no": refund.refund_id, "transaction_id": refund.trade_no,
        "out_trade_no": payment.number, "channel": "ORIGINAL", "user_received_account": "支付用户零钱",
        "create_time": china::stamp(refund.at), "status": refund_status(refund), "funds_account": "AVAILABLE",
        "amount": amount });
    if refund.status == "succeeded" {
        answer["success_time"] = json!(china::stamp(refund.moved_at));
    }
    answer
}

/// A refund as its notice reports it; one made on the console has a number of the console's.
pub(super) fn told_refund(payment: &Payment, refund: &Refund, mchid: &str) -> Value {
    let mut reply = json!({ "mchid": mchid, "out_trade_no": payment.number, "transaction_id": refund.trade_no,
        "out_refund_no": refund.refund_id.clone().unwrap_or_else(|| format!("console-{}", refund.id)),
        "refund_id": refund.id, "refund_status": refund_status(refund), "user_received_account": "支付用户零钱",
        "amount": amounts(payment, refund) });
    if refund.status == "succeeded" {
        reply["success_time"] = json!(china::stamp(refund.moved_at));
    }
    reply
}
