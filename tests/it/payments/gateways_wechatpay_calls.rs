//! WeChat Pay's calls against a gateway of a few lines.

use std::sync::Arc;

use chrono::TimeDelta;
use dispense::base::money::{Currency, Money};
use dispense::base::secret::Secret;
use dispense::payments::gateways::gateway::{
    AccountKeys, Action, Calls, Closing, Expected, Gateway, Match, Meaning, NewPayment, NewRefund,
    PaymentRef, Queried, RefundRef, Refunding, StartFailure, Started, matches,
};
use serde_json::{Value, json};

use super::gateways_alipay::{NOW, call, cny, named, payment, start_time, words};
use super::gateways_wechatpay::{APPID, Keys, MCHID, PUBLIC_ID, SERIAL, gateway, headers};
use crate::harness::played::{Played, Said, Seen};
use crate::harness::rsa::Pair;

/// Checks a request's signature with the merchant's public key over what was on the wire.
fn check_request(keys: &Keys, seen: &Seen) {
    let header = seen.header("authorization");
    let parameters = header.strip_prefix("WECHATPAY2-SHA256-RSA2048 ").expect(header);
    let value = |name: &str| {
        let found = parameters.split(',').find_map(|part| part.strip_prefix(&format!("{name}=\"")));
        found.expect(header).strip_suffix('"').unwrap().to_owned()
    };
    assert_eq!((value("mchid").as_str(), value("serial_no").as_str()), (MCHID, "0A1B2C3D"));
    let (at, nonce) = (value("timestamp"), value("nonce_str"));
    let text = format!("{}\n{}\n{at}\n{nonce}\n{}\n", seen.method, seen.target, seen.text());
    assert!(keys.ours.signed(text.as_bytes(), &value("signature")), "signed over {text}");
    assert_eq!((at.parse().ok(), nonce.len()), (Some(NOW), 32));
    assert_eq!(seen.header("wechatpay-serial"), PUBLIC_ID, "which key shall sign the answer");
    assert!(seen.header("user-agent").starts_with("dispense/"));
}

/// A signed answer.
fn said(keys: &Keys, status: u16, body: &Value) -> Said {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Said { headers: headers(&keys.public, PUBLIC_ID, NOW, &body), ..Said::new(status, body) }
}

fn no(keys: &Keys, status: u16, code: &str) -> Said {
    said(keys, status, &json!({ "code": code, "message": "no" }))
}

async fn plays(answer: impl Fn(&Keys, &Seen) -> Said + Send + Sync + 'static) -> (Arc<Keys>, Played) {
    let keys = Arc::new(Keys::new());
    let its = keys.clone();
    let played = Played::start(move |seen: &Seen| {
        check_request(&its, seen);
        answer(&its, seen)
    });
    (keys.clone(), played.await)
}

