//! Whole purchases and refunds against the simulator, over HTTP, at every gateway.

use chrono::TimeDelta;
use dispense::base::actor::Actor;
use dispense::orders::place::Placed;
use dispense::payments::attempts::{ask, cancel, close};
use dispense::payments::refunds::{request, work};
use serde_json::json;

use super::street::{GATEWAYS, refund, street};

/// Rows: P2, P3, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_and_its_refund_go_through_each_gateway() {
    let street = street().await;
    let t = &street.t;
    for method in GATEWAYS {
        let (placed, payment_id) = street.bought(method).await;
        assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
        let wish = refund(payment_id, method, None);
        let first = request::request(&t.app.payments, &Actor::system(), wish.clone()).await.unwrap();
        let again = request::request(&t.app.payments, &Actor::system(), wish).await.unwrap();
        assert_eq!(first.id, again.id);
        street.settled().await;
        assert_eq!(t.unit_states(placed.order.id).await, "revoked:1", "{method}");
        let id = payment_id.0;
        assert_eq!(street.payment(payment_id, "state || refunded_minor").await, "refunded990", "{method}");
        assert_eq!(
            t.db.one(&format!("select count(*) from refund where payment_id = '{id}'")).await,
            "1",
            "{method}"
        );
        assert_eq!(
            t.db.one(&format!(
                "select sum(amount_minor) from ledger_entry where payment_id = '{id}' and book = 'gateway'"
            ))
            .await,
            "0"
        );
        assert_eq!(street.refunded(&placed.order.number), 990, "{method}");
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_never_exceed_what_was_paid_and_a_part_leaves_the_goods() {
    let street = street().await;
    let t = &street.t;
    let (placed, payment_id) = street.bought("stripe").await;
    let system = Actor::system();
    request::request(&t.app.payments, &system, refund(payment_id, "part-one", Some(400))).await.unwrap();
    street.settled().await;
    assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    let too_much =
        request::request(&t.app.payments, &system, refund(payment_id, "too-much", Some(591))).await;
    assert!(format!("{too_much:?}").contains("RefundTooLarge"));
    let by_guest =
        request::request(&t.app.payments, &Actor::guest(), refund(payment_id, "by-guest", None)).await;
    assert!(format!("{by_guest:?}").contains("Forbidden"));
    request::request(&t.app.payments, &system, refund(payment_id, "the-rest", None)).await.unwrap();
    street.settled().await;
    assert_eq!(street.refunded(&placed.order.number), 990);
    assert_eq!(t.unit_states(placed.order.id).await, "revoked:1");
    street.t.finish_with_jobs().await;
}

/// Rows: P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_notice_is_healed_by_asking_the_gateway() {
    let street = street().await;
    let t = &street.t;
    for method in GATEWAYS {
        let (placed, attempt) = street.started(method, 1, 990).await;
        street.act(&placed.order.number, "lose-notice");
        street.settled().await;
        assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
        ask::check(&t.app.payments, attempt.payment.id).await.unwrap();
        assert_eq!(t.order_state(placed.order.id).await, "paid", "{method}");
        assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P7, O5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_expires_only_after_its_gateway_closed_the_payment_and_already_paid_means_paid() {
    let street = street().await;
    let t = &street.t;
    for method in GATEWAYS {
        let variant = street.selling(method, 2, 990).await;
        let (paid, unpaid) = (street.place(method, variant).await, street.place(method, variant).await);
        for placed in [&paid, &unpaid] {
            street.start(placed, method).await;
        }
        street.act(&paid.order.number, "lose-notice");
        t.advance(TimeDelta::hours(2)).await;
        close::expire_overdue(&t.app.payments).await.unwrap();
        street.settled().await;
        // PayPal's buyer only agreed: nobody took the money in time, and nobody takes it any more.
        let faster = if method == "paypal" { "expired" } else { "paid" };
        assert_eq!(t.order_state(paid.order.id).await, faster, "{method}");
        assert_eq!(t.order_state(unpaid.order.id).await, "expired", "{method}");
    }
    street.t.finish_with_jobs().await;
}

/// Rows: O5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_cancels_before_paying_and_not_after() {
    let street = street().await;
    let t = &street.t;
    let variant = t.selling_keys(2, 990).await;
    let (gone, paid) = (t.place(&[(variant, 1)]).await, t.place(&[(variant, 1)]).await);
    street.start(&gone, "generic").await;
    street.start(&paid, "generic").await;
    street.act(&paid.order.number, "lose-notice");
    let cancel = async |placed: &Placed| {
        let token = placed.access_token.expose().to_owned();
        cancel::cancel(&t.app.payments, &Actor::guest(), placed.order.id, Some(&token), None).await
    };
    for _ in 0..2 {
        cancel(&gone).await.unwrap();
    }
    assert_eq!(t.order_state(gone.order.id).await, "cancelled");
    let refused = cancel(&paid).await;
    assert!(format!("{refused:?}").contains("AlreadyPaid"), "{refused:?}");
    assert_eq!(t.order_state(paid.order.id).await, "paid");
    let foreign = cancel::cancel(&t.app.payments, &Actor::guest(), gone.order.id, Some("oat_0"), None).await;
    assert!(format!("{foreign:?}").contains("NotFound"));
    street.t.finish_with_jobs().await;
}

/// Rows: O6, P2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starting_again_gives_the_same_action_and_another_method_closes_the_first() {
    let street = street().await;
    let t = &street.t;
    let variant = t.selling_keys(2, 990).await;
    let placed = t.place(&[(variant, 1)]).await;
    let first = street.start(&placed, "stripe").await;
    let again = street.start(&placed, "stripe").await;
    assert_eq!((first.payment.id, again.replayed), (again.payment.id, true));
    assert_eq!(first.payment.action, again.payment.action);
    let other = street.start(&placed, "generic").await;
    let number = other.payment.gateway_number.clone().unwrap();
    let drawn = number.strip_prefix(&format!("{}-2-", placed.order.number)).unwrap();
    assert!(drawn.len() == 5 && number.len() <= 32, "{number}");
    let id = first.payment.id.0;
    assert_eq!(t.db.one(&format!("select state from payment where id = '{id}'")).await, "expired");
    street.act(&number, "pay-twice");
    street.settled().await;
    assert_eq!(t.order_state(placed.order.id).await, "paid");
    assert_eq!(
        t.db.one("select count(*) from payment where state = 'captured' and not allocated").await,
        "1"
    );
    assert_eq!(t.db.one("select count(*) from task where kind = 'payment_double'").await, "1");
    street.t.finish_with_jobs().await;
}

