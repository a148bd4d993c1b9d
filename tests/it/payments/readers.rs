//! What comes from outside is read or refused, never more: statements that are cut, mangled or about other things, and
//! gateways that answer anything at all. A panic in a reader fails these tests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, NaiveDate};
use dispense::base::money::{Currency, Money};
use dispense::base::secret::Secret;
use dispense::payments::gateways;
use dispense::payments::gateways::gateway::{
    AccountKeys, Call, Gateway, Meaning, NewPayment, NewRefund, PaymentRef, Queried, RefundRef,
};
use serde_json::{Value, json};

use super::gateways_notices::outbound;
use super::gateways_statements::{DETAILS, TABLE, packed, zipped};
use super::loopback::{Loopback, Seen};

/// Numbers that are the same in every run (xorshift).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (end.max(1) as u64)).unwrap()
    }
}

const STRIPE: &str = "balance_transaction_id,created_utc,currency,gross,fee,reporting_category,source_id,payment_intent_id,payment_metadata[order_no],refund_metadata[refund_id],customer_facing_amount,customer_facing_currency\n\
    txn_1,2027-01-14 10:00:00,usd,19.99,0.88,charge,ch_1,pi_1,D1,,19.99,usd\n\
    txn_2,2027-01-14 11:00:00,usd,-4.00,-0.10,refund,re_1,pi_1,D1,ref_1,-4.00,usd\n";
const PAYPAL: &str = "Date,Time,TimeZone,Name,Type,Status,Currency,Gross,Fee,Net,Transaction ID,Reference Txn ID,Invoice Number,Custom Number\n\
    01/14/2027,10:00:00,PST,Somebody,Express Checkout Payment,Completed,USD,19.99,-0.88,19.11,CAP1,,D1,D1\n\
    01/14/2027,11:00:00,GMT+08:00,Somebody,Payment Refund,Completed,USD,-4.00,0.10,-3.90,REF1,CAP1,D1,\n";
const EPAY: &str = r#"{"code":0,"data":[
    {"trade_no":"E1","out_trade_no":"D1","pid":"1001","money":"9.90","status":1,"refundmoney":"1.00","addtime":"2027-01-14 10:00:00","endtime":"2027-01-14 10:00:09"},
    {"trade_no":"E2","out_trade_no":"D2","pid":"1001","money":"9.90","status":0,"addtime":"2027-01-14 11:00:00"}]}"#;

