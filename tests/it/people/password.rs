use std::time::{Duration, Instant};

use dispense::base::caller::Caller;
use dispense::base::outcome::Failure;
use dispense::base::secret::Secret;
use dispense::people::{SignIn, authenticate, change_password, refresh, sign_in};

use super::refused;
use crate::harness::{PASSWORD, TestApp};

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_hashes_at_once_few_run_some_wait_and_the_rest_is_told_to_come_back() {
    let t = TestApp::start_with(|config| {
        config.limits.password_hashes = 2;
        config.limits.password_queue = 3;
    })
    .await;
    let work = (0..30).map(|_| {
        let app = t.app.clone();
        tokio::spawn(async move { app.people.passwords.hash(&Secret::new(PASSWORD)).await })
    });
    let done: Vec<_> = futures::future::join_all(work).await.into_iter().map(Result::unwrap).collect();
    let made = done.iter().filter(|d| d.is_ok()).count();
    assert!((5..30).contains(&made), "{made} of 30");
    for refusal in done.iter().filter_map(|d| d.as_ref().err()) {
        let Failure::Refused(refusal) = refusal else { panic!("{refusal:?}") };
        assert_eq!((refusal.code.as_str(), refusal.retry_after), ("RATE_LIMITED", Some(1)));
    }
    assert_eq!(t.app.people.passwords.present(), 0);
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashes_are_argon2id_at_the_floor_and_an_unknown_person_takes_as_long() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    let stored = t.db.one("select password_hash from app_user").await;
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");

    let attempt = |email: &'static str| {
        let app = t.app.clone();
        async move {
            let started = Instant::now();
            let input =
                SignIn { email: email.into(), password: Secret::new("a wrong password"), device: None };
            assert_eq!(refused(sign_in(&app.people, &Caller::local(), input).await), "CREDENTIALS_WRONG");
            started.elapsed()
        }
    };
    let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        known = known.min(attempt("ada@example.com").await);
        unknown = unknown.min(attempt("nobody@example.com").await);
    }
    // Without a hash it would be a twentieth; a busy machine makes less than a half of one of the two.
    assert!(unknown * 5 > known, "known {known:?}, unknown {unknown:?}");
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hash_made_with_less_work_is_made_anew_at_the_next_sign_in() {
    let t = TestApp::start_with(|config| config.people.password_passes = 3).await;
    t.buyer("ada@example.com").await;
    // The same password hashed by the reference program with t=2.
    let weaker = TestApp::start().await;
    let hash = weaker.app.people.passwords.hash(&Secret::new(PASSWORD)).await.unwrap();
    weaker.finish().await;
    t.db.sql(&format!("update app_user set password_hash = '{hash}'")).await;
    t.sign_in("ada@example.com").await;
    let renewed = t.db.one("select password_hash from app_user").await;
    assert!(renewed.starts_with("$argon2id$v=19$m=19456,t=3,p=1$"), "{renewed}");
    t.sign_in("ada@example.com").await;
    assert_eq!(t.db.one("select password_hash from app_user").await, renewed);
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changing_the_password_ends_the_other_sessions_and_refreshes_this_one() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    let (here, there) = (t.sign_in("ada@example.com").await, t.sign_in("ada@example.com").await);
    let person = t.actor(&here.tokens.access).await.person.unwrap();
    let new = Secret::new("an entirely new password");
    let wrong =
        change_password(&t.app.people, &Caller::local(), &person, &Secret::new("not the old one"), &new)
            .await;
    assert_eq!(refused(wrong), "CREDENTIALS_WRONG");
    change_password(&t.app.people, &Caller::local(), &person, &Secret::new(PASSWORD), &new).await.unwrap();

    let ended = authenticate(&t.app.people, &t.caller_with(&there.tokens.access)).await;
    assert_eq!(refused(ended), "UNAUTHENTICATED");
    assert_eq!(refused(refresh(&t.app.people, &there.tokens.refresh).await), "REFRESH_TOKEN_INVALID");
    let stale = authenticate(&t.app.people, &t.caller_with(&here.tokens.access)).await;
    assert_eq!(refused(stale), "TOKEN_EXPIRED");
    let fresh = refresh(&t.app.people, &here.tokens.refresh).await.unwrap();
    assert_eq!(t.actor(&fresh.tokens.access).await.user_id(), Some(person.user_id));
    t.finish_with_jobs().await;
}
