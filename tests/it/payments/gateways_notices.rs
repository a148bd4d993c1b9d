//! What `authenticate` believes and what the business check makes of it.

use dispense::base::money::Currency;
use dispense::base::secret::Secret;
use dispense::infra::outbound::Outbound;
use dispense::payments::gateways::gateway::{
    AccountKeys, Evidence, Expected, Gateway, Match, Meaning, Notice, NoticeRefusal, RawNotice, Stage,
    Verdict, matches,
};
use dispense::payments::gateways::generic::Generic;
use dispense::payments::gateways::stripe::Stripe;

use crate::harness::signing::{stripe, webhook, webhook_secret};

const NOW: i64 = 1_800_000_000;
const STRIPE_OLD: &str = "whsec_the_old_endpoint_secret_01";
const STRIPE_NEW: &str = "whsec_the_new_endpoint_secret_02";

pub fn outbound() -> Outbound {
    Outbound::new().unwrap()
}

pub fn keys(secrets: &[&str]) -> AccountKeys {
    AccountKeys {
        id: "main".into(),
        secrets: secrets.iter().map(|s| Secret::new(*s)).collect(),
        ..AccountKeys::default()
    }
}

fn paid(order: &str, amount: &str) -> String {
    format!(
        r#"{{"type":"payment.succeeded","timestamp":"2027-01-15T07:59:57Z","data":{{"order_no":"{order}","trade_no":"T1","amount_minor":{amount},"currency":"CNY","status":"paid"}}}}"#
    )
}

fn session(extra: &str) -> String {
    event(
        "checkout.session.completed",
        &format!(
            r#"{{"id":"cs_1","object":"checkout.session","mode":"payment","status":"complete","payment_status":"paid","amount_total":1999,"currency":"usd","client_reference_id":"D1","payment_intent":"pi_1"{extra}}}"#
        ),
    )
}

fn event(kind: &str, object: &str) -> String {
    format!(
        r#"{{"id":"evt_1","object":"event","type":"{kind}","created":1799999995,"livemode":true,"data":{{"object":{object}}}}}"#
    )
}

fn by_generic(keys: &AccountKeys, raw: &RawNotice) -> Result<Notice, NoticeRefusal> {
    Generic::new(outbound()).authenticate(keys, raw, &Evidence::default())
}

fn by_stripe(keys: &AccountKeys, raw: &RawNotice) -> Result<Notice, NoticeRefusal> {
    Stripe::new(outbound()).authenticate(keys, raw, &Evidence::default())
}

fn usd(amount_minor: i64) -> Expected<'static> {
    let currency = Currency::parse("USD").unwrap();
    Expected { number: "D1", amount_minor, currency, gateway_reference: None, trade_no: None, identity: &[] }
}

/// Rows: P10.
#[test]
fn a_rotated_secret_still_verifies_and_the_notice_says_which_one_did() {
    let (new, old) = (webhook_secret(2), webhook_secret(1));
    let account = keys(&[&new, &old]);
    let notice =
        |secret: &str| by_generic(&account, &webhook(secret, "msg_1", NOW, &paid("D1", "990"))).unwrap();
    assert_eq!(notice(&new).verified_by(), 1);
    assert_eq!(notice(&old).verified_by(), 2);
    assert_eq!(notice(&old).event_key(), "msg_1");
    assert_eq!(notice(&old).account_id(), "main");

    let account = keys(&[STRIPE_NEW, STRIPE_OLD]);
    assert_eq!(by_stripe(&account, &stripe(STRIPE_NEW, NOW, &session(""))).unwrap().verified_by(), 1);
    assert_eq!(by_stripe(&account, &stripe(STRIPE_OLD, NOW, &session(""))).unwrap().verified_by(), 2);
    let gone = by_stripe(&keys(&[STRIPE_NEW]), &stripe(STRIPE_OLD, NOW, &session(""))).unwrap_err();
    assert_eq!((gone.stage, gone.reason), (Stage::Signature, "sign_mismatch"));
}

