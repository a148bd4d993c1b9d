//! What each simulated gateway says when money goes back, and what it answers when it is asked.

use dispense::base::money::Money;
use dispense::payments::gateways::gateway::{NewRefund, PaymentRef, Queried, RefundRef, Refunding};
use serde_json::{Value, json};

use super::witness::{NUMBER, Witness, kinds};

/// What a query says was refunded.
async fn asked(witness: &Witness) -> Option<i64> {
    let question = super::play::named(NUMBER, &witness.payment, witness.money());
    match witness.side.gateway.query(&witness.side.call(), &question).await {
        Queried::Known(state) => state.refunded_minor,
        other => panic!("{other:?}"),
    }
}

/// The payment as the shop names it to the gateway.
fn paid<'a>(witness: &'a Witness, trade: &'a str) -> PaymentRef<'a> {
    PaymentRef {
        number: NUMBER,
        gateway_reference: Some(&witness.payment),
        trade_no: Some(trade),
        money: witness.money(),
    }
}

/// The shop asks for a refund by API.
async fn give_back(witness: &Witness, id: &str, minor: i64) -> Refunding {
    let trade = witness.trade();
    let payment = paid(witness, &trade);
    let amount = Money::new(minor, payment.money.currency);
    let wish = NewRefund { refund_id: id, payment, amount, reason: None };
    witness.side.gateway.refund(&witness.side.call(), &wish).await
}

async fn refund_asked(witness: &Witness, id: &str, minor: i64) -> Refunding {
    let trade = witness.trade();
    let payment = paid(witness, &trade);
    let amount = Money::new(minor, payment.money.currency);
    let question = RefundRef { refund_id: id, gateway_refund_id: None, payment, amount };
    witness.side.gateway.refund_query(&witness.side.call(), &question).await
}

/// Rows: P11, P9.
#[tokio::test]
async fn stripe_tells_a_refund_and_the_sum_of_all_apart_and_in_either_order() {
    let witness = Witness::paid("stripe").await;
    let first = witness.reported("refund-sum-first", json!({ "amount": 300 })).await;
    assert_eq!(kinds(&first), ["charge.refunded", "refund.created"]);
    assert_eq!(
        (&first[0]["about"]["amount_refunded"], &first[1]["about"]["amount"]),
        (&json!(300), &json!(300))
    );
    assert_eq!(first[1]["about"]["payment_intent"], witness.trade());
    assert!(first[1]["about"]["created"].is_i64());
    let last = witness.reported("refund-sum-last", json!({ "amount": 200 })).await;
    assert_eq!(kinds(&last), ["refund.created", "charge.refunded"]);
    let alone = witness.reported("refund-sum-alone", json!({ "amount": 100 })).await;
    assert_eq!(kinds(&alone), ["charge.refunded"]);
    assert_eq!(alone[0]["about"]["amount_refunded"], 600);

    let failed = witness.reported("fail-refund", json!({})).await;
    assert_eq!(kinds(&failed), ["refund.failed", "refund.updated", "charge.refund.updated"]);
    assert!(failed.iter().all(|e| e["about"]["status"] == "failed" && e["about"]["amount"] == 100));
    assert_eq!(asked(&witness).await, Some(500), "the sum falls with a refund that fails");
    let made = witness.reported("complete-refund", json!({})).await;
    assert_eq!(kinds(&made), ["refund.updated", "charge.refund.updated", "charge.refunded"]);
    assert_eq!(made[2]["about"]["amount_refunded"], 600);
}

/// Rows: P11, P9.
#[tokio::test]
async fn stripes_sum_counts_refunds_that_are_on_their_way() {
    let witness = Witness::paid("stripe").await;
    let slow = witness.reported("refund-slow", json!({ "amount": 700 })).await;
    assert_eq!(kinds(&slow), ["refund.created", "charge.refunded"]);
    assert_eq!(
        (&slow[0]["about"]["status"], &slow[1]["about"]["amount_refunded"]),
        (&json!("pending"), &json!(700))
    );
    assert_eq!(asked(&witness).await, Some(700));
    let done = witness.reported("finish-refund", json!({})).await;
    assert_eq!(kinds(&done), ["refund.updated", "charge.refund.updated"], "the sum was reported before");
    witness.reported("refund-slow", json!({ "amount": 100 })).await;
    witness.reported("fail-refund", json!({})).await;
    assert_eq!(asked(&witness).await, Some(700));
}

