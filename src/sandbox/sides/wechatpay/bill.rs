//! The daily trade bill: an address with the hash of the unpacked file, behind it a table whose cells begin with a
//! back quote, packed by gzip when asked so.

use std::io::Write;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use chrono::NaiveDate;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::{NAME, WechatPayResult};
use crate::sandbox::book::{Payment, Refund};
use crate::sandbox::forms::Form;
use crate::sandbox::played::Reply;
use crate::sandbox::sides::china;
use crate::sandbox::simulator::Desk;

const COLUMNS: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,\
    付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,\
    商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";
const SUMMARY: &str =
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

/// `GET /v3/bill/tradebill`; there is none for the running day and days to come.
pub(super) fn address(desk: &Desk, mchid: &str, appid: &str, query: &Form, now: i64) -> WechatPayResult {
    let day = NaiveDate::parse_from_str(query.get("bill_date"), "%Y-%m-%d");
    let day = day.map_err(|_| (400, "PARAM_ERROR", "账单日期格式不正确"))?;
    if !["", "ALL"].contains(&query.get("bill_type")) {
        return Err((400, "PARAM_ERROR", "只提供 ALL 账单"));
    }
    if day >= china::day(now) {
        return Err((400, "NO_STATEMENT_EXIST", "账单文件不存在"));
    }
    let table = table(desk, mchid, appid, day).ok_or((400, "NO_STATEMENT_EXIST", "账单文件不存在"))?;
    let hash = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, table.as_bytes()));
    let url = format!(
        "{}/wechatpay/v3/billdownload/file?token={day}&tartype={}",
        desk.base,
        query.get("tar_type").to_ascii_lowercase()
    );
    Ok((200, json!({ "hash_type": "SHA1", "hash_value": hash, "download_url": url })))
}

/// The file; its answer is the only one that is not signed.
pub(super) fn download(desk: &Desk, mchid: &str, appid: &str, query: &Form) -> Reply {
    let day = NaiveDate::parse_from_str(query.get("token"), "%Y-%m-%d").ok();
    let Some(table) = day.and_then(|day| table(desk, mchid, appid, day)) else {
        return Reply::json(404, &json!({ "code": "NO_STATEMENT_EXIST", "message": "账单文件不存在" }));
    };
    if query.get("tartype") != "gzip" {
        return Reply::bytes(200, "text/plain", table);
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    match packed.write_all(table.as_bytes()).and_then(|()| packed.finish()) {
        Ok(bytes) => Reply::bytes(200, "application/x-gzip", bytes),
        Err(_) => Reply::empty(500),
    }
}

/// None on a day without trades.
fn table(desk: &Desk, mchid: &str, appid: &str, day: NaiveDate) -> Option<String> {
    let (mut rows, mut taken, mut back, mut fees) = (Vec::new(), 0, 0, 0);
    desk.read(|book| {
        for payment in book.of(NAME) {
            for capture in payment.captures.iter().filter(|c| china::day(c.at) == day) {
                taken += capture.amount;
                fees += china::fee(capture.amount);
                rows.push(row(payment, &capture.trade_no, capture.amount, capture.at, None, mchid, appid));
            }
            for refund in payment.refunds.iter().filter(|r| r.status != "failed" && china::day(r.at) == day) {
                back += refund.amount;
                fees -= china::fee(refund.amount);
                let (trade, amount) = (&refund.trade_no, refund.amount);
                rows.push(row(payment, trade, amount, refund.at, Some(refund), mchid, appid));
            }
        }
    });
    if rows.is_empty() {
        return None;
    }
    let money = |fen: i64| format!("{}{}", if fen < 0 { "-" } else { "" }, china::yuan(fen.abs()));
    let sums =
        [rows.len().to_string(), money(taken), money(back), money(0), money(fees), money(taken), money(back)];
    Some(format!("\u{feff}{COLUMNS}\r\n{}{SUMMARY}\r\n{}", rows.concat(), line(&sums.map(|sum| sum))))
}

fn line(cells: &[String]) -> String {
    cells
        .iter()
        .map(|cell| format!("`{}", cell.replace([',', '\r', '\n'], " ")))
        .collect::<Vec<_>>()
        .join(",")
        + "\r\n"
}

fn row(
    payment: &Payment,
    trade: &str,
    amount: i64,
    at: i64,
    refund: Option<&Refund>,
    mchid: &str,
    appid: &str,
) -> String {
    let (money, nothing) = (china::yuan(amount), || "0.00".to_owned());
    let fee = china::yuan(china::fee(amount));
    let back = refund.is_some();
    let either = |paid: &str, refunded: &str| if back { refunded.to_owned() } else { paid.to_owned() };
    let of_refund = |pick: fn(&Refund) -> String| refund.map(pick).unwrap_or_default();
    line(&[
        china::time(at),
        appid.to_owned(),
        mchid.to_owned(),
        "0".into(),
        String::new(),
        trade.to_owned(),
        payment.number.clone(),
        payment.note("openid").to_owned(),
        payment.note("trade_type").to_owned(),
        either("SUCCESS", "REFUND"),
        "OTHERS".into(),
        "CNY".into(),
        either(&money, "0.00"),
        nothing(),
        of_refund(|r| r.id.clone()),
        of_refund(|r| r.refund_id.clone().unwrap_or_default()),
        either("0.00", &money),
        nothing(),
        either("", "ORIGINAL"),
        of_refund(|r| if r.status == "succeeded" { "SUCCESS".into() } else { "PROCESSING".into() }),
        payment.title.clone(),
        payment.note("attach").to_owned(),
        if back { format!("-{fee}") } else { fee },
        "0.60%".into(),
        either(&money, "0.00"),
        either("0.00", &money),
        String::new(),
    ])
}
