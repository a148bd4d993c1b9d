//! Start, query, close and refund of both gateways over HTTP, and what is concluded when an answer does not come.

use std::time::Duration;

use dispense::base::clock::Clock;
use dispense::base::money::{Currency, Money};
use dispense::base::secret::Secret;
use dispense::payments::gateways::gateway::{
    Action, Closing, Expected, Match, Meaning, NewRefund, PaymentRef, Queried, RefundRef, Refunding,
    StartFailure, matches,
};
use serde_json::{Value, json};

use super::play::{Side, named, simulator, usd};

fn meaning(queried: &Queried) -> Meaning {
    match queried {
        Queried::Known(state) => state.meaning,
        other => panic!("not known: {other:?}"),
    }
}

fn refunds(journal: &Value) -> usize {
    journal["payments"].as_array().unwrap().iter().map(|p| p["refunds"].as_array().unwrap().len()).sum()
}

/// Rows: P2.
#[tokio::test]
async fn a_payment_is_started_once_however_often_the_start_is_repeated() {
    let simulator = simulator().await;
    for side in Side::both(&simulator) {
        let payment = side.payment("D1", usd(1999), Clock::default().now());
        let first = side.gateway.start(&side.call(), &payment).await.unwrap();
        let again = side.gateway.start(&side.call(), &payment).await.unwrap();
        assert_eq!(first, again);
        let reference = first.gateway_reference.unwrap();
        assert!(
            matches!(&first.action, Action::Redirect { url } if url.ends_with(&format!("/pay/{reference}")))
        );
        assert!(first.expires_at.is_some());
        let queried = side.gateway.query(&side.call(), &named("D1", &reference, usd(1999))).await;
        assert_eq!(meaning(&queried), Meaning::Open, "{}", side.gateway.name());
    }
    assert_eq!(simulator.journal()["payments"].as_array().unwrap().len(), 2);
}

/// Rows: P2, P7, P9.
#[tokio::test]
async fn what_was_paid_and_given_back_is_what_the_gateway_answers() {
    let simulator = simulator().await;
    for side in Side::both(&simulator) {
        let name = side.gateway.name();
        let reference = side.start("D2", usd(1999)).await;
        simulator.act(&reference, "lose-notice", json!({})).unwrap();
        let asked = named("D2", &reference, usd(1999));
        let Queried::Known(state) = side.gateway.query(&side.call(), &asked).await else { panic!("{name}") };
        assert_eq!((state.meaning, state.account_id()), (Meaning::Paid, side.keys.id.as_str()));
        let identity = side.gateway.identity(&side.keys);
        let expected = Expected {
            number: "D2",
            amount_minor: 1999,
            currency: usd(0).currency,
            gateway_reference: Some(&reference),
            trade_no: None,
            identity: &identity,
        };
        assert_eq!(matches(&state, &expected), Match::Fits, "{name}");

        let trade = state.trade_no.clone().unwrap();
        let paid = PaymentRef { trade_no: Some(&trade), ..asked };
        assert!(
            matches!(side.gateway.close(&side.call(), &asked).await, Closing::AlreadyPaid(s) if s.meaning == Meaning::Paid)
        );
        let part =
            NewRefund { refund_id: "ref_1", payment: paid, amount: usd(500), reason: Some("asked for") };
        let Refunding::Succeeded { gateway_refund_id } = side.gateway.refund(&side.call(), &part).await
        else {
            panic!("{name}")
        };
        assert_eq!(
            side.gateway.refund(&side.call(), &part).await,
            Refunding::Succeeded { gateway_refund_id: gateway_refund_id.clone() },
            "the same id never refunds twice"
        );
        for known in [None, Some(gateway_refund_id.as_str())] {
            let asked =
                RefundRef { refund_id: "ref_1", gateway_refund_id: known, payment: paid, amount: paid.money };
            let answer = side.gateway.refund_query(&side.call(), &asked).await;
            assert_eq!(
                answer,
                Refunding::Succeeded { gateway_refund_id: gateway_refund_id.clone() },
                "{name}"
            );
        }
        let Queried::Known(state) = side.gateway.query(&side.call(), &asked).await else { panic!("{name}") };
        assert_eq!((state.meaning, state.refunded_minor), (Meaning::PartiallyRefunded, Some(500)), "{name}");

        let too_much = NewRefund { refund_id: "ref_2", payment: paid, amount: usd(1500), reason: None };
        assert!(matches!(side.gateway.refund(&side.call(), &too_much).await, Refunding::Failed { .. }));
        let never =
            RefundRef { refund_id: "ref_9", gateway_refund_id: None, payment: paid, amount: paid.money };
        assert_eq!(side.gateway.refund_query(&side.call(), &never).await, Refunding::NotFound);
        let rest = NewRefund { refund_id: "ref_3", payment: paid, amount: usd(1499), reason: None };
        assert!(matches!(side.gateway.refund(&side.call(), &rest).await, Refunding::Succeeded { .. }));
        assert_eq!(meaning(&side.gateway.query(&side.call(), &asked).await), Meaning::Refunded, "{name}");
    }
    assert_eq!(refunds(&simulator.journal()), 4);
}

