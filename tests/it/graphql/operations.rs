use serde_json::{Value, json};

use super::client::Client;
use super::stocked::{BUYER, Stocked};
use super::wire::Wire;
use crate::harness::TestApp;

/// The shipped queries and mutations; subscriptions are sent by the tests of `live`.
fn shipped() -> Vec<std::path::PathBuf> {
    let all = std::fs::read_dir("tests/operations").unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with("live")).collect()
}

/// Variables with which each operation runs on an empty shop.
fn variables(operation: &str) -> Value {
    let key = "0123456789abcdef0123";
    let order = "ord_00000000000000000000000001";
    let line = json!({ "key": "a", "variantId": "var_00000000000000000000000001", "quantity": 1 });
    match operation {
        "home" => json!({ "cur": "USD" }),
        "search" => json!({ "q": "editor" }),
        "product_page" => json!({ "slug": "editor" }),
        "cart" => json!({ "in": { "lines": [line], "currency": "USD" } }),
        "buy" => json!({ "in": {
            "idempotencyKey": key, "lines": [line], "currency": "USD", "expectedTotal": "1.00", "email": "a@example.com",
            "start": { "methodId": "mth_none", "accepts": ["REDIRECT"] },
        } }),
        "pay_again" => json!({ "in": {
            "idempotencyKey": key, "orderId": order, "options": { "methodId": "mth_none", "accepts": [] },
        } }),
        "i_have_paid" => json!({ "in": { "paymentId": "pay_00000000000000000000000001" } }),
        "order_page" => json!({ "n": "D-1", "t": "oat_none" }),
        "order_status" => json!({ "t": "wat_none" }),
        "reveal" => json!({ "line": "lin_00000000000000000000000001" }),
        "download_link" => json!({ "in": { "grantId": "grt_00000000000000000000000001" } }),
        "library" => json!({ "since": "2026-01-31T12:00:00Z" }),
        "my_orders" => json!({}),
        "resend" | "cancel" => json!({ "in": { "orderId": order } }),
        "report" => json!({ "in": {
            "idempotencyKey": key, "deliveryId": "dlv_00000000000000000000000001", "problem": "INVALID_KEY", "wish": "REPLACE",
        } }),
        "email_code" => json!({ "in": { "email": "a@example.com" } }),
        "revoke_access" => json!({ "in": { "orderId": order, "idempotencyKey": key } }),
        "lost_order" => json!({ "in": { "email": "a@example.com" } }),
        "lost_order_code" => json!({ "in": { "email": "a@example.com", "code": "000000" } }),
        "sign_in" => json!({ "in": { "email": "a@example.com", "password": "wrong horse battery" } }),
        "refresh" => json!({ "in": { "refreshToken": "none" } }),
        "refetch" => json!({ "id": order }),
        other => panic!("tests/operations/{other}.graphql has no variables here"),
    }
}

/// Every shipped operation fits the schema and the limits of a caller nobody knows, and finds nothing in an empty shop
/// without any fault of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operations_of_real_screens_fit_the_schema_and_the_limits() {
    let t = TestApp::start().await;
    let client = Client::new(&t.app);
    let mut seen = 0;
    for path in shipped() {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let query = std::fs::read_to_string(&path).unwrap();
        let reply = client.ask(&query, variables(&name)).await;
        let json = reply.json();
        assert!(json.get("errors").is_none(), "{name}: {json}");
        assert!(json["data"].is_object(), "{name}: {json}");
        seen += 1;
    }
    assert!(seen >= 20, "only {seen} operations");
    t.drain().await;
    t.finish().await;
}

