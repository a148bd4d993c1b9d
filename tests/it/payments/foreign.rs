//! Other software sells on the same merchant accounts: what is not ours is ignored, what may be ours waits.

use std::time::Duration;

use chrono::TimeDelta;
use dispense::base::money::{Currency, Money};
use dispense::base::secret::Secret;
use dispense::config::Account;
use dispense::payments::attempts::number;
use dispense::payments::gateways::gateway::{Call, NewPayment};
use serde_json::{Value, json};

use super::gateways_paypal::{LEAF, WEBHOOK, captured, event, signed};
use super::loopback::{Loopback, Seen};
use super::small_paypal::Small;
use super::street::{GATEWAYS, currency, street};
use crate::harness::{TestApp, signing};

const SECRET: &str = "whsec_of_the_shared_endpoint_0001";
const OURS: &str = "D2K7M9QX4HT";

/// A Stripe that knows three payment intents.
fn intents(seen: &Seen) -> (u16, String) {
    let metadata = match seen.what.strip_prefix("GET /v1/payment_intents/") {
        Some("pi_theirs") => json!({}),
        Some("pi_shaped") => json!({ "order_no": "someone-else's 17" }),
        Some("pi_ours") => json!({ "order_no": OURS }),
        Some("pi_down") => return (503, "{}".into()),
        _ => return (404, json!({ "error": { "code": "resource_missing" } }).to_string()),
    };
    let id = seen.what.rsplit('/').next().unwrap();
    (200, json!({ "id": id, "object": "payment_intent", "metadata": metadata }).to_string())
}

struct Shared {
    t: TestApp,
    side: Loopback,
}

impl Shared {
    async fn open() -> Self {
        let side = Loopback::start(intents).await;
        let account = Account {
            id: "stripe".into(),
            gateway: "stripe".into(),
            currencies: vec!["USD".into()],
            secrets: vec![Secret::new(SECRET)],
            api_key: Some(Secret::new("sk_test_of_the_shared_account")),
            api_url: Some(side.base.clone()),
            sandbox: true,
            ..Account::default()
        };
        let t = TestApp::start_with(|config| config.accounts = vec![account]).await;
        Self { t, side }
    }