/// Rows: P11, P9.
#[tokio::test]
async fn stripe_disputes_a_part_asks_first_and_gives_back_what_was_won_late() {
    let witness = Witness::paid("stripe").await;
    let asks = witness.reported("inquiry", json!({ "amount": 400 })).await;
    assert_eq!(kinds(&asks), ["charge.dispute.created"]);
    let about = &asks[0]["about"];
    assert_eq!(
        (&about["status"], &about["is_charge_refundable"]),
        (&json!("warning_needs_response"), &json!(true))
    );
    assert_eq!(about["balance_transactions"], json!([]), "an inquiry moves no money");
    assert!(matches!(give_back(&witness, "ref_1", 100).await, Refunding::Succeeded { .. }));
    witness.settled().await;
    witness.read();
    let review = witness.reported("answer-dispute", json!({})).await;
    assert_eq!(
        (kinds(&review), &review[0]["about"]["status"]),
        (vec!["charge.dispute.updated"], &json!("warning_under_review"))
    );
    let closed = witness.reported("dispute-withdrawn", json!({})).await;
    assert_eq!(
        (kinds(&closed), &closed[0]["about"]["status"]),
        (vec!["charge.dispute.closed"], &json!("warning_closed"))
    );

    let part = witness.reported("dispute", json!({ "amount": 500, "reason": "duplicate" })).await;
    assert_eq!(kinds(&part), ["charge.dispute.created", "charge.dispute.funds_withdrawn"]);
    let about = &part[0]["about"];
    assert_eq!(
        (&about["amount"], &about["status"], &about["reason"], &about["payment_intent"]),
        (&json!(500), &json!("needs_response"), &json!("duplicate"), &json!(witness.trade()))
    );
    assert!(
        matches!(give_back(&witness, "ref_2", 100).await, Refunding::Failed { code, .. } if code == "charge_disputed")
    );
    assert!(witness.simulator.act(NUMBER, "refund", json!({})).is_err(), "the dashboard refuses it too");
    let second = witness.reported("dispute", json!({})).await;
    assert_eq!(second[0]["about"]["amount"], 1_999 - 100 - 500, "what nobody claims yet");
    assert_ne!(second[0]["about"]["id"], about["id"]);
    let won = witness.reported("dispute-won", json!({ "dispute": second[0]["about"]["id"] })).await;
    assert_eq!(kinds(&won), ["charge.dispute.closed", "charge.dispute.funds_reinstated"]);
    let lost = witness.reported("dispute-lost", json!({})).await;
    assert_eq!((kinds(&lost), &lost[0]["about"]["status"]), (vec!["charge.dispute.closed"], &json!("lost")));
    assert_eq!(witness.books()["disputes"][1]["taken"], 500);
    let late = witness.reported("dispute-won-late", json!({})).await;
    assert_eq!(kinds(&late), ["charge.dispute.updated", "charge.dispute.funds_reinstated"]);
    assert_eq!(
        (&late[0]["about"]["status"], &witness.books()["disputes"][1]["taken"]),
        (&json!("won"), &json!(0))
    );
    let grown = witness.reported("inquiry", json!({ "amount": 50 })).await;
    let escalated = witness.reported("escalate", json!({})).await;
    assert_eq!(kinds(&escalated), ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]);
    assert_eq!(escalated[0]["about"]["id"], grown[0]["about"]["id"], "one dispute all along");
}

