//! PayPal's notices beyond the vectors: where certificates may come from, what is kept of them, PayPal's own word
//! instead of a signature, and what the events mean.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispense::base::secret::Secret;
use dispense::payments::gateways::gateway::{
    AccountKeys, Call, Calls, Gateway, Meaning, Notice, NoticeRefusal, RawNotice,
};
use dispense::payments::gateways::paypal::PayPal;
use serde_json::{Value, json};

use super::gateways_notices::outbound;
use super::loopback::{Loopback, Seen};

pub const ROOT: &str = include_str!("../../keys/paypal/root.pem");
pub const LEAF: &str = include_str!("../../keys/paypal/leaf.pem");
const KEY: &str = include_str!("../../keys/paypal/leaf.key");
pub const WEBHOOK: &str = "8PT597110X687430LKGECATA";
pub const MERCHANT: &str = "7B3M5XK2ZQ9TL";
const NOW: i64 = 1_800_000_000;

pub fn keys(base: Option<&str>) -> AccountKeys {
    let settings =
        [("client_id", "client-1"), ("webhook_id", WEBHOOK), ("merchant_id", MERCHANT), ("trust_root", ROOT)];
    AccountKeys {
        id: "paypal".into(),
        api_key: Some(Secret::new("client-secret-of-the-tests")),
        settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        api_url: base.map(String::from),
        sandbox: true,
        ..AccountKeys::default()
    }
}

/// CRC-32 of IEEE 802.3, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xEDB8_8320 } else { c >> 1 })
    })
}

/// An event as PayPal sends it.
pub fn signed(webhook: &str, certificate: &str, id: &str, body: &str, at: i64) -> RawNotice {
    let key = RsaKeyPair::from_pkcs8(&pem::parse(KEY).unwrap().into_contents()).unwrap();
    let message = format!("{id}|2027-01-15T07:59:57Z|{webhook}|{}", crc(body.as_bytes()));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    let headers = [
        ("content-type", "application/json"),
        ("paypal-auth-algo", "SHA256withRSA"),
        ("paypal-cert-url", certificate),
        ("paypal-transmission-id", id),
        ("paypal-transmission-time", "2027-01-15T07:59:57Z"),
        ("paypal-transmission-sig", &STANDARD.encode(signature)),
    ];
    RawNotice {
        method: "POST".into(),
        query: String::new(),
        headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
        body: body.as_bytes().to_vec(),
        now_unix: at,
    }
}

pub fn event(id: &str, kind: &str, resource: &Value) -> String {
    json!({
        "id": id, "event_version": "1.0", "create_time": "2027-01-15T07:59:55.000Z", "resource_type": "any",
        "event_type": kind, "resource": resource, "links": [],
    })
    .to_string()
}

pub fn captured(number: &str, order: &str, capture: &str, value: &str) -> Value {
    json!({
        "id": capture, "status": "COMPLETED", "amount": { "currency_code": "USD", "value": value },
        "custom_id": number, "invoice_id": number, "payee": { "merchant_id": MERCHANT },
        "supplementary_data": { "related_ids": { "order_id": order } },
    })
}

fn call<'a>(keys: &'a AccountKeys, now: i64) -> Call<'a> {
    Call { keys, now_unix: now, timeout: Duration::from_secs(5) }
}

/// As the shop does it: fetch, then check.
async fn judge(paypal: &PayPal, keys: &AccountKeys, raw: &RawNotice) -> Result<Notice, NoticeRefusal> {
    let evidence = paypal.evidence(&call(keys, raw.now_unix), raw).await?;
    paypal.authenticate(keys, raw, &evidence)
}

