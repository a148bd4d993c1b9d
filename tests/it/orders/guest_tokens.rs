//! Tokens and links of an order end together: when it is claimed, and when its holder or staff wishes.

use dispense::base::actor::Role;
use serde_json::{Value, json};

use crate::downloads::shop::{FileShop, content, link};
use crate::harness::visitor::Visitor;
use crate::harness::{TestApp, behind_a_proxy, codes, with_generic};

const NONE: [&str; 0] = [];

async fn shop() -> TestApp {
    TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
    })
    .await
}

/// Whether this token opens the order.
async fn opens(visitor: &Visitor, order: &Value, token: &Value) -> bool {
    let query = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { id } }";
    let found = visitor.ask(query, json!({ "n": order["order"]["number"], "t": token })).await;
    !found["order"].is_null()
}

/// Rows: C7 (orderClaim, orderPlace).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claimed_orders_old_token_opens_nothing_and_only_the_claimer_gets_the_new_one() {
    let t = shop().await;
    let variant = t.selling_keys(5, 500).await.to_string();
    let guest = t.visitor("192.0.2.1");
    let key = json!({ "email": "ada@example.com", "idempotencyKey": "a-key-of-the-guest-1" });
    let order = guest.order(&variant, 1, "5.00", key.clone()).await;
    t.pay(&order).await;
    let old = order["accessToken"].clone();
    t.canary(old.as_str().unwrap());
    assert!(opens(&guest, &order, &old).await);
    t.buyer("ada@example.com").await;
    let ada = guest.signed_in(&t.sign_in("ada@example.com").await.tokens.access);
    let input = json!({ "orderId": order["order"]["id"], "accessToken": old });
    assert_eq!(codes(&ada.act("orderClaim", input.clone(), "order { id }").await), NONE);
    assert_eq!(
        codes(&ada.act("orderClaim", input.clone(), "order { id }").await),
        NONE,
        "naturally repeatable"
    );
    assert!(!opens(&guest, &order, &old).await);
    for (name, input) in [
        ("deliveryResend", json!({ "orderId": order["order"]["id"], "accessToken": old })),
        ("orderCancel", json!({ "orderId": order["order"]["id"], "accessToken": old })),
    ] {
        assert_eq!(codes(&guest.act(name, input, "order { id }").await), ["NOT_FOUND"], "{name}");
    }
    // Whoever still has the guest's key gets nothing by it; the claimer gets the order and its token.
    let again = guest.order(&variant, 1, "5.00", key.clone()).await;
    assert_eq!(
        (codes(&again), &again["accessToken"], &again["order"]),
        (vec!["ACCESS_REVOKED"], &Value::Null, &Value::Null)
    );
    let own = ada.order(&variant, 1, "5.00", key.clone()).await;
    assert_eq!((own["replayed"].clone(), &own["order"]["id"]), (json!(true), &order["order"]["id"]));
    assert!(opens(&guest, &order, &own["accessToken"]).await);
    assert_ne!(own["accessToken"], old);
    // Somebody else who is signed in has a key of the same name apart.
    t.buyer("bob@example.com").await;
    let bob = guest.signed_in(&t.sign_in("bob@example.com").await.tokens.access);
    let other = bob.order(&variant, 1, "5.00", key).await;
    assert_eq!(other["replayed"], false);
    assert_ne!(other["order"]["id"], order["order"]["id"]);
    assert_eq!(t.db.one("select count(*) from orders").await, "2");
    t.finish_with_jobs().await;
}