/// Each file that a person may import, and what its gateway calls a cell's end.
fn files() -> [(&'static str, Vec<u8>, u8); 7] {
    let table = encoding_rs::GBK.encode(DETAILS).0.into_owned();
    [
        ("alipay", table, b','),
        ("alipay", zipped(DETAILS), b','),
        ("wechatpay", TABLE.as_bytes().to_vec(), b','),
        ("wechatpay", packed(TABLE), b','),
        ("stripe", STRIPE.as_bytes().to_vec(), b','),
        ("paypal", PAYPAL.as_bytes().to_vec(), b','),
        ("epay_v1", EPAY.as_bytes().to_vec(), b','),
    ]
}

fn keys() -> AccountKeys {
    let settings = [("pid", "1001"), ("seller_id", "2088621955701234"), ("mchid", "1900009191")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    AccountKeys { settings, ..AccountKeys::default() }
}

/// Reads one file; what is read holds what storing relies on, what is not has a place or a reason.
fn read(gateway: &dyn Gateway, file: &[u8]) -> bool {
    match gateway.read_statement(&keys(), file) {
        Ok(entries) => {
            for entry in entries {
                let line = match entry.said {
                    Ok(line) => line,
                    Err(unread) => {
                        assert!(!unread.subject.is_empty() && !unread.why.trim().is_empty());
                        continue;
                    }
                };
                assert!(!line.trade_no.is_empty(), "{line:?}");
                assert!(line.stated.is_one_refund() || line.gateway_refund_id.is_none(), "{line:?}");
            }
            true
        }
        Err(text) => {
            assert!(!text.trim().is_empty());
            false
        }
    }
}

/// Rows: P8, P1.
#[test]
fn a_statement_that_is_cut_or_mangled_is_refused_with_its_place_and_never_breaks_the_reader() {
    let known = gateways::all(&outbound());
    let mut seeded = Seeded(0x1D15_9E75);
    for (name, file, cell) in files() {
        let gateway = known.iter().find(|gateway| gateway.name() == name).unwrap().as_ref();
        assert!(read(gateway, &file), "{name}: the whole file is read");
        for end in 0..file.len() {
            read(gateway, &file[..end]);
        }
        // Each line with some of its cells alone.
        let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
        for index in 0..lines.len() {
            let places =
                lines[index].iter().enumerate().filter(|(_, byte)| **byte == cell).map(|(place, _)| place);
            for place in places.chain([0]) {
                for rest in [&b""[..], b"\r\n"] {
                    let cut = [
                        &lines[..index].concat(),
                        &lines[index][..place],
                        rest,
                        &lines[index + 1..].concat(),
                    ]
                    .concat();
                    read(gateway, &cut);
                }
            }
        }
        let odd: [&[u8]; 16] = [
            b"-9223372036854775808",
            b"9223372036854775807",
            b"-",
            b"0.00000",
            b"1e9",
            b"NaN",
            b"\xff\xfe",
            b"\0",
            b"\"",
            b"+262142-12-31 23:59:59",
            b"-262143-01-01 00:00:00",
            b"12/31/262142",
            b"GMT-14:00",
            b"\xe2\x80\x8b",
            b",,,,",
            b"`",
        ];
        for _ in 0..4_000 {
            let mut mangled = file.clone();
            for _ in 0..=seeded.below(3) {
                let from = seeded.below(mangled.len());
                let to = (from + seeded.below(24)).min(mangled.len());
                match seeded.below(3) {
                    0 => drop(mangled.splice(from..to, odd[seeded.below(odd.len())].iter().copied())),
                    1 => drop(mangled.drain(from..to)),
                    _ => mangled[from] = u8::try_from(seeded.below(256)).unwrap(),
                }
                if mangled.is_empty() {
                    break;
                }
            }
            read(gateway, &mangled);
        }
    }
}

/// What a gateway may answer, beside what it should.
fn answers() -> Vec<String> {
    let session = json!({ "id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid",
        "amount_total": 1_000, "currency": "usd", "client_reference_id": "D1", "payment_intent": { "id": "pi_1",
        "latest_charge": { "amount_refunded": 10, "currency": "usd", "disputed": false } } });
    let order = json!({ "id": "ORDER1", "status": "COMPLETED", "purchase_units": [{ "custom_id": "D1", "amount": { "currency_code": "USD", "value": "10.00" },
        "payments": { "captures": [{ "id": "CAP1", "status": "COMPLETED", "amount": { "currency_code": "USD", "value": "10.00" } }],
        "refunds": [{ "id": "REF1", "status": "COMPLETED", "amount": { "currency_code": "USD", "value": "92233720368547758.07" } },
            { "id": "REF2", "status": "COMPLETED", "amount": { "currency_code": "USD", "value": "92233720368547758.07" } }] } }],
        "access_token": "t", "expires_in": i64::MAX });
    let epay = json!({ "code": 1, "trade_no": "E1", "out_trade_no": "D1", "pid": "1001", "money": "10", "status": "1", "endtime": "+262142-12-31 23:59:59",
        "data": [{ "trade_no": "E1", "out_trade_no": "D1", "money": "9.9", "status": 1, "endtime": "2027-01-14 10:00:00", "addtime": "9999-12-31 23:59:59" }] });
    let books = json!({ "has_more": false, "data": [{ "type": "refund", "fee": i64::MIN, "currency": "usd", "created": i64::MAX,
        "source": { "id": "re_1", "payment_intent": "pi_1", "amount": 1, "currency": "usd" } }] });
    let mut all: Vec<String> = [session, order, epay, books].iter().map(Value::to_string).collect();
    all.extend(
        [
            "",
            "null",
            "[]",
            "{}",
            "\"\"",
            "0",
            "{\"data\":[null,{}]}",
            "{\"purchase_units\":[]}",
            "{\"a\":1,\"a\":2}",
        ]
        .map(String::from),
    );
    all.push("[".repeat(100_000));
    all.push("9".repeat(400));
    all
}

/// Rows: P1, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_gateway_answers_is_understood_or_unknown_and_never_breaks_anything() {
    let body = Arc::new(Mutex::new((200_u16, String::new())));
    let said = body.clone();
    let side = Loopback::start(move |seen: &Seen| match seen.what.as_str() {
        "POST /v1/oauth2/token" => (200, r#"{"access_token":"t","expires_in":3600}"#.into()),
        _ => said.lock().unwrap().clone(),
    })
    .await;
    let currency = Currency::USD;
    let settings = [("client_id", "c"), ("merchant_id", "M1"), ("webhook_id", "W1"), ("pid", "1001")];
    let keys = AccountKeys {
        id: "any".into(),
        secrets: vec![Secret::new("a-shared-key-of-the-reading-tests")],
        api_key: Some(Secret::new("sk_test_of_the_reading_tests")),
        settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        api_url: Some(side.base.clone()),
        sandbox: true,
        ..AccountKeys::default()
    };
    let call = Call { keys: &keys, now_unix: 1_800_000_000, timeout: Duration::from_secs(5) };
    let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let known = gateways::all(&outbound());
    let mut seeded = Seeded(0x9E37_79B9);
    for name in ["stripe", "paypal", "epay_v1"] {
        let gateway = known.iter().find(|gateway| gateway.name() == name).unwrap();
        for answer in answers() {
            for round in 0..6 {
                let mut text = answer.clone().into_bytes();
                for _ in 0..round {
                    let place = seeded.below(text.len().max(1));
                    if let Some(byte) = text.get_mut(place) {
                        *byte = b"0:{}[],\"-.ne\\u"[seeded.below(14)];
                    }
                }
                let status = [200, 200, 200, 201, 404, 422][round];
                *body.lock().unwrap() = (status, String::from_utf8_lossy(&text).into_owned());
                let money = Money::new(
                    1_000,
                    if name == "epay_v1" { Currency::parse("CNY").unwrap() } else { currency },
                );
                let payment = PaymentRef {
                    number: "D1",
                    gateway_reference: Some(if name == "stripe" { "cs_1" } else { "ORDER1" }),
                    trade_no: Some("pi_1"),
                    money,
                };
                if let Queried::Known(state) = gateway.query(&call, &payment).await
                    && state.meaning == Meaning::Paid
                {
                    assert!(state.trade_no.is_some() && state.amount_minor.is_some_and(|minor| minor >= 0));
                }
                gateway.capture(&call, &payment).await;
                gateway.close(&call, &payment).await;
                gateway.number_of(&call, "pi_1").await;
                gateway
                    .refund(
                        &call,
                        &NewRefund { refund_id: "rfd_1", payment, amount: money, reason: Some("x") },
                    )
                    .await;
                for gateway_refund_id in [None, Some("re_1")] {
                    let asked = RefundRef { refund_id: "rfd_1", gateway_refund_id, payment, amount: money };
                    gateway.refund_query(&call, &asked).await;
                }
                for day in [NaiveDate::from_ymd_opt(2027, 1, 14).unwrap(), NaiveDate::MIN] {
                    if answer.len() < 10_000 {
                        gateway.statement(&call, day).await;
                    }
                }
                let new = NewPayment {
                    number: "D1",
                    payment_id: "pay_1",
                    money,
                    title: "t",
                    locale: "en",
                    email: None,
                    return_url: "https://a.example",
                    cancel_url: "https://a.example",
                    notify_url: "https://a.example",
                    started_at: at,
                    expires_at: at,
                    accepts: &[],
                    sdks: &[],
                    platform: None,
                    payer: None,
                    client_address: None,
                };
                drop(gateway.start(&call, &new).await);
            }
        }
    }
}