/// The same operations over HTTP against a shop that has data, by a buyer who has the right to what is asked for: each
/// finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operations_of_real_screens_find_what_a_stocked_shop_has() {
    let shop = Stocked::open().await;
    let (buyer, guest) = (shop.buyer().await, Wire::new(&shop.t));
    let waiting = shop.t.order(shop.keys, 1).await;
    let nodes = shop.nodes().await;
    let id = |name: &str| nodes.iter().find(|node| node.0 == name).unwrap().1.clone();
    let slug = shop
        .t
        .db
        .one(&format!(
            "select slug from product p join variant v on v.product_id = p.id where v.id = '{}'",
            shop.keys.0
        ))
        .await;
    let cart = json!([{ "key": "a", "variantId": shop.keys.to_string(), "quantity": 1 }]);
    let token = waiting.access_token.expose();
    let payment =
        shop.t.db.one(&format!("select id from payment where order_id = '{}'", waiting.order.id.0)).await;
    let payment = dispense::base::ids::PaymentId(payment.parse().unwrap()).to_string();
    let ticket = dispense::orders::access::watch_ticket(
        &shop.t.app,
        waiting.order.id,
        waiting.order.access_generation,
    )
    .0;
    let key = |name: &str| format!("operation {name} 0123456789");
    // The operation, its variables, where the answer has what was asked for, and its value where it is known.
    let cases: Vec<(&str, Value, &str, Option<Value>)> = vec![
        ("home", json!({ "cur": "USD" }), "/products/edges/0/node/id", None),
        ("search", json!({ "q": "thing" }), "/products/totalCount", Some(json!(2))),
        (
            "product_page",
            json!({ "slug": slug }),
            "/product/variants/0/id",
            Some(json!(shop.keys.to_string())),
        ),
        (
            "cart",
            json!({ "in": { "lines": cart, "currency": "USD" } }),
            "/quote/total/amount",
            Some(json!("12.50")),
        ),
        (
            "buy",
            json!({ "in": { "idempotencyKey": key("buy"), "lines": cart, "currency": "USD", "expectedTotal": "12.50",
            "email": "guest@example.com" } }),
            "/orderPlace/order/stage",
            Some(json!("AWAITING_PAYMENT")),
        ),
        (
            "pay_again",
            json!({ "in": { "idempotencyKey": key("pay"), "orderId": waiting.order.id.to_string(), "accessToken": token,
            "options": { "methodId": "mth_generic", "accepts": [] } } }),
            "/paymentStart/userErrors/0/code",
            None,
        ),
        (
            "i_have_paid",
            json!({ "in": { "paymentId": payment, "accessToken": token } }),
            "/paymentCheck/order/number",
            Some(json!(waiting.order.number)),
        ),
        (
            "order_page",
            json!({ "n": waiting.order.number, "t": token }),
            "/order/number",
            Some(json!(waiting.order.number)),
        ),
        ("order_status", json!({ "t": ticket }), "/orderStatus/number", Some(json!(waiting.order.number))),
        ("reveal", json!({ "line": id("OrderLine") }), "/deliveryReveal/secrets/1/text", None),
        (
            "download_link",
            json!({ "in": { "grantId": id("DownloadGrant") } }),
            "/downloadLinkCreate/link/url",
            None,
        ),
        (
            "library",
            json!({ "since": "2026-01-31T13:00:00.5+01:00" }),
            "/myDownloads/edges/1/node/order/number",
            None,
        ),
        ("my_orders", json!({}), "/myOrders/nodes/1/number", None),
        (
            "resend",
            json!({ "in": { "orderId": shop.order.order.id.to_string() } }),
            "/deliveryResend/order/id",
            Some(json!(id("Order"))),
        ),
        (
            "report",
            json!({ "in": { "idempotencyKey": key("report"), "deliveryId": id("SecretDelivery"), "problem": "INVALID_KEY", "wish": "REPLACE" } }),
            "/deliveryReport/line/id",
            Some(json!(id("OrderLine"))),
        ),
        (
            "lost_order",
            json!({ "in": { "email": "guest@example.com" } }),
            "/orderAccessRequest/userErrors",
            Some(json!([])),
        ),
        (
            "lost_order_code",
            json!({ "in": { "email": "guest@example.com", "code": "AAAAA-AAAAA" } }),
            "/orderAccessRedeem/userErrors/0/code",
            Some(json!("ACCESS_CODE_WRONG")),
        ),
        (
            "sign_in",
            json!({ "in": { "email": BUYER, "password": crate::harness::PASSWORD } }),
            "/sessionCreate/tokens/accessToken",
            None,
        ),
        (
            "refresh",
            json!({ "in": { "refreshToken": "none" } }),
            "/sessionRefresh/userErrors/0/code",
            Some(json!("REFRESH_TOKEN_INVALID")),
        ),
        (
            "email_code",
            json!({ "in": { "email": "somebody@buyer.example" } }),
            "/emailCodeRequest/userErrors",
            Some(json!([])),
        ),
        (
            "revoke_access",
            json!({ "in": { "orderId": "ord_0", "accessToken": "oat_0", "idempotencyKey": "an end of all links" } }),
            "/orderAccessRevoke/userErrors/0/code",
            Some(json!("NOT_FOUND")),
        ),
        ("refetch", json!({ "id": id("Order") }), "/node/id", Some(json!(id("Order")))),
        (
            "cancel",
            json!({ "in": { "orderId": waiting.order.id.to_string(), "accessToken": token } }),
            "/orderCancel/order/id",
            None,
        ),
    ];
    assert_eq!(cases.len(), shipped().len(), "every operation is tried");
    for (name, variables, at, wanted) in cases {
        let query = std::fs::read_to_string(format!("tests/operations/{name}.graphql")).unwrap();
        let by_token =
            ["buy", "pay_again", "i_have_paid", "order_page", "order_status", "cancel"].contains(&name);
        let client = if by_token { &guest } else { &buyer };
        let data = client.data(&query, variables).await;
        let found = data.pointer(at).cloned().unwrap_or_default();
        assert!(!found.is_null(), "{name}: nothing at {at} in {data}");
        if let Some(wanted) = wanted {
            assert_eq!(found, wanted, "{name}: {data}");
        }
    }
    shop.finish().await;
}

