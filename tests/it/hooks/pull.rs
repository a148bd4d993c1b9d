//! Sellers and API clients pull what is theirs, without holes.

use serde_json::{Value, json};

use super::clients::client;
use super::shop::Relay;

/// Status and body of `GET /events`.
pub async fn pull(shop: &Relay, token: &str, query: &str) -> (u16, Value) {
    let url = format!("{}/events{query}", shop.t.base);
    let request = shop.t.http().get(url).header("authorization", format!("Bearer {token}"));
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

/// All that there is, read page by page.
async fn all(shop: &Relay, token: &str, limit: i64) -> Vec<Value> {
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let (status, page) = pull(shop, token, &format!("?after={after}&limit={limit}")).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(page["events"].as_array().unwrap().iter().cloned());
        assert!(page["next"].as_i64().unwrap() >= after);
        after = page["next"].as_i64().unwrap();
        if page["more"] == false {
            return seen;
        }
    }
}

/// Rows: D9, C8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sellers_and_clients_pull_what_is_theirs_and_nothing_of_others() {
    let shop = Relay::open().await;
    let t = &shop.t;
    let variant = shop.selling(9).await;
    let (foreign, _) = shop.another_seller("olga@other.example").await;
    t.person("sam@shop.example", &[dispense::base::actor::Role::Seller]).await;
    let machine = client(&shop, &["events:read", "orders:write"]).await;
    let placed =
        machine.visitor.order(&variant.to_string(), 1, "9.90", json!({ "email": "a@b.example" })).await;
    assert_eq!(placed["userErrors"], json!([]), "{placed}");
    t.pay(&placed).await;
    t.paid_order(variant, 1).await;
    t.db.sql(&format!(
        "insert into event (seller_id, kind, object_id, actor) values ('{}', 'product.created', gen_random_uuid(), 'system')",
        foreign.0
    ))
    .await;
    t.db.sql(
        "update event set body = '{\"state\": \"draft\", \"version\": 0}' where kind = 'product.created'",
    )
    .await;
    t.drain().await;

    let token = async |email: &str| t.sign_in(email).await.tokens.access.expose().to_owned();
    let kinds = |events: &[Value]| -> Vec<String> {
        events.iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    };
    let whole = all(&shop, &token("boss@shop.example").await, 500).await;
    let sams = all(&shop, &token("sam@shop.example").await, 3).await;
    let olgas = all(&shop, &token("olga@other.example").await, 500).await;
    let own = all(&shop, &machine.secret, 2).await;
    assert!(kinds(&whole).contains(&"user.registered".to_owned()));
    assert!(kinds(&sams).contains(&"order.paid".to_owned()));
    assert!(!kinds(&sams).iter().any(|kind| kind.starts_with("user.") || kind.starts_with("message.")));
    assert_eq!(kinds(&olgas), ["product.created"]);
    let order = placed["order"]["id"].clone();
    assert!(own.len() > 3 && own.iter().all(|event| event["order"] == order), "{own:?}");
    let of_order: Vec<&Value> = sams.iter().filter(|event| event["order"] == order).collect();
    assert_eq!(of_order.len(), own.len(), "the same as the seller sees of it");
    assert!(sams.iter().map(|event| event["seq"].as_i64().unwrap()).is_sorted());

    // Rights are looked at each time.
    let bare = client(&shop, &["orders:read"]).await;
    let (status, problem) = pull(&shop, &bare.secret, "").await;
    assert_eq!((status, &problem["code"]), (403, &json!("FORBIDDEN")));
    let (status, _) = pull(&shop, "dcs_00000000000000000000000001_x", "").await;
    assert_eq!(status, 401);
    t.buyer("ada@buyer.example").await;
    assert_eq!(pull(&shop, &token("ada@buyer.example").await, "").await.0, 403);
    let (status, problem) = pull(&shop, &machine.secret, "?after=-1").await;
    assert_eq!((status, &problem["code"]), (400, &json!("INVALID_CURSOR")));

    // What is gone is said to be gone, whoever asks.
    t.db.sql("delete from event where id = (select event_id from event_seq where seq = 2)").await;
    for who in [machine.secret.clone(), token("sam@shop.example").await] {
        let (status, problem) = pull(&shop, &who, "?after=0").await;
        assert_eq!((status, &problem["code"]), (410, &json!("CURSOR_TOO_OLD")));
        assert_eq!(pull(&shop, &who, "?after=2").await.0, 200);
    }
    shop.t.finish_with_jobs().await;
}
