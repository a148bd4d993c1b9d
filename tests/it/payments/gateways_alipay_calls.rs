//! Alipay's calls against a gateway of a few lines.

use std::sync::Arc;

use chrono::TimeDelta;
use dispense::base::money::{Currency, Money};
use dispense::payments::gateways::gateway::{
    AccountKeys, Action, Calls, Closing, Expected, Gateway, Match, Meaning, NewPayment, NewRefund,
    PaymentRef, Queried, RefundRef, Refunding, StartFailure, matches,
};

use super::gateways_alipay::{APP, Keys, call, cny, gateway, named, payment, start_time, text_of, words};
use crate::harness::played::{Played, Said, Seen};
use crate::harness::rsa::Pair;

/// The body of an answer, signed over the inner object's text.
fn answer(key: &Pair, method: &str, inner: &str) -> String {
    let name = method.replace('.', "_");
    format!(r#"{{"{name}_response":{inner},"sign":"{}"}}"#, key.sign(inner.as_bytes()))
}

/// The request's method; its signature is checked with our public key over all parameters but `sign`.
fn method_of(ours: &Pair, seen: &[(String, String)]) -> String {
    let find = |name: &str| seen.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let text = text_of(seen, |name| name != "sign");
    assert!(ours.signed(text.as_bytes(), &find("sign")), "signed over {text}");
    assert_eq!((find("app_id").as_str(), find("sign_type").as_str()), (APP, "RSA2"));
    assert_eq!((find("timestamp").as_str(), find("charset").as_str()), ("2027-01-15 16:00:00", "utf-8"));
    find("method")
}

fn biz(seen: &[(String, String)]) -> serde_json::Value {
    let content = seen.iter().find(|(name, _)| name == "biz_content").unwrap();
    serde_json::from_str(&content.1).unwrap()
}

/// A gateway that answers each method with an inner object of the test's.
async fn plays(answers: &'static [(&'static str, &'static str)]) -> (Arc<Keys>, Played) {
    let keys = Arc::new(Keys::new());
    let its = keys.clone();
    let played = Played::start(move |seen: &Seen| {
        assert_eq!((seen.method.as_str(), seen.target.split('?').next()), ("POST", Some("/gateway.do")));
        let method = method_of(&its.ours, &seen.fields());
        let inner = answers.iter().find(|(name, _)| *name == method).expect(&method).1;
        Said::new(200, answer(&its.theirs, &method, inner))
    });
    (keys.clone(), played.await)
}

/// Rows: P2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alipay_pages_and_the_apps_order_are_signed_without_a_call() {
    let keys = Keys::new();
    let account = keys.account();
    let fields = |url: &str| -> Vec<(String, String)> {
        url::Url::parse(url).unwrap().query_pairs().into_owned().collect()
    };
    let start = async |accepts: &[&str], sdks: &[&str], platform| {
        let (accepts, sdks) = (words(accepts), words(sdks));
        gateway().start(&call(&account), &payment(&accepts, &sdks, platform)).await.unwrap()
    };
    let page = start(&[], &[], None).await;
    let Action::Redirect { url } = &page.action else { panic!("{page:?}") };
    assert!(url.starts_with("https://openapi.alipay.com/gateway.do?"), "{url}");
    assert_eq!(method_of(&keys.ours, &fields(url)), "alipay.trade.page.pay");
    let trade = biz(&fields(url));
    let expected = serde_json::json!({
        "out_trade_no": "D1_2", "total_amount": "9.90", "subject": "My shop D1",
        "time_expire": "2027-01-15 16:30:00", "product_code": "FAST_INSTANT_TRADE_PAY",
    });
    assert_eq!(trade, expected);
    assert_eq!(page.expires_at, Some(start_time() + TimeDelta::minutes(30)));
    let find = |name: &str| fields(url).into_iter().find(|(n, _)| n == name).unwrap().1;
    assert_eq!(find("notify_url"), "https://shop.example/webhooks/ali");
    assert_eq!(find("return_url"), "https://shop.example/return/1");

    let Action::Form { url, fields: hidden } = start(&["form"], &[], Some("desktop")).await.action else {
        panic!()
    };
    assert_eq!(hidden.len(), 1);
    assert_eq!(method_of(&keys.ours, &[fields(&url), hidden].concat()), "alipay.trade.page.pay");

    let Action::Redirect { url } = start(&["redirect", "qr"], &[], Some("mobile_web")).await.action else {
        panic!()
    };
    assert_eq!(method_of(&keys.ours, &fields(&url)), "alipay.trade.wap.pay");
    assert_eq!(biz(&fields(&url))["quit_url"], "https://shop.example/cancel/1");
    assert_eq!(biz(&fields(&url))["product_code"], "QUICK_WAP_WAY");

    let app = start(&["sdk"], &["alipay.app"], Some("ios")).await.action;
    let Action::Sdk { name, parameters } = app else { panic!("{app:?}") };
    assert_eq!((name.as_str(), parameters.as_object().unwrap().len()), ("alipay.app", 1));
    let order = parameters["orderString"].as_str().unwrap();
    let order: Vec<_> = url::form_urlencoded::parse(order.as_bytes()).into_owned().collect();
    assert_eq!(method_of(&keys.ours, &order), "alipay.trade.app.pay");
    assert_eq!(biz(&order)["product_code"], "QUICK_MSECURITY_PAY");
    assert!(order.iter().all(|(name, _)| name != "return_url"));
    let dollars = NewPayment { money: Money::new(1, Currency::USD), ..payment(&[], &[], None) };
    let refused = gateway().start(&call(&account), &dollars).await.unwrap_err();
    assert!(matches!(refused, StartFailure::Refused { code, .. } if code == "amount_inexpressible"));
}

