//! Accounts, sessions and roles.

use dispense::people::code::Purpose;
use serde_json::{Value, json};

use super::shop::{BUYER, denied, join, refusal, shop, sign_in};
use crate::harness::PASSWORD;
use crate::harness::visitor::Visitor;

const ME: &str = "{ me { id email emailConfirmed name locale roles sessions { id device current } } }";

async fn me(who: &Visitor) -> Value {
    who.ask(ME, json!({})).await["me"].clone()
}

/// Sends: userRegister, userConfirmEmail, emailConfirmationResend, me.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_registers_beside_others_and_is_shown_as_a_buyer() {
    let shop = shop().await;
    let (t, new) = (shop.t(), shop.t().visitor("203.0.113.20"));
    let register = async |email: &str, password: &str| {
        let input = json!({ "email": email, "password": password, "name": "Nora", "locale": "zh" });
        new.act("userRegister", input, "registration").await
    };
    assert_eq!(refusal(&register("no address", PASSWORD).await), "EMAIL_INVALID email");
    assert_eq!(refusal(&register("nora@people.example", "short").await), "PASSWORD_TOO_WEAK password");
    assert_eq!(refusal(&register("nora@people.example", "password123").await), "PASSWORD_BREACHED password");
    let registered = register("nora@people.example", PASSWORD).await;
    assert_eq!(refusal(&registered), "done");
    // Whether an address has an account is not said.
    let known = register(BUYER, PASSWORD).await;
    assert_eq!((refusal(&known).as_str(), known["registration"].is_string()), ("done", true));

    let resend = async |email: &str| {
        let input = json!({ "email": email, "registration": registered["registration"] });
        refusal(&new.act("emailConfirmationResend", input, "").await)
    };
    let first = t.mailed_code(Purpose::ConfirmEmail, "nora@people.example").await;
    assert_eq!(resend("no address").await, "EMAIL_INVALID email");
    assert_eq!(resend("nora@people.example").await, "done");
    let second = t.mailed_code(Purpose::ConfirmEmail, "nora@people.example").await;
    assert_ne!(first.expose(), second.expose());

    let confirm = async |code: &str| {
        let input = json!({ "email": "nora@people.example", "code": code, "registration": registered["registration"] });
        refusal(&new.act("userConfirmEmail", input, "").await)
    };
    assert_eq!(confirm("AAAAA-AAAAA").await, "CODE_WRONG code");
    let found = shop.admin.ask("{ desk { users(search: \"nora\") { totalCount } } }", json!({})).await;
    assert_eq!(found["desk"]["users"]["totalCount"], 0, "no account before the address is confirmed");
    assert_eq!(confirm(second.expose()).await, "done");

    let nora = sign_in(t, "nora@people.example").await;
    let seen = me(&nora).await;
    assert_eq!(
        (&seen["email"], &seen["name"], &seen["locale"], &seen["roles"], &seen["emailConfirmed"]),
        (&json!("nora@people.example"), &json!("Nora"), &json!("zh"), &json!(["BUYER"]), &json!(true))
    );
    assert_eq!((&me(&new).await, &me(&shop.buyer).await["email"]), (&Value::Null, &json!(BUYER)));
    let found = shop.admin.ask("{ desk { users(search: \"nora\") { nodes { id name } } } }", json!({})).await;
    assert_eq!(found["desk"]["users"]["nodes"], json!([{ "id": nora.id, "name": "Nora" }]));
    shop.sound().await;
}

