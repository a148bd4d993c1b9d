//! Stripe's books of a day, asked for and read from its report.

use std::time::Duration;

use dispense::base::secret::Secret;
use dispense::payments::gateways::gateway::{AccountKeys, Call, Calls, Gateway, Stated, Statement};
use dispense::payments::gateways::stripe::Stripe;
use serde_json::{Value, json};

use super::gateways_notices::outbound;
use super::loopback::Loopback;
use super::stated;

/// 15 January 2027, 00:00 UTC.
const DAY_END: i64 = 1_799_971_200;

fn transaction(id: &str, kind: &str, balance: (&str, i64, i64), source: Value) -> Value {
    let (currency, amount, fee) = balance;
    json!({
        "id": id, "object": "balance_transaction", "type": kind, "amount": amount, "fee": fee, "currency": currency,
        "created": DAY_END - 50_400, "source": source,
    })
}

/// Rows: P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_days_books_are_asked_for_page_by_page_and_read_from_the_report_alike() {
    let charge = json!({ "id": "ch_1", "object": "charge", "payment_intent": "pi_1", "amount": 1999, "currency": "usd", "metadata": { "order_no": "D1" } });
    let refund = json!({ "id": "re_1", "object": "refund", "payment_intent": "pi_1", "amount": 400, "currency": "usd", "metadata": { "refund_id": "ref_1", "order_no": "D1" } });
    let yen = json!({ "id": "ch_2", "object": "charge", "payment_intent": "pi_2", "amount": 1200, "currency": "jpy", "metadata": { "order_no": "D2" } });
    let pages = [
        json!({ "has_more": true, "data": [
            transaction("txn_1", "charge", ("usd", 1999, 88), charge),
            transaction("txn_2", "payout", ("usd", -9000, 0), "po_1".into()),
        ]}),
        json!({ "has_more": false, "data": [
            transaction("txn_3", "refund", ("usd", -400, -10), refund),
            transaction("txn_4", "payment", ("usd", 801, 40), yen),
        ]}),
    ];
    let side = Loopback::start(move |seen| {
        let second = seen.parameter("starting_after").is_some_and(|after| after == "txn_2");
        (200, pages[usize::from(second)].to_string())
    })
    .await;
    let keys = AccountKeys {
        id: "stripe".into(),
        api_key: Some(Secret::new("sk_test_1")),
        api_url: Some(side.base.clone()),
        sandbox: true,
        ..AccountKeys::default()
    };
    let stripe = Stripe::new(outbound());
    let call = |now_unix| Call { keys: &keys, now_unix, timeout: Duration::from_secs(5) };
    let day = "2027-01-14".parse().unwrap();
    assert!(matches!(stripe.statement(&call(DAY_END - 1), day).await, Statement::NotReady));
    let Statement::Entries(entries) = stripe.statement(&call(DAY_END), day).await else { panic!() };
    let lines = stated::lines(&entries);
    let asked = side.last("GET /v1/balance_transactions");
    assert_eq!(asked.parameter("created[gte]").unwrap(), (DAY_END - 86_400).to_string());
    assert_eq!(asked.parameter("created[lt]").unwrap(), DAY_END.to_string());
    let short: Vec<_> =
        lines.iter().map(|l| (l.stated, l.trade_no.as_str(), l.amount_minor, l.fee_minor)).collect();
    assert_eq!(
        short,
        [
            (Stated::Payment, "pi_1", 1999, Some(88)),
            (Stated::Refund, "pi_1", 400, Some(-10)),
            // Its fee is reported in dollars, which says nothing in yen.
            (Stated::Payment, "pi_2", 1200, None),
        ]
    );
    let report = "\"balance_transaction_id\",\"created_utc\",\"currency\",\"gross\",\"fee\",\"net\",\"reporting_category\",\"source_id\",\"payment_intent_id\",\"customer_facing_amount\",\"customer_facing_currency\",\"payment_metadata[order_no]\",\"refund_metadata[refund_id]\"
txn_1,2027-01-14 10:00:00,usd,19.99,0.88,19.11,charge,ch_1,pi_1,19.99,usd,D1,
txn_2,2027-01-14 10:00:00,usd,-90.00,0.00,-90.00,payout,po_1,,,,,
txn_3,2027-01-14 10:00:00,usd,-4.00,-0.10,-3.90,refund,re_1,pi_1,-4.00,usd,D1,ref_1
txn_4,2027-01-14 10:00:00,usd,8.01,0.40,7.61,charge,ch_2,pi_2,1200.00,jpy,D2,
";
    let read = |report: &str| stripe.read_statement(&keys, report.as_bytes()).unwrap();
    assert_eq!(stated::lines(&read(report)), lines);
    let wrong = report.replace(",19.99,usd,", ",19.991,usd,");
    let wrong = read(&wrong);
    assert_eq!(stated::unread(&wrong), ["line 2: amount_malformed (pi_1)"]);
    assert_eq!(wrong.len(), 3, "the others are read");
    assert!(stripe.read_statement(&keys, b"a\n1\n").unwrap_err().starts_with("line 1: there is no column"));
    let whole = json!({ "id": "ch_1", "payment_intent": "pi_1", "amount": 1999, "currency": "usd" });
    let half = json!({ "id": "ch_2", "payment_intent": "pi_2", "currency": "usd" });
    let without = transaction("txn_3", "refund", ("usd", -400, 0), Value::Null);
    let charge = |id: &str, source: &Value| transaction(id, "charge", ("usd", 1999, 88), source.clone());
    let one =
        json!({ "has_more": false, "data": [charge("txn_1", &half), charge("txn_2", &whole), without] });
    side.answer_by(move |_| (200, one.to_string()));
    let Statement::Entries(entries) = stripe.statement(&call(DAY_END), day).await else { panic!() };
    let wrong = ["transaction 1: amount_malformed (pi_2)", "transaction 3: source_missing (txn_3)"];
    assert_eq!(stated::unread(&entries), wrong);
    assert_eq!(entries[1].said.as_ref().unwrap().trade_no, "pi_1");
    side.answer_by(|_| (200, json!({ "has_more": false, "data": [transaction("txn_1", "charge", ("usd", 1, 0), "ch_1".into())] }).to_string()));
    assert!(matches!(stripe.statement(&call(DAY_END), day).await, Statement::Unknown(_)));
}