/// Rows: P2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alipays_code_is_asked_for_by_a_signed_call_and_answered_over_the_raw_text() {
    // Slashes escaped and spaces kept, as no re-serialised copy would have them.
    let inner = r#"{ "code":"10000","msg":"Success","out_trade_no":"D1_2","qr_code":"https:\/\/qr.alipay.com\/bax1"}"#;
    let (keys, played) = plays(Box::leak(Box::new([("alipay.trade.precreate", inner)]))).await;
    let (account, accepts) = (keys.at(&played), words(&["qr", "redirect"]));
    let long = NewPayment { expires_at: start_time() + TimeDelta::hours(9), ..payment(&accepts, &[], None) };
    let started = gateway().start(&call(&account), &long).await.unwrap();
    assert_eq!(started.action, Action::Qr { text: "https://qr.alipay.com/bax1".into() });
    assert_eq!(started.expires_at, Some(start_time() + TimeDelta::hours(2)), "codes live two hours");
    assert_eq!(biz(&played.last().fields())["time_expire"], "2027-01-15 18:00:00");
    assert!(played.last().target.contains("charset=utf-8"), "the body's charset stands in the address");
    let again = gateway().start(&call(&account), &long).await.unwrap();
    assert_eq!(again, started);
    let contents: Vec<_> = played.seen().iter().map(|seen| biz(&seen.fields())).collect();
    assert_eq!(contents[0], contents[1], "a repeat asks for the same");
}