/// Rows: P2, O5.
#[tokio::test]
async fn a_payment_is_closed_at_its_gateway_and_closing_it_again_says_so() {
    let simulator = simulator().await;
    for side in Side::both(&simulator) {
        let reference = side.start("D3", usd(100)).await;
        let asked = named("D3", &reference, usd(100));
        for _ in 0..2 {
            assert!(matches!(side.gateway.close(&side.call(), &asked).await, Closing::Closed));
        }
        assert_eq!(meaning(&side.gateway.query(&side.call(), &asked).await), Meaning::Closed);
        assert!(simulator.act(&reference, "pay", json!({})).is_err(), "it can no longer be paid");
        let strange = named("D99", "cs_test_nobody", usd(100));
        assert!(matches!(side.gateway.close(&side.call(), &strange).await, Closing::NothingToClose));
        assert!(matches!(side.gateway.query(&side.call(), &strange).await, Queried::NotFound));
    }
}

/// Rows: P7.
#[tokio::test]
async fn an_answer_that_does_not_come_in_time_leaves_the_outcome_unknown_and_asking_again_tells_it() {
    let simulator = simulator().await;
    for mut side in Side::both(&simulator) {
        let name = side.gateway.name();
        let at = Clock::default().now();
        simulator.set_trouble(json!({ "lose_answers": true })).unwrap();
        side.timeout = Duration::from_millis(300);
        let started = side.gateway.start(&side.call(), &side.payment("D4", usd(700), at)).await;
        assert!(matches!(started, Err(StartFailure::Unknown(_))), "{name}: {started:?}");
        simulator.set_trouble(json!({})).unwrap();
        side.timeout = Duration::from_secs(10);
        let reference = side
            .gateway
            .start(&side.call(), &side.payment("D4", usd(700), at))
            .await
            .unwrap()
            .gateway_reference
            .unwrap();
        simulator.act(&reference, "lose-notice", json!({})).unwrap();
        let asked = named("D4", &reference, usd(700));
        let Queried::Known(state) = side.gateway.query(&side.call(), &asked).await else { panic!("{name}") };
        let trade = state.trade_no.clone().unwrap();
        let payment = PaymentRef { trade_no: Some(&trade), ..asked };

        simulator.set_trouble(json!({ "lose_answers": true })).unwrap();
        side.timeout = Duration::from_millis(300);
        let refund = NewRefund { refund_id: "ref_lost", payment, amount: usd(700), reason: None };
        assert!(matches!(side.gateway.refund(&side.call(), &refund).await, Refunding::Unknown(_)), "{name}");
        assert!(matches!(side.gateway.query(&side.call(), &asked).await, Queried::Unknown(_)), "{name}");
        assert!(matches!(side.gateway.close(&side.call(), &asked).await, Closing::Unknown(_)), "{name}");
        simulator.set_trouble(json!({})).unwrap();
        side.timeout = Duration::from_secs(10);
        let asked =
            RefundRef { refund_id: "ref_lost", gateway_refund_id: None, payment, amount: payment.money };
        let found = side.gateway.refund_query(&side.call(), &asked).await;
        assert!(matches!(found, Refunding::Succeeded { .. }), "{name}: {found:?}");
        assert!(matches!(side.gateway.refund(&side.call(), &refund).await, Refunding::Succeeded { .. }));
    }
    let journal = simulator.journal();
    assert_eq!(
        (journal["payments"].as_array().unwrap().len(), refunds(&journal)),
        (2, 2),
        "each happened once"
    );
}

/// Rows: P7.
#[tokio::test]
async fn a_gateway_out_of_order_is_unknown_and_one_that_cannot_be_reached_was_not_asked() {
    let simulator = simulator().await;
    simulator.set_trouble(json!({ "fail_calls": true })).unwrap();
    for mut side in Side::both(&simulator) {
        let at = Clock::default().now();
        let started = side.gateway.start(&side.call(), &side.payment("D5", usd(1), at)).await;
        assert!(matches!(started, Err(StartFailure::Unknown(_))), "{started:?}");
        let asked = named("D5", "cs_test_1", usd(1));
        assert!(matches!(side.gateway.query(&side.call(), &asked).await, Queried::Unknown(_)));

        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        side.keys.api_url = Some(format!("http://{nobody}"));
        let started = side.gateway.start(&side.call(), &side.payment("D5", usd(1), at)).await;
        assert!(matches!(started, Err(StartFailure::NotSent(_))), "{started:?}");
        assert!(matches!(side.gateway.close(&side.call(), &asked).await, Closing::Unknown(_)));
    }
    assert_eq!(simulator.journal()["payments"], json!([]));
}