/// Rows: P11, P9.
#[tokio::test]
async fn paypal_tells_refunds_with_their_sum_and_disputes_with_what_they_took() {
    let witness = Witness::paid("paypal").await;
    let part = witness.reported("refund", json!({ "amount": 300 })).await;
    assert_eq!(kinds(&part), ["PAYMENT.CAPTURE.REFUNDED"]);
    let more = witness.reported("refund-slow", json!({ "amount": 200 })).await;
    assert_eq!(kinds(&more), ["PAYMENT.REFUND.PENDING"]);
    let done = witness.reported("finish-refund", json!({})).await;
    assert_eq!(kinds(&done), ["PAYMENT.CAPTURE.REFUNDED"]);
    let total =
        |event: &Value| event["about"]["seller_payable_breakdown"]["total_refunded_amount"]["value"].clone();
    assert_eq!((total(&part[0]), total(&done[0])), (json!("3.00"), json!("5.00")));
    let failed = witness.reported("fail-refund", json!({ "refund": part[0]["about"]["id"] })).await;
    assert_eq!(
        (kinds(&failed), &failed[0]["about"]["id"]),
        (vec!["PAYMENT.REFUND.FAILED"], &part[0]["about"]["id"])
    );
    assert_eq!(asked(&witness).await, Some(200));

    let talk = witness.reported("inquiry", json!({ "amount": 400 })).await;
    assert_eq!(
        (kinds(&talk), &talk[0]["about"]["dispute_life_cycle_stage"]),
        (vec!["CUSTOMER.DISPUTE.CREATED"], &json!("INQUIRY"))
    );
    let grown = witness.reported("escalate", json!({})).await;
    assert_eq!(
        (kinds(&grown), &grown[0]["about"]["dispute_life_cycle_stage"]),
        (vec!["CUSTOMER.DISPUTE.UPDATED"], &json!("CHARGEBACK"))
    );
    assert_eq!(grown[0]["about"]["dispute_amount"]["value"], "4.00");
    let refused = give_back(&witness, "ref_0", 100).await;
    assert!(
        matches!(&refused, Refunding::Failed { code, .. } if code == "CAPTURE_DISPUTED_PARTIAL_REFUND_NOT_ALLOWED"),
        "{refused:?}"
    );
    let there = witness.reported("refund-disputed", json!({ "amount": 150 })).await;
    assert_eq!(kinds(&there), ["PAYMENT.CAPTURE.REFUNDED"], "the gateway's own pages give back a part");
    let lost = witness.reported("dispute-lost", json!({})).await;
    assert_eq!(kinds(&lost), ["PAYMENT.CAPTURE.REVERSED", "CUSTOMER.DISPUTE.RESOLVED"]);
    assert_eq!(
        lost[1]["about"]["dispute_outcome"],
        json!({ "outcome_code": "RESOLVED_BUYER_FAVOUR", "amount_refunded": { "currency_code": "USD", "value": "4.00" } })
    );
    let up = lost[0]["about"]["links"][0]["href"].as_str().unwrap().to_owned();
    assert!(up.ends_with(&format!("/captures/{}", witness.trade())), "{up}");
    let late = witness.reported("dispute-won-late", json!({})).await;
    assert_eq!(
        (kinds(&late), &late[0]["about"]["dispute_outcome"]["outcome_code"]),
        (vec!["CUSTOMER.DISPUTE.RESOLVED"], &json!("RESOLVED_SELLER_FAVOUR"))
    );
    witness.reported("dispute", json!({ "amount": 10 })).await;
    let gone = witness.reported("dispute-withdrawn", json!({})).await;
    assert_eq!(gone[0]["about"]["dispute_outcome"]["outcome_code"], "CANCELED_BY_BUYER");
}

/// Rows: P11, P9.
#[tokio::test]
async fn wechat_pays_stuck_refund_is_completed_or_closed_by_a_person() {
    let witness = Witness::paid("wechatpay").await;
    witness.simulator.set_trouble(json!({ "refunds": "pending" })).unwrap();
    for (id, end, kind) in
        [("ref_1", "complete-refund", "REFUND.SUCCESS"), ("ref_2", "fail-refund", "REFUND.CLOSED")]
    {
        assert!(matches!(give_back(&witness, id, 500).await, Refunding::Pending { .. }));
        let stuck = witness.reported("stick-refund", json!({})).await;
        assert_eq!(kinds(&stuck), ["REFUND.ABNORMAL"]);
        let about = &stuck[0]["about"];
        assert_eq!((&about["refund_status"], &about["out_refund_no"]), (&json!("ABNORMAL"), &json!(id)));
        let over = witness.reported(end, json!({})).await;
        assert_eq!((kinds(&over), &over[0]["about"]["out_refund_no"]), (vec![kind], &json!(id)));
        assert_eq!(over[0]["about"]["amount"]["refund"], 500);
    }
    assert!(matches!(refund_asked(&witness, "ref_1", 500).await, Refunding::Succeeded { .. }));
    assert!(matches!(refund_asked(&witness, "ref_2", 500).await, Refunding::Failed { .. }));
    assert!(witness.simulator.act(NUMBER, "fail-refund", json!({})).is_err(), "what succeeded stays so here");
    let console = witness.reported("refund", json!({ "amount": 100 })).await;
    let number = console[0]["about"]["out_refund_no"].as_str().unwrap();
    assert!(!number.starts_with("ref_"), "a number of the console's: {number}");
}

