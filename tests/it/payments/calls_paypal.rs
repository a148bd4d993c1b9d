//! Calls to PayPal, against a small PayPal of the tests' own.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use dispense::base::money::{Currency, Money};
use dispense::payments::gateways::gateway::{
    Action, Call, Calls, Closing, Gateway, Meaning, NewPayment, NewRefund, PaymentRef, Queried, RefundRef,
    Refunding, StartFailure, Stated, Statement,
};
use dispense::payments::gateways::paypal::PayPal;
use serde_json::{Value, json};

use super::gateways_notices::outbound;
use super::gateways_paypal::keys;
use super::loopback::Loopback;
use super::small_paypal::{ORDERS, Small, TOKEN, issue};
use super::stated;

const NOW: i64 = 1_800_000_000;

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn payment<'a>(number: &'a str, sdks: &'a [String]) -> NewPayment<'a> {
    let at: DateTime<Utc> = DateTime::from_timestamp(NOW, 0).unwrap();
    NewPayment {
        number,
        payment_id: "pay_1",
        money: usd(990),
        title: "Two keys",
        locale: "zh",
        email: Some("buyer@buyer.example"),
        return_url: "https://shop.example/return/1",
        cancel_url: "https://shop.example/return/1",
        notify_url: "https://shop.example/webhooks/paypal",
        started_at: at,
        expires_at: at + TimeDelta::minutes(30),
        accepts: &[],
        sdks,
        platform: None,
        payer: None,
        client_address: None,
    }
}

fn named<'a>(trade_no: Option<&'a str>) -> PaymentRef<'a> {
    PaymentRef { number: "D1", gateway_reference: Some("ORDER1"), trade_no, money: usd(990) }
}

/// Rows: P2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_made_once_and_its_buyer_sent_to_paypal_or_to_its_own_software() {
    let small = Small::start().await;
    let keys = keys(Some(&small.side.base));
    let call = Call { keys: &keys, now_unix: NOW, timeout: Duration::from_secs(5) };
    let paypal = PayPal::new(outbound());
    let started = paypal.start(&call, &payment("D1", &[])).await.unwrap();
    assert_eq!(started.gateway_reference.as_deref(), Some("ORDER1"));
    let url = "https://www.sandbox.paypal.com/checkoutnow?token=ORDER1".to_owned();
    assert_eq!(started.action, Action::Redirect { url });
    let sent = small.side.last(ORDERS);
    assert_eq!(sent.header("paypal-request-id"), Some("pay_1"));
    let body = sent.json();
    assert_eq!(body["intent"], "CAPTURE");
    assert_eq!(body["purchase_units"][0]["amount"], json!({ "currency_code": "USD", "value": "9.90" }));
    assert_eq!(body["payment_source"]["paypal"]["experience_context"]["locale"], "zh-CN");
    let sdks = ["paypal".to_owned()];
    let started = paypal.start(&call, &payment("D1", &sdks)).await.unwrap();
    let parameters = json!({ "orderId": "ORDER1", "clientId": "client-1", "currency": "USD" });
    assert_eq!(started.action, Action::Sdk { name: "paypal".into(), parameters });
    // One answered about another payment is not taken for ours.
    small.side.answer_by(|seen| match seen.what.as_str() {
        TOKEN => (200, r#"{"access_token":"t","expires_in":3600}"#.into()),
        _ => (200, json!({ "id": "ORDER9", "status": "CREATED", "purchase_units": [{ "custom_id": "D9", "amount": { "currency_code": "USD", "value": "9.90" } }], "links": [{ "rel": "approve", "href": "https://x" }] }).to_string()),
    });
    assert!(matches!(paypal.start(&call, &payment("D1", &[])).await, Err(StartFailure::Unknown(_))));
    small.side.answer_by(|_| issue(422, "UNPROCESSABLE_ENTITY", "DUPLICATE_INVOICE_ID"));
    let refused = paypal.start(&call, &payment("D1", &[])).await.unwrap_err();
    assert!(matches!(refused, StartFailure::Refused { code, .. } if code == "DUPLICATE_INVOICE_ID"));
    small.side.answer_by(|_| (503, "<html>".into()));
    assert!(matches!(paypal.start(&call, &payment("D1", &[])).await, Err(StartFailure::Unknown(_))));
    let yen = Money::new(991, Currency::parse("HUF").unwrap());
    let refused = paypal.start(&call, &NewPayment { money: yen, ..payment("D1", &[]) }).await.unwrap_err();
    assert!(matches!(refused, StartFailure::Refused { code, .. } if code == "amount_inexpressible"));
}