/// Rows: P2.
#[tokio::test]
async fn answers_that_somebody_else_signed_prove_nothing() {
    let simulator = simulator().await;
    let side = Side::generic(&simulator);
    let reference = side.start("D6", usd(100)).await;
    simulator.act(&reference, "lose-notice", json!({})).unwrap();
    simulator.set_trouble(json!({ "forge_answers": true })).unwrap();
    let asked = named("D6", &reference, usd(100));
    assert!(matches!(side.gateway.query(&side.call(), &asked).await, Queried::Unknown(_)));
    assert!(matches!(side.gateway.close(&side.call(), &asked).await, Closing::Unknown(_)));
}

/// Rows: P2.
#[tokio::test]
async fn a_wrong_key_is_a_refusal_and_an_account_without_an_api_says_what_it_cannot() {
    let simulator = simulator().await;
    let mut stripe = Side::stripe(&simulator);
    stripe.keys.api_key = Some(Secret::new("sk_test_of_somebody_else"));
    let at = Clock::default().now();
    let started = stripe.gateway.start(&stripe.call(), &stripe.payment("D7", usd(1), at)).await;
    assert!(matches!(started, Err(StartFailure::Refused { code, .. }) if code == "api_key_invalid"));

    let mut generic = Side::generic(&simulator);
    generic.keys.api_url = None;
    let started = generic.gateway.start(&generic.call(), &generic.payment("D7", usd(1), at)).await.unwrap();
    assert!(matches!(started.action, Action::Instructions { .. }));
    let asked = named("D7", "x", usd(1));
    assert!(matches!(generic.gateway.query(&generic.call(), &asked).await, Queried::Unsupported));
    assert!(matches!(generic.gateway.close(&generic.call(), &asked).await, Closing::Unsupported));
    let refund = NewRefund { refund_id: "r", payment: asked, amount: usd(1), reason: None };
    assert_eq!(generic.gateway.refund(&generic.call(), &refund).await, Refunding::Unsupported);
}

/// Rows: P2.
#[tokio::test]
async fn a_refund_on_its_way_is_pending_until_the_gateway_has_done_it() {
    let simulator = simulator().await;
    simulator.set_trouble(json!({ "refunds": "pending" })).unwrap();
    for side in Side::both(&simulator) {
        let reference = side.start("D8", usd(300)).await;
        simulator.act(&reference, "lose-notice", json!({})).unwrap();
        let asked = named("D8", &reference, usd(300));
        let Queried::Known(state) = side.gateway.query(&side.call(), &asked).await else { panic!() };
        let trade = state.trade_no.clone().unwrap();
        let payment = PaymentRef { trade_no: Some(&trade), ..asked };
        let refund =
            NewRefund { refund_id: &format!("ref_{reference}"), payment, amount: usd(300), reason: None };
        let Refunding::Pending { gateway_refund_id, .. } = side.gateway.refund(&side.call(), &refund).await
        else {
            panic!()
        };
        // Stripe's sum counts what is on its way.
        let counted = if side.gateway.name() == "stripe" { Meaning::Refunded } else { Meaning::Paid };
        assert_eq!(meaning(&side.gateway.query(&side.call(), &asked).await), counted);
        simulator.act(&reference, "finish-refund", json!({})).unwrap();
        let asked_refund = RefundRef {
            refund_id: refund.refund_id,
            gateway_refund_id: Some(&gateway_refund_id),
            payment,
            amount: payment.money,
        };
        assert!(matches!(
            side.gateway.refund_query(&side.call(), &asked_refund).await,
            Refunding::Succeeded { .. }
        ));
    }
}

/// Rows: P2.
#[tokio::test]
async fn stripe_is_sent_the_units_it_counts_in_and_ours_come_back() {
    let simulator = simulator().await;
    let side = Side::stripe(&simulator);
    let krona = Money::new(1900, Currency::parse("ISK").unwrap());
    let reference = side.start("D9", krona).await;
    assert_eq!(simulator.journal()["payments"][0]["amount"], 190_000);
    let Queried::Known(state) = side.gateway.query(&side.call(), &named("D9", &reference, krona)).await
    else {
        panic!()
    };
    assert_eq!(state.amount_minor, Some(1900));
    let ariary = Money::new(1234, Currency::parse("MGA").unwrap());
    let started =
        side.gateway.start(&side.call(), &side.payment("D10", ariary, Clock::default().now())).await;
    assert!(matches!(started, Err(StartFailure::Refused { code, .. }) if code == "amount_inexpressible"));
}
