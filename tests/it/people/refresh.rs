use std::collections::HashSet;

use chrono::TimeDelta;
use dispense::base::secret::Secret;
use dispense::people::{
    authenticate, read, refresh, revoke_all_sessions, revoke_session, revoke_session_of_token,
};

use super::refused;
use crate::harness::TestApp;

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_refreshes_at_once_make_exactly_one_successor() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    let first = t.sign_in("ada@example.com").await.tokens.refresh;
    let tries = (0..20).map(|_| {
        let (app, token) = (t.app.clone(), first.clone());
        tokio::spawn(
            async move { refresh(&app.people, &token).await.unwrap().tokens.refresh.expose().to_owned() },
        )
    });
    let successors: HashSet<String> =
        futures::future::join_all(tries).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(successors.len(), 1);
    assert_eq!(t.db.one("select count(*) from refresh_token").await, "2");
    t.canary(successors.into_iter().next().unwrap());
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_given_again_however_late_and_the_session_goes_on() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    let first = t.sign_in("ada@example.com").await.tokens.refresh;
    let lost = refresh(&t.app.people, &first).await.unwrap().tokens.refresh;
    t.advance(TimeDelta::days(6)).await;
    let again = refresh(&t.app.people, &first).await.unwrap().tokens;
    assert_eq!(again.refresh.expose(), lost.expose());
    refresh(&t.app.people, &again.refresh).await.unwrap();
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reuse_after_the_successor_was_used_ends_the_whole_family() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    let other = t.sign_in("ada@example.com").await;
    let first = t.sign_in("ada@example.com").await.tokens.refresh;
    let second = refresh(&t.app.people, &first).await.unwrap().tokens.refresh;
    let third = refresh(&t.app.people, &second).await.unwrap().tokens;
    assert_eq!(refused(refresh(&t.app.people, &first).await), "REFRESH_TOKEN_REUSED");
    for dead in [&first, &second, &third.refresh] {
        assert_eq!(refused(refresh(&t.app.people, dead).await), "REFRESH_TOKEN_INVALID");
    }
    let outcome = authenticate(&t.app.people, &t.caller_with(&third.access)).await;
    assert_eq!(refused(outcome), "UNAUTHENTICATED");
    assert_eq!(t.db.one("select count(*) from event where kind = 'session.refresh_reused'").await, "1");
    // Another sign-in of the same person is no part of it.
    refresh(&t.app.people, &other.tokens.refresh).await.unwrap();
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_token_confirms_the_refresh_token_that_came_with_it() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    let first = t.sign_in("ada@example.com").await.tokens;
    let next = refresh(&t.app.people, &first.refresh).await.unwrap().tokens;
    // The old access token says nothing about the new refresh token.
    t.actor(&first.access).await;
    refresh(&t.app.people, &first.refresh).await.unwrap();
    t.actor(&next.access).await;
    assert_eq!(t.db.one("select count(*) from refresh_token where sealed is not null").await, "0");
    assert_eq!(refused(refresh(&t.app.people, &first.refresh).await), "REFRESH_TOKEN_REUSED");
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_strict_setting_ends_the_family_at_the_first_repeat() {
    let t = TestApp::start_with(|config| config.people.strict_refresh = true).await;
    t.buyer("ada@example.com").await;
    let first = t.sign_in("ada@example.com").await.tokens.refresh;
    refresh(&t.app.people, &first).await.unwrap();
    assert_eq!(refused(refresh(&t.app.people, &first).await), "REFRESH_TOKEN_REUSED");
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_when_idle_for_a_week_and_after_a_month_in_any_case() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    let idle = t.sign_in("ada@example.com").await;
    let mut busy = t.sign_in("ada@example.com").await.tokens.refresh;
    for _ in 0..4 {
        t.advance(TimeDelta::days(6)).await;
        busy = refresh(&t.app.people, &busy).await.unwrap().tokens.refresh;
    }
    assert_eq!(refused(refresh(&t.app.people, &idle.tokens.refresh).await), "REFRESH_TOKEN_INVALID");
    let mut conn = t.app.db.conn().await.unwrap();
    assert_eq!(read::sessions(&mut conn, idle.user_id).await.unwrap().len(), 1);
    drop(conn);
    t.advance(TimeDelta::days(6) + TimeDelta::seconds(1)).await;
    assert_eq!(refused(refresh(&t.app.people, &busy).await), "REFRESH_TOKEN_INVALID");
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_ends_one_session_or_all_of_them() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    t.buyer("bob@example.com").await;
    let bob = t.sign_in("bob@example.com").await;
    let mut signed_in = Vec::new();
    for _ in 0..4 {
        signed_in.push(t.sign_in("ada@example.com").await);
    }
    let person = t.actor(&signed_in[0].tokens.access).await.person.unwrap();
    revoke_session(&t.app, &person, Some(signed_in[1].session_id)).await.unwrap();
    assert_eq!(refused(revoke_session(&t.app, &person, Some(bob.session_id)).await), "NOT_FOUND");
    revoke_session_of_token(&t.app, &signed_in[2].tokens.refresh).await.unwrap();
    revoke_session_of_token(&t.app, &signed_in[2].tokens.refresh).await.unwrap();
    revoke_session_of_token(&t.app, &Secret::new("no token at all")).await.unwrap();
    for ended in &signed_in[1..3] {
        assert_eq!(refused(refresh(&t.app.people, &ended.tokens.refresh).await), "REFRESH_TOKEN_INVALID");
        let outcome = authenticate(&t.app.people, &t.caller_with(&ended.tokens.access)).await;
        assert_eq!(refused(outcome), "UNAUTHENTICATED");
    }
    t.actor(&signed_in[0].tokens.access).await;
    assert_eq!(revoke_all_sessions(&t.app, &person).await.unwrap(), 2);
    for ended in &signed_in {
        assert_eq!(refused(refresh(&t.app.people, &ended.tokens.refresh).await), "REFRESH_TOKEN_INVALID");
    }
    assert_eq!(t.db.one("select count(*) from event where kind = 'session.ended'").await, "4");
    t.actor(&bob.tokens.access).await;
    t.finish_with_jobs().await;
}
