//! Epay beyond the vectors: what the platform is answered, what is signed to it, which of its answers count, and that
//! a refund without a number goes out once.

use std::time::Duration;

use chrono::DateTime;
use dispense::base::money::{Currency, Money};
use dispense::base::secret::Secret;
use dispense::payments::gateways::epay_v1::EpayV1;
use dispense::payments::gateways::gateway::{
    AccountKeys, Action, Call, Calls, Closing, Evidence, Gateway, Meaning, NewPayment, NewRefund, PaymentRef,
    Queried, RawNotice, RefundRef, Refunding, Started, Stated, Statement, Verdict,
};
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::gateways_notices::outbound;
use super::loopback::{Loopback, Seen};

pub const KEY: &str = "k9XvT2mQ7wLs4RbN8cJf5HdG1pZaYe3U";
pub const NOW: i64 = 1_800_000_000;

pub fn cny(minor: i64) -> Money {
    Money::new(minor, Currency::parse("CNY").unwrap())
}

pub fn keys(base: &str, more: &[(&str, &str)]) -> AccountKeys {
    let settings = [("pid", "1001")].into_iter().chain(more.iter().copied());
    AccountKeys {
        id: "epay".into(),
        secrets: vec![Secret::new(KEY)],
        settings: settings.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        api_url: Some(base.to_owned()),
        sandbox: true,
        ..AccountKeys::default()
    }
}

/// The platform's signature, as its source has it.
fn md5_sign(pairs: &[(&str, &str)], joint: &str) -> String {
    let mut pairs: Vec<_> =
        pairs.iter().filter(|(n, v)| !v.is_empty() && *n != "sign" && *n != "sign_type").collect();
    pairs.sort();
    let text: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
    hex::encode(Md5::digest(format!("{}{joint}{KEY}", text.join("&"))))
}

pub fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The query of a notice about this order.
pub fn notice(number: &str, trade_no: &str, money: &str, joint: &str) -> String {
    let mut pairs = vec![
        ("pid", "1001"),
        ("trade_no", trade_no),
        ("out_trade_no", number),
        ("type", "alipay"),
        ("name", "product"),
        ("money", money),
        ("trade_status", "TRADE_SUCCESS"),
        ("param", ""),
    ];
    let sign = md5_sign(&pairs, joint);
    pairs.extend([("sign", sign.as_str()), ("sign_type", "MD5")]);
    encoded(&pairs)
}

pub fn get(query: &str) -> RawNotice {
    RawNotice { method: "GET".into(), query: query.into(), headers: vec![], body: vec![], now_unix: NOW }
}

/// Rows: P4.
#[test]
fn a_notice_comes_by_query_or_by_form_and_by_one_of_them_alone() {
    let (epay, keys) = (EpayV1::new(outbound()), keys("https://pay.example", &[]));
    let judge = |raw: &RawNotice| epay.authenticate(&keys, raw, &Evidence::default()).map_err(|r| r.reason);
    let query = notice("D1", "T1", "9.9", "");
    let by_get = get(&query);
    let by_post = RawNotice {
        method: "POST".into(),
        query: String::new(),
        body: query.clone().into_bytes(),
        ..by_get.clone()
    };
    for raw in [&by_get, &by_post] {
        let said = judge(raw).unwrap();
        assert_eq!((said.event_key(), said.amount_minor), ("T1:TRADE_SUCCESS", Some(990)));
    }
    let both = RawNotice { query: query.clone(), ..by_post.clone() };
    assert_eq!(judge(&both).unwrap_err(), "query_beside_form");
    for method in ["HEAD", "PUT", "get"] {
        assert_eq!(
            judge(&RawNotice { method: method.into(), ..by_get.clone() }).unwrap_err(),
            "method_not_allowed"
        );
    }
    assert_eq!(judge(&get("")).unwrap_err(), "sign_missing");
    assert_eq!(judge(&get(&query.replace("MD5", "md5"))).unwrap_err(), "sign_type_not_allowed");
    let sign = query.split("sign=").nth(1).unwrap()[..32].to_owned();
    assert_eq!(judge(&get(&query.replace(&sign, &sign.to_uppercase()))).unwrap_err(), "sign_mismatch");
    assert_eq!(judge(&get(&query.replace(&sign, &sign[..31]))).unwrap_err(), "sign_mismatch");
    for (money, minor) in [
        ("10", Ok(1_000)),
        ("0.01", Ok(1)),
        ("9.90", Ok(990)),
        ("9.999", Err("amount_malformed")),
        ("1e2", Err("amount_malformed")),
        ("-1", Err("amount_malformed")),
        ("9,9", Err("amount_malformed")),
        ("", Err("field_missing")),
    ] {
        let said = judge(&get(&notice("D1", "T1", money, "")));
        assert_eq!(said.map(|said| said.amount_minor.unwrap()), minor, "{money}");
    }
}