/// Foreign things look exactly like missing ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_sees_nothing_of_sellers_staff_or_others() {
    let t = TestApp::start().await;
    let client = Client::new(&t.app);
    let data = client
        .data(
            "{ me { id } seller { products { totalCount } } desk { health { openTasks } } myOrders { totalCount }
               myDownloads { totalCount } nodes(ids: [\"usr_00000000000000000000000001\", \"nonsense\", \"ord_x\"]) { id } }",
            json!({}),
        )
        .await;
    assert_eq!(
        data,
        json!({ "me": null, "seller": null, "desk": null, "myOrders": null, "myDownloads": null,
                "nodes": [null, null, null] })
    );
    let reply = client.ask("mutation { sessionRevokeAll { revoked } }", json!({})).await;
    assert_eq!(reply.code(), "UNAUTHENTICATED");
    let wrong = client.with("not.a.token").ask("{ shop { name } }", json!({})).await;
    assert_eq!((wrong.status.as_u16(), wrong.code().as_str()), (401, "UNAUTHENTICATED"));
    t.finish().await;
}

/// Rows: K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_moves_once_a_request_secrets_stay_out_of_urls_and_pages_have_a_price() {
    let t = TestApp::start().await;
    let client = Client::new(&t.app);
    let pay = |name: &str| {
        format!(
            "{name}: paymentStart(input: {{idempotencyKey: \"0123456789abcdef0123\", orderId: \"x\",
            options: {{methodId: \"mth_a\", accepts: []}}}}) {{ replayed }}"
        )
    };
    let two = client.ask(&format!("mutation {{ {} {} }}", pay("a"), pay("b")), json!({})).await;
    assert_eq!(two.code(), "TOO_COMPLEX");

    let dear = "{ products(first: 100) { nodes { variants { product { variants { price { unit { amount } tiers { unit { amount } } } \
        availability { text } goods { kind delivery { text } } } seller { name } } \
        price { unit { amount } } availability { text } goods { kind delivery { text } } } seller { name } \
        availability { text } priceFrom { amount } } } }";
    assert_eq!(client.ask(dear, json!({})).await.code(), "TOO_COMPLEX");

    let order = "query($t: String) { order(number: \"D-1\", accessToken: $t) { id } }";
    let accept = "application/graphql-response+json";
    let secret = client.get(&[("query", order), ("variables", r#"{"t":"oat_secret"}"#)], accept).await;
    assert_eq!((secret.status.as_u16(), secret.code().as_str()), (400, "SECRET_IN_URL"));
    let ticket = client.get(&[("query", order), ("variables", r#"{"t":"wat_1_ab"}"#)], accept).await;
    assert_eq!(ticket.json(), json!({ "data": { "order": null } }));
    let none = client.get(&[("query", order)], accept).await;
    assert_eq!(none.status.as_u16(), 200);
    let by_get = client.get(&[("query", "mutation { sessionRevokeAll { revoked } }")], accept).await;
    assert_eq!((by_get.status.as_u16(), by_get.header("allow")), (405, "POST"));

    for query in [
        "{ products(first: 0) { totalCount } }",
        "{ products(first: 101) { totalCount } }",
        "{ products(first: 1, last: 1) { totalCount } }",
    ] {
        assert_eq!(client.ask(query, json!({})).await.code(), "BAD_REQUEST", "{query}");
    }
    let cursor = client.ask("{ products(after: \"bm9uc2Vuc2U\") { totalCount } }", json!({})).await;
    assert_eq!(cursor.code(), "INVALID_CURSOR");
    t.finish().await;
}
