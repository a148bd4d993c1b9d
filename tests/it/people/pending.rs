//! Several people register one address; its owner reads the mail.

use dispense::base::secret::Secret;
use dispense::people::code::Purpose;
use serde_json::{Value, json};

use crate::harness::visitor::Visitor;
use crate::harness::{PASSWORD, TestApp, behind_a_proxy, codes};

const STRANGERS: &str = "the stranger's password";
const ADA: &str = "ada@example.com";

async fn shop() -> TestApp {
    let t = TestApp::start_with(behind_a_proxy).await;
    t.canary(PASSWORD);
    t.canary(STRANGERS);
    t
}

async fn register(visitor: &Visitor, email: &str, password: &str) -> Value {
    let payload =
        visitor.act("userRegister", json!({ "email": email, "password": password }), "registration").await;
    assert_eq!(codes(&payload), [""; 0]);
    payload["registration"].clone()
}

async fn confirm(visitor: &Visitor, code: &Secret, registration: Option<&Value>) -> Vec<String> {
    let mut input = json!({ "email": ADA, "code": code.expose() });
    if let Some(registration) = registration {
        input["registration"] = registration.clone();
    }
    let payload = visitor.act("userConfirmEmail", input, "").await;
    codes(&payload).into_iter().map(String::from).collect()
}

async fn sign_in(visitor: &Visitor, password: &str) -> Vec<String> {
    let payload =
        visitor.act("sessionCreate", json!({ "email": ADA, "password": password }), "user { id }").await;
    codes(&payload).into_iter().map(String::from).collect()
}