fn certificates(seen: &Seen) -> (u16, String) {
    match seen.what.as_str() {
        "GET /v1/notifications/certs/CERT-good" | "GET /v1/notifications/certs/CERT-two" => {
            (200, LEAF.into())
        }
        "GET /v1/notifications/certs/CERT-old" => (200, include_str!("../../keys/paypal/expired.pem").into()),
        "GET /v1/notifications/certs/CERT-other" => (200, include_str!("../../keys/paypal/other.pem").into()),
        "GET /v1/notifications/certs/CERT-self" => (200, include_str!("../../keys/paypal/self.pem").into()),
        "GET /v1/notifications/certs/CERT-long" => (200, "-".repeat(70_000)),
        "GET /v1/notifications/certs/CERT-moved" => (302, LEAF.into()),
        _ => (404, String::new()),
    }
}

fn money_body() -> String {
    event("WH-1", "PAYMENT.CAPTURE.COMPLETED", &captured("D1", "ORDER1", "CAP1", "9.90"))
}

/// Rows: P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_fetched_from_paypal_alone_whatever_the_notice_says() {
    let side = Loopback::start(certificates).await;
    let (paypal, keys) = (PayPal::new(outbound()), keys(Some(&side.base)));
    let port = side.base.rsplit(':').next().unwrap().to_owned();
    let hostile = [
        "https://api.paypal.com/v1/notifications/certs/CERT-live-at-a-sandbox-account".to_owned(),
        "https://api.sandbox.paypal.com@evil.example/v1/notifications/certs/CERT-good".into(),
        "https://evil.example@api.sandbox.paypal.com/v1/notifications/certs/CERT-good".into(),
        "https://api.sandbox.paypal.com:8443/v1/notifications/certs/CERT-good".into(),
        "https://api.sandbox.paypal.com:443/v1/notifications/certs/CERT-good".into(),
        "https://api.sandbox.paypal.com.evil.example/v1/notifications/certs/CERT-good".into(),
        "https://api.sandbox.paypal.com./v1/notifications/certs/CERT-good".into(),
        "https://evilapi.sandbox.paypal.com/v1/notifications/certs/CERT-good".into(),
        "http://api.sandbox.paypal.com/v1/notifications/certs/CERT-good".into(),
        "HTTPS://api.sandbox.paypal.com/v1/notifications/certs/CERT-good".into(),
        "https://API.sandbox.paypal.com/v1/notifications/certs/CERT-good".into(),
        "https://api.sandbox.paypal.com/v1/notifications/certs/".into(),
        "https://api.sandbox.paypal.com/v1/notifications/certs/../../evil".into(),
        "https://api.sandbox.paypal.com/v1/notifications/certs/%2e%2e/evil".into(),
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good/..".into(),
        "https://api.sandbox.paypal.com/v1/notifications/certs/a/b".into(),
        "https://api.sandbox.paypal.com/redirect?to=/v1/notifications/certs/CERT-good".into(),
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good?x=1".into(),
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good#x".into(),
        "https:\\\\api.sandbox.paypal.com\\v1\\notifications\\certs\\CERT-good".into(),
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good ".into(),
        "file:///v1/notifications/certs/CERT-good".into(),
        format!("http://localhost:{port}/v1/notifications/certs/CERT-good"),
        format!("http://127.0.0.1:{port}/v1/notifications/certs/CERT-good/../CERT-two"),
        format!("http://127.0.0.1:{port}/other/CERT-good"),
        format!("http://user@127.0.0.1:{port}/v1/notifications/certs/CERT-good"),
        "http://127.0.0.1:9/v1/notifications/certs/CERT-good".into(),
        String::new(),
    ];
    for address in hostile {
        let raw = signed(WEBHOOK, &address, "T1", &money_body(), NOW);
        let refusal = judge(&paypal, &keys, &raw).await.unwrap_err();
        let expected = if address.is_empty() { "header_missing" } else { "cert_url_not_allowed" };
        assert_eq!(refusal.reason, expected, "{address}");
    }
    assert!(side.seen().is_empty(), "nothing was fetched");
    // The simulator's folder is for sandbox accounts alone.
    let live = AccountKeys { sandbox: false, ..keys.clone() };
    let good = format!("{}/v1/notifications/certs/CERT-good", side.base);
    let raw = signed(WEBHOOK, &good, "T1", &money_body(), NOW);
    assert_eq!(judge(&paypal, &live, &raw).await.unwrap_err().reason, "cert_url_not_allowed");
    assert_eq!(judge(&paypal, &keys, &raw).await.unwrap().meaning, Meaning::Paid);
}

