//! WeChat Pay: what the vectors do not show of its notices, and the certificates that are fetched for them.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispense::base::money::Currency;
use dispense::base::secret::Secret;
use dispense::payments::gateways::gateway::{
    AccountKeys, Calls, Evidence, Expected, Gateway, Match, Meaning, Notice, NoticeRefusal, RawNotice, Stage,
    Verdict, matches,
};
use dispense::payments::gateways::wechatpay::WechatPay;
use serde_json::{Value, json};

use super::gateways_alipay::{NOW, call, cny};
use super::gateways_notices::outbound;
use crate::harness::played::{Played, Said, Seen};
use crate::harness::rsa::Pair;

pub const MCHID: &str = "1900009191";
pub const APPID: &str = "wxd678efh567hg6787";
pub const PUBLIC_ID: &str = "PUB_KEY_ID_0119000091912026010100000000000001";
const API_KEY: &str = "the APIv3 key of these tests 032";
pub const SERIAL: &str = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1";
const NEW_SERIAL: &str = "7132D72A03E93CDDF8C03BBD1F37EEDF6A0E8C11";

/// The merchant's key, and the platform's two: the certificate's and the public one.
pub struct Keys {
    pub ours: Pair,
    pub certified: Pair,
    pub public: Pair,
}

impl Keys {
    pub fn new() -> Self {
        Self { ours: Pair::new(), certified: Pair::new(), public: Pair::new() }
    }

    pub fn account(&self) -> AccountKeys {
        let settings = [("mchid", MCHID), ("appid", APPID), ("serial_no", "0A1B2C3D")];
        AccountKeys {
            id: "wx".into(),
            secrets: vec![
                Secret::new(self.certified.certificate(SERIAL)),
                Secret::new(format!("{PUBLIC_ID}:{}", self.public.public())),
            ],
            api_key: Some(self.ours.private()),
            decryption_key: Some(Secret::new(API_KEY)),
            settings: settings.map(|(name, value)| (name.into(), value.into())).into(),
            sandbox: true,
            ..AccountKeys::default()
        }
    }

    pub fn at(&self, played: &Played) -> AccountKeys {
        AccountKeys { api_url: Some(played.url.clone()), ..self.account() }
    }
}

pub fn gateway() -> WechatPay {
    WechatPay::new(outbound())
}

/// The four headers over a body.
pub fn headers(key: &Pair, serial: &str, at: i64, body: &str) -> Vec<(String, String)> {
    let signature = key.sign(format!("{at}\nNONCE\n{body}\n").as_bytes());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        pair("Wechatpay-Timestamp", &at.to_string()),
        pair("Wechatpay-Nonce", "NONCE"),
        pair("Wechatpay-Signature", &signature),
        pair("Wechatpay-Serial", serial),
    ]
}

fn sealed(plain: &str) -> Value {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, API_KEY.as_bytes()).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(b"twelve bytes").unwrap();
    let mut bytes = plain.as_bytes().to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(b"about"), &mut bytes).unwrap();
    json!({
        "algorithm": "AEAD_AES_256_GCM", "nonce": "twelve bytes", "associated_data": "about",
        "ciphertext": STANDARD.encode(bytes),
    })
}

fn transaction() -> Value {
    json!({
        "mchid": MCHID, "appid": APPID, "out_trade_no": "D1-2", "transaction_id": "T1", "trade_state": "SUCCESS",
        "success_time": "2027-01-15T15:58:40+08:00",
        "amount": { "total": 990, "payer_total": 1, "currency": "CNY", "payer_currency": "CNY" },
    })
}

fn refund(status: &str, part: i64) -> Value {
    json!({
        "mchid": MCHID, "out_trade_no": "D1-2", "transaction_id": "T1", "out_refund_no": "ref_1",
        "refund_id": "R1", "refund_status": status, "amount": { "total": 990, "refund": part },
    })
}

fn envelope(kind: &str, inner: &Value) -> String {
    json!({
        "id": "EV-1", "create_time": "2027-01-15T15:59:52+08:00", "resource_type": "encrypt-resource",
        "event_type": kind, "resource": sealed(&inner.to_string()),
    })
    .to_string()
}

fn raw(headers: Vec<(String, String)>, body: String) -> RawNotice {
    let body = body.into_bytes();
    RawNotice { method: "POST".into(), query: String::new(), headers, body, now_unix: NOW }
}

fn notice(key: &Pair, serial: &str, kind: &str, inner: &Value) -> RawNotice {
    let body = envelope(kind, inner);
    raw(headers(key, serial, NOW, &body), body)
}

