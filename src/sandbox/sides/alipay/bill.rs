//! Alipay's daily bill: an address that works for half a minute, behind it a zip with two tables in GBK.

use std::io::{Cursor, Write};

use chrono::{Days, NaiveDate};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::sandbox::book::{Payment, Refund};
use crate::sandbox::played::Reply;
use crate::sandbox::sides::china;
use crate::sandbox::simulator::Desk;

/// Seconds that an address works.
const LIFETIME: i64 = 30;

const COLUMNS: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,\
    对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,\
    券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注";

fn tag(day: &str, until: i64) -> String {
    let key: Result<Hmac<Sha256>, _> = Hmac::new_from_slice(b"an address of the simulated bill");
    let mac = key.map(|key| key.chain_update(format!("{day}.{until}")).finalize().into_bytes());
    mac.map(hex::encode).unwrap_or_default()
}

/// `bill_download_url` of a day; there is none for the running day and days to come.
pub(super) fn address(
    desk: &Desk,
    business: &Value,
    now: i64,
) -> Result<Value, (&'static str, &'static str)> {
    let day = business["bill_date"].as_str().and_then(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok());
    let day = day.ok_or(("isv.invalid-arguments", "账单日期不合法"))?;
    if business["bill_type"] != "trade" {
        return Err(("isv.invalid-arguments", "只提供 trade 账单"));
    }
    if day >= china::day(now) {
        return Err(("isp.bill_not_exist", "账单不存在"));
    }
    let until = now + LIFETIME;
    let url = format!("{}/alipay/bill/{day}.{until}.{}", desk.base, tag(&day.to_string(), until));
    Ok(json!({ "bill_download_url": url }))
}

/// The file behind an address.
pub(super) fn download(desk: &Desk, seller: &str, token: &str, now: i64) -> Reply {
    let mut parts = token.splitn(3, '.');
    let mut part = || parts.next().unwrap_or_default();
    let (day, until, given) = (part(), part().parse::<i64>().unwrap_or_default(), part());
    let parsed = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok();
    match parsed.filter(|_| until >= now && tag(day, until) == given).and_then(|day| bill(desk, seller, day))
    {
        Some(zip) => Reply::bytes(200, "application/octet-stream", zip),
        None => Reply::bytes(404, "text/plain", "gone"),
    }
}

fn bill(desk: &Desk, seller: &str, day: NaiveDate) -> Option<Vec<u8>> {
    let (mut rows, mut taken, mut back) = (Vec::new(), (0, 0), (0, 0));
    desk.read(|book| {
        for payment in book.of("alipay") {
            for capture in payment.captures.iter().filter(|c| china::day(c.at) == day) {
                taken = (taken.0 + 1, taken.1 + capture.amount);
                rows.push(row(payment, &capture.trade_no, capture.amount, capture.at, None));
            }
            for refund in
                payment.refunds.iter().filter(|r| r.status == "succeeded" && china::day(r.at) == day)
            {
                back = (back.0 + 1, back.1 + refund.amount);
                rows.push(row(payment, &refund.trade_no, -refund.amount, refund.at, Some(refund)));
            }
        }
    });
    let line = "-".repeat(40);
    let next = day.checked_add_days(Days::new(1))?;
    let head = format!(
        "#支付宝业务明细查询\r\n#账号：[{seller}0156]\r\n#起始日期：[{}]   终止日期：[{}]\r\n#{line}业务明细列表{line}\r\n{COLUMNS}\r\n",
        day.format("%Y年%m月%d日 00:00:00"),
        next.format("%Y年%m月%d日 00:00:00"),
    );
    let foot = format!(
        "#{line}业务明细列表结束{line}\r\n#交易合计：{}笔，商家实收共{}元，商家优惠共0.00元\r\n\
         #退款合计：{}笔，商家实收退款共-{}元，商家优惠退款共0.00元\r\n#导出时间：[{}]\r\n",
        taken.0,
        china::yuan(taken.1),
        back.0,
        china::yuan(back.1),
        next.format("%Y年%m月%d日 09:00:00"),
    );
    let details = format!("{head}{}{foot}", rows.concat());
    let summary = format!(
        "#支付宝业务汇总查询\r\n#账号：[{seller}0156]\r\n门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）\r\n\
         ,合计,{},{},{net},{net}\r\n",
        taken.0,
        back.0,
        net = signed(taken.1 - back.1),
    );
    let name = |what: &str| format!("{seller}0156_{}_{what}.csv", day.format("%Y%m%d"));
    zipped(&[(name("业务明细"), details), (name("业务明细(汇总)"), summary)])
}

fn signed(fen: i64) -> String {
    format!("{}{}", if fen < 0 { "-" } else { "" }, china::yuan(fen.abs()))
}

/// Numbers end in a tabulator, so that spreadsheets take them for text.
fn row(payment: &Payment, trade: &str, amount: i64, at: i64, refund: Option<&Refund>) -> String {
    let kind = if refund.is_some() { "退款" } else { "交易" };
    let request = refund.map(|r| r.refund_id.as_deref().unwrap_or(&r.id)).unwrap_or_default();
    let fee = signed(-amount.signum() * china::fee(amount.abs()));
    let money = signed(amount);
    let title = payment.title.replace([',', '"', '\r', '\n'], " ");
    format!(
        "{trade}\t,{}\t,{kind}    ,{title},{},{},,,,\t,san***@sandbox.example,{money},{money},0.00,0.00,0.00,0.00,0.00,,\
         0.00,0.00,{request}\t,{fee},0.00,\r\n",
        payment.number,
        china::time(payment.created),
        china::time(at),
    )
}

fn zipped(files: &[(String, String)]) -> Option<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(name, SimpleFileOptions::default()).ok()?;
        zip.write_all(&encoding_rs::GBK.encode(text).0).ok()?;
    }
    Some(zip.finish().ok()?.into_inner())
}
