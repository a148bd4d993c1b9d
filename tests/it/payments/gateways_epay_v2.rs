//! Epay's second generation: the vectors, what is signed to the platform, and which of its answers count.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispense::base::money::Currency;
use dispense::base::secret::Secret;
use dispense::payments::gateways::epay_v2::EpayV2;
use dispense::payments::gateways::gateway::{
    AccountKeys, Action, Call, Calls, Closing, Evidence, Gateway, Meaning, NewRefund, Queried, RefundRef,
    Refunding, Stated, Statement, Verdict,
};
use dispense::payments::notices::vectors;
use serde_json::{Value, json};

use super::gateways_epay::{NOW, call, cny, encoded, get, named, payment, platforms};
use super::gateways_notices::outbound;
use super::loopback::{Loopback, Seen};

/// The platform's key; ours is made by each test anew.
fn platform() -> RsaKeyPair {
    let pem = include_str!("../../keys/paypal/leaf.key");
    RsaKeyPair::from_pkcs8(&pem::parse(pem).unwrap().into_contents()).unwrap()
}

fn public(pair: &RsaKeyPair) -> Vec<u8> {
    let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    der.as_ref().to_vec()
}

struct Ours {
    keys: AccountKeys,
    public: Vec<u8>,
}

fn ours(base: &str, more: &[(&str, &str)]) -> Ours {
    let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let private: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let settings = [("pid", "1001")].into_iter().chain(more.iter().copied());
    let keys = AccountKeys {
        id: "epay2".into(),
        secrets: vec![Secret::new(STANDARD.encode(public(&platform())))],
        api_key: Some(Secret::new(STANDARD.encode(private.as_ref()))),
        settings: settings.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        api_url: Some(base.to_owned()),
        sandbox: true,
        ..AccountKeys::default()
    };
    Ours { keys, public: public(&pair) }
}

/// What is signed, by the words of the platform's source.
fn text(pairs: &[(String, String)]) -> String {
    let mut kept: Vec<_> =
        pairs.iter().filter(|(n, v)| !v.trim().is_empty() && n != "sign" && n != "sign_type").collect();
    kept.sort();
    kept.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&")
}

fn sign(pair: &RsaKeyPair, text: &str) -> String {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    STANDARD.encode(signature)
}

/// An answer as the platform signs it: lists are left out.
fn answered(mut answer: Value, at: i64) -> String {
    answer["timestamp"] = at.to_string().into();
    let plain = |value: &Value| value.as_str().map(String::from).or(value.as_i64().map(|n| n.to_string()));
    let pairs: Vec<(String, String)> =
        answer.as_object().unwrap().iter().filter_map(|(n, v)| Some((n.clone(), plain(v)?))).collect();
    answer["sign"] = sign(&platform(), &text(&pairs)).into();
    answer["sign_type"] = "RSA".into();
    answer.to_string()
}

/// Whether a request is ours, of now, and signed over everything in it.
fn check_request(public: &[u8], form: &str) -> Vec<(String, String)> {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let value = |name: &str| pairs.iter().find(|(n, _)| n == name).unwrap().1.clone();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
    key.verify(text(&pairs).as_bytes(), &STANDARD.decode(value("sign")).unwrap()).unwrap();
    assert_eq!([value("sign_type"), value("timestamp"), value("pid")], ["RSA", &NOW.to_string(), "1001"]);
    pairs
}

/// Rows: P4.
#[test]
fn every_epay_v2_vector_gets_the_verdict_of_the_file() {
    let report = vectors::run(include_str!("../../vectors/epay_v2.json")).unwrap();
    assert_eq!(report.differing(), 0, "{report}");
    assert_eq!(report.lines.len(), 20);
}