/// Rows: P11, P9.
#[tokio::test]
async fn alipay_tells_the_sum_of_refunds_and_closes_the_trade_with_the_last() {
    let witness = Witness::paid("alipay").await;
    assert!(matches!(give_back(&witness, "ref_1", 500).await, Refunding::Succeeded { .. }));
    witness.settled().await;
    let ours = witness.read();
    assert_eq!((kinds(&ours), &ours[0]["about"]["refund_fee"]), (vec!["TRADE_SUCCESS"], &json!("5.00")));
    assert_eq!(ours[0]["about"]["out_biz_no"], "ref_1");
    assert!(ours[0]["about"]["gmt_refund"].is_string());
    let console = witness.reported("refund", json!({})).await;
    assert_eq!(
        (kinds(&console), &console[0]["about"]["refund_fee"]),
        (vec!["TRADE_CLOSED"], &json!("19.99"))
    );
    assert!(console[0]["about"]["out_biz_no"].is_null(), "no number of the shop's");
    assert!(console[0]["about"]["gmt_payment"].is_string(), "it was paid once");
}

/// Rows: P11, P9.
#[tokio::test]
async fn the_generic_gateway_tells_the_sum_and_the_refund_that_changed_it_unless_ordered_otherwise() {
    let witness = Witness::paid("generic").await;
    let named = witness.reported("refund", json!({ "amount": 300 })).await;
    assert_eq!(
        (kinds(&named), &named[0]["about"]["refunded_minor"]),
        (vec!["payment.refunded"], &json!(300))
    );
    assert_eq!(named[0]["about"]["refund"]["status"], "succeeded");
    let alone = witness.reported("refund-sum-alone", json!({ "amount": 200 })).await;
    assert_eq!(
        (&alone[0]["about"]["refunded_minor"], &alone[0]["about"]["refund"]),
        (&json!(500), &Value::Null)
    );
    let failed = witness.reported("fail-refund", json!({})).await;
    assert_eq!(
        (kinds(&failed), &failed[0]["about"]["refunded_minor"]),
        (vec!["payment.refunded"], &json!(300))
    );
    assert_eq!(failed[0]["about"]["refund"]["status"], "failed");
    let nothing = witness.reported("fail-refund", json!({})).await;
    assert_eq!(nothing[0]["about"]["refunded_minor"], 0);
    assert_eq!(asked(&witness).await, Some(0));
}

/// Rows: P11.
#[tokio::test]
async fn notices_are_held_back_released_in_another_order_and_repeated() {
    let witness = Witness::paid("stripe").await;
    witness.act("hold-notices", json!({}));
    for amount in [100, 200, 300] {
        assert!(witness.reported("refund", json!({ "amount": amount })).await.is_empty(), "held back");
    }
    let held = witness.simulator.payment(NUMBER).unwrap();
    let states = held["notices"].as_array().unwrap().iter().filter(|n| n["state"] == "held").count();
    assert_eq!(states, 6);
    let released = witness.reported("release-notices", json!({ "seed": 5 })).await;
    let sums: Vec<i64> = released.iter().filter_map(|e| e["about"]["amount_refunded"].as_i64()).collect();
    let mut sorted = sums.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [100, 300, 600]);
    assert_ne!(kinds(&released), ["refund.created", "charge.refunded"].repeat(3), "shuffled");
    let first = held["notices"][0]["id"].clone();
    let again = witness.reported("repeat-notice", json!({ "notice": first })).await;
    assert_eq!(kinds(&again), ["checkout.session.completed"], "any earlier notice");
    let all = witness.reported("repeat-all", json!({ "seed": 9 })).await;
    assert_eq!(all.len(), 7);
    assert!(witness.simulator.act(NUMBER, "release-notices", json!({})).is_err());
}

/// Rows: P11, P7.
#[tokio::test]
async fn a_call_whose_answer_is_spoilt_was_done_all_the_same() {
    for gateway in ["stripe", "generic", "wechatpay", "alipay"] {
        let witness = Witness::paid(gateway).await;
        witness.simulator.set_trouble(json!({ "spoil_answers": true })).unwrap();
        let given = give_back(&witness, "ref_spoilt", 100).await;
        assert!(matches!(given, Refunding::Unknown(_)), "{gateway}: {given:?}");
        witness.simulator.set_trouble(json!({})).unwrap();
        let found = refund_asked(&witness, "ref_spoilt", 100).await;
        assert!(matches!(found, Refunding::Succeeded { .. }), "{gateway}: {found:?}");
        assert_eq!(witness.books()["refunds"].as_array().unwrap().len(), 1, "{gateway}");
    }
}
