use dispense::base::caller::Caller;
use dispense::base::secret::Secret;
use dispense::people::code::Purpose;
use dispense::people::{Registration, SignIn, confirm_email, register, resend_confirmation, sign_in};

use super::refused;
use crate::harness::{PASSWORD, TestApp};

fn registration(email: &str, password: &str) -> Registration {
    Registration {
        email: email.into(),
        password: Secret::new(password),
        name: Some("Ada".into()),
        locale: None,
    }
}

fn credentials(email: &str, password: &str) -> SignIn {
    SignIn { email: email.into(), password: Secret::new(password), device: None }
}

/// Rows: C5, D3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_registers_confirms_by_the_mailed_code_and_signs_in() {
    let t = TestApp::start().await;
    t.canary(PASSWORD);
    register(&t.app.people, &Caller::local(), registration("Ada@Example.com", PASSWORD)).await.unwrap();
    let early = sign_in(&t.app.people, &Caller::local(), credentials("ada@example.com", PASSWORD)).await;
    assert_eq!(refused(early), "EMAIL_NOT_CONFIRMED");

    let code = t.mailed_code(Purpose::ConfirmEmail, "Ada@Example.com").await;
    let typed = Secret::new(code.expose().to_lowercase().replace('-', " "));
    let user = confirm_email(&t.app, &Caller::local(), "ada@example.COM", &typed, None).await.unwrap();
    let signed_in =
        sign_in(&t.app.people, &Caller::local(), credentials("ADA@example.com", PASSWORD)).await.unwrap();
    assert_eq!(signed_in.user_id, user);
    let actor = t.actor(&signed_in.tokens.access).await;
    assert_eq!(actor.user_id(), Some(user));
    assert_eq!(
        t.db.one("select string_agg(kind, ',' order by id) from event").await,
        "user.registered,user.email_confirmed,session.started"
    );
    assert_eq!(t.db.one("select count(*) from job where kind = 'message.send'").await, "1");
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registering_a_taken_address_answers_the_same_changes_nothing_and_tells_its_owner() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    let before = t.db.one("select password_hash || generation from app_user").await;
    register(&t.app.people, &Caller::local(), registration("ADA@example.com", "another long password"))
        .await
        .unwrap();
    register(&t.app.people, &Caller::local(), registration("ada@example.com", "another long password"))
        .await
        .unwrap();
    assert_eq!(t.db.one("select password_hash || generation from app_user").await, before);
    t.answer_requests().await;
    // Once an hour, whoever tries how often.
    assert_eq!(
        t.db.one("select string_agg(recipient, ',') from message where kind = 'email_taken'").await,
        "ada@example.com"
    );
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_registered_says_why() {
    let t = TestApp::start().await;
    let cases = [
        ("nobody", PASSWORD, "EMAIL_INVALID"),
        ("a@b@c", PASSWORD, "EMAIL_INVALID"),
        ("ada@example.com\r\nBcc: x@example.com", PASSWORD, "EMAIL_INVALID"),
        ("ada@example.com", "short", "PASSWORD_TOO_WEAK"),
        ("ada@example.com", "zzzzzzzzzzzzzz", "PASSWORD_TOO_WEAK"),
        ("ada.lovelace@example.com", "Ada.Lovelace1", "PASSWORD_TOO_WEAK"),
        ("ada@example.com", "Password123", "PASSWORD_BREACHED"),
    ];
    for (email, password, code) in cases {
        let outcome = register(&t.app.people, &Caller::local(), registration(email, password)).await;
        assert_eq!(refused(outcome), code, "{email} {password}");
    }
    assert_eq!(t.db.one("select count(*) from app_user").await, "0");
    assert_eq!(t.db.one("select count(*) from registration").await, "0");
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_is_mailed_again_only_to_whom_it_helps_and_not_without_end() {
    let t = TestApp::start().await;
    register(&t.app.people, &Caller::local(), registration("ada@example.com", PASSWORD)).await.unwrap();
    t.answer_requests().await;
    for _ in 0..8 {
        resend_confirmation(&t.app, &Caller::local(), "ada@example.com", None).await.unwrap();
        t.answer_requests().await;
    }
    resend_confirmation(&t.app, &Caller::local(), "nobody@example.com", None).await.unwrap();
    t.answer_requests().await;
    assert_eq!(t.db.one("select count(*) from message where kind = 'confirm_email'").await, "5");
    assert_eq!(t.db.one("select count(distinct recipient) from message").await, "1");
    t.finish_with_jobs().await;
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_are_slowed_by_address_and_by_account() {
    let t = TestApp::start_with(|config| config.limits.sign_ins_per_minute = 9).await;
    t.app.people.passwords.present();
    let from = |last: u8| Caller { address: [192, 0, 2, last].into(), ..Caller::local() };
    let mut limited = 0;
    for turn in 0..3 {
        let outcome =
            sign_in(&t.app.people, &from(turn), credentials("ada@example.com", "a wrong password")).await;
        assert_eq!(refused(outcome), "CREDENTIALS_WRONG");
    }
    // The same client has had its share of this account.
    for _ in 0..3 {
        let outcome =
            sign_in(&t.app.people, &from(0), credentials("ada@example.com", "a wrong password")).await;
        if refused(outcome) == "RATE_LIMITED" {
            limited += 1;
        }
    }
    assert!(limited >= 1, "one client guesses three times a minute at one account");
    // Nobody's guesses keep its owner out, who comes from elsewhere.
    let outcome =
        sign_in(&t.app.people, &from(200), credentials("ada@example.com", "a wrong password")).await;
    assert_eq!(refused(outcome), "CREDENTIALS_WRONG");
    for turn in 0..9 {
        let email = format!("person{turn}@example.com");
        let outcome = sign_in(&t.app.people, &from(100), credentials(&email, "a wrong password")).await;
        assert_eq!(refused(outcome), "CREDENTIALS_WRONG");
    }
    let outcome =
        sign_in(&t.app.people, &from(100), credentials("bob@example.com", "a wrong password")).await;
    assert_eq!(refused(outcome), "RATE_LIMITED");
    t.finish_with_jobs().await;
}