/// Rows: P2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_kept_renewed_before_its_end_and_when_paypal_no_longer_takes_it() {
    let small = Small::start().await;
    small.set("CREATED");
    small.book.lock().unwrap().number = "D1".into();
    small.book.lock().unwrap().value = "9.90".into();
    let keys = keys(Some(&small.side.base));
    let paypal = PayPal::new(outbound());
    let ask = async |now| {
        let call = Call { keys: &keys, now_unix: now, timeout: Duration::from_secs(5) };
        paypal.query(&call, &named(None)).await
    };
    for _ in 0..3 {
        assert!(matches!(ask(NOW).await, Queried::Known(state) if state.meaning == Meaning::Open));
    }
    assert_eq!(small.side.count(TOKEN), 1);
    let basic = small.side.last(TOKEN).header("authorization").unwrap().to_owned();
    assert_eq!(basic, "Basic Y2xpZW50LTE6Y2xpZW50LXNlY3JldC1vZi10aGUtdGVzdHM=");
    ask(NOW + 3_539).await;
    assert_eq!(small.side.count(TOKEN), 1);
    ask(NOW + 3_540).await;
    assert_eq!(small.side.count(TOKEN), 2, "a minute before its end");
    small.book.lock().unwrap().stale.push("Bearer token-2".into());
    assert!(matches!(ask(NOW + 3_541).await, Queried::Known(_)));
    assert_eq!(small.side.count(TOKEN), 3);
    small.book.lock().unwrap().stale.extend((3..9).map(|n| format!("Bearer token-{n}")));
    assert!(matches!(ask(NOW + 3_542).await, Queried::Unknown(_)), "not for ever");
    assert_eq!(small.side.count(TOKEN), 4);
}