/// Sends: sessionCreate, sessionRefresh, sessionRevoke, sessionRevokeAll.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_signs_in_on_several_devices_and_out_again() {
    let shop = shop().await;
    let t = shop.t();
    let wrong = json!({ "email": BUYER, "password": "wrong horse battery" });
    let refused = shop.guest.act("sessionCreate", wrong, "tokens { accessToken }").await;
    assert_eq!((refusal(&refused).as_str(), &refused["tokens"]), ("CREDENTIALS_WRONG", &Value::Null));
    let (phone, laptop) = (sign_in(t, BUYER).await, sign_in(t, BUYER).await);
    assert_eq!(me(&phone).await["sessions"].as_array().unwrap().len(), 3);

    let refresh = async |token: &str| {
        let fields = "user { email } tokens { accessToken refreshToken }";
        shop.guest.act("sessionRefresh", json!({ "refreshToken": token }), fields).await
    };
    assert_eq!(refusal(&refresh("nothing").await), "REFRESH_TOKEN_INVALID refreshToken");
    let next = refresh(&phone.refresh).await;
    assert_eq!((refusal(&next).as_str(), &next["user"]["email"]), ("done", &json!(BUYER)));
    for name in ["accessToken", "refreshToken"] {
        t.canary(next["tokens"][name].as_str().unwrap());
    }
    let phone_now = t.visitor("203.0.113.20").bearer(next["tokens"]["accessToken"].as_str().unwrap());
    assert_eq!(me(&phone_now).await["email"], BUYER);

    // Somebody else's session cannot be ended, nor one without signing in.
    let sessions = me(&laptop).await["sessions"].clone();
    let current = sessions.as_array().unwrap().iter().find(|s| s["current"] == true).unwrap()["id"].clone();
    let foreign = shop.seller.act("sessionRevoke", json!({ "sessionId": current }), "").await;
    assert_eq!(refusal(&foreign), "NOT_FOUND sessionId");
    assert_eq!(denied(&shop.guest, "sessionRevoke", json!({})).await, "UNAUTHENTICATED");
    let ended = phone_now.act("sessionRevoke", json!({ "sessionId": current }), "").await;
    assert_eq!(refusal(&ended), "done");
    assert_eq!(me(&phone_now).await["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(refusal(&refresh(&laptop.refresh).await), "REFRESH_TOKEN_INVALID refreshToken");

    let all = "mutation { sessionRevokeAll { revoked userErrors { code } } }";
    let stranger = shop.guest.raw(all, json!({})).await;
    assert_eq!(stranger["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let done = phone_now.ask(all, json!({})).await;
    assert_eq!(done["sessionRevokeAll"]["revoked"], 2, "the phone and the fixture's own");
    for gone in [&phone_now, &*shop.buyer] {
        assert_eq!(gone.raw(ME, json!({})).await["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }
    assert_eq!(me(&shop.seller).await["email"], "seller@people.example", "others stay signed in");
    shop.sound().await;
}

/// Sends: userSetRoles, profileUpdate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_changes_what_a_person_may_do_and_a_person_their_own_name() {
    let shop = shop().await;
    let t = shop.t();
    let update = async |name: &str| {
        let fields = "user { name locale }";
        shop.buyer.act("profileUpdate", json!({ "name": name, "locale": "zh" }), fields).await
    };
    assert_eq!(denied(&shop.guest, "profileUpdate", json!({ "name": "x" })).await, "UNAUTHENTICATED");
    assert_eq!(refusal(&update(&"x".repeat(101)).await), "INVALID name");
    assert_eq!(update("Bo the second").await["user"], json!({ "name": "Bo the second", "locale": "zh" }));
    assert_eq!(me(&shop.buyer).await["name"], "Bo the second");

    let set = async |who: &Visitor, id: &str, roles: &[&str]| {
        who.act("userSetRoles", json!({ "userId": id, "roles": roles }), "user { roles }").await
    };
    let nobody = "usr_00000000000000000000000001";
    for (who, id, roles, wanted) in [
        (&*shop.support, shop.buyer.id.as_str(), &["SELLER"][..], "FORBIDDEN"),
        (&shop.guest, &shop.buyer.id, &["SELLER"], "FORBIDDEN"),
        (&shop.admin, &shop.buyer.id, &[], "INVALID roles"),
        (&shop.admin, nobody, &["SELLER"], "NOT_FOUND"),
        (&shop.admin, &shop.admin.id, &["BUYER"], "LAST_ADMIN"),
    ] {
        assert_eq!(refusal(&set(who, id, roles).await), wanted, "{roles:?}");
    }
    let new = join(t, "new@people.example", "New").await;
    let seller = "{ seller { products { totalCount } } }";
    assert_eq!(new.ask(seller, json!({})).await["seller"], Value::Null);
    let given = set(&shop.admin, &new.id, &["BUYER", "SELLER"]).await;
    assert_eq!(given["user"]["roles"], json!(["BUYER", "SELLER"]), "{given}");
    assert_eq!(new.raw(ME, json!({})).await["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let new = sign_in(t, "new@people.example").await;
    assert_eq!(new.ask(seller, json!({})).await["seller"]["products"]["totalCount"], 2);
    shop.sound().await;
}