fn read(account: &AccountKeys, raw: &RawNotice) -> Result<Notice, NoticeRefusal> {
    gateway().authenticate(account, raw, &Evidence::default())
}

/// Rows: P4, P10.
#[test]
fn wechat_is_believed_by_the_key_it_names_and_by_no_other() {
    let keys = Keys::new();
    let account = keys.account();
    let paid = |key, serial| notice(key, serial, "TRANSACTION.SUCCESS", &transaction());
    let first = read(&account, &paid(&keys.certified, SERIAL)).unwrap();
    assert_eq!((first.verified_by(), first.event_key(), first.meaning), (1, "EV-1", Meaning::Paid));
    assert_eq!(
        (first.amount_minor, first.trade_no.as_deref()),
        (Some(990), Some("T1")),
        "not what the payer paid"
    );
    assert_eq!(read(&account, &paid(&keys.public, PUBLIC_ID)).unwrap().verified_by(), 2);
    let reason = |raw: &RawNotice| {
        let refusal = read(&account, raw).unwrap_err();
        (refusal.stage, refusal.reason)
    };
    assert_eq!(reason(&paid(&keys.public, SERIAL)), (Stage::Signature, "sign_mismatch"));
    assert_eq!(reason(&paid(&keys.ours, PUBLIC_ID)), (Stage::Signature, "sign_mismatch"));
    assert_eq!(reason(&paid(&keys.certified, NEW_SERIAL)), (Stage::Signature, "serial_unknown"));
    let changed = |name: &str, value: &str| {
        let mut raw = paid(&keys.certified, SERIAL);
        raw.headers.retain(|(n, _)| n != name);
        raw.headers.push((name.into(), value.into()));
        reason(&raw)
    };
    let probe = format!("WECHATPAY/SIGNTEST/{}", "A".repeat(300));
    assert_eq!(changed("Wechatpay-Signature", &probe), (Stage::Signature, "probe"));
    assert_eq!(changed("Wechatpay-Signature-Type", "SHA1"), (Stage::Signature, "scheme_unknown"));
    assert_eq!(changed("Wechatpay-Timestamp", "+1800000000"), (Stage::Signature, "timestamp_malformed"));
    assert_eq!(changed("Wechatpay-Nonce", "OTHER"), (Stage::Signature, "sign_mismatch"));
    let mut twice = paid(&keys.certified, SERIAL);
    twice.headers.push(("wechatpay-serial".into(), PUBLIC_ID.into()));
    assert_eq!(reason(&twice).1, "header_repeated");
    for (age, stage) in [(299, None), (300, Some(Stage::Replay)), (-299, None), (-300, Some(Stage::Replay))] {
        let body = envelope("TRANSACTION.SUCCESS", &transaction());
        let raw = raw(headers(&keys.certified, SERIAL, NOW - age, &body), body);
        assert_eq!(read(&account, &raw).err().map(|r| r.stage), stage, "{age} s old");
    }
}