/// Rows: C7 (orderAccessRevoke, order), O2 (orderAccessRevoke).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_who_fears_for_the_token_gets_another_one_and_a_lost_answer_costs_nothing() {
    let t = shop().await;
    let variant = t.selling_keys(5, 500).await.to_string();
    let guest = t.visitor("192.0.2.1");
    let place = json!({ "email": "ada@example.com", "idempotencyKey": "a-key-of-the-guest-1" });
    let order = guest.order(&variant, 1, "5.00", place.clone()).await;
    let old = order["accessToken"].clone();
    let wish = |token: &Value, key: &str| json!({ "orderId": order["order"]["id"], "accessToken": token, "idempotencyKey": key });
    let fields = "order { id } accessToken";
    let bad = guest.act("orderAccessRevoke", wish(&json!("oat_00"), "a-key-of-sixteen-1"), fields).await;
    assert_eq!(codes(&bad), ["NOT_FOUND"]);
    assert_eq!(codes(&guest.act("orderAccessRevoke", wish(&old, "short"), fields).await), ["INVALID"]);
    let first = guest.act("orderAccessRevoke", wish(&old, "a-key-of-sixteen-1"), fields).await;
    let new = first["accessToken"].clone();
    assert!(!opens(&guest, &order, &old).await && opens(&guest, &order, &new).await);
    let again = guest.act("orderAccessRevoke", wish(&old, "a-key-of-sixteen-1"), fields).await;
    assert_eq!(again["accessToken"], new, "the answer may have been lost");
    // A thief has the old token and not the key.
    assert_eq!(
        codes(&guest.act("orderAccessRevoke", wish(&old, "a-key-of-a-thief-1"), fields).await),
        ["NOT_FOUND"]
    );
    assert_eq!(codes(&guest.order(&variant, 1, "5.00", place).await), ["ACCESS_REVOKED"]);
    // Staff revokes and is given no token; nobody's old key brings one.
    t.person("sam@example.com", &[Role::Support]).await;
    let staff = guest.signed_in(&t.sign_in("sam@example.com").await.tokens.access);
    let by_staff = staff.act("orderAccessRevoke", wish(&Value::Null, "a-key-of-staff-01"), fields).await;
    assert_eq!((codes(&by_staff), &by_staff["accessToken"]), (NONE.to_vec(), &Value::Null));
    assert!(!opens(&guest, &order, &new).await);
    assert_eq!(
        codes(&guest.act("orderAccessRevoke", wish(&old, "a-key-of-sixteen-1"), fields).await),
        ["NOT_FOUND"]
    );
    let raised = "select string_agg(body ->> 'generation', ',' order by id) from event where kind = 'order.access_revoked'";
    assert_eq!(t.db.one(raised).await, "2,3");
    t.finish_with_jobs().await;
}

/// Rows: C7, L3, L8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_were_mailed_or_made_before_end_with_the_token() {
    let t = TestApp::start_with(behind_a_proxy).await;
    let shop = FileShop::open(&t).await;
    shop.publish(&t, "a.bin", "1", &content(50_000, 1)).await;
    let (sale, grant) = shop.granted(&t, Some(3)).await;
    let claim = dispense::delivery::link::claim_links(&t.app, sale.order).await.unwrap().remove(0);
    let fresh = link(&t, grant).await;
    let open = link(&t, grant).await;
    let got = t.http().get(&open.url).header("range", "bytes=0-99").send().await.unwrap();
    assert_eq!(got.status(), 206);
    t.db.sql("update orders set access_generation = access_generation + 1").await;
    for url in [&claim.url, &fresh.url, &open.url] {
        let answer = t.http().get(url).send().await.unwrap();
        let status = answer.status();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!((status.as_u16(), &body["code"]), (403, &json!("LINK_REVOKED")), "{url}");
    }
    let post = t.http().post(&claim.url).send().await.unwrap();
    assert_eq!(post.status(), 403);
    // A new link joins the session that was counted: nothing is lost by it.
    let new = link(&t, grant).await;
    assert_eq!(t.http().get(&new.url).send().await.unwrap().bytes().await.unwrap().len(), 50_000);
    assert_eq!(t.db.one("select used from download_grant").await, "1");
    let mailed = dispense::delivery::link::claim_links(&t.app, sale.order).await.unwrap().remove(0);
    assert_ne!(mailed.url, claim.url, "the next mail has links of its own");
    assert_eq!(t.http().get(&mailed.url).send().await.unwrap().status(), 200);
    t.finish_with_jobs().await;
}