/// Rows: P2, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_is_taken_once_and_what_is_not_taken_is_closed() {
    let small = Small::start().await;
    let keys = keys(Some(&small.side.base));
    let call = Call { keys: &keys, now_unix: NOW, timeout: Duration::from_secs(5) };
    let paypal = PayPal::new(outbound());
    assert!(matches!(paypal.query(&call, &named(None)).await, Queried::NotFound));
    assert!(matches!(paypal.close(&call, &named(None)).await, Closing::NothingToClose));
    paypal.start(&call, &payment("D1", &[])).await.unwrap();
    assert!(matches!(paypal.close(&call, &named(None)).await, Closing::Closed));
    small.set("DECLINED");
    let declined = paypal.capture(&call, &named(None)).await;
    assert!(matches!(declined, Queried::Known(state) if state.meaning == Meaning::Approved));
    assert!(matches!(paypal.close(&call, &named(None)).await, Closing::Closed));
    small.set("APPROVED");
    for _ in 0..2 {
        let Queried::Known(state) = paypal.capture(&call, &named(None)).await else { panic!() };
        assert_eq!((state.meaning, state.amount_minor), (Meaning::Paid, Some(990)));
        assert_eq!(state.trade_no.as_deref(), Some("CAP1"));
    }
    assert!(matches!(paypal.close(&call, &named(None)).await, Closing::AlreadyPaid(_)));
    small.side.answer_by(|_| (500, "{}".into()));
    assert!(matches!(paypal.close(&call, &named(None)).await, Closing::Unknown(_)));
    assert!(matches!(paypal.capture(&call, &named(None)).await, Queried::Unknown(_)));
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_is_made_once_and_found_again_by_our_number() {
    let small = Small::start().await;
    let keys = keys(Some(&small.side.base));
    let call = Call { keys: &keys, now_unix: NOW, timeout: Duration::from_secs(5) };
    let paypal = PayPal::new(outbound());
    paypal.start(&call, &payment("D1", &[])).await.unwrap();
    small.set("COMPLETED");
    let (first, second) = ("ref_00000000000000000000000001", "ref_00000000000000000000000002");
    let new = |id| NewRefund {
        refund_id: id,
        payment: named(Some("CAP1")),
        amount: usd(400),
        reason: Some("late"),
    };
    let asked = |id| RefundRef {
        refund_id: id,
        gateway_refund_id: None,
        payment: named(Some("CAP1")),
        amount: named(Some("CAP1")).money,
    };
    assert_eq!(paypal.refund_query(&call, &asked(first)).await, Refunding::NotFound);
    let done = Refunding::Succeeded { gateway_refund_id: "REF1".into() };
    assert_eq!(paypal.refund(&call, &new(first)).await, done);
    assert_eq!(paypal.refund(&call, &new(first)).await, done);
    let sent = small.side.last("POST /v2/payments/captures/CAP1/refund");
    assert_eq!(sent.header("paypal-request-id"), Some(first));
    assert_eq!(sent.json()["amount"], json!({ "currency_code": "USD", "value": "4.00" }));
    assert_eq!(paypal.refund_query(&call, &asked(first)).await, done);
    assert_eq!(paypal.refund_query(&call, &asked(second)).await, Refunding::NotFound);
    let Queried::Known(state) = paypal.query(&call, &named(Some("CAP1"))).await else { panic!() };
    assert_eq!((state.meaning, state.refunded_minor), (Meaning::PartiallyRefunded, Some(400)));
    // One that does not say whose it is may be ours when it is of our amount: nobody may conclude that ours was never made.
    small.book.lock().unwrap().refunds[0]["custom_id"] = Value::Null;
    let of = |amount| RefundRef { amount: usd(amount), ..asked(second) };
    assert!(matches!(paypal.refund_query(&call, &of(400)).await, Refunding::Unknown(_)));
    assert_eq!(paypal.refund_query(&call, &of(401)).await, Refunding::NotFound);
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_days_books_are_read_from_the_report_and_from_the_download() {
    let info = |id: &str, code: &str, value: &str, fee: Option<&str>, more: Value| {
        let mut info = json!({
            "transaction_id": id, "transaction_event_code": code, "transaction_status": "S",
            "transaction_initiation_date": "2027-01-14T10:00:00+0000",
            "transaction_amount": { "currency_code": "USD", "value": value },
        });
        if let Some(fee) = fee {
            info["fee_amount"] = json!({ "currency_code": "USD", "value": fee });
        }
        for (key, value) in more.as_object().unwrap() {
            info[key] = value.clone();
        }
        json!({ "transaction_info": info })
    };
    let pages = [
        json!({ "total_pages": 2, "transaction_details": [
            info("CAP1", "T0006", "9.90", Some("-0.64"), json!({ "custom_field": "D1", "invoice_id": "D1" })),
            info("W1", "T0400", "-100.00", None, json!({})),
        ]}),
        json!({ "total_pages": 2, "transaction_details": [
            info("REF1", "T1107", "-4.00", Some("0.20"), json!({ "custom_field": "ref_00000000000000000000000001", "paypal_reference_id": "CAP1", "paypal_reference_id_type": "TXN" })),
            info("CAP2", "T0006", "5.00", None, json!({ "transaction_status": "P" })),
        ]}),
    ];
    let side = Loopback::start(move |seen| match seen.what.as_str() {
        TOKEN => (200, r#"{"access_token":"t","expires_in":3600}"#.into()),
        _ => (200, pages[seen.parameter("page").unwrap().parse::<usize>().unwrap() - 1].to_string()),
    })
    .await;
    let keys = keys(Some(&side.base));
    let paypal = PayPal::new(outbound());
    let day = "2027-01-14".parse().unwrap();
    let early = Call { keys: &keys, now_unix: 1_799_971_200 + 3_600, timeout: Duration::from_secs(5) };
    assert!(matches!(paypal.statement(&early, day).await, Statement::NotReady));
    let call = Call { now_unix: 1_799_971_200 + 4 * 3_600, ..early };
    let Statement::Entries(entries) = paypal.statement(&call, day).await else { panic!() };
    let lines = stated::lines(&entries);
    let asked = side.last("GET /v1/reporting/transactions");
    assert_eq!(asked.parameter("start_date").unwrap(), "2027-01-14T00:00:00Z");
    assert_eq!(asked.parameter("end_date").unwrap(), "2027-01-14T23:59:59Z");
    let file = "\u{feff}\"Date\",\"Time\",\"TimeZone\",\"Name\",\"Type\",\"Status\",\"Currency\",\"Gross\",\"Fee\",\"Net\",\"Transaction ID\",\"Invoice Number\",\"Custom Number\",\"Reference Txn ID\"
\"01/14/2027\",\"10:00:00\",\"GMT\",\"A B\",\"Express Checkout Payment\",\"Completed\",\"USD\",\"9.90\",\"-0.64\",\"9.26\",\"CAP1\",\"D1\",\"D1\",\"\"
\"01/14/2027\",\"10:01:00\",\"GMT\",\"\",\"General Withdrawal\",\"Completed\",\"USD\",\"-1,000.00\",\"0.00\",\"-1,000.00\",\"W1\",\"\",\"\",\"\"
\"01/14/2027\",\"02:00:00\",\"PST\",\"A B\",\"Payment Refund\",\"Completed\",\"USD\",\"-4.00\",\"0.20\",\"-3.80\",\"REF1\",\"\",\"ref_00000000000000000000000001\",\"CAP1\"
";
    let read = |file: &str| paypal.read_statement(&keys, file.as_bytes()).unwrap();
    assert_eq!(lines, stated::lines(&read(file)));
    assert_eq!(lines.len(), 2);
    let line = |stated, amount, fee| (stated, amount, Some(fee));
    let short: Vec<_> = lines.iter().map(|l| (l.stated, l.amount_minor, l.fee_minor)).collect();
    assert_eq!(short, [line(Stated::Payment, 990, 64), line(Stated::Refund, 400, -20)]);
    assert!(lines.iter().all(|l| l.trade_no == "CAP1"));
    assert_eq!(lines[1].refund_id.as_deref(), Some("ref_00000000000000000000000001"));
    assert_eq!(paypal.read_statement(&keys, b"a,b\n1,2\n").unwrap_err(), "line 1: there is no column `Date`");
    let broken = read(&file.replace("9.90", "nine"));
    assert_eq!(stated::unread(&broken), ["line 2: amount_malformed (CAP1)"]);
    assert_eq!(broken.len(), 2, "the others are read");
    side.answer_by(|seen| match seen.what.as_str() {
        TOKEN => (200, r#"{"access_token":"t","expires_in":3600}"#.into()),
        _ => (200, json!({ "account_number": "SOMEBODYELSE1", "transaction_details": [] }).to_string()),
    });
    let Statement::Unknown(why) = paypal.statement(&call, day).await else { panic!() };
    assert_eq!(why, "the answer is about another merchant");
}
