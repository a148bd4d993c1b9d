//! What both versions of Epay have in common.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::china;
use crate::base::clock::random;
use crate::infra::outbound::{HttpAnswer, Method};
use crate::sandbox::book::{Capture, Payment};
use crate::sandbox::forms::{Form, form};
use crate::sandbox::played::{About, Can, Draft, Letter, Reply};
use crate::sandbox::simulator::Desk;

/// At once, then after about 1 min, 3 min, 20 min, 1 h and 2 h.
pub(super) const GAPS: [u32; 5] = [60, 180, 1_200, 3_600, 7_200];

/// Success is the only message there is. The others add what they can to this.
pub(super) const CAN: Can = Can {
    other_currency: false,
    pend: false,
    decline: false,
    report_refunds: false,
    slow_refunds: false,
    dispute: false,
    refund_disputed: false,
    late_refunds: false,
    abnormal_refunds: false,
    report_sum_apart: false,
    report_sum_alone: false,
    sum_counts_pending: false,
    second_trade: false,
    probe: false,
    approve: false,
};

/// A merchant's number.
pub(super) fn pid() -> String {
    (1_000 + u16::from_le_bytes(random()) % 9_000).to_string()
}

/// A merchant's key: 32 letters and digits.
pub(super) fn key() -> String {
    hex::encode(random::<16>())
}

/// A trade's number: the time of day and five digits.
pub(super) fn number(now: i64) -> String {
    format!("{}{:05}", china::digits(now), u32::from_le_bytes(random()) % 100_000)
}

/// A trade has its number from the start; only money that comes twice gets another one.
pub(super) fn trade_no(payment: &Payment, now: i64) -> String {
    if payment.captures.is_empty() { payment.id.clone() } else { number(now) }
}

/// What is signed, without a key: neither `sign` nor `sign_type` nor anything empty.
pub(super) fn text(form: &Form) -> String {
    form.text(|name, value| !["sign", "sign_type"].contains(&name) && !value.is_empty())
}

/// As PHP writes a float: `9.9`, `10`.
fn money(fen: i64) -> String {
    china::yuan(fen).trim_end_matches('0').trim_end_matches('.').to_owned()
}

const TYPES: [&str; 5] = ["", "alipay", "wxpay", "qqpay", "bank"];

/// Opens the payment that a signed form asks for, or finds it. Another amount under the same number is refused.
pub(super) fn open(desk: &Desk, side: &str, form: &Form, now: i64) -> Result<Payment, &'static str> {
    let number = form.get("out_trade_no");
    let amount = china::fen(form.get("money")).filter(|fen| *fen > 0).ok_or("金额不合法")?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.|".contains(&b)) {
        return Err("订单号(out_trade_no)不能为空或格式不正确");
    }
    if form.get("name").is_empty() || !form.get("notify_url").starts_with("http") {
        return Err("商品名称(name)和通知地址(notify_url)不能为空");
    }
    if !TYPES.contains(&form.get("type")) {
        return Err("支付方式不存在");
    }
    if let Some(known) = desk.change(|book| book.numbered(side, number, now).cloned()) {
        return match known.amount == amount && known.title == form.get("name") {
            true => Ok(known),
            false => Err("订单信息与已存在的订单不一致"),
        };
    }
    let kind = if form.get("type").is_empty() { "alipay" } else { form.get("type") };
    let notes = [("type", kind), ("param", form.get("param"))];
    let payment = Payment {
        title: form.get("name").to_owned(),
        notify_url: Some(form.get("notify_url").to_owned()),
        return_url: form.get("return_url").to_owned(),
        notes: notes
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        ..Payment::new(side, self::number(now), number, amount, "CNY", now)
    };
    desk.change(|book| book.open(payment.clone()));
    Ok(payment)
}

/// By `trade_no` or `out_trade_no`.
pub(super) fn find(desk: &Desk, side: &str, form: &Form, now: i64) -> Option<Payment> {
    let (trade_no, number) = (form.get("trade_no"), form.get("out_trade_no"));
    desk.change(|book| match trade_no {
        "" => book.numbered(side, number, now).cloned(),
        _ => book.payment(trade_no, now).filter(|p| p.side == side && p.id == trade_no).cloned(),
    })
}

