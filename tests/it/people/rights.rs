use dispense::base::actor::{Actor, Role};
use dispense::base::caller::Caller;
use dispense::base::ids::SHOP;
use dispense::base::secret::Secret;
use dispense::people::{
    SignIn, authenticate, create_admin, refresh, reinstate, set_roles, sign_in, suspend, update_profile,
};

use super::refused;
use crate::harness::{PASSWORD, TestApp};

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_makes_an_admin_whose_password_is_shown_once() {
    let t = TestApp::start().await;
    let (user, made) = create_admin(&t.app.people, "boss@example.com", None).await.unwrap();
    let made = made.unwrap();
    t.canary(made.expose());
    let input = |password: Secret| SignIn { email: "boss@example.com".into(), password, device: None };
    let signed_in = sign_in(&t.app.people, &Caller::local(), input(made)).await.unwrap();
    let actor = t.actor(&signed_in.tokens.access).await;
    assert!(actor.has(Role::Admin) && actor.sells_for(SHOP));
    // Again, with a password of one's own: the same person, the old way in is closed.
    let (again, made) =
        create_admin(&t.app.people, "boss@example.com", Some(Secret::new(PASSWORD))).await.unwrap();
    assert_eq!((again, made.is_none()), (user, true));
    assert_eq!(refused(refresh(&t.app.people, &signed_in.tokens.refresh).await), "REFRESH_TOKEN_INVALID");
    sign_in(&t.app.people, &Caller::local(), input(Secret::new(PASSWORD))).await.unwrap();
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_taken_away_is_gone_at_once() {
    let t = TestApp::start().await;
    let boss = t.person("boss@example.com", &Role::ALL).await;
    let ada = t.person("ada@example.com", &[Role::Buyer, Role::Seller, Role::Admin]).await;
    let admin = t.actor(&t.sign_in("boss@example.com").await.tokens.access).await;
    let tokens = t.sign_in("ada@example.com").await.tokens;
    assert_eq!(t.actor(&tokens.access).await.person.unwrap().sellers, [SHOP]);

    let profile = set_roles(&t.app, &admin, ada, &[Role::Support, Role::Buyer]).await.unwrap();
    assert_eq!(profile.roles, [Role::Buyer, Role::Support]);
    assert!(profile.sellers.is_empty());
    let outcome = authenticate(&t.app.people, &t.caller_with(&tokens.access)).await;
    assert_eq!(refused(outcome), "UNAUTHENTICATED");
    assert_eq!(refused(refresh(&t.app.people, &tokens.refresh).await), "REFRESH_TOKEN_INVALID");

    let support = t.actor(&t.sign_in("ada@example.com").await.tokens.access).await;
    assert_eq!(refused(set_roles(&t.app, &support, ada, &Role::ALL).await), "FORBIDDEN");
    assert_eq!(refused(set_roles(&t.app, &admin, boss, &[Role::Buyer]).await), "LAST_ADMIN");
    assert_eq!(refused(set_roles(&t.app, &admin, ada, &[]).await), "INVALID");
    let changed =
        t.db.one("select count(*) from event where kind = 'user.roles_changed' and actor <> 'system'").await;
    assert_eq!(changed, "1");
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_admins_who_demote_each_other_at_once_leave_one() {
    let t = TestApp::start().await;
    let (a, b) = (t.person("a@example.com", &Role::ALL).await, t.person("b@example.com", &Role::ALL).await);
    let as_a = t.actor(&t.sign_in("a@example.com").await.tokens.access).await;
    let as_b = t.actor(&t.sign_in("b@example.com").await.tokens.access).await;
    let _ = tokio::join!(
        set_roles(&t.app, &as_a, b, &[Role::Buyer]),
        set_roles(&t.app, &as_b, a, &[Role::Buyer]),
    );
    assert_eq!(t.db.one("select count(*) from user_role where role = 'admin'").await, "1");
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_person_is_kept_out_until_let_in_again() {
    let t = TestApp::start().await;
    let ada = t.buyer("ada@example.com").await;
    let tokens = t.sign_in("ada@example.com").await.tokens;
    suspend(&t.app, &Actor::system(), ada).await.unwrap();
    suspend(&t.app, &Actor::system(), ada).await.unwrap();
    let outcome = authenticate(&t.app.people, &t.caller_with(&tokens.access)).await;
    assert_eq!(refused(outcome), "UNAUTHENTICATED");
    let input = |password: &str| SignIn {
        email: "ada@example.com".into(),
        password: Secret::new(password),
        device: None,
    };
    assert_eq!(refused(sign_in(&t.app.people, &Caller::local(), input(PASSWORD)).await), "ACCOUNT_SUSPENDED");
    assert_eq!(
        refused(sign_in(&t.app.people, &Caller::local(), input("a wrong password")).await),
        "CREDENTIALS_WRONG"
    );
    reinstate(&t.app, &Actor::system(), ada).await.unwrap();
    t.sign_in("ada@example.com").await;
    assert_eq!(t.db.one("select count(*) from event where kind = 'user.state_changed'").await, "2");
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_changes_name_and_language() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    let person = t.actor(&t.sign_in("ada@example.com").await.tokens.access).await.person.unwrap();
    let profile = update_profile(&t.app, &person, Some(" Ada "), Some("zh-CN")).await.unwrap();
    assert_eq!((profile.user.name.as_deref(), profile.user.locale.as_str()), (Some("Ada"), "zh"));
    let profile = update_profile(&t.app, &person, Some(""), None).await.unwrap();
    assert_eq!((profile.user.name, profile.user.locale.as_str()), (None, "zh"));
    t.finish_with_jobs().await;
}