/// Rows: P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_chain_that_is_good_today_and_paypals_own_is_believed_and_kept() {
    let side = Loopback::start(certificates).await;
    let (paypal, keys) = (PayPal::new(outbound()), keys(Some(&side.base)));
    let at = |name: &str| format!("{}/v1/notifications/certs/{name}", side.base);
    let body = money_body();
    for (name, reason) in [
        ("CERT-old", "certificate_not_in_date"),
        ("CERT-other", "certificate_of_somebody_else"),
        ("CERT-self", "certificate_not_trusted"),
        ("CERT-long", "certificate_unavailable"),
        ("CERT-moved", "certificate_unavailable"),
        ("CERT-none", "certificate_unavailable"),
    ] {
        for _ in 0..2 {
            let raw = signed(WEBHOOK, &at(name), "T1", &body, NOW);
            assert_eq!(judge(&paypal, &keys, &raw).await.unwrap_err().reason, reason, "{name}");
        }
        assert_eq!(side.count(&format!("GET /v1/notifications/certs/{name}")), 2, "{name} was kept");
    }
    for _ in 0..3 {
        judge(&paypal, &keys, &signed(WEBHOOK, &at("CERT-good"), "T1", &body, NOW)).await.unwrap();
    }
    assert_eq!(side.count("GET /v1/notifications/certs/CERT-good"), 1, "kept by its address");
    judge(&paypal, &keys, &signed(WEBHOOK, &at("CERT-good"), "T1", &body, NOW + 90_000)).await.unwrap();
    assert_eq!(side.count("GET /v1/notifications/certs/CERT-good"), 2, "but not for ever");
    // Without the test's root only the public ones count.
    let mut public = keys.clone();
    public.settings.remove("trust_root");
    let raw = signed(WEBHOOK, &at("CERT-two"), "T1", &body, NOW);
    assert_eq!(judge(&paypal, &public, &raw).await.unwrap_err().reason, "certificate_not_trusted");
}

/// Rows: P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_notices_do_not_make_the_shop_knock_at_paypals_door_for_each() {
    let side = Loopback::start(certificates).await;
    let (paypal, keys) = (PayPal::new(outbound()), keys(Some(&side.base)));
    for n in 0..60 {
        let address = format!("{}/v1/notifications/certs/CERT-{n}", side.base);
        judge(&paypal, &keys, &signed(WEBHOOK, &address, "T1", "{}", NOW)).await.unwrap_err();
    }
    assert_eq!(side.seen().len(), 20);
    let address = format!("{}/v1/notifications/certs/CERT-good", side.base);
    judge(&paypal, &keys, &signed(WEBHOOK, &address, "T1", &money_body(), NOW + 60)).await.unwrap();
}