/// Rows: P4.
#[test]
fn a_notice_is_good_for_five_minutes_and_only_by_the_platforms_key() {
    let (epay, ours) = (EpayV2::new(outbound()), ours("https://pay.example", &[]));
    let judge = |at: &str, pair: &RsaKeyPair| {
        let fields = [
            ("pid", "1001"),
            ("trade_no", "T1"),
            ("out_trade_no", "D1"),
            ("type", "wxpay"),
            ("name", "product"),
            ("money", "10"),
            ("trade_status", "TRADE_SUCCESS"),
            ("timestamp", at),
        ];
        let pairs: Vec<_> = fields.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        let sign = sign(pair, &text(&pairs));
        let query = encoded(&[&fields[..], &[("sign", &sign), ("sign_type", "RSA")]].concat());
        epay.authenticate(&ours.keys, &get(&query), &Evidence::default()).map_err(|refusal| refusal.reason)
    };
    let platform = platform();
    let said = judge("1800000000", &platform).unwrap();
    assert_eq!(
        (said.event_key(), said.amount_minor, said.meaning),
        ("T1:TRADE_SUCCESS", Some(1_000), Meaning::Paid)
    );
    for (at, reason) in [
        ("1799999699", "timestamp_too_old"),
        ("1800000301", "timestamp_in_the_future"),
        ("now", "timestamp_malformed"),
        ("", "timestamp_malformed"),
        ("1800000000.0", "timestamp_malformed"),
    ] {
        assert_eq!(judge(at, &platform).unwrap_err(), reason);
    }
    for at in ["1799999700", "1800000300"] {
        judge(at, &platform).unwrap();
    }
    let stranger = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    assert_eq!(judge("1800000000", &stranger).unwrap_err(), "sign_mismatch");
    assert_eq!(
        [Verdict::Success, Verdict::TryLater, Verdict::Refused].map(|v| epay.reply(v).body),
        ["success", "fail", "fail"]
    );
}

