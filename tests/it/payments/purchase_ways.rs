//! Every way to pay that a client can ask for leads to the gateway and is paid there.

use dispense::config::Account;
use dispense::payments::attempts::start::StartOptions;
use serde_json::json;

use super::street::{Street, street, street_with};

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

/// What the client can show, the software it has, what it is; and the kind of action that comes of it.
type Way =
    (&'static str, &'static [&'static str], &'static [&'static str], Option<&'static str>, &'static str);

const WAYS: [Way; 15] = [
    ("stripe", &[], &[], None, "redirect"),
    ("generic", &[], &[], None, "redirect"),
    ("alipay", &[], &[], Some("desktop"), "redirect"),
    ("alipay", &["form"], &[], Some("desktop"), "form"),
    ("alipay", &["qr"], &[], Some("desktop"), "qr"),
    ("alipay", &[], &[], Some("mobile_web"), "redirect"),
    ("alipay", &["sdk"], &["alipay.app"], Some("ios"), "sdk"),
    ("wechatpay", &["qr"], &[], Some("desktop"), "qr"),
    ("wechatpay", &[], &[], Some("mobile_web"), "redirect"),
    ("wechatpay", &["sdk"], &["wechat.jsapi"], Some("wechat"), "sdk"),
    ("wechatpay", &["sdk"], &["wechat.app"], Some("android"), "sdk"),
    ("paypal", &[], &[], None, "redirect"),
    ("paypal", &["sdk"], &["paypal"], None, "sdk"),
    ("epay_v1", &["form"], &[], None, "form"),
    ("epay_v2", &["form"], &[], None, "form"),
];

/// Rows: O6, P2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_pay_leads_to_its_gateway_and_is_paid_there() {
    let street = street().await;
    for way in WAYS {
        walk(&street, way).await;
    }
    street.t.finish_with_jobs().await;
}

async fn walk(street: &Street, (method, accepts, sdks, platform, kind): Way) {
    let variant = street.selling(method, 1, 990).await;
    let placed = street.place(method, variant).await;
    let options = StartOptions {
        method: method.into(),
        accepts: words(accepts),
        sdks: words(sdks),
        platform: platform.map(str::to_owned),
        payer: Some("oBuyer0000000000000000000001".into()),
        client_address: Some("127.0.0.1".into()),
        ..StartOptions::default()
    };
    let attempt = street.start_by(&placed, options).await;
    assert_eq!(attempt.payment.action.unwrap()["kind"], kind, "{method} {accepts:?} {sdks:?} {platform:?}");
    street.act(&placed.order.number, "pay");
    street.settled().await;
    let reported = street.reported(&placed.order.number);
    assert_eq!(
        street.t.order_state(placed.order.id).await,
        "paid",
        "{method} {accepts:?} {platform:?}: {reported}"
    );
}

/// Rows: O6, P2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_that_are_set_up_in_another_way_are_paid_as_well() {
    let street = street_with(|account: &mut Account| {
        let (name, value) = match account.gateway.as_str() {
            "paypal" => ("verify", "api"),
            "epay_v1" | "epay_v2" => ("type", "alipay"),
            _ => return,
        };
        account.settings.insert(name.into(), value.into());
    })
    .await;
    for way in [
        ("paypal", &[] as &[&str], &[] as &[&str], None, "redirect"),
        ("epay_v1", &["qr"], &[], Some("desktop"), "qr"),
        ("epay_v2", &["qr"], &[], Some("desktop"), "qr"),
        ("epay_v2", &[], &[], Some("mobile_web"), "redirect"),
    ] {
        walk(&street, way).await;
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_nobody_configured_is_fetched_and_a_probe_is_refused() {
    let street = street().await;
    street.simulator.set_trouble(json!({ "rotate": true })).unwrap();
    let variant = street.selling("wechatpay", 1, 990).await;
    let placed = street.place("wechatpay", variant).await;
    street.start(&placed, "wechatpay").await;
    street.act(&placed.order.number, "probe-notice");
    street.settled().await;
    assert_eq!(street.t.order_state(placed.order.id).await, "pending_payment");
    let probe = street.simulator.journal()["notices"][0].clone();
    assert_eq!(
        (&probe["state"], &probe["attempts"][0]["status"]),
        (&json!("forged"), &json!(400)),
        "{probe}"
    );
    street.act(&placed.order.number, "pay");
    street.settled().await;
    let reported = street.reported(&placed.order.number);
    assert_eq!(street.t.order_state(placed.order.id).await, "paid", "{reported}");
    street.t.finish_with_jobs().await;
}
