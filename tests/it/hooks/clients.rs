//! Machines that speak to the shop: their secrets, scopes, orders and hooks.

use chrono::TimeDelta;
use dispense::base::actor::Role;
use serde_json::{Value, json};

use super::pull::pull;
use super::receiver::body;
use super::shop::Relay;
use crate::harness::visitor::Visitor;
use crate::harness::{TestApp, codes};

/// An API client and its secret.
pub struct Machine {
    pub id: String,
    pub secret: String,
    pub visitor: Visitor,
}

const FIELDS: &str = "client { id name publishableId scopes state version oldSecretUntil } secret";

pub async fn client(shop: &Relay, scopes: &[&str]) -> Machine {
    let made =
        shop.boss().await.act("apiClientCreate", json!({ "name": "Till", "scopes": scopes }), FIELDS).await;
    machine(&shop.t, &made)
}

fn machine(t: &TestApp, made: &Value) -> Machine {
    assert_eq!(made["userErrors"], json!([]), "{made}");
    let secret = made["secret"].as_str().unwrap().to_owned();
    t.canary(&secret);
    let id = made["client"]["id"].as_str().unwrap().to_owned();
    Machine { id, visitor: t.visitor("203.0.113.7").bearer(&secret), secret }
}

const ME: &str = "{ apiClient { id name scopes limits { perMinute cost } orders { totalCount nodes { id reference number email } } } }";

/// Rows: C8 (apiClientCreate, apiClientUpdate, apiClientRotate, apiClient, desk).
/// Sends: apiClientCreate, apiClientUpdate, apiClientRotate, apiClient.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admins_make_change_and_retire_clients_whose_secrets_overlap() {
    let shop = Relay::open().await;
    let t = &shop.t;
    t.person("help@shop.example", &[Role::Support]).await;
    let boss = &shop.boss().await;
    let no = async |by: &Visitor, name: &str, input: Value| {
        let fields = if name == "apiClientUpdate" { "client { id }" } else { FIELDS };
        let answer = by.act(name, input, fields).await;
        let error = answer["userErrors"][0].clone();
        (error["code"].as_str().unwrap().to_owned(), error["field"].clone())
    };
    let input = |name: &str, scopes: Value| json!({ "name": name, "scopes": scopes });
    for (input, wanted) in [
        (input(" ", json!([])), ("INVALID".to_owned(), json!(["name"]))),
        (input("Till", json!(["orders:read", "all"])), ("SCOPE_UNKNOWN".to_owned(), json!(["scopes", "1"]))),
    ] {
        assert_eq!(no(boss, "apiClientCreate", input).await, wanted);
    }
    let support = shop.who("help@shop.example").await;
    assert_eq!(no(&support, "apiClientCreate", input("Till", json!([]))).await.0, "FORBIDDEN");
    let till = client(&shop, &["orders:read", "events:read"]).await;
    let me = till.visitor.ask(ME, json!({})).await["apiClient"].clone();
    assert_eq!((&me["id"], &me["scopes"]), (&json!(till.id), &json!(["events:read", "orders:read"])));
    assert_eq!(me["orders"]["totalCount"], 0);
    assert_eq!(boss.ask(ME, json!({})).await["apiClient"], json!(null), "a person is none");

    let missing = json!({ "clientId": "cli_00000000000000000000000001" });
    assert_eq!(no(boss, "apiClientRotate", missing.clone()).await.0, "NOT_FOUND");
    assert_eq!(no(boss, "apiClientUpdate", missing).await.0, "NOT_FOUND");
    let stale = json!({ "clientId": till.id, "expectedVersion": 7 });
    assert_eq!(
        no(boss, "apiClientUpdate", stale).await,
        ("VERSION_CONFLICT".to_owned(), json!(["expectedVersion"]))
    );

    // Both secrets count for a day.
    let rotated = boss.act("apiClientRotate", json!({ "clientId": till.id }), FIELDS).await;
    assert!(rotated["client"]["oldSecretUntil"].is_string());
    let fresh = machine(t, &rotated);
    for visitor in [&till.visitor, &fresh.visitor] {
        assert_eq!(visitor.ask(ME, json!({})).await["apiClient"]["id"], json!(till.id));
    }
    t.advance(TimeDelta::hours(25)).await;
    let refused = till.visitor.raw(ME, json!({})).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert_eq!(fresh.visitor.ask(ME, json!({})).await["apiClient"]["id"], json!(till.id));

    // Scopes and the client itself can be taken away, at once.
    let boss = &shop.boss().await;
    let edit = json!({ "clientId": till.id, "name": "Kiosk", "scopes": [] });
    let edited = boss.act("apiClientUpdate", edit, "client { name scopes version }").await;
    assert_eq!(edited["client"]["scopes"], json!([]));
    let me = fresh.visitor.ask(ME, json!({})).await["apiClient"].clone();
    assert_eq!((&me["name"], &me["orders"]), (&json!("Kiosk"), &json!(null)));
    let retired = json!({ "clientId": till.id, "state": "RETIRED" });
    boss.act("apiClientUpdate", retired, "client { state }").await;
    let refused = fresh.visitor.raw(ME, json!({})).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let seen = boss
        .ask(
            "{ desk { apiClients { name state publishableId hookEndpoints { id } orders { totalCount } } } }",
            json!({}),
        )
        .await;
    assert_eq!(seen["desk"]["apiClients"][0]["state"], "RETIRED");
    for wrong in ["dcs_", "dcs_x_y", &fresh.secret[..fresh.secret.len() - 1]] {
        let answer = t.visitor("203.0.113.8").bearer(wrong).raw(ME, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{wrong}");
    }
    shop.sound().await;
}

