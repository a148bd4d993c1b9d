//! Alipay: what the vectors do not show of its notices.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use dispense::base::money::{Currency, Money};
use dispense::base::secret::Secret;
use dispense::payments::gateways::alipay::Alipay;
use dispense::payments::gateways::gateway::{
    AccountKeys, Call, Evidence, Expected, Gateway, Match, Meaning, NewPayment, Notice, NoticeRefusal,
    PaymentRef, RawNotice, Stage, Verdict, matches,
};

use super::gateways_notices::outbound;
use crate::harness::played::Played;
use crate::harness::rsa::Pair;

pub const NOW: i64 = 1_800_000_000;
pub const APP: &str = "2021000118601234";
pub const SELLER: &str = "2088621955701234";

/// The merchant's key and Alipay's.
pub struct Keys {
    pub ours: Pair,
    pub theirs: Pair,
}

impl Keys {
    pub fn new() -> Self {
        Self { ours: Pair::new(), theirs: Pair::new() }
    }

    pub fn account(&self) -> AccountKeys {
        AccountKeys {
            id: "ali".into(),
            secrets: vec![Secret::new(self.theirs.public())],
            api_key: Some(self.ours.private()),
            settings: [("app_id".into(), APP.into()), ("seller_id".into(), SELLER.into())].into(),
            sandbox: true,
            ..AccountKeys::default()
        }
    }

    pub fn at(&self, played: &Played) -> AccountKeys {
        AccountKeys { api_url: Some(played.url.clone()), ..self.account() }
    }
}

pub fn gateway() -> Alipay {
    Alipay::new(outbound())
}

pub fn call(keys: &AccountKeys) -> Call<'_> {
    Call { keys, now_unix: NOW, timeout: Duration::from_secs(5) }
}

pub fn cny(minor: i64) -> Money {
    Money::new(minor, Currency::parse("CNY").unwrap())
}

pub fn start_time() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

pub fn payment<'a>(accepts: &'a [String], sdks: &'a [String], platform: Option<&'a str>) -> NewPayment<'a> {
    NewPayment {
        number: "D1-2",
        payment_id: "pay_1",
        money: cny(990),
        title: "My & shop, \"D1\"",
        locale: "zh",
        email: None,
        return_url: "https://shop.example/return/1",
        cancel_url: "https://shop.example/cancel/1",
        notify_url: "https://shop.example/webhooks/ali",
        started_at: start_time(),
        expires_at: start_time() + TimeDelta::minutes(30),
        accepts,
        sdks,
        platform,
        payer: None,
        client_address: None,
    }
}

pub fn named(number: &str) -> PaymentRef<'_> {
    PaymentRef { number, gateway_reference: None, trade_no: None, money: cny(990) }
}

pub fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

pub fn text_of(fields: &[(String, String)], keep: impl Fn(&str) -> bool) -> String {
    let mut kept: Vec<String> =
        fields.iter().filter(|(name, _)| keep(name)).map(|(name, value)| format!("{name}={value}")).collect();
    kept.sort();
    kept.join("&")
}

const BASIC: &[(&str, &str)] = &[
    ("notify_type", "trade_status_sync"),
    ("notify_id", "n1"),
    ("notify_time", "2027-01-15 15:59:58"),
    ("charset", "utf-8"),
    ("app_id", APP),
    ("seller_id", SELLER),
    ("out_trade_no", "D1_2"),
    ("trade_no", "2027011522001"),
    ("total_amount", "9.90"),
    ("trade_status", "TRADE_SUCCESS"),
    ("gmt_payment", "2027-01-15 15:58:40"),
];