/// Rows: P4, P9.
#[test]
fn wechats_refunds_are_told_one_by_one_and_carry_no_application() {
    let keys = Keys::new();
    let account = keys.account();
    let read = |kind: &str, inner: &Value| read(&account, &notice(&keys.public, PUBLIC_ID, kind, inner));
    let part = read("REFUND.SUCCESS", &refund("SUCCESS", 300)).unwrap();
    assert_eq!((part.meaning, part.amount_minor), (Meaning::RefundSucceeded, Some(990)));
    let fact = part.refund.clone().unwrap();
    assert_eq!(
        (fact.refund_id.as_deref(), fact.gateway_refund_id.as_str(), fact.amount_minor),
        (Some("ref_1"), "R1", Some(300))
    );
    let whole = read("REFUND.SUCCESS", &refund("SUCCESS", 990)).unwrap();
    assert_eq!((whole.meaning, whole.refunded_minor), (Meaning::Refunded, Some(990)));
    assert_eq!(read("REFUND.CLOSED", &refund("CLOSED", 300)).unwrap().meaning, Meaning::RefundFailed);
    let stuck = read("REFUND.ABNORMAL", &refund("ABNORMAL", 300)).unwrap();
    assert_eq!(stuck.meaning, Meaning::RefundPending, "it can still be completed in the console");
    assert!(stuck.refund.as_ref().unwrap().needs_person);
    assert_eq!(read("PAYSCORE.USER_PAID", &json!({})).unwrap().meaning, Meaning::Ignored);
    let refused = |kind: &str, inner: &Value| {
        let refusal = read(kind, inner).unwrap_err();
        (refusal.stage, refusal.reason)
    };
    let contradicts = refused("REFUND.SUCCESS", &refund("ABNORMAL", 300));
    assert_eq!(contradicts, (Stage::Format, "status_contradicts_event"));
    for state in ["NOTPAY", "REFUND", "CLOSED"] {
        let mut inner = transaction();
        inner["trade_state"] = json!(state);
        assert_eq!(
            refused("TRANSACTION.SUCCESS", &inner),
            (Stage::Format, "state_contradicts_event"),
            "{state}"
        );
    }
    let mut float = transaction();
    float["amount"]["total"] = json!(9.9);
    assert_eq!(refused("TRANSACTION.SUCCESS", &float), (Stage::Format, "amount_malformed"));

    let identity = gateway().identity(&account);
    let expected = Expected {
        number: "D1-2",
        amount_minor: 990,
        currency: cny(1).currency,
        gateway_reference: None,
        trade_no: Some("T1"),
        identity: &identity,
    };
    assert_eq!(matches(&part, &expected), Match::Fits);
    let mut foreign = refund("SUCCESS", 300);
    foreign["mchid"] = json!("1900000000");
    assert_eq!(matches(&read("REFUND.SUCCESS", &foreign).unwrap(), &expected), Match::Foreign("mchid"));
    let mut silent = transaction();
    silent.as_object_mut().unwrap().remove("appid");
    assert_eq!(matches(&read("TRANSACTION.SUCCESS", &silent).unwrap(), &expected), Match::Foreign("appid"));
    let says = |verdict| (gateway().reply(verdict).status, gateway().reply(verdict).body.contains("FAIL"));
    assert_eq!(
        [says(Verdict::Success), says(Verdict::TryLater), says(Verdict::Refused)],
        [(200, false), (503, true), (400, true)]
    );
}

/// Rows: C12, P1.
#[test]
fn a_wechat_account_without_its_keys_does_not_start() {
    let keys = Keys::new();
    let reported = |account: AccountKeys| {
        let faults = gateway().faults(&account).into_iter().map(|(key, text)| format!("{key}: {text}"));
        faults.collect::<Vec<_>>().join("\n")
    };
    let secrets = |list: &[String]| {
        let secrets = list.iter().map(Secret::new).collect();
        reported(AccountKeys { secrets, ..keys.account() })
    };
    assert_eq!(reported(keys.account()), "");
    assert!(secrets(&[]).contains("secrets: needs"));
    let pem = keys.public.public();
    for wrong in [String::new(), pem.clone(), format!("PUB_KEY_ID_1 {pem}"), format!("PUB_KEY_ID_1:{SERIAL}")]
    {
        assert!(
            secrets(std::slice::from_ref(&wrong)).contains("secrets: number 1 must be a platform"),
            "{wrong}"
        );
    }
    assert!(secrets(&[keys.ours.certificate(SERIAL)]).contains("the merchant's own certificate"));
    let twice = [keys.public.certificate(SERIAL), keys.certified.certificate(SERIAL)];
    assert!(secrets(&twice).contains("number 2 has the same serial number"));
    assert!(reported(AccountKeys { api_key: None, ..keys.account() }).contains("api_key: must be"));
    let short = Some(Secret::new(&API_KEY[1..]));
    assert!(reported(AccountKeys { decryption_key: short, ..keys.account() }).contains("32 characters"));
    assert!(reported(AccountKeys { decryption_key: None, ..keys.account() }).contains("decryption_key"));
    for (name, value) in [
        ("mchid", "wx1"),
        ("appid", "wx 1"),
        ("serial_no", "certificate"),
        ("h5_domain", "https://shop.example"),
    ] {
        let mut account = keys.account();
        account.settings.insert(name.into(), value.into());
        assert!(reported(account).contains(&format!("settings.{name}: must be")), "{name}");
    }
    assert_eq!(gateway().unit(cny(1).currency).map(|unit| (unit.exponent, unit.step)), Some((2, 1)));
    assert_eq!(gateway().unit(Currency::USD), None);
}

/// The answer of `GET /v3/certificates`.
fn listed(pem: &str, serial: &str, expires: &str) -> String {
    json!({ "data": [{
        "serial_no": serial, "effective_time": "2026-01-01T00:00:00+08:00", "expire_time": expires,
        "encrypt_certificate": sealed(pem),
    }] })
    .to_string()
}