    async fn send(&self, id: &str, kind: &str, object: &Value) -> u16 {
        let body = json!({ "id": id, "object": "event", "type": kind, "created": self.t.app.clock.unix(), "livemode": false,
            "data": { "object": object } });
        let raw = signing::stripe(SECRET, self.t.app.clock.unix(), &body.to_string());
        let mut request = self.t.http().post(format!("{}/webhooks/stripe", self.t.base)).body(raw.body);
        for (name, value) in raw.headers {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    }

    fn asked(&self, intent: &str) -> usize {
        self.side.count(&format!("GET /v1/payment_intents/{intent}"))
    }

    async fn verdicts(&self) -> String {
        self.t.db.one("select coalesce(string_agg(distinct verdict, ','), '') from notice").await
    }
}

fn session(number: Value, metadata: Value) -> Value {
    json!({ "id": "cs_test_theirs", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "amount_total": 4_200, "currency": "usd", "payment_intent": "pi_theirs",
        "client_reference_id": number, "metadata": metadata })
}

fn charge(intent: Value) -> Value {
    json!({ "id": "ch_1", "object": "charge", "amount": 4_200, "amount_captured": 4_200, "amount_refunded": 4_200,
        "currency": "usd", "payment_intent": intent, "metadata": {} })
}

fn refund(intent: Value, status: &str) -> Value {
    json!({ "id": "re_1", "object": "refund", "amount": 4_200, "currency": "usd", "payment_intent": intent,
        "status": status, "metadata": {} })
}

fn dispute(intent: Value, status: &str) -> Value {
    json!({ "id": "dp_1", "object": "dispute", "amount": 4_200, "currency": "usd", "payment_intent": intent, "status": status })
}

/// Rows: P4.
#[test]
fn numbers_of_this_shop_are_known_by_their_exact_form() {
    let prefix = "D";
    for ours in
        ["D2K7M9QX4HT", "D2K7M9QX4HT-2-7Q2KM", "D2K7M9QX4HT-1-ABCDE", "D2K7M9QX4HT-17-23456", "D2K7M9QX4HT-9"]
    {
        assert!(number::is_ours(prefix, ours), "{ours}");
    }
    let fresh = dispense::orders::number::number(prefix);
    assert!(number::is_ours(prefix, &fresh), "{fresh}");
    for theirs in [
        "",
        "D",
        "D2K7M9Q",
        "D2K7M9QX",
        "D2K7M9QX4H",
        "D2K7M9QX4HTN",
        "X2K7M9QX4HT",
        "d2k7m9qx4ht",
        "D2K7M9QX4HT-",
        "D2K7M9QX4HT-2-",
        "D2K7M9QX4HT-2-7Q2K",
        "D2K7M9QX4HT-02-7Q2KM",
        "D2K7M9QX4HT-0-7Q2KM",
        "D2K7M9QX4HT-+2-7Q2KM",
        "D2K7M9QX4HT-x-7Q2KM",
        "D2K7M9QX4HT-2-7Q2KM-1",
        "D2K7M9QX4HT 2",
        "DE234567890",
        "DEPARTMENT-17",
        "DRAFT234",
        "DONATION-2026",
        "2026112722001",
        "KS20270115000001",
        "D1000000000",
        "D订单编号2K7M",
    ] {
        assert!(!number::is_ours(prefix, theirs), "{theirs}");
    }
    assert!(number::is_ours("SHOP2", "SHOP22K7M9QX4HT") && !number::is_ours("SHOP2", "D2K7M9QX4HT"));
}

/// Rows: P4, P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stripes_events_of_other_sales_are_ignored_and_a_trade_is_asked_about_once() {
    let shop = Shared::open().await;
    let closed = |mut session: Value, status: &str| {
        session["status"] = json!(status);
        session["payment_status"] = json!("unpaid");
        session
    };
    let theirs = || json!("pi_theirs");
    for (index, (kind, object)) in [
        ("checkout.session.completed", session(Value::Null, json!({}))),
        ("checkout.session.completed", session(json!("user 17"), json!({}))),
        ("checkout.session.completed", session(json!("user 17"), json!({ "order_no": "cart#9" }))),
        (
            "checkout.session.completed",
            session(json!("x".repeat(200)), json!({ "order_no": "y".repeat(400) })),
        ),
        ("checkout.session.async_payment_succeeded", session(json!("4711"), json!({}))),
        ("checkout.session.completed", session(json!("DE234567890"), json!({}))),
        ("checkout.session.completed", session(json!("DEPARTMENT-17"), json!({}))),
        ("checkout.session.completed", session(json!("DRAFT234"), json!({}))),
        ("checkout.session.completed", session(json!("4711"), json!({ "order_no": "10023" }))),
        ("checkout.session.completed", session(Value::Null, json!({ "order_no": "cart\t9\n" }))),
        ("checkout.session.expired", closed(session(Value::Null, json!({})), "expired")),
        ("checkout.session.completed", json!({ "object": "checkout.session", "mode": "payment" })),
        ("charge.refunded", charge(theirs())),
        ("charge.refunded", charge(Value::Null)),
        ("charge.refunded", charge(json!("pi_gone"))),
        ("refund.created", refund(theirs(), "succeeded")),
        ("refund.failed", refund(theirs(), "failed")),
        ("refund.updated", refund(Value::Null, "succeeded")),
        ("charge.dispute.created", dispute(theirs(), "needs_response")),
        ("charge.dispute.closed", dispute(theirs(), "lost")),
        ("charge.dispute.closed", dispute(json!("pi_shaped"), "won")),
        ("charge.dispute.created", dispute(Value::Null, "needs_response")),
        ("refund.failed", json!({ "object": "refund", "status": "a new word", "payment_intent": null })),
        ("refund.updated", refund(theirs(), "a new word")),
        ("refund.updated", refund(json!("pi_gone"), "a new word")),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(shop.send(&format!("evt_{index}"), kind, &object).await, 200, "{kind} {object}");
        assert_eq!(shop.verdicts().await, "ignored", "{kind} {object}");
    }
    assert_eq!((shop.asked("pi_theirs"), shop.asked("pi_gone"), shop.asked("pi_shaped")), (1, 1, 1));
    assert_eq!(shop.side.seen().len(), 3, "nothing else was asked");
    assert_eq!(shop.t.db.one("select count(*) from task").await, "0");
    shop.t.finish().await;
}