/// Rows: P4.
#[test]
fn what_others_sign_and_what_was_changed_on_the_way_is_refused() {
    let mine = webhook_secret(1);
    let account = keys(&[&mine]);
    let stage = |raw: &RawNotice| by_generic(&account, raw).unwrap_err().stage;
    assert_eq!(stage(&webhook(&webhook_secret(9), "msg_1", NOW, &paid("D1", "990"))), Stage::Signature);
    let good = webhook(&mine, "msg_1", NOW, &paid("D1", "990"));
    let mut changed = good.clone();
    changed.body = paid("D2", "990").into_bytes();
    assert_eq!(stage(&changed), Stage::Signature);
    let mut twice = good.clone();
    twice.headers.push(("Webhook-Id".into(), "msg_2".into()));
    assert_eq!(by_generic(&account, &twice).unwrap_err().reason, "header_repeated");
    assert_eq!(stage(&webhook(&mine, "msg.1", NOW, &paid("D1", "990"))), Stage::Signature);
    assert!(by_generic(&keys(&[""]), &good).is_err());
    assert!(by_stripe(&keys(&[""]), &stripe("", NOW, &session(""))).is_err());
}

/// Rows: P4.
#[test]
fn messages_too_old_or_from_the_future_are_refused_by_the_second() {
    let secret = webhook_secret(1);
    for (age, stage) in [(300, None), (301, Some(Stage::Replay)), (-300, None), (-301, Some(Stage::Replay))] {
        let mut raw = webhook(&secret, "msg_1", NOW - age, &paid("D1", "990"));
        raw.now_unix = NOW;
        assert_eq!(by_generic(&keys(&[&secret]), &raw).err().map(|r| r.stage), stage, "generic, {age} s old");
        let mut raw = stripe(STRIPE_NEW, NOW - age, &session(""));
        raw.now_unix = NOW;
        assert_eq!(
            by_stripe(&keys(&[STRIPE_NEW]), &raw).err().map(|r| r.stage),
            stage,
            "stripe, {age} s old"
        );
    }
}

