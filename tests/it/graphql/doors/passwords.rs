//! Passwords that are changed and lost.

use dispense::people::code::Purpose;
use serde_json::json;

use super::shop::{BUYER, denied, refusal, shop};
use crate::harness::PASSWORD;

const NEW: &str = "another horse battery";
const NEWER: &str = "a third horse battery";

/// Sends: passwordChange, passwordResetRequest, passwordReset.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_changed_by_its_owner_and_a_lost_one_by_a_mailed_code() {
    let shop = shop().await;
    let t = shop.t();
    t.canary(NEW);
    t.canary(NEWER);
    let sign_in = async |password: &str| {
        let input = json!({ "email": BUYER, "password": password });
        let session = shop.guest.act("sessionCreate", input, "user { id } tokens { refreshToken }").await;
        (refusal(&session), session["user"]["id"].clone())
    };
    let change = async |current: &str, new: &str| {
        let input = json!({ "currentPassword": current, "password": new });
        refusal(&shop.buyer.act("passwordChange", input, "user { id }").await)
    };
    let input = json!({ "currentPassword": PASSWORD, "password": NEW });
    assert_eq!(denied(&shop.guest, "passwordChange", input).await, "UNAUTHENTICATED");
    assert_eq!(change("wrong horse battery", NEW).await, "CREDENTIALS_WRONG currentPassword");
    assert_eq!(change(PASSWORD, "short").await, "PASSWORD_TOO_WEAK password");
    assert_eq!(sign_in(PASSWORD).await.0, "done");
    assert_eq!(change(PASSWORD, NEW).await, "done");
    assert_eq!(sign_in(PASSWORD).await.0, "CREDENTIALS_WRONG");
    assert_eq!(sign_in(NEW).await, ("done".into(), json!(shop.buyer.id)));

    let request = async |email: &str| {
        refusal(&shop.guest.act("passwordResetRequest", json!({ "email": email }), "").await)
    };
    assert_eq!(request("no address").await, "EMAIL_INVALID email");
    assert_eq!(request("nobody@people.example").await, "done", "who has an account is not said");
    assert_eq!(request(BUYER).await, "done");
    let code = t.mailed_code(Purpose::ResetPassword, BUYER).await;
    let reset = async |code: &str, password: &str| {
        let input = json!({ "email": BUYER, "code": code, "password": password });
        refusal(&shop.guest.act("passwordReset", input, "").await)
    };
    assert_eq!(reset("AAAAA-AAAAA", NEWER).await, "CODE_WRONG code");
    assert_eq!(reset(code.expose(), "short").await, "PASSWORD_TOO_WEAK password");
    assert_eq!(sign_in(NEW).await.0, "done", "nothing has changed yet");
    assert_eq!(reset(code.expose(), NEWER).await, "done");
    assert_eq!(reset(code.expose(), NEWER).await, "CODE_WRONG code", "a code works once");
    assert_eq!(
        (sign_in(NEW).await.0.as_str(), sign_in(NEWER).await.0.as_str()),
        ("CREDENTIALS_WRONG", "done")
    );
    let before = shop.buyer.raw("{ me { id } }", json!({})).await;
    assert_eq!(before["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "every session has ended");
    shop.sound().await;
}