/// Rows: P4.
#[test]
fn how_text_and_key_are_joined_is_a_setting_and_never_tried() {
    let epay = EpayV1::new(outbound());
    let judge =
        |keys: &AccountKeys, query: &str| epay.authenticate(keys, &get(query), &Evidence::default()).is_ok();
    let (plain, forked) = (keys("https://x", &[]), keys("https://x", &[("joint", "key")]));
    let (bare, joined) = (notice("D1", "T1", "1", ""), notice("D1", "T1", "1", "&key="));
    assert_eq!([judge(&plain, &bare), judge(&plain, &joined)], [true, false]);
    assert_eq!([judge(&forked, &bare), judge(&forked, &joined)], [false, true]);
    let mut rotated = plain.clone();
    rotated.secrets.insert(0, Secret::new("another key that comes after it."));
    let said = epay.authenticate(&rotated, &get(&bare), &Evidence::default()).unwrap();
    assert_eq!(said.verified_by(), 2);
}

/// Rows: P4.
#[test]
fn failure_is_answered_without_the_word_that_the_platform_looks_for() {
    let epay = EpayV1::new(outbound());
    assert_eq!(epay.reply(Verdict::Success).body, "success");
    for verdict in [Verdict::TryLater, Verdict::Refused] {
        let reply = epay.reply(verdict);
        assert!(reply.status >= 400 && !reply.body.to_lowercase().contains("success"));
    }
}

/// Rows: O6.
#[test]
fn an_account_without_key_or_platform_does_not_start() {
    let epay = EpayV1::new(outbound());
    let reported = |change: &dyn Fn(&mut AccountKeys)| {
        let mut keys = keys("https://pay.example", &[]);
        change(&mut keys);
        epay.faults(&keys).into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert!(reported(&|_| ()).is_empty());
    assert_eq!(reported(&|keys| keys.secrets.clear()), ["secrets"]);
    assert_eq!(reported(&|keys| keys.secrets = vec![Secret::new("")]), ["secrets"]);
    assert_eq!(reported(&|keys| keys.api_url = None), ["api_url"]);
    assert_eq!(
        reported(&|keys| drop(keys.settings.insert("joint".into(), "both".into()))),
        ["settings.joint"]
    );
    assert_eq!(reported(&|keys| drop(keys.settings.insert("pid".into(), "1 or 1".into()))), ["settings.pid"]);
    assert_eq!(epay.unit(Currency::USD), None);
}

pub fn payment<'a>(number: &'a str, accepts: &'a [String]) -> NewPayment<'a> {
    let at = DateTime::from_timestamp(NOW, 0).unwrap();
    NewPayment {
        number,
        payment_id: "pay_1",
        money: cny(990),
        title: "两把钥匙 & 100%",
        locale: "zh",
        email: None,
        return_url: "https://shop.example/return/1",
        cancel_url: "https://shop.example/return/1",
        notify_url: "https://shop.example/webhooks/epay",
        started_at: at,
        expires_at: at + chrono::TimeDelta::minutes(30),
        accepts,
        sdks: &[],
        platform: Some("mobile_web"),
        payer: None,
        client_address: Some("203.0.113.7"),
    }
}

pub fn call<'a>(keys: &'a AccountKeys) -> Call<'a> {
    Call { keys, now_unix: NOW, timeout: Duration::from_secs(5) }
}

