//! The way from the buyer's agreement to the money, and back, in a shop whose PayPal is a small one.

use chrono::TimeDelta;
use dispense::base::actor::Actor;
use dispense::base::ids::PaymentId;
use dispense::orders::place::Placed;
use dispense::payments::attempts::start::{self, Start, StartOptions};
use dispense::payments::attempts::{ask, cancel, close};
use dispense::payments::refunds::request::{self, RefundOf, RefundRequest};
use serde_json::{Value, json};

use super::gateways_paypal::{WEBHOOK, captured, event, signed};
use super::small_paypal::{Small, answer};
use crate::harness::TestApp;

/// A shop whose buyers pay at the small PayPal.
struct Street {
    t: TestApp,
    small: Small,
}

impl Street {
    async fn open() -> Self {
        let small = Small::start().await;
        let account = small.account();
        let t = TestApp::start_with(|config| config.accounts = vec![account]).await;
        Self { t, small }
    }

    async fn started(&self) -> (Placed, PaymentId) {
        let variant = self.t.selling_keys(1, 990).await;
        let placed = self.t.place(&[(variant, 1)]).await;
        let wish = Start {
            idempotency_key: format!("start-{}-paypal", placed.order.number),
            order_id: placed.order.id,
            access_token: Some(placed.access_token.expose().to_owned()),
            options: StartOptions { method: "paypal".into(), ..StartOptions::default() },
        };
        let attempt = start::start(&self.t.app.payments, &Actor::guest(), wish).await.unwrap();
        (placed, attempt.payment.id)
    }

    /// PayPal sends an event; the status of the shop's answer.
    async fn send(&self, id: &str, kind: &str, resource: &Value) -> u16 {
        let certificate = format!("{}/v1/notifications/certs/CERT-1", self.small.side.base);
        let raw = signed(WEBHOOK, &certificate, id, &event(id, kind, resource), 0);
        let mut request = self.t.http().post(format!("{}/webhooks/paypal", self.t.base)).body(raw.body);
        for (name, value) in raw.headers {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    }

    fn order(&self) -> Value {
        self.small.book.lock().unwrap().order()
    }
}

/// Rows: P2, P3, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_buyer_approves_is_taken_at_once_and_paid_for() {
    let street = Street::open().await;
    let t = &street.t;
    let (placed, payment_id) = street.started().await;
    street.small.set("APPROVED");
    let order = street.order();
    assert_eq!(street.send("WH-A", "CHECKOUT.ORDER.APPROVED", &order).await, 200);
    assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
    assert_eq!(street.small.captures(), 0);
    t.drain().await;
    assert_eq!(street.small.captures(), 1);
    assert_eq!(t.order_state(placed.order.id).await, "paid");
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    // The notice of the money comes after it, and changes nothing more.
    let capture = captured(&placed.order.number, "ORDER1", "CAP1", "9.90");
    assert_eq!(street.send("WH-B", "PAYMENT.CAPTURE.COMPLETED", &capture).await, 200);
    assert_eq!(t.db.one("select count(*) from payment where received_minor is not null").await, "1");
    let wish = RefundRequest {
        idempotency_key: "refund-paypal-part-1".into(),
        of: RefundOf::Payment(payment_id),
        units: Vec::new(),
        amount_minor: Some(400),
        reason: None,
    };
    let refund = request::request(&t.app.payments, &Actor::system(), wish).await.unwrap();
    assert_eq!(refund.state.as_str(), "succeeded");
    // The same refund by notice is not counted twice, one made at PayPal's own pages is.
    let reported = |id: &str, value: &str, total: &str| {
        json!({
            "id": id, "status": "COMPLETED", "amount": { "currency_code": "USD", "value": value },
            "seller_payable_breakdown": { "total_refunded_amount": { "currency_code": "USD", "value": total } },
            "links": [{ "rel": "up", "href": "https://api/v2/payments/captures/CAP1" }],
        })
    };
    let state = async || t.db.one("select state || ' ' || refunded_minor from payment").await;
    assert_eq!(street.send("WH-C", "PAYMENT.CAPTURE.REFUNDED", &reported("REF1", "4.00", "4.00")).await, 200);
    assert_eq!(state().await, "partially_refunded 400");
    assert_eq!(street.send("WH-D", "PAYMENT.CAPTURE.REFUNDED", &reported("REF2", "5.90", "9.90")).await, 200);
    assert_eq!(state().await, "refunded 990");
    assert_eq!(t.unit_states(placed.order.id).await, "revoked:1");
    street.t.finish_with_jobs().await;
}