/// Rows: P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_carries_a_number_of_ours_waits_and_what_nobody_can_tell_is_asked_again() {
    let shop = Shared::open().await;
    // Of this shop's form, and unknown: as after a restored backup.
    assert_eq!(
        shop.send("evt_s", "checkout.session.completed", &session(json!(OURS), json!({ "order_no": OURS })))
            .await,
        503
    );
    for _ in 0..3 {
        let lost = dispute(json!("pi_ours"), "lost");
        assert_eq!(shop.send("evt_d", "charge.dispute.closed", &lost).await, 503);
    }
    assert_eq!(shop.verdicts().await, "orphan");
    // What may be ours and cannot be read is refused, and so comes again.
    let contradicts = session(json!(OURS), json!({ "order_no": "10023" }));
    assert_eq!(shop.send("evt_c", "checkout.session.completed", &contradicts).await, 400);
    for intent in ["pi_ours", "pi_down"] {
        let unread = refund(json!(intent), "a new word");
        assert_eq!(shop.send("evt_w", "refund.updated", &unread).await, 400, "{intent}");
    }
    assert_eq!(shop.verdicts().await, "malformed,orphan");
    assert_eq!(shop.asked("pi_ours"), 1, "its answer is kept");
    // While the gateway does not say, nothing is concluded and nothing is kept.
    for round in 1..=2 {
        assert_eq!(shop.send("evt_down", "charge.refunded", &charge(json!("pi_down"))).await, 503);
        assert_eq!(shop.asked("pi_down"), round + 1);
    }
    shop.t.advance(TimeDelta::minutes(11)).await;
    assert_eq!(shop.send("evt_d", "charge.dispute.closed", &dispute(json!("pi_ours"), "lost")).await, 200);
    assert_eq!(shop.send("evt_down", "charge.refunded", &charge(json!("pi_down"))).await, 200);
    assert_eq!(shop.t.db.one("select string_agg(kind, ',') from task").await, "notice_orphan,notice_orphan");
    // A gateway that speaks again is believed.
    shop.side.answer_by(|_| (404, json!({ "error": { "code": "resource_missing" } }).to_string()));
    assert_eq!(shop.send("evt_late", "charge.refunded", &charge(json!("pi_down"))).await, 200);
    assert_eq!(shop.t.db.one("select verdict from notice where event_key = 'evt_late'").await, "ignored");
    // Many about one trade at once are one question.
    let sent = (0..8).map(|n| {
        let shop = &shop;
        async move { shop.send(&format!("evt_many_{n}"), "charge.refunded", &charge(json!("pi_many"))).await }
    });
    assert_eq!(futures::future::join_all(sent).await, [200; 8]);
    assert_eq!(shop.asked("pi_many"), 1);
    shop.t.finish_with_jobs().await;
}