/// Rows: P4, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alipays_answers_that_are_forged_unsigned_or_about_another_trade_prove_nothing() {
    const GOOD: &str = r#"{"code":"10000","msg":"Success","out_trade_no":"D1_2","trade_no":"T1","trade_status":"TRADE_SUCCESS","total_amount":"9.90","send_pay_date":"2027-01-15 15:58:40"}"#;
    let keys = Arc::new(Keys::new());
    let its = keys.clone();
    let played = Played::start(move |seen: &Seen| {
        let fields = seen.fields();
        let number = biz(&fields)["out_trade_no"].as_str().unwrap().to_owned();
        let good = answer(&its.theirs, "alipay.trade.query", GOOD);
        match number.as_str() {
            "GOOD" | "D1_2" => Said::new(200, good),
            "SIGNFIRST" => {
                let (inner, sign) = good[1..good.len() - 1].split_once(r#","sign""#).unwrap();
                Said::new(200, format!(r#"{{"alipay_cert_sn":"1","sign"{sign} , {inner} }}"#))
            }
            "UNSIGNED" => Said::new(200, format!(r#"{{"alipay_trade_query_response":{GOOD}}}"#)),
            "FORGED" => Said::new(200, answer(&its.ours, "alipay.trade.query", GOOD)),
            "CHANGED" => Said::new(200, good.replace("9.90", "9.91")),
            "TWICE" => Said::new(200, good.replace(r#","sign""#, &format!(r#","alipay_trade_query_response":{GOOD},"sign""#))),
            "METHOD" => Said::new(200, answer(&its.theirs, "alipay.trade.close", GOOD)),
            "LOST" => Said::new(502, "bad gateway"),
            "BUSY" => Said::new(200, answer(&its.theirs, "alipay.trade.query", r#"{"code":"20000","msg":"Service Currently Unavailable","sub_code":"isp.unknow-error"}"#)),
            "SYSTEM" => Said::new(200, answer(&its.theirs, "alipay.trade.query", r#"{"code":"40004","msg":"Business Failed","sub_code":"ACQ.SYSTEM_ERROR"}"#)),
            _ => Said::new(200, answer(&its.theirs, "alipay.trade.query", r#"{"code":"40004","msg":"Business Failed","sub_code":"ACQ.TRADE_NOT_EXIST","sub_msg":"no"}"#)),
        }
    })
    .await;
    let account = keys.at(&played);
    let ask = async |number: &str| gateway().query(&call(&account), &named(number)).await;
    for number in ["D1-2"] {
        let Queried::Known(state) = ask(number).await else { panic!() };
        assert_eq!((state.meaning, state.trade_no.as_deref()), (Meaning::Paid, Some("T1")));
        let identity = gateway().identity(&account);
        let expected = Expected {
            number,
            amount_minor: 990,
            currency: cny(1).currency,
            gateway_reference: None,
            trade_no: None,
            identity: &identity,
        };
        assert_eq!(matches(state.facts(), &expected), Match::Fits);
    }
    let unknown = async |number: &str| match ask(number).await {
        Queried::Unknown(why) => why,
        other => panic!("{number}: {other:?}"),
    };
    assert!(unknown("GOOD").await.contains("another payment"));
    assert!(unknown("SIGNFIRST").await.contains("another payment"), "the signature was found and fits");
    assert!(unknown("UNSIGNED").await.contains("not signed"));
    assert!(unknown("FORGED").await.contains("not Alipay's"));
    assert!(unknown("CHANGED").await.contains("not Alipay's"));
    assert!(unknown("TWICE").await.contains("repeated"));
    assert!(unknown("METHOD").await.contains("another call"));
    assert!(unknown("LOST").await.contains("502"));
    assert!(unknown("BUSY").await.contains("20000"));
    assert!(unknown("SYSTEM").await.contains("SYSTEM_ERROR"));
    assert!(matches!(ask("NOBODY").await, Queried::NotFound));
    let nowhere = AccountKeys { api_url: Some("http://127.0.0.1:1".into()), ..account.clone() };
    let accepts = words(&["qr"]);
    let failure = gateway().start(&call(&nowhere), &payment(&accepts, &[], None)).await.unwrap_err();
    assert!(matches!(failure, StartFailure::NotSent(_)));
}

/// Rows: P2, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alipay_closes_what_is_open_and_finds_what_was_paid() {
    let keys = Arc::new(Keys::new());
    let its = keys.clone();
    let played = Played::start(move |seen: &Seen| {
        let fields = seen.fields();
        let number = biz(&fields)["out_trade_no"].as_str().unwrap().to_owned();
        let method = method_of(&its.ours, &fields);
        let no = |code: &str| format!(r#"{{"code":"40004","msg":"Business Failed","sub_code":"{code}"}}"#);
        let trade = |status: &str, more: &str| {
            format!(
                r#"{{"code":"10000","out_trade_no":"{number}","trade_no":"T1","trade_status":"{status}","total_amount":"9.90"{more}}}"#
            )
        };
        let inner = match (method.as_str(), number.as_str()) {
            ("alipay.trade.close", "OPEN") => r#"{"code":"10000","out_trade_no":"OPEN","trade_no":"T1"}"#.into(),
            ("alipay.trade.close", "UNSCANNED") => no("ACQ.TRADE_NOT_EXIST"),
            ("alipay.trade.close", "BUSY") => no("ACQ.SYSTEM_ERROR"),
            ("alipay.trade.close", _) => no("ACQ.TRADE_STATUS_ERROR"),
            (_, "PAID") => trade("TRADE_SUCCESS", ""),
            (_, "GONE") => trade("TRADE_CLOSED", ""),
            (_, "BACK") => trade("TRADE_CLOSED", r#","send_pay_date":"2027-01-15 15:58:40""#),
            _ => trade("WAIT_BUYER_PAY", ""),
        };
        Said::new(200, answer(&its.theirs, &method, &inner))
    })
    .await;
    let account = keys.at(&played);
    let close = async |number: &str| gateway().close(&call(&account), &named(number)).await;
    assert!(matches!(close("OPEN").await, Closing::Closed));
    assert!(matches!(close("UNSCANNED").await, Closing::NothingToClose));
    assert!(matches!(close("GONE").await, Closing::Closed));
    assert!(matches!(close("PAID").await, Closing::AlreadyPaid(state) if state.meaning == Meaning::Paid));
    assert!(matches!(close("BACK").await, Closing::AlreadyPaid(state) if state.meaning == Meaning::Refunded));
    assert!(matches!(close("BUSY").await, Closing::Unknown(_)));
    assert!(matches!(close("STUCK").await, Closing::Unknown(_)));
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alipay_refunds_once_under_our_refunds_id() {
    let keys = Arc::new(Keys::new());
    let its = keys.clone();
    let played = Played::start(move |seen: &Seen| {
        let fields = seen.fields();
        let (content, method) = (biz(&fields), method_of(&its.ours, &fields));
        let id = content["out_request_no"].as_str().unwrap();
        let moved = |change: &str| {
            format!(r#"{{"code":"10000","out_trade_no":"D1_2","trade_no":"T1","fund_change":"{change}","refund_fee":"3.00"}}"#)
        };
        let inner = match (method.as_str(), id) {
            ("alipay.trade.refund", "ref_new") => moved("Y"),
            ("alipay.trade.refund", "ref_repeat" | "ref_slow") => moved("N"),
            ("alipay.trade.refund", "ref_other") => moved("Y").replace("D1_2", "D9"),
            ("alipay.trade.refund", "ref_busy") => r#"{"code":"20000","sub_code":"isp.unknow-error"}"#.into(),
            ("alipay.trade.refund", _) => {
                r#"{"code":"40004","sub_code":"ACQ.SELLER_BALANCE_NOT_ENOUGH","sub_msg":"too little"}"#.into()
            }
            (_, "ref_repeat" | "ref_new") => format!(
                r#"{{"code":"10000","out_trade_no":"D1_2","out_request_no":"{id}","refund_amount":"3.00","refund_status":"REFUND_SUCCESS"}}"#
            ),
            _ => r#"{"code":"10000","msg":"Success"}"#.into(),
        };
        Said::new(200, answer(&its.theirs, &method, &inner))
    })
    .await;
    let account = keys.at(&played);
    let refund = async |id: &str| {
        let wanted =
            NewRefund { refund_id: id, payment: named("D1-2"), amount: cny(300), reason: Some("broken") };
        gateway().refund(&call(&account), &wanted).await
    };
    let succeeded = |id: &str| Refunding::Succeeded { gateway_refund_id: id.to_owned() };
    assert_eq!(refund("ref_new").await, succeeded("ref_new"));
    let asked = serde_json::json!({
        "out_trade_no": "D1_2", "refund_amount": "3.00", "out_request_no": "ref_new", "refund_reason": "broken",
    });
    assert_eq!(biz(&played.last().fields()), asked);
    assert_eq!(refund("ref_repeat").await, succeeded("ref_repeat"), "a repeat says what became of the first");
    let stray = PaymentRef { trade_no: Some("T1"), ..named("") };
    let wanted = NewRefund { refund_id: "ref_new", payment: stray, amount: cny(300), reason: None };
    assert_eq!(gateway().refund(&call(&account), &wanted).await, succeeded("ref_new"));
    let asked = biz(&played.last().fields());
    assert_eq!((&asked["trade_no"], asked.get("out_trade_no")), (&serde_json::json!("T1"), None));
    assert_eq!(
        refund("ref_slow").await,
        Refunding::Pending { gateway_refund_id: "ref_slow".into(), needs_person: false }
    );
    assert!(matches!(refund("ref_other").await, Refunding::Unknown(_)));
    assert!(matches!(refund("ref_busy").await, Refunding::Unknown(_)));
    let Refunding::Failed { code, message } = refund("ref_poor").await else { panic!() };
    assert_eq!((code.as_str(), message.as_str()), ("ACQ.SELLER_BALANCE_NOT_ENOUGH", "too little"));
    let find = async |id: &str| {
        let asked = RefundRef {
            refund_id: id,
            gateway_refund_id: None,
            payment: named("D1-2"),
            amount: named("D1-2").money,
        };
        gateway().refund_query(&call(&account), &asked).await
    };
    assert_eq!(find("ref_new").await, succeeded("ref_new"));
    assert_eq!(find("ref_nobody").await, Refunding::NotFound);
}
