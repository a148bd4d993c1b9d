//! Statements as Alipay and WeChat Pay give them out: fetched, and read from a file.

use std::io::{Cursor, Write};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use chrono::NaiveDate;
use dispense::payments::gateways::gateway::{
    AccountKeys, Calls, Gateway, Stated, Statement, StatementEntry, StatementLine,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use zip::write::SimpleFileOptions;

use super::gateways_alipay::{self, NOW, call};
use super::gateways_wechatpay::{self, PUBLIC_ID, headers};
use super::stated::{self, unread};
use crate::harness::played::{Played, Said, Seen};

pub const DETAILS: &str = "#支付宝业务明细查询\r\n#账号：[20886219557012340156]\r\n#起始日期：[2027年01月14日 00:00:00]   终止日期：[2027年01月15日 00:00:00]\r\n#-----------------------------------------业务明细列表----------------------------------------\r\n支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注\r\n2027011422001,D1_2\t,交易\t,充值卡,2027-01-14 15:58:01,2027-01-14 15:58:40,,,,,张三(zs***@x.com)\t,9.90,9.90,0.00,0.00,0.00,0.00,0.00,,0.00,0.00,,-0.06,0.00,\r\n2027011422001,D1_2\t,退款\t,充值卡,2027-01-14 15:58:01,2027-01-14 16:20:00,,,,,张三(zs***@x.com)\t,-3.00,-3.00,0.00,0.00,0.00,0.00,0.00,,0.00,0.00,ref_1,0.02,0.00,\r\n2027011422002,D2\t,交易\t,a, b,2027-01-14 17:00:00,2027-01-14 17:00:01,,,,,李四\t,100.00,100.00,0.00,0.00,0.00,0.00,0.00,,0.00,0.00,,-0.60,0.00,\r\n#-----------------------------------------业务明细列表结束------------------------------------\r\n#交易合计：2笔，商家实收共109.90元，商家优惠共0.00元\r\n#导出时间：[2027年01月15日 08:00:00]\r\n";

const SUMS: &str = "#支付宝业务汇总查询\r\n门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）\r\n合计,,2,1,106.90\r\n";

pub fn zipped(details: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [("sums.csv", SUMS), ("details.csv", details)] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(&encoding_rs::GBK.encode(text).0).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2027, 1, 14).unwrap()
}

/// What matters of a line.
fn reported(entries: &[StatementEntry]) -> Vec<String> {
    let lines = stated::lines(entries);
    let refund = |line: &StatementLine| line.refund_id.clone().unwrap_or_default();
    let text = |line: &StatementLine| {
        let (number, fee) = (line.number.clone().unwrap_or_default(), line.fee_minor.unwrap());
        let kind = if line.stated == Stated::Payment { "payment" } else { "refund" };
        let (at, amount) = (line.at.to_rfc3339(), line.amount_minor);
        format!("{kind} {number} {} {amount} fee {fee} {} {at}", line.trade_no, refund(line))
    };
    lines.iter().map(text).collect()
}