/// Rows: P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_signature_binds_every_part_and_our_own_webhook() {
    let side = Loopback::start(certificates).await;
    let (paypal, keys) = (PayPal::new(outbound()), keys(Some(&side.base)));
    let address = format!("{}/v1/notifications/certs/CERT-good", side.base);
    let good = signed(WEBHOOK, &address, "T1", &money_body(), NOW);
    judge(&paypal, &keys, &good).await.unwrap();
    let reason = async |raw: RawNotice| judge(&paypal, &keys, &raw).await.unwrap_err().reason;
    let changed = |name: &str, value: &str| {
        let mut raw = good.clone();
        raw.headers.iter_mut().filter(|(n, _)| n == name).for_each(|(_, v)| *v = value.into());
        raw
    };
    assert_eq!(reason(signed("WEBHOOK_ID", &address, "T1", &money_body(), NOW)).await, "sign_mismatch");
    assert_eq!(reason(changed("paypal-transmission-id", "T2")).await, "sign_mismatch");
    assert_eq!(reason(changed("paypal-transmission-time", "2027-01-15T07:59:58Z")).await, "sign_mismatch");
    assert_eq!(reason(changed("paypal-transmission-sig", "AAAA")).await, "sign_mismatch");
    assert_eq!(reason(changed("paypal-auth-algo", "SHA1withRSA")).await, "algorithm_not_allowed");
    assert_eq!(reason(changed("paypal-transmission-id", "a|b")).await, "bad_header");
    let mut twice = good.clone();
    twice.headers.push(("PayPal-Cert-Url".into(), address.clone()));
    assert_eq!(reason(twice).await, "header_repeated");
    let mut longer = good.clone();
    longer.body.push(b'\n');
    assert_eq!(reason(longer).await, "sign_mismatch");
}