/// Rows: C8, O2 (orderPlace, apiClient).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_places_orders_by_its_own_references_and_hears_of_them() {
    let shop = Relay::open().await;
    let t = &shop.t;
    let variant = shop.selling(9).await.to_string();
    let till = client(&shop, &["events:read", "orders:read", "orders:write"]).await;
    let other = client(&shop, &["orders:read", "orders:write", "events:read"]).await;
    let reads = client(&shop, &["orders:read"]).await;
    let order = |reference: &str| json!({ "email": "a@b.example", "reference": reference, "metadata": [{ "key": "till", "value": "7" }] });
    let placed = till.visitor.order(&variant, 1, "9.90", order("R-1")).await;
    assert_eq!(placed["userErrors"], json!([]), "{placed}");
    t.canary(placed["accessToken"].as_str().unwrap());
    assert_eq!(codes(&till.visitor.order(&variant, 1, "9.90", order("R-1")).await), ["REFERENCE_TAKEN"]);
    let foreign = other.visitor.order(&variant, 1, "9.90", order("R-1")).await;
    assert_eq!(foreign["userErrors"], json!([]), "another client has names of its own");
    t.canary(foreign["accessToken"].as_str().unwrap());
    let place =
        "mutation($in: OrderPlaceInput!) { orderPlace(input: $in) { order { id } userErrors { code } } }";
    let input = json!({ "in": { "idempotencyKey": "a key of sixteen or more", "currency": "USD", "expectedTotal": "9.90",
        "lines": [{ "key": "1", "variantId": variant, "quantity": 1 }], "email": "a@b.example" } });
    let refused = reads.visitor.raw(place, input).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");

    // Its own hook, and what comes there.
    let input = json!({ "url": format!("{}/till", shop.receiver.url) });
    let made = shop.create(&till.visitor, input.clone()).await;
    assert_eq!(made["userErrors"], json!([]), "{made}");
    t.canary(made["signingSecret"].as_str().unwrap());
    assert_eq!(codes(&shop.create(&reads.visitor, input).await), ["NOT_FOUND"], "without the scope");
    let typed = json!({ "url": format!("{}/x", shop.receiver.url), "eventTypes": ["stock.low"] });
    assert_eq!(codes(&shop.create(&till.visitor, typed).await), ["EVENT_TYPE_UNKNOWN"]);
    t.pay(&placed).await;
    t.pay(&foreign).await;
    t.drain().await;
    let id = placed["order"]["id"].clone();
    let came = shop.receiver.seen("/till");
    assert!(came.iter().all(|message| body(message)["data"]["order"] == id));
    assert!(shop.receiver.types("/till").contains(&"order.paid".to_owned()));

    // It finds its orders, and only those.
    let find = "query($r: String, $s: DateTime) { apiClient { orders(reference: $r, changedSince: $s) { totalCount nodes { id reference email metadata { key value } } }
        hookEndpoints { id deliveries { totalCount nodes { eventType } } } } }";
    let found = till.visitor.ask(find, json!({ "r": "R-1" })).await["apiClient"].clone();
    assert_eq!(found["orders"]["totalCount"], 1);
    let row = &found["orders"]["nodes"][0];
    assert_eq!((&row["id"], &row["reference"], &row["email"]), (&id, &json!("R-1"), &json!("a@b.example")));
    assert_eq!(found["hookEndpoints"][0]["deliveries"]["totalCount"], came.len());
    let since = (t.app.clock.now() + TimeDelta::hours(1)).to_rfc3339();
    let none = till.visitor.ask(find, json!({ "s": since })).await["apiClient"].clone();
    assert_eq!(none["orders"]["totalCount"], 0);
    let one = "query($n: String!) { order(number: $n) { id email } }";
    let number = json!({ "n": placed["order"]["number"] });
    assert_eq!(till.visitor.ask(one, number.clone()).await["order"]["email"], "a@b.example");
    assert_eq!(other.visitor.ask(one, number.clone()).await["order"], json!(null), "a foreign order is none");
    assert_eq!(reads.visitor.ask(one, number).await["order"], json!(null));

    // Who may only read sees how an order of its own is, and not whose.
    let only = json!({ "clientId": till.id, "scopes": ["orders:read"] });
    shop.boss().await.act("apiClientUpdate", only, "client { id }").await;
    let status = till.visitor.ask("{ apiClient { orders { nodes { id state } } } }", json!({})).await;
    assert_eq!(status["apiClient"]["orders"]["nodes"][0]["id"], id);
    let reveal = "mutation($id: ID!) { orderCancel(input: {orderId: $id}) { userErrors { code } } }";
    let answer = till.visitor.raw(reveal, json!({ "id": id })).await;
    assert!(
        answer["data"]["orderCancel"]["userErrors"][0]["code"].is_string() || answer["errors"].is_array()
    );
    assert_eq!(pull(&shop, &till.secret, "").await.0, 403);
    let before = shop.receiver.seen("/till").len();
    let note = "insert into event (seller_id, kind, object_id, order_id, actor) select seller_id, 'order.closed', id, id, 'system' from orders where reference = 'R-1' and api_client_id = (select api_client_id from hook_endpoint limit 1)";
    t.db.sql(note).await;
    t.drain().await;
    assert_eq!(shop.receiver.seen("/till").len(), before, "what it may not have any more waits");
    let again = json!({ "clientId": till.id, "scopes": ["events:read"] });
    shop.boss().await.act("apiClientUpdate", again, "client { id }").await;
    t.drain().await;
    assert_eq!(shop.receiver.types("/till").last().unwrap(), "order.closed");
    shop.sound().await;
}

