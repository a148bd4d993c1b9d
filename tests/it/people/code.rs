use chrono::TimeDelta;
use dispense::base::caller::Caller;
use dispense::base::secret::Secret;
use dispense::people::code::Purpose;
use dispense::people::{SignIn, confirm_email, refresh, request_password_reset, reset_password, sign_in};

use super::refused;
use crate::harness::TestApp;

const NEW: &str = "an entirely new password";

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailed_code_sets_a_new_password_once_and_ends_every_session() {
    let t = TestApp::start().await;
    t.canary(NEW);
    t.buyer("ada@example.com").await;
    let old = t.sign_in("ada@example.com").await;
    request_password_reset(&t.app.people, &Caller::local(), "ada@example.com").await.unwrap();
    t.answer_requests().await;
    request_password_reset(&t.app.people, &Caller::local(), "nobody@example.com").await.unwrap();
    t.answer_requests().await;
    assert_eq!(t.db.one("select count(*) from message where kind = 'reset_password'").await, "1");

    let code = t.mailed_code(Purpose::ResetPassword, "ada@example.com").await;
    let reset = |code: Secret| {
        let app = t.app.clone();
        async move {
            reset_password(&app.people, &Caller::local(), "ada@example.com", &code, &Secret::new(NEW)).await
        }
    };
    // Good for its purpose alone.
    assert_eq!(
        refused(confirm_email(&t.app, &Caller::local(), "ada@example.com", &code, None).await),
        "CODE_WRONG"
    );
    reset(code.clone()).await.unwrap();
    assert_eq!(refused(reset(code).await), "CODE_WRONG");
    assert_eq!(refused(refresh(&t.app.people, &old.tokens.refresh).await), "REFRESH_TOKEN_INVALID");
    let outcome = dispense::people::authenticate(&t.app.people, &t.caller_with(&old.tokens.access)).await;
    assert_eq!(refused(outcome), "UNAUTHENTICATED");
    let input = SignIn { email: "ada@example.com".into(), password: Secret::new(NEW), device: None };
    sign_in(&t.app.people, &Caller::local(), input).await.unwrap();
    assert_eq!(t.db.one("select count(*) from message where kind = 'password_changed'").await, "1");
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strangers_wrong_tries_use_up_nobodys_code_and_a_code_ends_with_its_time() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    request_password_reset(&t.app.people, &Caller::local(), "ada@example.com").await.unwrap();
    t.answer_requests().await;
    let code = t.mailed_code(Purpose::ResetPassword, "ada@example.com").await;
    let tries = (0..12).map(|n| {
        let app = t.app.clone();
        tokio::spawn(async move {
            let wrong = Secret::new(format!("AAAAA-AAA{n:02}"));
            refused(
                reset_password(&app.people, &Caller::local(), "ada@example.com", &wrong, &Secret::new(NEW))
                    .await,
            )
        })
    });
    let codes: Vec<_> = futures::future::join_all(tries).await.into_iter().map(Result::unwrap).collect();
    assert!(codes.iter().all(|c| *c == "CODE_WRONG"), "{codes:?}");
    assert_eq!(t.db.one("select max(attempts) from email_code where purpose = 'reset_password'").await, "12");
    reset_password(&t.app.people, &Caller::local(), "ada@example.com", &code, &Secret::new(NEW))
        .await
        .unwrap();

    // A thousand are enough for everybody: 50 bits stay 50 bits.
    request_password_reset(&t.app.people, &Caller::local(), "ada@example.com").await.unwrap();
    t.answer_requests().await;
    t.db.sql("update email_code set attempts = 1000 where used_at is null").await;
    let code = t.mailed_code(Purpose::ResetPassword, "ada@example.com").await;
    let late =
        reset_password(&t.app.people, &Caller::local(), "ada@example.com", &code, &Secret::new(NEW)).await;
    assert_eq!(refused(late), "CODE_WRONG");

    request_password_reset(&t.app.people, &Caller::local(), "ada@example.com").await.unwrap();
    t.answer_requests().await;
    let code = t.mailed_code(Purpose::ResetPassword, "ada@example.com").await;
    t.advance(TimeDelta::minutes(31)).await;
    let late =
        reset_password(&t.app.people, &Caller::local(), "ada@example.com", &code, &Secret::new(NEW)).await;
    assert_eq!(refused(late), "CODE_WRONG");
    t.finish_with_jobs().await;
}

/// Rows: C5, X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_who_asks_for_codes_leaves_the_owner_some() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    let from = |last: u8| Caller { address: [192, 0, 2, last].into(), ..Caller::local() };
    for _ in 0..12 {
        request_password_reset(&t.app.people, &from(1), "ada@example.com").await.unwrap();
        t.answer_requests().await;
    }
    let mailed = "select count(*) from message where kind = 'reset_password'";
    assert_eq!(t.db.one(mailed).await, "5");
    request_password_reset(&t.app.people, &from(2), "ADA@example.com").await.unwrap();
    t.answer_requests().await;
    assert_eq!(t.db.one(mailed).await, "6", "another client has its own share");
    for last in 3..30 {
        request_password_reset(&t.app.people, &from(last), "ada@example.com").await.unwrap();
        t.answer_requests().await;
    }
    assert_eq!(t.db.one(mailed).await, "20", "a mailbox is not flooded by many either");
    t.finish_with_jobs().await;
}