/// Rows: P7, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_whose_answer_was_lost_is_asked_about_and_never_done_twice() {
    let street = street().await;
    let t = &street.t;
    let (placed, payment_id) = street.bought("generic").await;
    street.simulator.set_trouble(json!({ "lose_answers": true })).unwrap();
    let asked = request::request(&t.app.payments, &Actor::system(), refund(payment_id, "lost-answer", None))
        .await
        .unwrap();
    // The notice of the refund may have been faster than the end of our patience with the answer.
    assert!(["unknown", "succeeded"].contains(&asked.state.as_str()), "{asked:?}");
    street.simulator.set_trouble(json!({})).unwrap();
    work::work(&t.app.payments, asked.id).await.unwrap();
    street.settled().await;
    assert_eq!(street.refunded(&placed.order.number), 990);
    assert_eq!(t.db.one("select string_agg(state, ',') from refund").await, "succeeded");
    assert_eq!(t.unit_states(placed.order.id).await, "revoked:1");
    street.t.finish_with_jobs().await;
}

/// Rows: P5, O6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_is_told_before_its_payment_is_asked_about_and_gives_no_key() {
    let street = street().await;
    let t = &street.t;
    // Epay reports no refund, and PayPal has taken no money yet.
    for method in ["stripe", "generic", "alipay", "wechatpay"] {
        let variant = street.selling(method, 1, 990).await;
        let placed = street.place(method, variant).await;
        let attempt = street.start(&placed, method).await;
        street.act(&placed.order.number, "lose-notice");
        street.act(&placed.order.number, "refund");
        street.settled().await;
        let id = attempt.payment.id.0;
        let row = street.payment(attempt.payment.id, "state || ' ' || allocated").await;
        // WeChat Pay does not say how much of a payment went back: its statement will.
        let seen = if method == "wechatpay" { "started false" } else { "refunded false" };
        assert_eq!(row, seen, "{method}");
        assert_eq!(t.unit_states(placed.order.id).await, "unassigned:1", "{method}");
        let sold =
            format!("select count(*) from vault_key where variant_id = '{}' and state = 'sold'", variant.0);
        assert_eq!(t.db.one(&sold).await, "0", "{method}");
        let left = format!(
            "select coalesce(sum(amount_minor), 0) from ledger_entry where payment_id = '{id}' and book = 'gateway'"
        );
        assert_eq!(t.db.one(&left).await, "0", "{method}");
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_genuine_notice_of_another_mode_is_foreign_and_pays_nothing() {
    let street = street().await;
    let t = &street.t;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.place(&[(variant, 1)]).await;
    let attempt = street.start(&placed, "stripe").await;
    let event = json!({
        "id": "evt_of_the_live_mode", "object": "event", "livemode": true, "created": t.app.clock.unix(),
        "type": "checkout.session.completed", "data": { "object": {
            "id": attempt.payment.gateway_reference, "object": "checkout.session", "amount_total": 990, "currency": "usd",
            "client_reference_id": placed.order.number, "livemode": true, "payment_intent": "pi_live",
            "payment_status": "paid", "status": "complete", "mode": "payment" } }
    });
    let secret = &street.simulator.account("stripe").unwrap().secrets[0];
    let raw = crate::harness::signing::stripe(secret.expose(), t.app.clock.unix(), &event.to_string());
    let mut request = t.http().post(format!("{}/webhooks/stripe", t.base)).body(raw.body);
    for (name, value) in raw.headers {
        request = request.header(name, value);
    }
    assert_eq!(request.send().await.unwrap().status(), 200, "the gateway need not come again");
    assert_eq!(t.order_state(placed.order.id).await, "pending_payment");
    assert_eq!(t.db.one("select verdict || ' ' || reason from notice").await, "foreign livemode");
    assert_eq!(t.db.one("select kind from task").await, "notice_foreign");
    assert_eq!(t.db.one("select count(*) from ledger_entry").await, "0");
    street.t.finish_with_jobs().await;
}