/// Rows: P2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechat_is_started_as_code_page_and_parameters_for_its_own_software() {
    let (keys, played) = plays(|keys, seen| {
        let way = seen.target.strip_prefix("/v3/pay/transactions/").unwrap();
        let answer = match way {
            "native" => json!({ "code_url": "weixin://wxpay/bizpayurl?pr=x" }),
            "h5" => json!({ "h5_url": "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx1&package=2" }),
            _ => json!({ "prepay_id": "wx201410272009395522657a690389285100" }),
        };
        said(keys, 200, &answer)
    })
    .await;
    let account = keys.at(&played);
    let begin = async |payment: &NewPayment<'_>| gateway().start(&call(&account), payment).await;
    let body = || serde_json::from_str::<Value>(&played.last().text()).unwrap();

    let code = begin(&payment(&[], &[], None)).await.unwrap();
    let expected = Started {
        gateway_reference: None,
        action: Action::Qr { text: "weixin://wxpay/bizpayurl?pr=x".into() },
        expires_at: Some(start_time() + TimeDelta::minutes(30)),
    };
    assert_eq!(code, expected);
    let order = json!({
        "appid": APPID, "mchid": MCHID, "description": "My & shop, \"D1\"", "out_trade_no": "D1-2",
        "time_expire": "2027-01-15T16:30:00+08:00", "notify_url": "https://shop.example/webhooks/ali",
        "amount": { "total": 990, "currency": "CNY" },
    });
    assert_eq!(body(), order);
    assert_eq!(begin(&payment(&[], &[], None)).await.unwrap(), expected, "a repeat is the same");
    assert_eq!(body(), order);

    let phone = NewPayment { client_address: Some("203.0.113.9"), ..payment(&[], &[], Some("mobile_web")) };
    let page = begin(&phone).await.unwrap();
    let url = "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx1&package=2\
        &redirect_url=https%3A%2F%2Fshop.example%2Freturn%2F1";
    assert_eq!(page.action, Action::Redirect { url: url.into() });
    assert_eq!(page.expires_at, Some(start_time() + TimeDelta::minutes(5)));
    assert_eq!(
        body()["scene_info"],
        json!({ "payer_client_ip": "203.0.113.9", "h5_info": { "type": "Wap" } })
    );
    let nowhere = begin(&payment(&[], &[], Some("mobile_web"))).await.unwrap();
    assert!(matches!(nowhere.action, Action::Qr { .. }), "without the buyer's address a code");

    let sdks = words(&["wechat.jsapi", "wechat.app"]);
    let inside = payment(&[], &sdks, Some("mini_program"));
    let asked = played.seen().len();
    assert_eq!(begin(&inside).await.unwrap_err(), StartFailure::PayerNeeded);
    assert_eq!(played.seen().len(), asked, "nothing was asked there");
    let known = begin(&NewPayment { payer: Some("oUpF8uMu"), ..inside }).await.unwrap();
    assert_eq!(body()["payer"], json!({ "openid": "oUpF8uMu" }));
    let Action::Sdk { name, parameters } = known.action else { panic!() };
    let text = |key: &str| parameters[key].as_str().unwrap().to_owned();
    let signed = |lines: &[String], signature: &str| {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        keys.ours.signed(text.as_bytes(), signature)
    };
    assert_eq!((name.as_str(), parameters.as_object().unwrap().len()), ("wechat.jsapi", 6));
    assert_eq!(
        (text("appId").as_str(), text("timeStamp").as_str(), text("signType").as_str()),
        (APPID, "1800000000", "RSA")
    );
    assert_eq!(text("package"), "prepay_id=wx201410272009395522657a690389285100");
    assert!(signed(&[text("appId"), text("timeStamp"), text("nonceStr"), text("package")], &text("paySign")));

    let app = begin(&payment(&words(&["sdk"]), &sdks, Some("android"))).await.unwrap();
    let Action::Sdk { name, parameters } = app.action else { panic!() };
    let text = |key: &str| parameters[key].as_str().unwrap().to_owned();
    assert_eq!((name.as_str(), parameters.as_object().unwrap().len()), ("wechat.app", 7));
    assert_eq!((text("partnerid").as_str(), text("package").as_str()), (MCHID, "Sign=WXPay"));
    assert_eq!(text("prepayid"), "wx201410272009395522657a690389285100");
    assert!(signed(&[text("appid"), text("timestamp"), text("noncestr"), text("prepayid")], &text("sign")));
    let dollars = NewPayment { money: Money::new(1, Currency::USD), ..payment(&[], &[], None) };
    assert!(matches!(begin(&dollars).await.unwrap_err(), StartFailure::Refused { .. }));
}