/// A notice as Alipay would send it; fields with the same name replace those of the basic one, `-` leaves one out.
fn notice(key: &Pair, changes: &[(&str, &str)]) -> RawNotice {
    let basic = BASIC.iter().filter(|(name, _)| changes.iter().all(|(n, _)| n != name));
    let mut fields: Vec<(String, String)> = basic
        .chain(changes)
        .filter(|(_, value)| *value != "-")
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let sign = key.sign(text_of(&fields, |name| name != "sign_type").as_bytes());
    if changes.iter().all(|(name, _)| *name != "sign_type") {
        fields.push(("sign_type".into(), "RSA2".into()));
    }
    fields.push(("sign".into(), sign));
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    let headers = vec![("content-type".into(), "application/x-www-form-urlencoded; charset=utf-8".into())];
    RawNotice { method: "POST".into(), query: String::new(), headers, body: body.into_bytes(), now_unix: NOW }
}

fn read(account: &AccountKeys, raw: &RawNotice) -> Result<Notice, NoticeRefusal> {
    gateway().authenticate(account, raw, &Evidence::default())
}

/// Rows: P4, P9.
#[test]
fn alipay_tells_partial_refunds_by_their_sum_and_a_closed_paid_trade_as_refunded() {
    let keys = Keys::new();
    let read = |changes: &[(&str, &str)]| read(&keys.account(), &notice(&keys.theirs, changes)).unwrap();
    let paid = read(&[]);
    assert_eq!((paid.meaning, paid.amount_minor, paid.refund.clone()), (Meaning::Paid, Some(990), None));
    assert_eq!((paid.number.as_deref(), paid.event_key()), (Some("D1-2"), "n1"));
    assert_eq!(paid.occurred_at.unwrap().to_rfc3339(), "2027-01-15T07:58:40+00:00", "Beijing time");
    let part =
        read(&[("refund_fee", "3.00"), ("out_biz_no", "ref_1"), ("gmt_refund", "2027-01-15 16:00:01.123")]);
    assert_eq!((part.meaning, part.refunded_minor), (Meaning::PartiallyRefunded, Some(300)));
    assert_eq!(part.refund.clone().unwrap().refund_id.as_deref(), Some("ref_1"));
    assert_eq!(part.occurred_at.unwrap().to_rfc3339(), "2027-01-15T08:00:01+00:00");
    let more = read(&[("refund_fee", "9.90"), ("out_biz_no", "ref_2")]);
    assert_eq!((more.meaning, more.refunded_minor), (Meaning::Refunded, Some(990)));
    assert_eq!(read(&[("refund_fee", "0.00")]).meaning, Meaning::Paid);
    assert_eq!(read(&[("trade_status", "TRADE_FINISHED")]).meaning, Meaning::Paid);
    let closed = |extra: &[(&str, &str)]| read(&[&[("trade_status", "TRADE_CLOSED")], extra].concat());
    assert_eq!(closed(&[("gmt_payment", "-")]).meaning, Meaning::Closed);
    assert_eq!((closed(&[]).meaning, closed(&[]).refunded_minor), (Meaning::Refunded, Some(990)));
    let other = read(&[("notify_type", "dut_user_sign"), ("out_trade_no", "-")]);
    assert_eq!(other.meaning, Meaning::Ignored);
    let coupon = read(&[("receipt_amount", "1.00"), ("buyer_pay_amount", "0.01")]);
    assert_eq!(coupon.amount_minor, Some(990), "what was due, whoever pays it");
}