pub fn named(trade_no: Option<&str>) -> PaymentRef<'_> {
    PaymentRef { number: "D1", gateway_reference: None, trade_no, money: cny(990) }
}

/// Rows: P2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_is_a_signed_form_an_address_or_a_code() {
    let side = Loopback::start(|_| {
        (200, json!({ "code": 1, "trade_no": "T1", "qrcode": "weixin://pay/1" }).to_string())
    })
    .await;
    let epay = EpayV1::new(outbound());
    let (any, of_type) = (keys(&side.base, &[]), keys(&side.base, &[("type", "wxpay")]));
    let accepts = |kinds: &[&str]| kinds.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
    let start = async |keys: &AccountKeys, kinds: &[&str]| -> Started {
        epay.start(&call(keys), &payment("D1", &accepts(kinds))).await.unwrap()
    };
    let check = |fields: &[(String, String)]| {
        let pairs: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let value = |name: &str| pairs.iter().find(|(n, _)| *n == name).unwrap().1;
        assert_eq!(value("sign"), md5_sign(&pairs, ""));
        assert_eq!([value("money"), value("sign_type"), value("name")], ["9.90", "MD5", "两把钥匙 & 100%"]);
    };
    let Action::Form { url, fields } = start(&any, &["form", "qr"]).await.action else { panic!() };
    assert_eq!(url, format!("{}/submit.php", side.base));
    check(&fields);
    let Action::Redirect { url } = start(&any, &[]).await.action else { panic!() };
    let query = url.strip_prefix(&format!("{}/submit.php?", side.base)).unwrap();
    check(&url::form_urlencoded::parse(query.as_bytes()).into_owned().collect::<Vec<_>>());
    assert!(side.seen().is_empty(), "neither needs a call");
    assert_eq!(start(&of_type, &["form", "qr"]).await.action, Action::Qr { text: "weixin://pay/1".into() });
    let sent = side.last("POST /mapi.php");
    check(&url::form_urlencoded::parse(sent.body.as_bytes()).into_owned().collect::<Vec<_>>());
    assert_eq!(
        ["clientip", "device", "type"].map(|n| sent.parameter(n).unwrap()),
        ["203.0.113.7", "mobile", "wxpay"]
    );
    let accepted = accepts(&["qr"]);
    for (status, body) in
        [(500, "success"), (200, "<html>success</html>"), (200, "{}"), (200, r#"{"code":1}"#)]
    {
        side.answer_by(move |_| (status, body.into()));
        let unclear = epay.start(&call(&of_type), &payment("D1", &accepted)).await.unwrap_err();
        assert!(format!("{unclear:?}").starts_with("Unknown"), "{body}: {unclear:?}");
    }
    side.answer_by(|_| (200, r#"{"code":-1,"msg":"no"}"#.into()));
    let refused = epay.start(&call(&of_type), &payment("D1", &accepted)).await.unwrap_err();
    assert!(format!("{refused:?}").starts_with("Refused"));
}

/// One of the platform's orders.
pub fn platforms(number: &str, status: i64, money: &str) -> Value {
    json!({
        "code": 1, "msg": "succ", "trade_no": "T1", "out_trade_no": number, "type": "alipay", "pid": 1001, "money": money,
        "status": status.to_string(), "addtime": "2027-01-15 15:58:00", "endtime": "2027-01-15 15:59:00",
    })
}

/// Rows: P2, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_counts_only_when_it_is_about_our_order() {
    let side = Loopback::start(|_| (200, platforms("D1", 1, "9.90").to_string())).await;
    let (epay, keys) = (EpayV1::new(outbound()), keys(&side.base, &[]));
    let ask = async || epay.query(&call(&keys), &named(None)).await;
    let Queried::Known(state) = ask().await else { panic!() };
    assert_eq!(
        (state.meaning, state.amount_minor, state.trade_no.as_deref()),
        (Meaning::Paid, Some(990), Some("T1"))
    );
    let asked = side.last("GET /api.php");
    assert_eq!(
        ["act", "pid", "out_trade_no", "key"].map(|n| asked.parameter(n).unwrap()),
        ["order", "1001", "D1", KEY]
    );
    for (status, meaning) in [(0, Meaning::Open), (2, Meaning::Refunded), (4, Meaning::Pending)] {
        side.answer_by(move |_| (200, platforms("D1", status, "9.90").to_string()));
        assert!(matches!(ask().await, Queried::Known(state) if state.meaning == meaning));
    }
    let mut other_pid = platforms("D1", 1, "9.90");
    other_pid["pid"] = 1002.into();
    for wrong in [
        platforms("D2", 1, "9.90"),
        other_pid,
        platforms("D1", 3, "9.90"),
        platforms("D1", 9, "9.90"),
        platforms("D1", 1, "9.905"),
        json!({ "code": -3, "msg": "商户密钥错误" }),
        json!([]),
    ] {
        side.answer_by(move |_| (200, wrong.to_string()));
        assert!(matches!(ask().await, Queried::Unknown(_)));
    }
    side.answer_by(|_| (200, r#"{"code":-1,"msg":"订单号不存在"}"#.into()));
    assert!(matches!(ask().await, Queried::NotFound));
    assert!(matches!(epay.close(&call(&keys), &named(None)).await, Closing::NothingToClose));
    side.answer_by(|_| (200, platforms("D1", 0, "9.90").to_string()));
    assert!(matches!(epay.close(&call(&keys), &named(None)).await, Closing::Unsupported));
    side.answer_by(|_| (200, platforms("D1", 1, "9.90").to_string()));
    assert!(matches!(epay.close(&call(&keys), &named(None)).await, Closing::AlreadyPaid(_)));
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_goes_out_once_and_an_unclear_answer_stays_unclear() {
    let side = Loopback::start(|_| (200, platforms("D1", 1, "9.90").to_string())).await;
    let (epay, keys) = (EpayV1::new(outbound()), keys(&side.base, &[]));
    let refund = async |minor| {
        let payment = named(Some("T1"));
        epay.refund(
            &call(&keys),
            &NewRefund { refund_id: "ref_1", payment, amount: cny(minor), reason: None },
        )
        .await
    };
    let answer = |status: i64, code: u16, body: &'static str| {
        side.answer_by(move |seen: &Seen| match seen.what.as_str() {
            "POST /api.php" => (code, body.into()),
            _ => (200, platforms("D1", status, "9.90").to_string()),
        });
    };
    let done = Refunding::Succeeded { gateway_refund_id: "ref_1".into() };
    for body in [r#"{"code":0,"msg":"ok"}"#, r#"{"code":1,"msg":"ok"}"#, r#"{"code":"1"}"#] {
        answer(1, 200, body);
        assert_eq!(refund(400).await, done, "{body}");
    }
    let sent = side.last("POST /api.php");
    assert_eq!(
        ["trade_no", "money", "pid", "key"].map(|n| sent.parameter(n).unwrap()),
        ["T1", "4.00", "1001", KEY]
    );
    for (code, body) in [(502, ""), (200, "<html>"), (200, "{}"), (200, r#"{"code":7}"#)] {
        answer(1, code, body);
        assert!(matches!(refund(400).await, Refunding::Unknown(_)), "{body}");
    }
    let calls = side.count("POST /api.php");
    answer(1, 200, r#"{"code":-1,"msg":"商户余额不足"}"#);
    assert!(matches!(refund(400).await, Refunding::Failed { code, .. } if code == "-1"));
    // What is not a paid order of this trade is not refunded at all; nothing is sent.
    answer(2, 200, r#"{"code":1}"#);
    assert_eq!(refund(990).await, done, "all of it is back already");
    assert!(matches!(refund(400).await, Refunding::Failed { code, .. } if code == "not_refundable"));
    answer(0, 200, r#"{"code":1}"#);
    assert!(matches!(refund(990).await, Refunding::Failed { code, .. } if code == "not_refundable"));
    side.answer_by(|_| (500, String::new()));
    assert!(matches!(refund(990).await, Refunding::Failed { code, .. } if code == "not_sent"));
    assert_eq!(side.count("POST /api.php"), calls + 1);
    let asked = RefundRef {
        refund_id: "ref_1",
        gateway_refund_id: None,
        payment: named(Some("T1")),
        amount: named(Some("T1")).money,
    };
    answer(1, 200, "{}");
    assert!(matches!(epay.refund_query(&call(&keys), &asked).await, Refunding::Unknown(_)));
    answer(2, 200, "{}");
    assert_eq!(epay.refund_query(&call(&keys), &asked).await, done);
    // Any part may have made it "refunded": of this part it proves nothing.
    let part = RefundRef { amount: cny(400), ..asked };
    assert!(matches!(epay.refund_query(&call(&keys), &part).await, Refunding::Unknown(_)));
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_days_orders_are_read_page_by_page() {
    let order = |n: usize, status: i64, day: &str| {
        let mut order = platforms(&format!("D{n}"), status, "9.90");
        (order["trade_no"], order["addtime"], order["endtime"]) =
            (format!("T{n}").into(), format!("{day} 10:00:00").into(), format!("{day} 10:01:00").into());
        order
    };
    let mut all: Vec<Value> = (0..49).map(|n| order(n, 0, "2027-01-16")).collect();
    all.extend([
        order(49, 1, "2027-01-16"),
        order(50, 1, "2027-01-15"),
        order(51, 2, "2027-01-15"),
        order(52, 1, "2027-01-14"),
    ]);
    let kept = all.clone();
    let side = Loopback::start(move |seen| {
        let from: usize = seen.parameter("offset").unwrap().parse().unwrap();
        let page: Vec<&Value> = kept.iter().skip(from).take(50).collect();
        (200, json!({ "code": 1, "count": page.len(), "data": page }).to_string())
    })
    .await;
    let (epay, keys) = (EpayV1::new(outbound()), keys(&side.base, &[]));
    let late = Call { now_unix: NOW + 200_000, ..call(&keys) };
    let day = "2027-01-15".parse().unwrap();
    let Statement::Entries(entries) = epay.statement(&late, day).await else { panic!() };
    let lines = super::stated::lines(&entries);
    let short: Vec<_> = lines.iter().map(|l| (l.stated, l.trade_no.as_str(), l.amount_minor)).collect();
    assert_eq!(
        short,
        [(Stated::Payment, "T50", 990), (Stated::Payment, "T51", 990), (Stated::RefundSum, "T51", 990)]
    );
    assert_eq!(lines[0].at.to_rfc3339(), "2027-01-15T02:01:00+00:00", "the platform's clock is China's");
    assert!(matches!(epay.statement(&call(&keys), "2027-01-16".parse().unwrap()).await, Statement::NotReady));
    let file = json!({ "code": 1, "data": all }).to_string();
    assert_eq!(epay.read_statement(&keys, file.as_bytes()).unwrap().len(), 5);
    // A fork that knows no pages would give the same one for ever.
    side.answer_by(move |_| (200, json!({ "code": 1, "data": all[..50] }).to_string()));
    assert!(matches!(epay.statement(&late, day).await, Statement::Unknown(_)));
}
