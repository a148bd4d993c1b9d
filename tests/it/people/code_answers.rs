//! What a door answers to a mailed code that it does not take, over all such doors.

use chrono::TimeDelta;
use dispense::people::code::{self, Purpose};
use serde_json::{Value, json};

use crate::harness::visitor::Visitor;
use crate::harness::{TestApp, behind_a_proxy, codes, with_generic};

const ADA: &str = "ada@example.com";
const BEN: &str = "ben@example.com";
const NOBODY: &str = "nobody@example.com";

/// Everything that the doors answer to this code for this address.
async fn answers(visitor: &Visitor, variant: &str, email: &str, code: &str) -> Vec<Value> {
    let line = json!({ "key": "1", "variantId": variant, "quantity": 1 });
    let quoted = json!({ "i": { "lines": [line], "email": email, "emailCode": code } });
    let quote = "query($i: QuoteInput!) { quote(input: $i) { canPlace problems { code message field } } }";
    vec![
        visitor
            .act(
                "orderAccessRedeem",
                json!({ "email": email, "code": code }),
                "orders { accessToken order { id } }",
            )
            .await,
        visitor
            .act(
                "passwordReset",
                json!({ "email": email, "code": code, "password": "an entirely new password" }),
                "",
            )
            .await,
        visitor.act("userConfirmEmail", json!({ "email": email, "code": code }), "").await,
        visitor.order(variant, 1, "5.00", json!({ "email": email, "emailCode": code })).await,
        visitor.ask(quote, quoted).await,
    ]
}

/// Rows: C5, C7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_is_not_taken_tells_nothing_of_the_address_at_any_door() {
    let t = TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
    })
    .await;
    let variant = t.selling_keys(5, 500).await.to_string();
    let owner = t.visitor("192.0.2.1");
    // Ada has an account, an order and a code for each door but one; Ben's registration waits for the other.
    t.buyer(ADA).await;
    assert!(codes(&owner.order(&variant, 1, "5.00", json!({ "email": ADA })).await).is_empty());
    for (door, email) in [
        ("passwordResetRequest", ADA),
        ("orderAccessRequest", ADA),
        ("emailCodeRequest", ADA),
        ("emailCodeRequest", BEN),
    ] {
        assert!(codes(&owner.act(door, json!({ "email": email }), "").await).is_empty(), "{door}");
    }
    let registered = json!({ "email": BEN, "password": crate::harness::PASSWORD });
    assert!(codes(&owner.act("userRegister", registered, "").await).is_empty());
    t.answer_requests().await;
    let purposes = "select string_agg(distinct purpose, ',') from email_code";
    assert_eq!(t.db.one(purposes).await, "confirm_email,order_access,prove_email,reset_password");

    let ask = |last: u8, email: &'static str, code: String| {
        let visitor = t.visitor(&format!("192.0.2.{last}"));
        let variant = variant.clone();
        async move { answers(&visitor, &variant, email, &code).await }
    };
    let wrong = || "AAAAA-AAAAA".to_owned();
    let unknown = ask(10, NOBODY, wrong()).await;
    let reported: Vec<&str> = unknown[..4].iter().flat_map(|answer| codes(answer)).collect();
    assert_eq!(reported, ["ACCESS_CODE_WRONG", "CODE_WRONG", "CODE_WRONG", "EMAIL_CODE_WRONG"]);
    assert_eq!(ask(11, ADA, wrong()).await, unknown);
    assert_eq!(ask(12, BEN, wrong()).await, unknown);
    // A right code whose time is over, one that was used, and one for another door.
    t.answer_requests().await;
    let id = t.db.one("select payload->>'code' from message where kind = 'order_access_code'").await;
    let key = &t.app.config.secrets.access;
    let access = code::text(key, Purpose::OrderAccess, id.parse().unwrap()).expose().to_owned();
    assert_eq!(ask(13, ADA, access.clone()).await[1..], unknown[1..], "for another door");
    assert_eq!(ask(14, ADA, access).await, unknown, "used");
    let ended: Vec<String> = [
        t.mailed_code(Purpose::ResetPassword, ADA).await,
        t.mailed_code(Purpose::ProveEmail, ADA).await,
        t.mailed_code(Purpose::ConfirmEmail, BEN).await,
    ]
    .iter()
    .map(|code| code.expose().to_owned())
    .collect();
    t.advance(TimeDelta::days(8)).await;
    for (index, code) in ended.into_iter().enumerate() {
        let email = if index == 2 { BEN } else { ADA };
        assert_eq!(ask(20 + index as u8, email, code).await, unknown, "ended {index}");
    }
    t.finish_with_jobs().await;
}