/// Rows: C5 (userRegister, userConfirmEmail, sessionCreate).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owners_code_confirms_the_owners_password_whoever_registers_the_address_before_or_after() {
    for stranger_first in [true, false] {
        let t = shop().await;
        let (owner, stranger) = (t.visitor("192.0.2.1"), t.visitor("192.0.2.2"));
        if stranger_first {
            register(&stranger, ADA, STRANGERS).await;
        }
        let own = register(&owner, ADA, PASSWORD).await;
        let code = t.mailed_code(Purpose::ConfirmEmail, ADA).await;
        if !stranger_first {
            register(&stranger, "ADA@example.com", STRANGERS).await;
        }
        let last =
            t.mailed_code(Purpose::ConfirmEmail, if stranger_first { ADA } else { "ADA@example.com" }).await;
        assert_eq!(sign_in(&owner, PASSWORD).await, ["EMAIL_NOT_CONFIRMED"]);
        if !stranger_first {
            // The newest mail is about somebody else's registration: the client notices.
            assert_eq!(confirm(&owner, &last, Some(&own)).await, ["CODE_WRONG"]);
        }
        assert_eq!(confirm(&owner, &code, Some(&own)).await, [""; 0]);
        assert_eq!(sign_in(&owner, PASSWORD).await, [""; 0]);
        assert_eq!(sign_in(&stranger, STRANGERS).await, ["CREDENTIALS_WRONG"]);
        assert_eq!(confirm(&stranger, &last, None).await, ["CODE_WRONG"], "the others are dropped");
        assert_eq!(sign_in(&stranger, STRANGERS).await, ["CREDENTIALS_WRONG"]);
        assert_eq!(t.db.one("select count(*) from registration").await, "0");
        t.finish_with_jobs().await;
    }
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_confirmations_at_once_one_makes_the_account() {
    let t = shop().await;
    let (a, b) = (t.visitor("192.0.2.1"), t.visitor("192.0.2.2"));
    for _ in 0..5 {
        t.db.sql(
            "delete from registration; delete from session; delete from user_role; delete from app_user",
        )
        .await;
        register(&a, ADA, PASSWORD).await;
        let first = t.mailed_code(Purpose::ConfirmEmail, ADA).await;
        register(&b, ADA, STRANGERS).await;
        let second = t.mailed_code(Purpose::ConfirmEmail, ADA).await;
        let (one, two) = tokio::join!(confirm(&a, &first, None), confirm(&b, &second, None));
        let mut answers = [one, two].concat();
        answers.sort();
        assert_eq!(answers, ["CODE_WRONG"], "one is done, the other is too late");
        assert_eq!(t.db.one("select count(*) from app_user where email_confirmed_at is not null").await, "1");
        let works = [sign_in(&a, PASSWORD).await, sign_in(&b, STRANGERS).await];
        assert_eq!(works.iter().filter(|codes| codes.is_empty()).count(), 1);
        t.db.sql("delete from refresh_token").await;
    }
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_learns_whether_an_address_has_an_account() {
    let t = shop().await;
    t.buyer(ADA).await;
    let stranger = t.visitor("192.0.2.9");
    for email in [ADA, "nobody@example.com"] {
        let name = register(&stranger, email, STRANGERS).await;
        assert!(name.as_str().unwrap().starts_with("reg_"));
        let input = json!({ "email": email, "password": STRANGERS });
        let payload = stranger.act("sessionCreate", input, "").await;
        assert_eq!(codes(&payload), ["EMAIL_NOT_CONFIRMED"], "{email}");
        let input = json!({ "email": email, "password": "another wrong one" });
        assert_eq!(codes(&stranger.act("sessionCreate", input, "").await), ["CREDENTIALS_WRONG"]);
        let input = json!({ "email": email, "registration": name });
        assert_eq!(codes(&stranger.act("emailConfirmationResend", input, "").await), [""; 0]);
    }
    t.answer_requests().await;
    let to_owner = format!(
        "select string_agg(kind, ' ' order by created_at, id) from message where recipient = '{ADA}'"
    );
    assert_eq!(
        t.db.one(&to_owner).await,
        "confirm_email email_taken",
        "no code leads to the stranger's registration"
    );
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_code_is_for_the_clients_own_registration() {
    let t = shop().await;
    let (owner, stranger) = (t.visitor("192.0.2.1"), t.visitor("192.0.2.2"));
    let own = register(&owner, ADA, PASSWORD).await;
    register(&stranger, ADA, STRANGERS).await;
    t.answer_requests().await;
    owner.act("emailConfirmationResend", json!({ "email": ADA }), "").await;
    let code = t.mailed_code(Purpose::ConfirmEmail, ADA).await;
    assert_eq!(confirm(&t.visitor("192.0.2.77"), &code, Some(&own)).await, [""; 0]);
    assert_eq!(sign_in(&owner, PASSWORD).await, [""; 0]);

    // Somebody who made none of several gets no code for any.
    let t2 = shop().await;
    register(&t2.visitor("192.0.2.1"), ADA, PASSWORD).await;
    register(&t2.visitor("192.0.2.2"), ADA, STRANGERS).await;
    t2.visitor("192.0.2.3").act("emailConfirmationResend", json!({ "email": ADA }), "").await;
    t2.answer_requests().await;
    assert_eq!(t2.db.one("select count(*) from message where kind = 'confirm_email'").await, "2");
    t2.finish_with_jobs().await;
    t.finish_with_jobs().await;
}

/// Rows: C5, X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_is_no_relay_for_registrations_and_what_nobody_confirms_goes() {
    let t = TestApp::start_with(|config| {
        behind_a_proxy(config);
        config.limits.mails_per_hour = 20;
    })
    .await;
    t.canary(STRANGERS);
    let stranger = t.visitor("192.0.2.2");
    let mut refused = 0;
    for n in 0..16 {
        let input = json!({ "email": format!("victim{n}@example.com"), "password": STRANGERS });
        let payload = stranger.act("userRegister", input, "").await;
        refused += codes(&payload).len();
        assert!(codes(&payload).iter().all(|code| *code == "RATE_LIMITED"));
    }
    assert_eq!(refused, 6, "half of an hour's share at once");
    assert_eq!(
        codes(&t.visitor("192.0.2.3").act("emailCodeRequest", json!({ "email": ADA }), "").await),
        [""; 0]
    );
    t.advance(chrono::TimeDelta::hours(25)).await;
    t.sweep().await;
    assert_eq!(t.db.one("select count(*) from registration").await, "0");
    t.finish_with_jobs().await;
}