/// Rows: P4, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechats_answers_that_are_forged_unsigned_or_about_another_payment_prove_nothing() {
    let (keys, played) = plays(|keys, seen| {
        let number = seen.target.rsplit('/').next().unwrap().split('?').next().unwrap();
        assert!(seen.target.ends_with("?mchid=1900009191"));
        let state = |state: &str| {
            json!({
                "mchid": MCHID, "appid": APPID, "out_trade_no": number, "trade_state": state, "transaction_id": "T1",
                "amount": { "total": 990, "payer_total": 1, "currency": "CNY" },
            })
        };
        let (paid, text) = (state("SUCCESS"), state("SUCCESS").to_string());
        match number {
            "UNSIGNED" => Said::new(200, text),
            "FORGED" => Said { headers: headers(&keys.ours, PUBLIC_ID, NOW, &text), ..Said::new(200, text) },
            "OTHERKEY" => Said { headers: headers(&keys.public, SERIAL, NOW, &text), ..Said::new(200, text) },
            "OLD" => Said { headers: headers(&keys.public, PUBLIC_ID, NOW - 300, &text), ..Said::new(200, text) },
            "OTHER" => said(keys, 200, &serde_json::from_str(&text.replace("OTHER", "D9")).unwrap()),
            "BUSY" => no(keys, 500, "SYSTEM_ERROR"),
            "OFTEN" => no(keys, 429, "FREQUENCY_LIMITED"),
            "NOBODY" => no(keys, 404, "ORDER_NOT_EXIST"),
            "PLAINNO" => Said::new(404, r#"{"code":"ORDER_NOT_EXIST","message":"no"}"#),
            "FORGEDNO" => {
                let body = r#"{"code":"ORDER_NOT_EXIST"}"#;
                Said { headers: headers(&keys.ours, PUBLIC_ID, NOW, body), ..Said::new(404, body) }
            }
            "WAITS" => said(keys, 200, &json!({ "mchid": MCHID, "appid": APPID, "out_trade_no": number, "trade_state": "NOTPAY" })),
            "BACK" => said(keys, 200, &state("REFUND")),
            _ => said(keys, 200, &paid),
        }
    })
    .await;
    let account = keys.at(&played);
    let ask = async |number: &str| gateway().query(&call(&account), &named(number)).await;
    let Queried::Known(state) = ask("D1-2").await else { panic!() };
    let identity = gateway().identity(&account);
    let expected = Expected {
        number: "D1-2",
        amount_minor: 990,
        currency: cny(1).currency,
        gateway_reference: None,
        trade_no: None,
        identity: &identity,
    };
    assert_eq!((state.meaning, matches(state.facts(), &expected)), (Meaning::Paid, Match::Fits));
    for (number, why) in [
        ("UNSIGNED", "not_signed"),
        ("FORGED", "sign_mismatch"),
        ("OTHERKEY", "sign_mismatch"),
        ("OLD", "timestamp_too_old"),
        ("OTHER", "another payment"),
        ("BUSY", "500"),
        ("OFTEN", "429"),
        ("FORGEDNO", "sign_mismatch"),
        ("BACK", "statement"),
    ] {
        let Queried::Unknown(text) = ask(number).await else { panic!("{number}") };
        assert!(text.contains(why), "{number}: {text}");
    }
    assert!(matches!(ask("NOBODY").await, Queried::NotFound));
    assert!(matches!(ask("PLAINNO").await, Queried::NotFound));
    assert!(matches!(ask("WAITS").await, Queried::Known(state) if state.meaning == Meaning::Open));
    let captured = PaymentRef { trade_no: Some("T1"), ..named("BACK") };
    let back = gateway().query(&call(&account), &captured).await;
    assert!(matches!(back, Queried::Known(state) if state.meaning == Meaning::PartiallyRefunded));
    let nowhere = AccountKeys { api_url: Some("http://127.0.0.1:1".into()), ..account.clone() };
    let failure = gateway().start(&call(&nowhere), &payment(&[], &[], None)).await.unwrap_err();
    assert!(matches!(failure, StartFailure::NotSent(_)));
}