/// Rows: P8.
#[test]
fn alipays_statement_is_read_from_its_zip_and_a_broken_line_is_named() {
    let gateway = gateways_alipay::gateway();
    let keys = gateways_alipay::Keys::new().account();
    let read = |file: &[u8]| gateway.read_statement(&keys, file);
    let expected = [
        "payment D1-2 2027011422001 990 fee 6  2027-01-14T07:58:40+00:00",
        "refund D1-2 2027011422001 300 fee -2 ref_1 2027-01-14T08:20:00+00:00",
        "payment D2 2027011422002 10000 fee 60  2027-01-14T09:00:01+00:00",
    ];
    assert_eq!(reported(&read(&zipped(DETAILS)).unwrap()), expected);
    assert_eq!(reported(&read(&encoding_rs::GBK.encode(DETAILS).0).unwrap()), expected, "the table alone");
    let with = |from: &str, to: &str| read(&zipped(&DETAILS.replacen(from, to, 1)));
    // A line that cannot be read leaves the others, and is reported with its place and what it is about.
    let fault = |from: &str, to: &str, others: usize| {
        let entries = with(from, to).unwrap();
        let [wrong] = unread(&entries).try_into().unwrap();
        assert_eq!(entries.len(), others + 1, "{wrong}");
        wrong
    };
    let wrong = "line 6: `9.901` is no amount in yuan (2027011422001)";
    assert_eq!(fault(",9.90,9.90", ",9.901,9.90", 2), wrong);
    let signs = read(&zipped(&DETAILS.replacen("-3.00", "3.00", 1).replacen(",9.90,9.90", ",-9.90,9.90", 1)))
        .unwrap();
    let signs: Vec<_> = stated::lines(&signs).iter().map(|line| line.amount_minor).collect();
    assert_eq!(signs, [-990, -300, 10_000]);
    for (account, said) in [("2099", "20996219557012340156"), ("", "6219557012340156")] {
        let other = format!("账号：[{account}");
        assert_eq!(
            with("账号：[2088", &other).unwrap_err(),
            format!("the statement is another merchant's: {said}")
        );
    }
    assert_eq!(
        with("账号：[20886219557012340156]", "账号：[]").unwrap_err(),
        "the statement is another merchant's: "
    );
    let kind = fault("退款\t", "红包\t", 2);
    assert!(kind.starts_with("line 7: `红包` is no kind of business this program knows (unread:"), "{kind}");
    assert_eq!(kind, fault("退款\t", "红包\t", 2), "the same however often it is read");
    assert_eq!(
        fault("2027-01-14 17:00:01", "yesterday", 2),
        "line 8: `yesterday` is no time (2027011422002)"
    );
    let torn = with("2027011422002,D2\t,交易\t,a, b,", "2027011422002,D2\t\r\n").unwrap();
    let torn: Vec<_> = unread(&torn).iter().map(|text| text.split(" (").next().unwrap().to_owned()).collect();
    assert_eq!(torn[0], "line 8: has too few cells");
    assert!(torn[1].starts_with("line 9: "));
    let torn = with(",9.90,9.90,0.00", "\r\n").unwrap();
    assert_eq!(unread(&torn)[0], "line 6: has too few cells (2027011422001)");
    assert_eq!(read(b"hello").unwrap_err(), "the file is no statement of trades");
    assert!(read(b"PK\x03\x04nothing").unwrap_err().starts_with("the zip cannot be read"));
    let mut without = zip::ZipWriter::new(Cursor::new(Vec::new()));
    without.start_file("a.txt", SimpleFileOptions::default()).unwrap();
    let empty = without.finish().unwrap().into_inner();
    assert_eq!(read(&empty).unwrap_err(), "the zip holds no statement of trades");
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alipays_statement_is_fetched_by_its_address() {
    let keys = Arc::new(gateways_alipay::Keys::new());
    let its = keys.clone();
    let played = Played::start(move |seen: &Seen| {
        if seen.method == "GET" {
            assert_eq!(seen.target, "/bill?token=1");
            return Said::new(200, zipped(DETAILS));
        }
        let content = seen.fields().into_iter().find(|(name, _)| name == "biz_content").unwrap().1;
        let inner = match content.as_str() {
            r#"{"bill_date":"2027-01-14","bill_type":"trade"}"# => {
                format!(
                    r#"{{"code":"10000","bill_download_url":"http://{}/bill?token=1"}}"#,
                    seen.header("host")
                )
            }
            r#"{"bill_date":"2027-01-13","bill_type":"trade"}"# => {
                r#"{"code":"10000","bill_download_url":"file:///etc/passwd"}"#.to_owned()
            }
            _ => r#"{"code":"40004","sub_code":"isp.bill_not_exist","sub_msg":"no"}"#.to_owned(),
        };
        let name = "alipay_data_dataservice_bill_downloadurl_query_response";
        Said::new(200, format!(r#"{{"{name}":{inner},"sign":"{}"}}"#, its.theirs.sign(inner.as_bytes())))
    })
    .await;
    let account = keys.at(&played);
    let gateway = gateways_alipay::gateway();
    let fetch = async |day: NaiveDate| gateway.statement(&call(&account), day).await;
    let Statement::Entries(entries) = fetch(day()).await else { panic!() };
    assert_eq!(entries.len(), 3);
    assert!(matches!(fetch(day().pred_opt().unwrap()).await, Statement::Unknown(_)));
    // It is 16:00 of the 15th in Beijing: the 15th is not out, the 12th had no trades.
    assert!(matches!(fetch(day().succ_opt().unwrap()).await, Statement::NotReady));
    let quiet = NaiveDate::from_ymd_opt(2027, 1, 12).unwrap();
    assert!(matches!(fetch(quiet).await, Statement::Entries(entries) if entries.is_empty()));
}

pub const TABLE: &str = "\u{feff}交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n\
`2027-01-14 15:58:40,`wxd678efh567hg6787,`1900009191,`0,`,`4200001,`D1-2,`oUpF8,`NATIVE,`SUCCESS,`OTHERS,`CNY,`8.90,`1.00,`0,`0,`0.00,`0.00,`,`,`卡, 一张,`,`0.05940,`0.60%,`9.90,`0.00,`\r\n\
`2027-01-14 15:58:40,`wxd678efh567hg6787,`1900009191,`0,`,`4200001,`D1-2,`oUpF8,`NATIVE,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`5030001,`ref_1,`2.70,`0.00,`ORIGINAL,`PROCESSING,`卡, 一张,`,`-0.01800,`0.60%,`0.00,`3.00,`\r\n\
`2027-01-14 15:59:00,`wxd678efh567hg6787,`1900009191,`0,`,`4200002,`D2,`oUpF8,`JSAPI,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`5030002,`ref_2,`1.00,`0.00,`ORIGINAL,`FAIL,`卡,`,`0.00000,`0.60%,`0.00,`1.00,`\r\n\
总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n\
`3,`8.90,`3.70,`0.00,`0.04140,`9.90,`4.00\r\n";

pub fn packed(table: &str) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    gz.write_all(table.as_bytes()).unwrap();
    gz.finish().unwrap()
}

