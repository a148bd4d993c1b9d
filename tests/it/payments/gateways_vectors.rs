//! The vectors made with the gateways' own software, whole.

use dispense::payments::gateways::gateway::{Evidence, Gateway, Stage};
use dispense::payments::gateways::generic::Generic;
use dispense::payments::notices::vectors;

use super::gateways_notices::{keys, outbound};

/// Rows: P4.
#[test]
fn every_stripe_vector_gets_the_verdict_of_the_file() {
    let report = vectors::run(include_str!("../../vectors/stripe.json")).unwrap();
    assert_eq!(report.differing(), 0, "{report}");
    assert_eq!(report.lines.len(), 18);
}

/// Rows: P4.
#[test]
fn every_standard_webhooks_vector_gets_the_verdict_of_the_file() {
    let report = vectors::run(include_str!("../../vectors/standard_webhooks.json")).unwrap();
    assert_eq!(report.differing(), 0, "{report}");
    assert_eq!(report.lines.len(), 17);
}

/// Rows: P4.
#[test]
fn a_vector_whose_verdict_is_turned_round_is_told_as_different() {
    let text = include_str!("../../vectors/stripe.json").replacen(
        "\"expect\": \"accept\"",
        "\"expect\": \"reject\"",
        1,
    );
    let report = vectors::run(&text).unwrap();
    assert_eq!(report.differing(), 1, "{report}");
    let text = include_str!("../../vectors/stripe.json").replacen(
        "\"status\": \"paid\"",
        "\"status\": \"closed\"",
        1,
    );
    assert_eq!(vectors::run(&text).unwrap().differing(), 1);
}

/// The vector published with the specification is no message of ours, so it gets past the signature and the age and
/// is refused for its form; with any part changed it does not get that far.
/// Rows: P4.
#[test]
fn the_published_vector_of_standard_webhooks_verifies() {
    let file: serde_json::Value =
        serde_json::from_str(include_str!("../../vectors/standard_webhooks.json")).unwrap();
    let vector = &file["config"]["published_vector"];
    let text = |key: &str| vector[key].as_str().unwrap().to_owned();
    let raw = dispense::payments::gateways::gateway::RawNotice {
        method: "POST".into(),
        query: String::new(),
        headers: vec![
            ("webhook-id".into(), text("msg_id")),
            ("webhook-timestamp".into(), vector["timestamp"].to_string()),
            ("webhook-signature".into(), text("signature")),
        ],
        body: text("payload").into_bytes(),
        now_unix: vector["timestamp"].as_i64().unwrap(),
    };
    let gateway = Generic::new(outbound());
    let stage = |secret: &str, raw: &_| {
        gateway.authenticate(&keys(&[secret]), raw, &Evidence::default()).unwrap_err().stage
    };
    assert_eq!(stage(&text("secret"), &raw), Stage::Format);
    let mut changed = raw.clone();
    changed.body.push(b' ');
    assert_eq!(stage(&text("secret"), &changed), Stage::Signature);
    assert_eq!(stage(&crate::harness::signing::webhook_secret(1), &raw), Stage::Signature);
    let late = dispense::payments::gateways::gateway::RawNotice { now_unix: raw.now_unix + 301, ..raw };
    assert_eq!(stage(&text("secret"), &late), Stage::Replay);
}

/// Rows: P4.
#[test]
fn every_alipay_vector_gets_the_verdict_of_the_file() {
    let report = vectors::run(include_str!("../../vectors/alipay.json")).unwrap();
    assert_eq!(report.differing(), 0, "{report}");
    assert_eq!(report.lines.len(), 18);
}

/// Rows: P4.
#[test]
fn every_wechatpay_vector_gets_the_verdict_of_the_file() {
    let report = vectors::run(include_str!("../../vectors/wechatpay.json")).unwrap();
    assert_eq!(report.differing(), 0, "{report}");
    assert_eq!(report.lines.len(), 22);
}

/// Rows: P4.
#[test]
fn every_paypal_vector_gets_the_verdict_of_the_file() {
    let report = vectors::run(include_str!("../../vectors/paypal.json")).unwrap();
    assert_eq!(report.differing(), 0, "{report}");
    assert_eq!(report.lines.len(), 19);
}

/// Rows: P4.
#[test]
fn every_epay_v1_vector_gets_the_verdict_of_the_file() {
    let report = vectors::run(include_str!("../../vectors/epay_v1.json")).unwrap();
    assert_eq!(report.differing(), 0, "{report}");
    assert_eq!(report.lines.len(), 17);
}