/// Rows: P4.
#[test]
fn json_that_two_readers_would_read_differently_is_refused() {
    let secret = webhook_secret(1);
    let refuse = |body: &str| {
        let refusal = by_generic(&keys(&[&secret]), &webhook(&secret, "msg_1", NOW, body)).unwrap_err();
        assert_eq!(refusal.stage, Stage::Format, "{body}");
    };
    refuse(&paid("D1", "990,\"amount_minor\":1"));
    for amount in ["-1", "9.90", "1e3", "\"990\"", "null", "99999999999999999999"] {
        refuse(&paid("D1", amount));
    }
    refuse(&paid("D1", "990").replace("payment.succeeded", "payment.closed"));
    refuse(&paid("D1", "990").replace(",\"trade_no\":\"T1\"", ""));
    let twice = session(r#","metadata":{"order_no":"D1","order_no":"D2"}"#);
    let refusal = by_stripe(&keys(&[STRIPE_NEW]), &stripe(STRIPE_NEW, NOW, &twice)).unwrap_err();
    assert_eq!((refusal.stage, refusal.reason), (Stage::Format, "not_json"));
    let two_orders = session(r#","metadata":{"order_no":"D2"}"#);
    assert!(by_stripe(&keys(&[STRIPE_NEW]), &stripe(STRIPE_NEW, NOW, &two_orders)).is_err());
}

/// Rows: P4, O6.
#[test]
fn the_business_check_tells_wrong_money_from_foreign_messages() {
    let account = keys(&[STRIPE_NEW]);
    let notice = by_stripe(&account, &stripe(STRIPE_NEW, NOW, &session(""))).unwrap();
    let identity = Stripe::new(outbound()).identity(&account);
    let fits = Expected { identity: &identity, gateway_reference: Some("cs_1"), ..usd(1999) };
    assert_eq!(matches(&notice, &fits), Match::Fits);
    assert_eq!(matches(&notice, &Expected { amount_minor: 2000, ..fits }), Match::WrongAmount);
    let eur = Currency::parse("EUR").unwrap();
    assert_eq!(matches(&notice, &Expected { currency: eur, ..fits }), Match::WrongCurrency);
    assert_eq!(matches(&notice, &Expected { number: "D2", ..fits }), Match::Foreign("number"));
    let other = Expected { gateway_reference: Some("cs_2"), ..fits };
    assert_eq!(matches(&notice, &other), Match::Foreign("gateway_reference"));

    let test_account = AccountKeys { sandbox: true, ..keys(&[STRIPE_NEW]) };
    let test_mode = Stripe::new(outbound()).identity(&test_account);
    assert_eq!(matches(&notice, &Expected { identity: &test_mode, ..fits }), Match::Foreign("livemode"));
    let silent = session("").replace(r#""livemode":true,"#, "");
    let silent = by_stripe(&account, &stripe(STRIPE_NEW, NOW, &silent)).unwrap();
    assert_eq!(matches(&silent, &fits), Match::Foreign("livemode"), "a missing fact never skips a check");
    let connected = session("").replace(r#""livemode":true,"#, r#""livemode":true,"account":"acct_9","#);
    let connected = by_stripe(&account, &stripe(STRIPE_NEW, NOW, &connected)).unwrap();
    assert_eq!(matches(&connected, &fits), Match::Foreign("account"));
}

/// Rows: P9.
#[test]
fn refunds_and_disputes_of_stripe_are_found_by_the_payment_intent() {
    let read = |kind: &str, object: &str| {
        by_stripe(&keys(&[STRIPE_NEW]), &stripe(STRIPE_NEW, NOW, &event(kind, object))).unwrap()
    };
    let charge = |refunded: i64| {
        format!(
            r#"{{"object":"charge","amount":1999,"amount_captured":1999,"amount_refunded":{refunded},"currency":"usd","payment_intent":"pi_1"}}"#
        )
    };
    let part = read("charge.refunded", &charge(500));
    assert_eq!((part.meaning, part.refunded_minor), (Meaning::PartiallyRefunded, Some(500)));
    assert_eq!(read("charge.refunded", &charge(1999)).meaning, Meaning::Refunded);

    let refund = |status: &str| {
        format!(
            r#"{{"id":"re_1","object":"refund","amount":500,"currency":"usd","payment_intent":"pi_1","status":"{status}","metadata":{{"refund_id":"ref_a","order_no":"D1"}}}}"#
        )
    };
    for (status, meaning) in [
        ("succeeded", Meaning::RefundSucceeded),
        ("pending", Meaning::RefundPending),
        ("failed", Meaning::RefundFailed),
        ("canceled", Meaning::RefundFailed),
    ] {
        let notice = read("refund.updated", &refund(status));
        assert_eq!(notice.meaning, meaning);
        let fact = notice.refund.clone().unwrap();
        assert_eq!(
            (fact.refund_id.as_deref(), fact.gateway_refund_id.as_str(), fact.amount_minor),
            (Some("ref_a"), "re_1", Some(500))
        );
    }

    let dispute = |status: &str| {
        format!(
            r#"{{"id":"dp_1","object":"dispute","amount":100,"currency":"usd","payment_intent":"pi_1","status":"{status}"}}"#
        )
    };
    let opened = read("charge.dispute.created", &dispute("needs_response"));
    assert_eq!((opened.meaning, opened.trade_no.as_deref()), (Meaning::DisputeOpened, Some("pi_1")));
    assert_eq!(opened.amount_minor, None, "a dispute's amount may be a part");
    assert_eq!(
        read("charge.dispute.created", &dispute("warning_needs_response")).meaning,
        Meaning::DisputeInquiry
    );
    assert_eq!(read("charge.dispute.closed", &dispute("won")).meaning, Meaning::DisputeWon);
    assert_eq!(read("charge.dispute.closed", &dispute("lost")).meaning, Meaning::DisputeLost);
    assert_eq!(read("customer.created", "{}").meaning, Meaning::Ignored);
}

/// Rows: P2.
#[test]
fn each_gateway_answers_in_words_that_stop_or_keep_its_repeats() {
    let gateways: [Box<dyn Gateway>; 2] =
        [Box::new(Stripe::new(outbound())), Box::new(Generic::new(outbound()))];
    for gateway in gateways {
        assert_eq!(gateway.reply(Verdict::Success).status, 200);
        for verdict in [Verdict::TryLater, Verdict::Refused] {
            let status = gateway.reply(verdict).status;
            assert!((400..600).contains(&status) && status != 410, "{} answers {status}", gateway.name());
        }
    }
}

/// Rows: P2.
#[test]
fn amounts_are_counted_as_the_gateway_counts_them() {
    let gateway = Stripe::new(outbound());
    let exponent = |code: &str| gateway.unit(Currency::parse(code).unwrap()).map(|unit| unit.exponent);
    assert_eq!([exponent("USD"), exponent("JPY"), exponent("KWD")], [Some(2), Some(0), Some(3)]);
    assert_eq!(
        [exponent("ISK"), exponent("UGX"), exponent("MGA")],
        [Some(2), Some(2), Some(0)],
        "Stripe's exceptions"
    );
    assert_eq!(exponent("XTS"), None);
    let account = keys(&[STRIPE_NEW]);
    let body = session("").replace(r#""currency":"usd""#, r#""currency":"isk""#).replace("1999", "190000");
    let notice = by_stripe(&account, &stripe(STRIPE_NEW, NOW, &body)).unwrap();
    assert_eq!(notice.amount_minor, Some(1900), "whole crowns");
}