/// Rows: C8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_has_a_limit_of_its_own_and_wrong_secrets_close_their_address() {
    let shop = Relay::open_over(crate::harness::TestDatabase::migrated().await, |config| {
        crate::harness::behind_a_proxy(config);
        config.limits.client_requests_per_minute = 20;
        config.limits.requests_per_minute = 40;
        config.limits.sign_ins_per_minute = 12;
    })
    .await;
    let till = client(&shop, &[]).await;
    let mut limited = 0;
    for _ in 0..30 {
        let answer = till.visitor.raw("{ apiClient { id } }", json!({})).await;
        if answer["errors"][0]["extensions"]["code"] == "RATE_LIMITED" {
            assert!(answer["errors"][0]["extensions"]["retryAfter"].as_i64().unwrap() >= 1);
            limited += 1;
        }
    }
    assert!((5..=10).contains(&limited), "{limited}");
    // The address itself has all of its own left.
    for _ in 0..30 {
        shop.t.visitor("203.0.113.7").ask("{ shop { name } }", json!({})).await;
    }
    let guesser = shop.t.visitor("203.0.113.99").bearer("dcs_00000000000000000000000001_x");
    let mut answers = Vec::new();
    for _ in 0..16 {
        answers.push(
            guesser.raw("{ apiClient { id } }", json!({})).await["errors"][0]["extensions"]["code"].clone(),
        );
    }
    assert_eq!(answers.first(), Some(&json!("UNAUTHENTICATED")));
    assert_eq!(answers.last(), Some(&json!("RATE_LIMITED")));
    shop.t.finish_with_jobs().await;
}