/// Rows: P4, P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paypals_events_of_other_sales_are_ignored_and_a_capture_is_asked_about_once() {
    let small = Small::start().await;
    let account = small.account();
    let t = TestApp::start_with(|config| config.accounts = vec![account]).await;
    small.side.answer_by(|seen: &Seen| match seen.what.as_str() {
        "POST /v1/oauth2/token" => (200, r#"{"access_token":"token-1","expires_in":3600}"#.into()),
        "GET /v2/payments/captures/CAPTHEIRS" => {
            (200, captured("cart 9", "O9", "CAPTHEIRS", "42.00").to_string())
        }
        "GET /v2/payments/captures/CAPOURS" => (200, captured(OURS, "O8", "CAPOURS", "42.00").to_string()),
        what if what.starts_with("GET /v1/notifications/certs/") => (200, LEAF.into()),
        _ => (404, r#"{"name":"RESOURCE_NOT_FOUND"}"#.into()),
    });
    let send = async |id: &str, kind: &str, resource: &Value| {
        let certificate = format!("{}/v1/notifications/certs/CERT-1", small.side.base);
        let raw = signed(WEBHOOK, &certificate, id, &event(id, kind, resource), 0);
        let mut request = t.http().post(format!("{}/webhooks/paypal", t.base)).body(raw.body);
        for (name, value) in raw.headers {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let back = |capture: &str| {
        json!({ "id": "REF1", "status": "COMPLETED", "amount": { "currency_code": "USD", "value": "42.00" },
            "seller_payable_breakdown": { "total_refunded_amount": { "currency_code": "USD", "value": "42.00" } },
            "links": [{ "rel": "up", "href": format!("https://api.sandbox.paypal.com/v2/payments/captures/{capture}") }] })
    };
    let dispute = |capture: &str| json!({ "dispute_id": "PP-R-1", "disputed_transactions": [{ "seller_transaction_id": capture }], "status": "OPEN" });
    let mut unnamed = captured("", "O9", "CAPTHEIRS", "42.00");
    unnamed.as_object_mut().unwrap().retain(|key, _| key != "custom_id" && key != "invoice_id");
    let unit = json!({ "amount": { "currency_code": "USD", "value": "1.00" }, "custom_id": "cart 9" });
    let several = json!({ "id": "O7", "status": "APPROVED", "purchase_units": [unit, unit] });
    let named = |key: &str, number: &str| {
        let mut units = several.clone();
        units["purchase_units"][1][key] = json!(number);
        units
    };
    for (index, (kind, resource)) in [
        ("PAYMENT.CAPTURE.COMPLETED", captured("cart 9", "O9", "CAPTHEIRS", "42.00")),
        ("PAYMENT.CAPTURE.COMPLETED", unnamed),
        ("PAYMENT.CAPTURE.COMPLETED", json!({ "id": "X", "status": "COMPLETED" })),
        ("CHECKOUT.ORDER.APPROVED", several.clone()),
        ("CHECKOUT.ORDER.APPROVED", named("invoice_id", "WC-1001")),
        ("CHECKOUT.ORDER.APPROVED", named("custom_id", "1001")),
        ("PAYMENT.CAPTURE.COMPLETED", captured(&"编号".repeat(60), "O9", "CAPTHEIRS", "42.00")),
        ("PAYMENT.CAPTURE.COMPLETED", captured("cart\t9\n", "O9", "CAPTHEIRS", "42.00")),
        ("PAYMENT.CAPTURE.REFUNDED", back("CAPTHEIRS")),
        ("PAYMENT.CAPTURE.REFUNDED", back("CAPGONE")),
        ("PAYMENT.CAPTURE.REFUNDED", json!({ "id": "REF2", "status": "COMPLETED" })),
        ("PAYMENT.CAPTURE.REVERSED", json!({ "id": "CAPTHEIRS" })),
        ("CUSTOMER.DISPUTE.CREATED", dispute("CAPTHEIRS")),
        ("CUSTOMER.DISPUTE.CREATED", json!({ "dispute_id": "PP-R-2" })),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(send(&format!("WH-{index}"), kind, &resource).await, 200, "{kind} {resource}");
        let verdicts = t.db.one("select string_agg(distinct verdict, ',') from notice").await;
        assert_eq!(verdicts, "ignored", "{kind} {resource}");
    }
    assert_eq!(small.side.count("GET /v2/payments/captures/CAPTHEIRS"), 1);
    assert_eq!(t.db.one("select count(*) from task").await, "0");
    assert_eq!(send("WH-C", "CHECKOUT.ORDER.APPROVED", &named("invoice_id", OURS)).await, 400);
    for id in ["WH-A", "WH-B"] {
        assert_eq!(send(id, "CUSTOMER.DISPUTE.CREATED", &dispute("CAPOURS")).await, 503);
    }
    assert_eq!(small.side.count("GET /v2/payments/captures/CAPOURS"), 1);
    t.finish().await;
}

/// Rows: P4, P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_under_a_number_that_is_not_ours_is_ignored_at_every_gateway_and_one_of_our_form_waits() {
    let street = street().await;
    let t = &street.t;
    for (begin, verdict) in [("SHOP2-0000017", "ignored"), ("DRAFT23", "ignored"), ("D2K7M9QX4H", "orphan")] {
        for (index, method) in GATEWAYS.into_iter().enumerate() {
            let number = format!("{begin}{}", index + 2);
            let number = number.as_str();
            // Somebody else's software starts a payment by the same account; both are notified.
            let (account, gateway) = t.app.payments.accounts.find(method).unwrap();
            let call =
                Call { keys: &account.keys, now_unix: t.app.clock.unix(), timeout: Duration::from_secs(10) };
            let payment = NewPayment {
                number,
                payment_id: &format!("{method}-{number}"),
                money: Money::new(990, Currency::parse(currency(method)).unwrap()),
                title: "Something else",
                locale: "en",
                email: None,
                return_url: "https://other.example/back",
                cancel_url: "https://other.example/back",
                notify_url: &format!("{}/webhooks/{method}", t.base),
                started_at: t.app.clock.now(),
                expires_at: t.app.clock.now() + TimeDelta::hours(2),
                accepts: &[],
                sdks: &[],
                platform: None,
                payer: None,
                client_address: None,
            };
            let started = gateway.start(&call, &payment).await.unwrap();
            street.follow(started.action).await;
            street.act(number, "pay");
            street.settled().await;
            let seen =
                t.db.one(&format!(
                    "select string_agg(distinct verdict, ',') from notice where account_id = '{method}'"
                ))
                .await;
            let wanted = if verdict == "ignored" { "ignored" } else { "ignored,orphan" };
            assert_eq!(seen, wanted, "{method} {number}: {}", street.reported(number));
            let reported = street.reported(number);
            assert_eq!(
                reported.contains("\"state\":\"delivered\""),
                verdict == "ignored",
                "{method}: {reported}"
            );
        }
    }
    street.t.finish_with_jobs().await;
}
