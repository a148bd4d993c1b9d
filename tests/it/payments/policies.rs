//! When the gateway itself is asked before a notice is believed.

use chrono::TimeDelta;
use dispense::config::{Account, Fee, Policy};
use dispense::payments::attempts::close;
use serde_json::json;

use super::street::{Street, street_with};
use crate::harness::{Said, signing};

/// The street with another policy of its generic account.
async fn with_policy(policy: Policy) -> Street {
    street_with(|account: &mut Account| {
        if account.gateway == "generic" {
            account.policy = policy.clone();
        }
    })
    .await
}

/// A notice that is signed rightly, by whoever has the secret. Gives the status of the answer.
async fn say(street: &Street, said: &Said) -> u16 {
    let t = &street.t;
    let account = street.simulator.account("generic").unwrap();
    let raw = signing::webhook(account.secrets[0].expose(), &said.id, t.app.clock.unix(), &said.body());
    let mut request = t.http().post(format!("{}/webhooks/generic", t.base)).body(raw.body);
    for (name, value) in raw.headers {
        request = request.header(name, value);
    }
    request.send().await.unwrap().status().as_u16()
}

/// Rows: P7, O6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_for_an_expired_order_is_asked_about_first_where_the_policy_says_so() {
    let street = with_policy(Policy { confirm_expired: true, ..Policy::default() }).await;
    let t = &street.t;
    let variant = t.selling_keys(2, 990).await;
    let (lying, late) = (t.place(&[(variant, 1)]).await, t.place(&[(variant, 1)]).await);
    for placed in [&lying, &late] {
        street.start(placed, "generic").await;
    }
    t.advance(TimeDelta::hours(2)).await;
    close::expire_overdue(&t.app.payments).await.unwrap();
    street.settled().await;
    // Rightly signed, and not so: the gateway's own word stands above it.
    say(&street, &Said::paid(&lying, "T-LIE")).await;
    assert_eq!(t.order_state(lying.order.id).await, "expired");
    assert_eq!(t.db.one("select count(*) from ledger_entry").await, "0");
    street.act(&late.order.number, "pay-late");
    street.settled().await;
    assert_eq!(t.order_state(late.order.id).await, "paid");
    assert_eq!(t.unit_states(late.order.id).await, "assigned:1");
    // No word from the gateway: nothing is believed, and it comes again.
    street.simulator.set_trouble(json!({ "fail_calls": true })).unwrap();
    let again = Said { id: "evt_again".into(), ..Said::paid(&lying, "T-LIE") };
    assert_eq!(say(&street, &again).await, 503);
    assert_eq!(t.order_state(lying.order.id).await, "expired");
    street.t.finish_with_jobs().await;
}

/// Rows: P4, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_amount_above_the_policys_is_asked_about_and_a_smaller_one_is_not() {
    let street = with_policy(Policy { confirm_above: Some(1_000), ..Policy::default() }).await;
    let t = &street.t;
    let variant = t.selling_keys(5, 990).await;
    let (small, large) = (t.place(&[(variant, 1)]).await, t.place(&[(variant, 2)]).await);
    for placed in [&small, &large] {
        street.start(placed, "generic").await;
        say(&street, &Said::paid(placed, &format!("T-{}", placed.order.number))).await;
    }
    // The gateway knows of neither payment: only the large one was asked about.
    assert_eq!(t.order_state(small.order.id).await, "paid");
    assert_eq!(t.order_state(large.order.id).await, "pending_payment");
    street.act(&large.order.number, "pay");
    street.settled().await;
    assert_eq!(t.order_state(large.order.id).await, "paid");
    street.t.finish_with_jobs().await;
}

/// Rows: P8.
#[test]
fn a_fee_is_a_share_and_a_fixed_part_rounded_half_up() {
    let fee = |text: &str| Fee::try_from(text.to_owned());
    for (text, amount, kept) in [
        ("29+30", 990, 59),
        ("6", 1_000, 6),
        ("6", 83, 0),
        ("6", 84, 1),
        ("34.9 + 49", 10_000, 398),
        ("0+1", 5, 1),
        ("0.125", 4_000, 1),
    ] {
        assert_eq!(fee(text).unwrap().of(amount), kept, "{text} of {amount}");
    }
    for text in ["", "+", "-1", "29+", "2900", "1.2345", "29+30+1", "29 %", "1e3"] {
        assert!(fee(text).unwrap_err().contains("is no fee"), "{text}");
    }
}