/// Rows: P4, P10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_serial_number_fetches_the_certificates_once_in_a_while() {
    let (keys, next) = (Arc::new(Keys::new()), Arc::new(Pair::new()));
    let its = next.clone();
    let played = Played::start(move |seen: &Seen| {
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/v3/certificates"));
        let body = listed(&its.certificate(NEW_SERIAL), NEW_SERIAL, "2031-01-01T00:00:00+08:00");
        Said { headers: headers(&its, NEW_SERIAL, NOW, &body), ..Said::new(200, body) }
    })
    .await;
    let (account, gateway) = (keys.at(&played), gateway());
    let paid = |key: &Pair, serial: &str| notice(key, serial, "TRANSACTION.SUCCESS", &transaction());
    let evidence = async |raw: &RawNotice| gateway.evidence(&call(&account), raw).await.unwrap();

    let known = paid(&keys.certified, SERIAL);
    assert!(evidence(&known).await.certificates.is_empty() && played.seen().is_empty());
    let raw = paid(&next, NEW_SERIAL);
    let fetched = evidence(&raw).await;
    let notice = gateway.authenticate(&account, &raw, &fetched).unwrap();
    assert_eq!(notice.verified_by(), 3, "one more than there are secrets: a fetched key");
    assert_eq!(played.seen().len(), 1);
    evidence(&raw).await;
    let nobody = paid(&keys.ours, "0BADCAFE");
    assert!(evidence(&nobody).await.certificates.is_empty());
    assert_eq!(played.seen().len(), 1, "kept, and not asked again so soon");
    let refusal = gateway.authenticate(&account, &nobody, &fetched).unwrap_err();
    assert_eq!(refusal.reason, "serial_unknown");
    let forged = paid(&keys.ours, NEW_SERIAL);
    assert_eq!(gateway.authenticate(&account, &forged, &fetched).unwrap_err().reason, "sign_mismatch");

    let mut later = nobody.clone();
    later.now_unix = NOW + 299;
    let call_later = dispense::payments::gateways::gateway::Call { now_unix: NOW + 300, ..call(&account) };
    gateway.evidence(&call_later, &later).await.unwrap();
    assert_eq!(played.seen().len(), 2);
    let mut probe = nobody.clone();
    probe.headers[2].1 = "WECHATPAY/SIGNTEST/x".into();
    assert_eq!(gateway.evidence(&call(&account), &probe).await.unwrap_err().reason, "probe");
    let unlisted = paid(&keys.ours, "PUB_KEY_ID_0000000000000000000000000000000002");
    let after = dispense::payments::gateways::gateway::Call { now_unix: NOW + 900, ..call(&account) };
    assert!(gateway.evidence(&after, &unlisted).await.unwrap().certificates.is_empty());
    assert_eq!(played.seen().len(), 2, "public keys cannot be fetched");
}

/// Rows: P4, P10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_certificates_that_is_not_the_platforms_is_not_taken() {
    let (keys, next) = (Arc::new(Keys::new()), Arc::new(Pair::new()));
    let wrongs = ["unsigned", "forged", "stranger", "expired", "renamed", "stale", "busy"];
    for wrong in wrongs {
        let (its, ours) = (next.clone(), keys.clone());
        let played = Played::start(move |_: &Seen| {
            let until =
                if wrong == "expired" { "2027-01-01T00:00:00+08:00" } else { "2031-01-01T00:00:00+08:00" };
            let inside = if wrong == "renamed" { SERIAL } else { NEW_SERIAL };
            let body = listed(&its.certificate(inside), NEW_SERIAL, until);
            let headers = match wrong {
                "unsigned" => Vec::new(),
                "forged" => headers(&ours.ours, NEW_SERIAL, NOW, &body),
                "stranger" => headers(&ours.ours, "0BADCAFE", NOW, &body),
                "stale" => headers(&its, NEW_SERIAL, NOW - 300, &body),
                _ => headers(&ours.certified, SERIAL, NOW, &body),
            };
            Said { headers, ..Said::new(if wrong == "busy" { 500 } else { 200 }, body) }
        })
        .await;
        let (account, gateway) = (keys.at(&played), gateway());
        let raw = notice(&next, NEW_SERIAL, "TRANSACTION.SUCCESS", &transaction());
        let evidence = gateway.evidence(&call(&account), &raw).await.unwrap();
        assert!(evidence.certificates.is_empty(), "{wrong}");
        assert_eq!(
            gateway.authenticate(&account, &raw, &evidence).unwrap_err().reason,
            "serial_unknown",
            "{wrong}"
        );
        assert_eq!(played.seen().len(), 1, "{wrong}");
    }
}