/// Rows: P4, P10.
#[test]
fn alipay_takes_its_algorithm_and_keys_from_the_configuration_alone() {
    let keys = Keys::new();
    let next = Pair::new();
    let both = AccountKeys {
        secrets: vec![Secret::new(next.public_bare()), Secret::new(keys.theirs.certificate("0A01"))],
        ..keys.account()
    };
    assert_eq!(read(&both, &notice(&next, &[])).unwrap().verified_by(), 1);
    assert_eq!(read(&both, &notice(&keys.theirs, &[])).unwrap().verified_by(), 2);
    let reason = |raw: &RawNotice| {
        let refusal = read(&both, raw).unwrap_err();
        (refusal.stage, refusal.reason)
    };
    assert_eq!(reason(&notice(&keys.ours, &[])), (Stage::Signature, "sign_mismatch"));
    for sign_type in ["RSA", "RSA2 ", "MD5", "-"] {
        let raw = notice(&next, &[("sign_type", sign_type)]);
        assert_eq!(reason(&raw), (Stage::Signature, "sign_type_not_rsa2"), "{sign_type}");
    }
    assert_eq!(reason(&notice(&next, &[("charset", "GBK")])), (Stage::Format, "charset_not_utf8"));
    assert_eq!(reason(&notice(&next, &[("a[0]", "1")])), (Stage::Format, "form_name_with_bracket"));
    assert_eq!(reason(&notice(&next, &[("trade_no", "-")])), (Stage::Format, "trade_no_missing"));
    assert_eq!(reason(&notice(&next, &[("notify_id", "a b")])), (Stage::Format, "notify_id_missing"));
    for amount in ["-9.90", "9,90", "1e1", " 9.90", "9.900", "９.90"] {
        let raw = notice(&next, &[("total_amount", amount)]);
        assert_eq!(reason(&raw), (Stage::Format, "amount_malformed"), "{amount}");
    }
    let none = AccountKeys { secrets: vec![], ..both.clone() };
    assert!(read(&none, &notice(&next, &[])).is_err());
}

/// Rows: P4, O6.
#[test]
fn alipays_notice_must_name_our_application_and_our_merchant() {
    let keys = Keys::new();
    let account = keys.account();
    let identity = gateway().identity(&account);
    let expected = Expected {
        number: "D1-2",
        amount_minor: 990,
        currency: cny(1).currency,
        gateway_reference: None,
        trade_no: None,
        identity: &identity,
    };
    let fit = |changes: &[(&str, &str)]| {
        let notice = read(&account, &notice(&keys.theirs, changes)).unwrap();
        matches(&notice, &expected)
    };
    assert_eq!(fit(&[]), Match::Fits);
    assert_eq!(fit(&[("seller_id", "2088000000000000")]), Match::Foreign("seller_id"));
    assert_eq!(fit(&[("seller_id", "-")]), Match::Foreign("seller_id"));
    assert_eq!(fit(&[("app_id", "2021000000000000")]), Match::Foreign("app_id"));
    assert_eq!(fit(&[("total_amount", "9.89")]), Match::WrongAmount);
    let says = |verdict| (gateway().reply(verdict).status, gateway().reply(verdict).body);
    assert_eq!(says(Verdict::Success), (200, "success"));
    assert_eq!([says(Verdict::TryLater), says(Verdict::Refused)], [(503, "failure"), (400, "failure")]);
}

/// Rows: C12, P1.
#[test]
fn an_alipay_account_without_its_keys_does_not_start() {
    let keys = Keys::new();
    let reported = |account: AccountKeys| {
        let faults = gateway().faults(&account).into_iter().map(|(key, text)| format!("{key}: {text}"));
        faults.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(reported(keys.account()), "");
    assert!(
        reported(AccountKeys { secrets: vec![], ..keys.account() }).contains("secrets: needs at least one")
    );
    let secret = |text: String| AccountKeys { secrets: vec![Secret::new(text)], ..keys.account() };
    for text in [String::new(), "RSA2".into(), keys.theirs.private().expose().to_owned()] {
        assert!(reported(secret(text)).contains("secrets: number 1 must be a public RSA key"));
    }
    assert!(reported(secret(keys.ours.public())).contains("the application's own public key"));
    assert!(reported(AccountKeys { api_key: None, ..keys.account() }).contains("api_key: must be"));
    let with = |name: &str, value: &str| {
        let mut account = keys.account();
        account.settings.insert(name.into(), value.into());
        reported(account)
    };
    assert!(with("seller_id", "shop@example.com").contains("settings.seller_id"));
    assert!(with("app_id", "wx1").contains("settings.app_id"));
    assert!(with("app_cert_sn", "0a1b").contains("belong together"));
    assert_eq!(gateway().unit(cny(1).currency).map(|unit| (unit.exponent, unit.step)), Some((2, 1)));
    assert_eq!(gateway().unit(Currency::USD), None);
}