/// Rows: P2, P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechats_no_is_told_from_its_silence_when_a_payment_is_started() {
    let (keys, played) = plays(|keys, seen| {
        let body: Value = serde_json::from_str(&seen.text()).unwrap();
        match body["out_trade_no"].as_str().unwrap() {
            "UNSIGNED" => Said::new(200, r#"{"code_url":"weixin://wxpay/bizpayurl?pr=evil"}"#),
            "EMPTY" => said(keys, 200, &json!({})),
            "BUSY" => no(keys, 500, "SYSTEM_ERROR"),
            "PAID" => no(keys, 400, "ORDERPAID"),
            _ => no(keys, 403, "OUT_TRADE_NO_USED"),
        }
    })
    .await;
    let account = keys.at(&played);
    let begin = async |number: &str| {
        let payment = NewPayment { number, ..payment(&[], &[], None) };
        gateway().start(&call(&account), &payment).await.unwrap_err()
    };
    for number in ["UNSIGNED", "EMPTY", "BUSY", "PAID"] {
        assert!(matches!(begin(number).await, StartFailure::Unknown(_)), "{number}");
    }
    assert!(matches!(begin("USED").await, StartFailure::Refused { code, .. } if code == "OUT_TRADE_NO_USED"));
}

/// Rows: P2, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechat_closes_what_is_open_and_finds_what_was_paid() {
    let (keys, played) = plays(|keys, seen| {
        let number = seen.target.split('/').nth(5).unwrap().split('?').next().unwrap();
        if seen.method == "POST" {
            assert_eq!(seen.text(), r#"{"mchid":"1900009191"}"#);
            return match number {
                "OPEN" => said(keys, 204, &Value::Null),
                "LIES" => Said::new(204, ""),
                "NEVER" => no(keys, 404, "ORDER_NOT_EXIST"),
                "BUSY" => no(keys, 500, "SYSTEM_ERROR"),
                _ => no(keys, 400, "ORDERPAID"),
            };
        }
        let state = if number == "GONE" { "CLOSED" } else { "SUCCESS" };
        let answer = json!({
            "mchid": MCHID, "appid": APPID, "out_trade_no": number, "trade_state": state, "transaction_id": "T1",
            "amount": { "total": 990, "currency": "CNY" },
        });
        said(keys, 200, &answer)
    })
    .await;
    let account = keys.at(&played);
    let close = async |number: &str| gateway().close(&call(&account), &named(number)).await;
    assert!(matches!(close("OPEN").await, Closing::Closed));
    assert!(matches!(close("NEVER").await, Closing::NothingToClose));
    assert!(matches!(close("GONE").await, Closing::Closed));
    assert!(matches!(close("PAID").await, Closing::AlreadyPaid(state) if state.meaning == Meaning::Paid));
    assert!(matches!(close("BUSY").await, Closing::Unknown(_)));
    assert!(matches!(close("LIES").await, Closing::Unknown(_)), "an unsigned 204 closes nothing");
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechat_refunds_once_under_our_refunds_id() {
    let (keys, played) = plays(|keys, seen| {
        let id = match seen.method.as_str() {
            "GET" => seen.target.rsplit('/').next().unwrap().to_owned(),
            _ => serde_json::from_str::<Value>(&seen.text()).unwrap()["out_refund_no"].as_str().unwrap().to_owned(),
        };
        let state = |status: &str, amount: i64| {
            let answer = json!({
                "out_refund_no": id, "refund_id": "R1", "status": status, "amount": { "refund": amount, "total": 990 },
            });
            said(keys, 200, &answer)
        };
        match id.as_str() {
            "ref_done" => state("SUCCESS", 300),
            "ref_waits" => state("PROCESSING", 300),
            "ref_closed" => state("CLOSED", 300),
            "ref_stuck" => state("ABNORMAL", 300),
            "ref_less" => state("SUCCESS", 299),
            "ref_other" => said(keys, 200, &json!({ "out_refund_no": "ref_9", "refund_id": "R9", "status": "SUCCESS", "amount": { "refund": 300 } })),
            "ref_busy" => no(keys, 500, "SYSTEM_ERROR"),
            _ if seen.method == "GET" => no(keys, 404, "RESOURCE_NOT_EXISTS"),
            _ => no(keys, 403, "NOT_ENOUGH"),
        }
    })
    .await;
    let account = keys.at(&played);
    let refund = async |id: &str| {
        let wanted =
            NewRefund { refund_id: id, payment: named("D1-2"), amount: cny(300), reason: Some("坏了") };
        gateway().refund(&call(&account), &wanted).await
    };
    let find = async |id: &str| {
        let asked = RefundRef {
            refund_id: id,
            gateway_refund_id: None,
            payment: named("D1-2"),
            amount: named("D1-2").money,
        };
        gateway().refund_query(&call(&account), &asked).await
    };
    let done = Refunding::Succeeded { gateway_refund_id: "R1".into() };
    assert_eq!((refund("ref_done").await, find("ref_done").await), (done.clone(), done));
    let asked = played.seen()[0].text();
    let expected = json!({
        "out_trade_no": "D1-2", "out_refund_no": "ref_done", "reason": "坏了",
        "amount": { "refund": 300, "total": 990, "currency": "CNY" },
    });
    assert_eq!(serde_json::from_str::<Value>(&asked).unwrap(), expected);
    let stray = PaymentRef { trade_no: Some("T2"), ..named("") };
    let wanted = NewRefund { refund_id: "ref_done", payment: stray, amount: cny(300), reason: None };
    gateway().refund(&call(&account), &wanted).await;
    let asked: Value = serde_json::from_str(&played.last().text()).unwrap();
    assert_eq!((&asked["transaction_id"], &asked["out_trade_no"]), (&json!("T2"), &Value::Null));
    let waits = Refunding::Pending { gateway_refund_id: "R1".into(), needs_person: false };
    assert_eq!((refund("ref_waits").await, find("ref_waits").await), (waits.clone(), waits));
    let stuck = Refunding::Pending { gateway_refund_id: "R1".into(), needs_person: true };
    assert_eq!(refund("ref_stuck").await, stuck, "it can still be completed in the console");
    for (id, wanted) in [("ref_closed", "CLOSED"), ("ref_poor", "NOT_ENOUGH")] {
        assert!(matches!(refund(id).await, Refunding::Failed { code, .. } if code == wanted), "{id}");
    }
    for id in ["ref_less", "ref_other", "ref_busy"] {
        assert!(matches!(refund(id).await, Refunding::Unknown(_)), "{id}");
    }
    assert_eq!(find("ref_nobody").await, Refunding::NotFound);
}

/// Rows: P10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_middle_of_changing_the_platforms_public_key_calls_name_the_one_that_the_operator_says() {
    let keys = Arc::new(Keys::new());
    let its = keys.clone();
    let played = Played::start(move |_: &Seen| said(&its, 200, &json!({ "code_url": "weixin://x" }))).await;
    let new_id = format!("{}9", &PUBLIC_ID[..PUBLIC_ID.len() - 1]);
    let new = Secret::new(format!("{new_id}:{}", Pair::new().public()));
    // The certificate, the new key, the present one.
    let mut account = keys.at(&played);
    account.secrets.insert(1, new.clone());
    for (place, named) in [(2, PUBLIC_ID), (1, &new_id), (0, &new_id)] {
        account.signs_with = place;
        let started = gateway().start(&call(&account), &payment(&[], &[], None)).await;
        assert_eq!(played.last().header("wechatpay-serial"), named, "{place}");
        assert!(started.is_ok(), "either key of the list is believed: {started:?}");
    }
    assert_eq!(gateway().faults(&account), []);
    account.secrets.swap(0, 2);
    account.signs_with = 2;
    let faults = gateway().faults(&account);
    assert!(
        faults.iter().any(|(key, text)| *key == "signs_with" && text.contains("PUB_KEY_ID_")),
        "{faults:?}"
    );
}