/// Rows: P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_nobody_heard_of_is_found_by_asking_and_taken_even_after_a_lost_answer() {
    let street = Street::open().await;
    let t = &street.t;
    let (placed, payment_id) = street.started().await;
    ask::check(&t.app.payments, payment_id).await.unwrap();
    street.small.set("APPROVED");
    // PayPal takes the money and its answer gets lost: nothing is concluded.
    let book = street.small.book.clone();
    street.small.side.answer_by(move |seen| {
        let reported = answer(&mut book.lock().unwrap(), seen);
        if seen.what.ends_with("/capture") { (502, "lost".into()) } else { reported }
    });
    ask::check(&t.app.payments, payment_id).await.unwrap();
    assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
    assert_eq!(street.small.captures(), 1);
    ask::check(&t.app.payments, payment_id).await.unwrap();
    assert_eq!(t.order_state(placed.order.id).await, "paid");
    assert_eq!(street.small.captures(), 1, "the order itself reported its money");
    street.t.finish_with_jobs().await;
}

/// Rows: P7, O5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_taken_after_the_end_of_an_order_or_for_another_amount() {
    let street = Street::open().await;
    let t = &street.t;
    let (placed, payment_id) = street.started().await;
    street.small.set("APPROVED");
    street.small.book.lock().unwrap().value = "0.01".into();
    ask::check(&t.app.payments, payment_id).await.unwrap();
    assert_eq!(street.small.captures(), 0, "another amount");
    street.small.book.lock().unwrap().value = "9.90".into();
    t.advance(TimeDelta::hours(3)).await;
    ask::check(&t.app.payments, payment_id).await.unwrap();
    assert_eq!(street.small.captures(), 0, "too late");
    close::expire_overdue(&t.app.payments).await.unwrap();
    assert_eq!(t.order_state(placed.order.id).await, "expired");
    let order = street.order();
    assert_eq!(street.send("WH-A", "CHECKOUT.ORDER.APPROVED", &order).await, 200);
    t.drain().await;
    assert_eq!(street.small.captures(), 0);
    street.t.finish_with_jobs().await;
}

/// Rows: P7, O5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_taken_for_an_order_that_was_cancelled() {
    let street = Street::open().await;
    let t = &street.t;
    let (placed, _) = street.started().await;
    street.small.set("APPROVED");
    let token = placed.access_token.expose();
    cancel::cancel(&t.app.payments, &Actor::guest(), placed.order.id, Some(token), None).await.unwrap();
    let order = street.order();
    assert_eq!(street.send("WH-A", "CHECKOUT.ORDER.APPROVED", &order).await, 200);
    t.drain().await;
    assert_eq!(street.small.captures(), 0);
    assert_eq!(t.order_state(placed.order.id).await, "cancelled");
    street.t.finish_with_jobs().await;
}

/// Rows: P3, P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_event_gets_no_further_than_the_inbox() {
    let street = Street::open().await;
    let t = &street.t;
    let (placed, _) = street.started().await;
    let capture = captured(&placed.order.number, "ORDER1", "CAP1", "9.90");
    let body = event("WH-F", "PAYMENT.CAPTURE.COMPLETED", &capture);
    for address in [
        "https://evil.example/CERT-1".to_owned(),
        format!("{}/v1/notifications/certs/C", street.small.side.base),
    ] {
        let mut raw = signed("SOMEBODY", &address, "T1", &body, 0);
        let mut request =
            t.http().post(format!("{}/webhooks/paypal", t.base)).body(std::mem::take(&mut raw.body));
        for (name, value) in raw.headers {
            request = request.header(name, value);
        }
        assert_eq!(request.send().await.unwrap().status().as_u16(), 400);
    }
    assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
    assert_eq!(
        t.db.one("select string_agg(reason, ', ' order by id) from notice").await,
        "signature: cert_url_not_allowed, signature: sign_mismatch"
    );
    let other = json!({ "payee": { "merchant_id": "AAAAAAAAAAAAA" } });
    let mut theirs = capture.clone();
    theirs["payee"] = other["payee"].clone();
    assert_eq!(street.send("WH-G", "PAYMENT.CAPTURE.COMPLETED", &theirs).await, 200);
    assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
    assert_eq!(t.db.one("select kind from task").await, "notice_foreign");
    street.t.finish_with_jobs().await;
}