/// One payment as the lists and queries of both versions show it.
pub(super) fn order(payment: &Payment) -> Value {
    let paid = payment.captures.first();
    let refunded = paid.map_or(0, |capture| payment.refunded(&capture.trade_no));
    let status = match paid {
        None => 0,
        Some(capture) if refunded == capture.amount => 2,
        Some(_) => 1,
    };
    json!({
        "trade_no": payment.id, "out_trade_no": payment.number, "api_trade_no": paid.map(|_| format!("api{}", payment.id)),
        "type": payment.note("type"), "name": payment.title, "money": china::yuan(paid.map_or(payment.amount, |c| c.amount)),
        "status": status, "param": payment.note("param"), "buyer": "", "refundmoney": china::yuan(refunded),
        "addtime": china::time(payment.created), "endtime": paid.map(|capture| china::time(capture.at)),
    })
}

/// Newest first; `offset` or `page`, `limit` up to 50.
pub(super) fn page(desk: &Desk, side: &str, form: &Form) -> Vec<Payment> {
    let limit = form.get("limit").parse().unwrap_or(20_usize).clamp(1, 50);
    let pages = form.get("page").parse().unwrap_or(1_usize).max(1) - 1;
    let offset = form.get("offset").parse().unwrap_or(pages * limit);
    let status: Option<i64> = form.get("status").parse().ok();
    desk.read(|book| {
        let mut all: Vec<Payment> = book.of(side).cloned().collect();
        all.reverse();
        all.retain(|p| status.is_none_or(|status| order(p)["status"] == status));
        all.into_iter().skip(offset).take(limit).collect()
    })
}

/// The capture and the amount of a refund, when it may be made.
pub(super) fn refundable<'a>(payment: &'a Payment, form: &Form) -> Result<(&'a Capture, i64), &'static str> {
    let capture = payment.captures.first().ok_or("只支持退款已支付状态的订单")?;
    let amount = china::fen(form.get("money")).filter(|fen| *fen > 0).ok_or("金额输入错误")?;
    match amount <= payment.refundable(capture) {
        true => Ok((capture, amount)),
        false => Err("退款金额不能大于订单剩余金额"),
    }
}

/// The parameters of the one notice there is.
pub(super) fn draft(pid: &str, payment: &Payment, about: About<'_>) -> Option<Draft> {
    let About::Paid(trade) = about else { return None };
    let capture = payment.capture(trade)?;
    let money = money(capture.amount);
    let mut reply = form([
        ("pid", pid),
        ("trade_no", trade),
        ("out_trade_no", &payment.number),
        ("type", payment.note("type")),
        ("name", &payment.title),
        ("money", &money),
        ("trade_status", "TRADE_SUCCESS"),
    ]);
    if !payment.note("param").is_empty() {
        reply = reply.with("param", payment.note("param"));
    }
    let id = format!("{trade}:{}", hex::encode(random::<4>()));
    Some(Draft {
        id,
        kind: "TRADE_SUCCESS".into(),
        body: reply.encoded(),
        target: payment.notify_url.clone(),
    })
}

/// A GET with the parameters behind whatever query the address has already.
pub(super) fn letter(target: &str, form: Form) -> Letter {
    let joint = if target.contains('?') { '&' } else { '?' };
    let url = format!("{target}{joint}{}", form.encoded());
    Letter { method: Method::Get, url, headers: Vec::new(), body: Vec::new() }
}

/// The acknowledgement anywhere in the answer, whatever its status.
pub(super) fn took(answer: &HttpAnswer) -> bool {
    let text = String::from_utf8_lossy(&answer.body);
    ["success", "SUCCESS", "Success"].iter().any(|word| text.contains(word))
}

/// What a browser sees of a refusal.
pub(super) fn page_of_refusal(message: &str) -> Reply {
    Reply::bytes(
        200,
        "text/html; charset=utf-8",
        format!("<!doctype html><meta charset=\"utf-8\"><h1>{message}</h1>"),
    )
}

/// One object out of two.
pub(super) fn merged(mut one: Value, other: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (one.as_object_mut(), other) {
        fields.extend(more);
    }
    one
}