const EXPECTED: [&str; 2] = [
    "payment D1-2 4200001 990 fee 6  2027-01-14T07:58:40+00:00",
    "refund D1-2 4200001 300 fee -2 ref_1 2027-01-14T07:58:40+00:00",
];

/// Rows: P8.
#[test]
fn wechats_statement_is_read_packed_or_not_and_a_broken_line_is_named() {
    let gateway = gateways_wechatpay::gateway();
    let keys = gateways_wechatpay::Keys::new().account();
    let read = |file: &[u8]| gateway.read_statement(&keys, file);
    let entries = read(&packed(TABLE)).unwrap();
    assert_eq!(reported(&entries), EXPECTED);
    let lines = stated::lines(&entries);
    assert_eq!(lines[1].gateway_refund_id.as_deref(), Some("5030001"));
    assert_eq!((lines[0].refund_id.clone(), lines[0].gateway_refund_id.clone()), (None, None));
    assert_eq!(reported(&read(TABLE.as_bytes()).unwrap()), EXPECTED);
    let with = |from: &str, to: &str| read(TABLE.replacen(from, to, 1).as_bytes());
    // A line that cannot be read leaves the others, and is reported with its place and what it is about.
    let fault = |from: &str, to: &str| {
        let [wrong] = unread(&with(from, to).unwrap()).try_into().unwrap();
        wrong
    };
    assert_eq!(fault("`9.90", "`9.9o"), "line 2: `9.9o` is no amount in yuan (4200001)");
    assert_eq!(fault("`9.90", "`19,00"), "line 2: `19,00` is no amount in yuan (4200001)");
    assert_eq!(fault("`REFUND", "`LATER"), "line 3: `LATER` is no state this program knows (5030001)");
    let stray = fault("`2027-01-14 15:59:00", "2027-01-14");
    assert!(stray.starts_with("line 4: is neither a trade nor a sum (unread:"), "{stray}");
    let torn = with("`卡, 一张", "`卡\n 一张").unwrap();
    assert_eq!(unread(&torn).len(), 2, "a torn line and its rest");
    assert_eq!(torn.len(), 3);
    assert_eq!(with("`1900009191", "`1900009192").unwrap_err(), "line 2: is another merchant's: 1900009192");
    let nobody = AccountKeys::default();
    assert!(gateway.read_statement(&nobody, TABLE.as_bytes()).unwrap_err().contains("no `mchid`"));
    let back = stated::lines(&with("`3.00,`\r", "`-3.00,`\r").unwrap());
    assert_eq!(back[1].amount_minor, -300, "signs are kept");
    let counted = with("`3,`8.90", "`4,`8.90").unwrap_err();
    assert_eq!(counted, "the statement says that it has 4 trades, and has 3");
    let mut binary = TABLE.as_bytes().to_vec();
    binary[TABLE.find("4200002").unwrap()] = 0xff;
    assert_eq!(unread(&read(&binary).unwrap()), ["line 4: is not in UTF-8 (5030002)"]);
    let cut = &TABLE[..TABLE.find("总交易单数").unwrap()];
    assert_eq!(read(cut.as_bytes()).unwrap_err(), "the statement is cut off: it has no sums");
    assert_eq!(read(b"hello").unwrap_err(), "the file is no statement of trades");
    assert!(read(&packed(TABLE)[..100]).unwrap_err().starts_with("the statement cannot be unpacked"));
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechats_statement_is_believed_by_the_hash_in_a_signed_answer() {
    let keys = Arc::new(gateways_wechatpay::Keys::new());
    let its = keys.clone();
    let played = Played::start(move |seen: &Seen| {
        assert!(seen.header("authorization").starts_with("WECHATPAY2-SHA256-RSA2048 "));
        if seen.target.starts_with("/v3/billdownload/file?token=") {
            return Said::new(200, packed(TABLE));
        }
        let day = seen.target.split(['=', '&']).nth(1).unwrap();
        assert_eq!(seen.target, format!("/v3/bill/tradebill?bill_date={day}&bill_type=ALL&tar_type=GZIP"));
        let hash = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, TABLE.as_bytes()));
        let host = seen.header("host");
        let (status, answer) = match day {
            "2027-01-14" => (200, json!({ "hash_type": "SHA1", "hash_value": hash, "download_url": format!("http://{host}/v3/billdownload/file?token=1") })),
            "2027-01-13" => (200, json!({ "hash_type": "SHA1", "hash_value": "0".repeat(40), "download_url": format!("http://{host}/v3/billdownload/file?token=2") })),
            "2027-01-12" => (200, json!({ "hash_type": "SHA1", "hash_value": hash, "download_url": "http://127.0.0.1:1/v3/billdownload/file?token=3" })),
            "2027-01-15" => (400, json!({ "code": "STATEMENT_CREATING" })),
            _ => (400, json!({ "code": "NO_STATEMENT_EXIST" })),
        };
        let body = answer.to_string();
        Said { headers: headers(&its.public, PUBLIC_ID, NOW, &body), ..Said::new(status, body) }
    })
    .await;
    let account = keys.at(&played);
    let gateway = gateways_wechatpay::gateway();
    let fetch = async |d: u32| {
        let day = NaiveDate::from_ymd_opt(2027, 1, d).unwrap();
        gateway.statement(&call(&account), day).await
    };
    assert!(matches!(fetch(14).await, Statement::Entries(entries) if reported(&entries) == EXPECTED));
    let Statement::Unknown(text) = fetch(13).await else { panic!() };
    assert!(text.contains("SHA-1 differs"), "{text}");
    let Statement::Unknown(text) = fetch(12).await else { panic!() };
    assert!(text.contains("not the platform's"), "our signature goes nowhere else: {text}");
    assert!(matches!(fetch(15).await, Statement::NotReady));
    assert!(matches!(fetch(16).await, Statement::NotReady));
    assert!(matches!(fetch(11).await, Statement::Entries(entries) if entries.is_empty()));
}