fn api_side(seen: &Seen) -> (u16, String) {
    match seen.what.as_str() {
        "POST /v1/oauth2/token" => (200, r#"{"access_token":"A21-token","expires_in":32400}"#.into()),
        "POST /v1/notifications/verify-webhook-signature" => {
            let asked = seen.json();
            let ours = asked["webhook_id"] == WEBHOOK && asked["transmission_id"] == "T1";
            let answer = if ours { "SUCCESS" } else { "FAILURE" };
            (200, format!(r#"{{"verification_status":"{answer}"}}"#))
        }
        _ => (404, "{}".into()),
    }
}

/// Rows: P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paypals_own_word_counts_for_exactly_the_bytes_it_was_asked_about() {
    let side = Loopback::start(api_side).await;
    let paypal = PayPal::new(outbound());
    let mut keys = keys(Some(&side.base));
    keys.settings.insert("verify".into(), "api".into());
    let address = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1";
    // Numbers and escapes that a writer of JSON would write otherwise.
    let body = r#"{ "id":"WH-1","event_type":"X.Y", "resource":{"n":1.50,"t":"\u00e9\/"} }"#;
    let raw = signed(WEBHOOK, address, "T1", body, NOW);
    let evidence = paypal.evidence(&call(&keys, NOW), &raw).await.unwrap();
    assert_eq!(paypal.authenticate(&keys, &raw, &evidence).unwrap().meaning, Meaning::Ignored);
    let asked = side.last("POST /v1/notifications/verify-webhook-signature");
    assert!(asked.body.ends_with(&format!(r#""webhook_event":{body}}}"#)), "{}", asked.body);
    assert_eq!(asked.header("authorization"), Some("Bearer A21-token"));
    let mut other = raw.clone();
    other.body.push(b' ');
    assert_eq!(paypal.authenticate(&keys, &other, &evidence).unwrap_err().reason, "sign_mismatch");
    let other = signed(WEBHOOK, address, "T2", body, NOW);
    assert_eq!(paypal.authenticate(&keys, &other, &evidence).unwrap_err().reason, "sign_mismatch");
    assert_eq!(judge(&paypal, &keys, &other).await.unwrap_err().reason, "sign_mismatch");
    // A body that would add fields to the question never gets into one.
    let before = side.seen().len();
    for smuggled in [
        r#"{"id":"WH-1"},"webhook_id":"THEIRS""#,
        r#"{"id":"WH-1"}}"#,
        r#"[{"id":"WH-1"}]"#,
        "",
        "{",
        r#"{"id":"WH-1","id":"WH-2"}"#,
    ] {
        let raw = signed(WEBHOOK, address, "T1", smuggled, NOW);
        assert_eq!(judge(&paypal, &keys, &raw).await.unwrap_err().reason, "not_json", "{smuggled}");
    }
    let elsewhere = signed(WEBHOOK, "https://evil.example/CERT-1", "T1", body, NOW);
    assert_eq!(judge(&paypal, &keys, &elsewhere).await.unwrap_err().reason, "cert_url_not_allowed");
    assert_eq!(side.seen().len(), before);
    side.answer_by(|_| (500, "{}".into()));
    assert_eq!(judge(&paypal, &keys, &raw).await.unwrap_err().reason, "verification_unavailable");
}

/// Rows: P4, P9, P10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_mean_what_the_capture_says() {
    let side = Loopback::start(certificates).await;
    let (paypal, keys) = (PayPal::new(outbound()), keys(Some(&side.base)));
    let address = format!("{}/v1/notifications/certs/CERT-good", side.base);
    let read = async |kind: &str, resource: Value| {
        let raw = signed(WEBHOOK, &address, "T1", &event("WH-1", kind, &resource), NOW);
        judge(&paypal, &keys, &raw).await.map(|notice| notice.facts().clone()).map_err(|r| r.reason)
    };
    let with = |change: Value| {
        let mut capture = captured("D1", "ORDER1", "CAP1", "9.90");
        for (key, value) in change.as_object().unwrap() {
            capture[key] = value.clone();
        }
        capture
    };
    let paid = read("PAYMENT.CAPTURE.COMPLETED", with(json!({}))).await.unwrap();
    assert_eq!((paid.meaning, paid.amount_minor), (Meaning::Paid, Some(990)));
    assert_eq!((paid.trade_no.as_deref(), paid.gateway_reference.as_deref()), (Some("CAP1"), Some("ORDER1")));
    for (currency, value, minor) in [
        ("JPY", "1200", Ok(1200)),
        ("HUF", "1200", Ok(120_000)),
        ("TWD", "30", Ok(3_000)),
        ("EUR", "0.05", Ok(5)),
        ("USD", "9.9", Ok(990)),
        ("JPY", "12.00", Err("amount_malformed")),
        ("USD", "9.901", Err("amount_malformed")),
        ("USD", "-1.00", Err("amount_malformed")),
        ("USD", "1e3", Err("amount_malformed")),
    ] {
        let capture = with(json!({ "amount": { "currency_code": currency, "value": value } }));
        let read = read("PAYMENT.CAPTURE.COMPLETED", capture).await;
        assert_eq!(read.map(|facts| facts.amount_minor.unwrap()), minor, "{value} {currency}");
    }
    let as_number = with(json!({ "amount": { "currency_code": "USD", "value": 9.9 } }));
    assert_eq!(read("PAYMENT.CAPTURE.COMPLETED", as_number).await.unwrap_err(), "amount_missing");
    let pending = with(json!({ "status": "PENDING" }));
    assert_eq!(
        read("PAYMENT.CAPTURE.COMPLETED", pending.clone()).await.unwrap_err(),
        "status_contradicts_type"
    );
    assert_eq!(read("PAYMENT.CAPTURE.PENDING", pending).await.unwrap().meaning, Meaning::Pending);
    let declined = with(json!({ "status": "DECLINED" }));
    assert_eq!(read("PAYMENT.CAPTURE.DENIED", declined).await.unwrap().meaning, Meaning::Failed);
    let order = json!({
        "id": "ORDER1", "status": "APPROVED", "intent": "CAPTURE",
        "purchase_units": [{ "custom_id": "D1", "amount": { "currency_code": "USD", "value": "9.90" }, "payee": { "merchant_id": MERCHANT } }],
    });
    let approved = read("CHECKOUT.ORDER.APPROVED", order).await.unwrap();
    assert_eq!((approved.meaning, approved.trade_no), (Meaning::Approved, None));
    let refund = json!({
        "id": "REF1", "status": "COMPLETED", "amount": { "currency_code": "USD", "value": "1.00" },
        "custom_id": "ref_00000000000000000000000001",
        "seller_payable_breakdown": { "total_refunded_amount": { "currency_code": "USD", "value": "3.50" } },
        "links": [{ "rel": "up", "href": "https://api.sandbox.paypal.com/v2/payments/captures/CAP1" }],
    });
    let back = read("PAYMENT.CAPTURE.REFUNDED", refund.clone()).await.unwrap();
    assert_eq!((back.refunded_minor, back.trade_no.as_deref(), back.number), (Some(350), Some("CAP1"), None));
    let fact = back.refund.unwrap();
    assert_eq!((fact.amount_minor, fact.gateway_refund_id.as_str()), (Some(100), "REF1"));
    assert_eq!(fact.refund_id.as_deref(), Some("ref_00000000000000000000000001"));
    let mut alone = refund.clone();
    alone["seller_payable_breakdown"] = json!({});
    let one = read("PAYMENT.CAPTURE.REFUNDED", alone).await.unwrap();
    assert_eq!((one.meaning, one.refunded_minor), (Meaning::RefundSucceeded, None));
    let mut contradicting = refund.clone();
    contradicting["seller_payable_breakdown"]["total_refunded_amount"]["value"] = "0.50".into();
    assert_eq!(
        read("PAYMENT.CAPTURE.REFUNDED", contradicting).await.unwrap_err(),
        "total_refunded_contradicts"
    );
    assert_eq!(read("PAYMENT.CAPTURE.REVERSED", refund).await.unwrap().meaning, Meaning::DisputeOpened);
    let dispute = |outcome: Option<&str>| {
        json!({
            "dispute_id": "PP-D-1", "disputed_transactions": [{ "seller_transaction_id": "CAP1", "seller": { "merchant_id": MERCHANT } }],
            "dispute_outcome": outcome.map(|code| json!({ "outcome_code": code })),
        })
    };
    for (kind, outcome, meaning) in [
        ("CUSTOMER.DISPUTE.CREATED", None, Meaning::DisputeOpened),
        ("CUSTOMER.DISPUTE.RESOLVED", Some("RESOLVED_BUYER_FAVOUR"), Meaning::DisputeLost),
        ("CUSTOMER.DISPUTE.RESOLVED", Some("RESOLVED_SELLER_FAVOUR"), Meaning::DisputeWon),
        ("CUSTOMER.DISPUTE.RESOLVED", Some("CANCELED_BY_BUYER"), Meaning::DisputeWithdrawn),
        ("BILLING.PLAN.CREATED", None, Meaning::Ignored),
    ] {
        assert_eq!(read(kind, dispute(outcome)).await.unwrap().meaning, meaning, "{kind} {outcome:?}");
    }
}

/// Rows: O6.
#[test]
fn an_account_that_anybody_could_sign_for_does_not_start() {
    let paypal = PayPal::new(outbound());
    let reported = |change: &dyn Fn(&mut AccountKeys)| {
        let mut keys = keys(None);
        change(&mut keys);
        paypal.faults(&keys).into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    let set = |name: &'static str, value: &'static str| {
        move |keys: &mut AccountKeys| {
            keys.settings.insert(name.into(), value.into());
        }
    };
    assert!(reported(&|_| ()).is_empty());
    assert_eq!(reported(&set("webhook_id", "WEBHOOK_ID")), ["settings.webhook_id"]);
    assert_eq!(reported(&set("webhook_id", "a|b")), ["settings.webhook_id"]);
    assert_eq!(reported(&set("verify", "no")), ["settings.verify"]);
    assert_eq!(reported(&set("trust_root", "no")), ["settings.trust_root"]);
    assert_eq!(reported(&|keys| keys.sandbox = false), ["settings.trust_root"]);
    assert_eq!(reported(&|keys| keys.api_key = None), ["api_key"]);
    assert_eq!(reported(&|keys| keys.api_key = Some(Secret::new(" "))), ["api_key"]);
    assert_eq!(reported(&|keys| keys.secrets = vec![Secret::new("x")]), ["secrets"]);
}