/// Rows: O6.
#[test]
fn an_account_with_missing_or_mixed_up_keys_does_not_start() {
    let epay = EpayV2::new(outbound());
    let reported = |change: &dyn Fn(&mut AccountKeys)| {
        let mut keys = ours("https://pay.example", &[]).keys;
        change(&mut keys);
        epay.faults(&keys).into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert!(reported(&|_| ()).is_empty());
    assert_eq!(reported(&|keys| keys.secrets.clear()), ["secrets"]);
    assert_eq!(reported(&|keys| keys.secrets.push(Secret::new("no key"))), ["secrets"]);
    assert_eq!(reported(&|keys| keys.api_key = None), ["api_key"]);
    assert_eq!(reported(&|keys| keys.api_url = None), ["api_url"]);
    let own = ours("https://pay.example", &[]);
    let mixed = AccountKeys { secrets: vec![Secret::new(STANDARD.encode(&own.public))], ..own.keys };
    assert_eq!(epay.faults(&mixed).into_iter().map(|(key, _)| key).collect::<Vec<_>>(), ["secrets"]);
    assert_eq!(
        (epay.unit(Currency::USD), epay.unit(cny(1).currency).map(|unit| unit.exponent)),
        (None, Some(2))
    );
}

/// Rows: P2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_signed_and_only_signed_answers_grant_anything() {
    let made = json!({ "code": 0, "trade_no": "T1", "pay_type": "qrcode", "pay_info": "weixin://pay/1" });
    let side = Loopback::start(move |_| (200, answered(made.clone(), NOW))).await;
    let epay = EpayV2::new(outbound());
    let (any, of_type) = (ours(&side.base, &[]), ours(&side.base, &[("type", "wxpay")]));
    let accepts = |kinds: &[&str]| kinds.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
    let started = epay.start(&call(&any.keys), &payment("D1", &accepts(&["form"]))).await.unwrap();
    let Action::Form { url, fields } = started.action else { panic!() };
    assert_eq!(url, format!("{}/api/pay/submit", side.base));
    let borrowed: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    check_request(&any.public, &encoded(&borrowed));
    assert_eq!(started.expires_at.unwrap().timestamp(), NOW + 300, "the platform takes it no longer");
    let Action::Redirect { url } = epay.start(&call(&any.keys), &payment("D1", &[])).await.unwrap().action
    else {
        panic!()
    };
    check_request(&any.public, url.split_once('?').unwrap().1);
    assert!(side.seen().is_empty());
    let qr = accepts(&["qr"]);
    let started = epay.start(&call(&of_type.keys), &payment("D1", &qr)).await.unwrap();
    assert_eq!(started.action, Action::Qr { text: "weixin://pay/1".into() });
    let sent = check_request(&of_type.public, &side.last("POST /api/pay/create").body);
    for (name, value) in
        [("method", "web"), ("clientip", "203.0.113.7"), ("money", "9.90"), ("type", "wxpay")]
    {
        assert!(sent.iter().any(|(n, v)| (n.as_str(), v.as_str()) == (name, value)), "{name}");
    }
    let good =
        json!({ "code": 0, "trade_no": "T1", "pay_type": "jump", "pay_info": "https://pay.example/1" });
    let mut changed: Value = serde_json::from_str(&answered(good.clone(), NOW)).unwrap();
    changed["pay_info"] = "https://evil.example/1".into();
    let mut unsigned = good.clone();
    unsigned["timestamp"] = NOW.to_string().into();
    let object = json!({ "code": 0, "pay_type": "jsapi", "pay_info": { "x": "unsigned" } });
    for answer in [
        changed.to_string(),
        unsigned.to_string(),
        answered(good.clone(), NOW - 301),
        answered(object, NOW),
        "<html>".into(),
    ] {
        side.answer_by(move |_| (200, answer.clone()));
        let unclear = epay.start(&call(&of_type.keys), &payment("D1", &qr)).await.unwrap_err();
        assert!(format!("{unclear:?}").starts_with("Unknown"), "{unclear:?}");
    }
    side.answer_by(|_| (200, r#"{"code":-1,"msg":"该支付方式未开启"}"#.into()));
    let refused = epay.start(&call(&of_type.keys), &payment("D1", &qr)).await.unwrap_err();
    assert!(format!("{refused:?}").starts_with("Refused"));
}

fn order(status: i64, refunded: &str) -> Value {
    let mut order = platforms("D1", status, "9.90");
    (order["code"], order["refundmoney"]) = (0.into(), refunded.into());
    order
}

/// Rows: P2, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_asked_about_and_closed_even_where_the_platform_cannot_close() {
    let side = Loopback::start(|_| (200, answered(order(1, "0.00"), NOW))).await;
    let (epay, ours) = (EpayV2::new(outbound()), ours(&side.base, &[]));
    let ask = async || epay.query(&call(&ours.keys), &named(None)).await;
    for (status, refunded, meaning, sum) in [
        (0, "0.00", Meaning::Open, None),
        (1, "0.00", Meaning::Paid, Some(0)),
        (1, "4.00", Meaning::PartiallyRefunded, Some(400)),
        (2, "9.90", Meaning::Refunded, Some(990)),
    ] {
        side.answer_by(move |_| (200, answered(order(status, refunded), NOW)));
        let Queried::Known(state) = ask().await else { panic!("{status}") };
        assert_eq!((state.meaning, state.refunded_minor, state.amount_minor), (meaning, sum, Some(990)));
    }
    check_request(&ours.public, &side.last("POST /api/pay/query").body);
    let unsigned = order(1, "0.00").to_string();
    side.answer_by(move |_| (200, unsigned.clone()));
    assert!(matches!(ask().await, Queried::Unknown(_)), "money is believed by signature alone");
    let close = async || epay.close(&call(&ours.keys), &named(None)).await;
    let both = |closed: &'static str, status: i64| {
        side.answer_by(move |seen: &Seen| match seen.what.as_str() {
            "POST /api/pay/close" if closed == "signed" => (200, answered(json!({ "code": 0 }), NOW)),
            "POST /api/pay/close" => (404, "no such page".into()),
            _ if status < 0 => (200, r#"{"code":-1,"msg":"订单号不存在"}"#.into()),
            _ => (200, answered(order(status, "0.00"), NOW)),
        });
    };
    both("signed", 0);
    assert!(matches!(close().await, Closing::Closed));
    both("unknown", 0);
    assert!(matches!(close().await, Closing::Unsupported));
    both("unknown", 1);
    assert!(matches!(close().await, Closing::AlreadyPaid(_)));
    both("unknown", -1);
    assert!(matches!(close().await, Closing::NothingToClose));
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_ends_when_the_platform_says_so_under_our_number() {
    let side = Loopback::start(|_| (200, "{}".into())).await;
    let (epay, ours) = (EpayV2::new(outbound()), ours(&side.base, &[]));
    let answer = |taken: &'static str, status: Option<i64>| {
        side.answer_by(move |seen: &Seen| match (seen.what.as_str(), status) {
            ("POST /api/pay/refund", _) if taken == "yes" => {
                (200, answered(json!({ "code": 0, "refund_no": "R1" }), NOW))
            }
            ("POST /api/pay/refund", _) if taken == "lost" => (502, String::new()),
            ("POST /api/pay/refund", _) => (200, r#"{"code":-1,"msg":"余额不足"}"#.into()),
            (_, None) => (200, r#"{"code":-1,"msg":"退款记录不存在"}"#.into()),
            (_, Some(status)) => (
                200,
                answered(
                    json!({ "code": 0, "refund_no": "R1", "out_refund_no": "ref_1", "status": status }),
                    NOW,
                ),
            ),
        });
    };
    let refund = async || {
        let new =
            NewRefund { refund_id: "ref_1", payment: named(Some("T1")), amount: cny(400), reason: None };
        epay.refund(&call(&ours.keys), &new).await
    };
    let number = || "R1".to_owned();
    answer("yes", Some(1));
    assert_eq!(refund().await, Refunding::Succeeded { gateway_refund_id: number() });
    let sent = check_request(&ours.public, &side.last("POST /api/pay/refund").body);
    for (name, value) in [("out_refund_no", "ref_1"), ("money", "4.00"), ("trade_no", "T1")] {
        assert!(sent.iter().any(|(n, v)| (n.as_str(), v.as_str()) == (name, value)), "{name}");
    }
    answer("yes", Some(0));
    assert_eq!(refund().await, Refunding::Pending { gateway_refund_id: number(), needs_person: false });
    answer("no", Some(1));
    assert_eq!(refund().await, Refunding::Succeeded { gateway_refund_id: number() }, "made before");
    answer("no", None);
    assert!(matches!(refund().await, Refunding::Failed { code, .. } if code == "-1"));
    answer("yes", None);
    assert!(matches!(refund().await, Refunding::Unknown(_)));
    answer("lost", Some(1));
    assert!(matches!(refund().await, Refunding::Unknown(_)));
    let asked = RefundRef {
        refund_id: "ref_1",
        gateway_refund_id: None,
        payment: named(Some("T1")),
        amount: named(Some("T1")).money,
    };
    answer("lost", None);
    assert_eq!(epay.refund_query(&call(&ours.keys), &asked).await, Refunding::NotFound);
    answer("lost", Some(2));
    assert!(matches!(epay.refund_query(&call(&ours.keys), &asked).await, Refunding::Failed { .. }));
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_days_orders_are_asked_for_by_a_signed_question() {
    let late = NOW + 200_000;
    let side = Loopback::start(move |_| {
        (200, answered(json!({ "code": 0, "data": [order(1, "4.00"), order(0, "0.00")] }), late))
    })
    .await;
    let (epay, ours) = (EpayV2::new(outbound()), ours(&side.base, &[]));
    let call = Call { now_unix: late, ..call(&ours.keys) };
    let Statement::Entries(entries) = epay.statement(&call, "2027-01-15".parse().unwrap()).await else {
        panic!()
    };
    let lines = super::stated::lines(&entries);
    let short: Vec<_> = lines.iter().map(|l| (l.stated, l.amount_minor)).collect();
    assert_eq!(short, [(Stated::Payment, 990), (Stated::RefundSum, 400)]);
    let file = json!({ "code": 0, "data": [order(1, "0.00")] }).to_string();
    assert_eq!(epay.read_statement(&ours.keys, file.as_bytes()).unwrap().len(), 1);
}
