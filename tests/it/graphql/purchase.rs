use dispense::base::actor::Role;
use serde_json::{Value, json};

use super::client::Client;
use crate::harness::{Said, TestApp, with_generic};

const ORDER: &str = "id number state stage email total { amount currency } due { amount } canPay canCancel canResendAt
    deliveredAt live { cursor pollAfterSeconds watchTicket } whyNotDelivered { code }
    lines { id title kind state deliveredQuantity refunded { amount }
        deliveries { totalCount nodes { __typename id state ... on SecretDelivery { masked revealedAt } } } grants { id } }
    payments { state amount { amount } canCheckAt } refunds { state amount { amount } } metadata { key value } reference";

fn cart(variant: &str, quantity: i32) -> Value {
    json!([{ "key": "a", "variantId": variant, "quantity": quantity }])
}

/// Rows: C7, K6, O2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_buys_a_key_by_the_api_and_reveals_it() {
    let t = TestApp::start_with(with_generic).await;
    let variant = t.selling_keys(3, 1_250).await;
    let client = Client::new(&t.app);
    let id = variant.to_string();

    let shelf = client
        .data("{ products { nodes { id name availability { level canBuy } priceFrom { amount currency } variants { id price { unit { amount } } goods { kind delivery { instant } } } } totalCount } }", json!({}))
        .await;
    let product = &shelf["products"]["nodes"][0];
    assert_eq!(product["priceFrom"], json!({ "amount": "12.50", "currency": "USD" }));
    assert_eq!((&product["variants"][0]["id"], &shelf["products"]["totalCount"]), (&json!(id), &json!(1)));

    let quote = client
        .data("query($in: QuoteInput!) { quote(input: $in) { token canPlace total { amount } lines { key problems { code available } } } }",
            json!({ "in": { "lines": cart(&id, 2), "currency": "USD" } }))
        .await;
    assert_eq!(
        (&quote["quote"]["canPlace"], &quote["quote"]["total"]["amount"]),
        (&json!(true), &json!("25.00"))
    );

    let place = format!(
        "mutation($in: OrderPlaceInput!) {{ orderPlace(input: $in) {{ replayed accessToken order {{ {ORDER} }} quote {{ total {{ amount }} }}
            userErrors {{ code field available variantId message }} paymentErrors {{ code }} }} }}"
    );
    let input = |total: &str, quantity: i32| {
        json!({ "in": {
            "idempotencyKey": "a key of the test 0001", "lines": cart(&id, quantity), "currency": "USD", "expectedTotal": total,
            "email": "guest@example.com", "metadata": [{ "key": "k", "value": "v" }],
        } })
    };
    let changed = client.data(&place, input("24.00", 2)).await;
    assert_eq!(changed["orderPlace"]["userErrors"][0]["code"], "PRICE_CHANGED");
    assert_eq!(changed["orderPlace"]["quote"]["total"]["amount"], "25.00");
    let short = client.data(&place, input("50.00", 4)).await;
    let error = &short["orderPlace"]["userErrors"][0];
    assert_eq!(
        (&error["code"], &error["available"], &error["variantId"]),
        (&json!("NOT_ENOUGH_STOCK"), &json!(3), &json!(id))
    );

    let placed = client.data(&place, input("25.00", 2)).await["orderPlace"].clone();
    assert_eq!(placed["userErrors"], json!([]));
    let again = client.data(&place, input("25.00", 2)).await["orderPlace"].clone();
    assert_eq!((&again["replayed"], &again["accessToken"]), (&json!(true), &placed["accessToken"]));
    let order = &placed["order"];
    assert_eq!(
        (&order["state"], &order["stage"], &order["due"]["amount"]),
        (&json!("PENDING_PAYMENT"), &json!("AWAITING_PAYMENT"), &json!("25.00"))
    );
    let token = placed["accessToken"].as_str().unwrap();
    t.canary(token);

    let see =
        format!("query($n: String!, $t: String) {{ order(number: $n, accessToken: $t) {{ {ORDER} }} }}");
    let number = order["number"].as_str().unwrap();
    let line = order["lines"][0]["id"].as_str().unwrap();
    let reveal = "mutation($line: ID!, $t: String) { deliveryReveal(input: {target: {lineId: $line}, accessToken: $t, first: 1}) {
        secrets { text delivery { id state revealedAt } } pageInfo { hasNextPage endCursor } line { state } userErrors { code } } }";
    let early = client.data(reveal, json!({ "line": line, "t": token })).await;
    assert_eq!(early["deliveryReveal"]["userErrors"][0]["code"], "NOT_PAID");
    for stranger in [Value::Null, json!("oat_00"), json!("nonsense\n")] {
        assert_eq!(client.data(&see, json!({ "n": number, "t": stranger })).await["order"], Value::Null);
    }

    let said = Said {
        id: "evt_1".into(),
        kind: "payment.succeeded",
        number: number.into(),
        trade_no: "T1".into(),
        amount_minor: 2_500,
        currency: "USD",
        refunded_minor: None,
    };
    t.db.sql(&format!(
        "insert into payment (id, order_id, account_id, account_snapshot, attempt, gateway_number, expected_minor, expected_currency)
         select '{}', id, 'generic', '{{}}', 1, number, total_minor, currency from orders where number = '{number}'",
        t.app.clock.uuid()
    ))
    .await;
    assert_eq!(t.notify(&said).await.0, 200);

    let paid = client.data(&see, json!({ "n": number, "t": token })).await["order"].clone();
    assert_eq!(
        (&paid["state"], &paid["stage"], &paid["due"]["amount"]),
        (&json!("PAID"), &json!("DELIVERED"), &json!("0.00"))
    );
    assert_eq!(paid["live"]["pollAfterSeconds"], Value::Null);
    assert_eq!(paid["lines"][0]["deliveredQuantity"], 2);
    let delivery = &paid["lines"][0]["deliveries"]["nodes"][0];
    assert_eq!((&delivery["__typename"], &delivery["state"]), (&json!("SecretDelivery"), &json!("READY")));
    assert!(delivery["masked"].as_str().unwrap().contains("****"));
    assert_eq!(paid["metadata"], json!([{ "key": "k", "value": "v" }]));

    // A watch ticket shows the state alone and reveals nothing.
    let ticket = paid["live"]["watchTicket"].as_str().unwrap();
    assert_eq!(client.data(&see, json!({ "n": number, "t": ticket })).await["order"], Value::Null);
    let status = "query($t: String!) { orderStatus(ticket: $t) { number stage } }";
    let watched = client.data(status, json!({ "t": ticket })).await;
    assert_eq!(watched["orderStatus"], json!({ "number": number, "stage": "DELIVERED" }));
    let refused = client.data(reveal, json!({ "line": line, "t": ticket })).await;
    assert_eq!(refused["deliveryReveal"]["userErrors"][0]["code"], "FORBIDDEN");

    let first = client.data(reveal, json!({ "line": line, "t": token })).await["deliveryReveal"].clone();
    assert_eq!(first["userErrors"], json!([]));
    assert!(first["secrets"][0]["text"].as_str().unwrap().starts_with("CANARY-KEY-"));
    assert_eq!(
        (&first["secrets"][0]["delivery"]["state"], &first["pageInfo"]["hasNextPage"]),
        (&json!("REVEALED"), &json!(true))
    );

    let resend = "mutation($in: DeliveryResendInput!) { deliveryResend(input: $in) { nextAllowedAt order { id } userErrors { code retryAfterSeconds } } }";
    let input = json!({ "in": { "orderId": order["id"], "accessToken": token } });
    assert_eq!(client.data(resend, input.clone()).await["deliveryResend"]["userErrors"], json!([]));
    assert_eq!(
        client.data(resend, input).await["deliveryResend"]["userErrors"][0]["code"],
        "RESEND_TOO_SOON"
    );
    t.finish_with_jobs().await;
}

/// Rows: C7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_puts_a_product_on_sale_and_sees_the_desk() {
    let t = TestApp::start_with(with_generic).await;
    t.person("admin@example.com", &[Role::Admin, Role::Seller]).await;
    let guest = Client::new(&t.app);
    let sign_in = "mutation($in: SessionCreateInput!) { sessionCreate(input: $in) { tokens { accessToken refreshToken } user { email roles } userErrors { code message } } }";
    let wrong = guest
        .data(sign_in, json!({ "in": { "email": "admin@example.com", "password": "not the password" } }))
        .await;
    assert_eq!(wrong["sessionCreate"]["userErrors"][0]["code"], "CREDENTIALS_WRONG");
    let signed = guest
        .data(
            sign_in,
            json!({ "in": { "email": "admin@example.com", "password": crate::harness::PASSWORD } }),
        )
        .await;
    let admin = guest.with(signed["sessionCreate"]["tokens"]["accessToken"].as_str().unwrap());

    let made = admin
        .data("mutation { productCreate(input: {slug: \"editor\", texts: [{locale: \"en\", name: \"Editor\"}]}) { product { id state version } userErrors { code field message } } }", json!({}))
        .await;
    let product = made["productCreate"]["product"]["id"].as_str().unwrap().to_owned();
    assert_eq!(made["productCreate"]["product"]["state"], "DRAFT");
    let taken = admin
        .data(
            "mutation { productCreate(input: {slug: \"editor\"}) { userErrors { code field } } }",
            json!({}),
        )
        .await;
    assert_eq!(taken["productCreate"]["userErrors"], json!([{ "code": "SLUG_TAKEN", "field": ["slug"] }]));
    let variant = admin
        .data("mutation($p: ID!) { variantCreate(input: {productId: $p, kind: \"key\", fields: {texts: [{locale: \"en\", name: \"Standard\"}],
            prices: [{currency: \"USD\", unit: \"9.99\"}]}}) { variant { id price { unit { amount } } } userErrors { code field message } } }", json!({ "p": product }))
        .await["variantCreate"]["variant"].clone();
    assert_eq!(variant["price"]["unit"]["amount"], "9.99");
    let by_slug =
        "{ product(by: {slug: \"editor\"}) { name onSale state variants { availability { level } } } }";
    assert_eq!(guest.data(by_slug, json!({})).await["product"], Value::Null);
    for step in ["productSubmit", "productApprove"] {
        let text = format!(
            "mutation($p: ID!) {{ {step}(input: {{productId: $p}}) {{ product {{ state }} userErrors {{ code message }} }} }}"
        );
        let done = admin.data(&text, json!({ "p": product })).await;
        assert_eq!(done[step]["userErrors"], json!([]), "{done}");
    }
    let seen = guest.data(by_slug, json!({})).await["product"].clone();
    assert_eq!(
        (&seen["name"], &seen["onSale"], &seen["state"]),
        (&json!("Editor"), &json!(true), &Value::Null)
    );

    let keys = admin
        .data("mutation($v: ID!) { keysGenerate(input: {variantId: $v, quantity: 25}) { batch { state added origin } userErrors { code message field } } }", json!({ "v": variant["id"] }))
        .await;
    assert_eq!(
        keys["keysGenerate"]["batch"],
        json!({ "state": "DONE", "added": "25", "origin": "GENERATED" })
    );
    let import = admin
        .data("mutation($v: ID!) { keyImportCreate(input: {variantId: $v}) { batch { id } uploadUrl userErrors { code } } }", json!({ "v": variant["id"] }))
        .await;
    assert!(import["keyImportCreate"]["uploadUrl"].as_str().unwrap().contains("/keys/import/bat_"));
    let stock = admin
        .data("{ seller { stock { nodes { available sold waiting low variant { name } } } keyBatches { nodes { id origin problems { line code } } } orderLines { nodes { id } } products { nodes { state } } } }", json!({}))
        .await;
    assert_eq!(stock["seller"]["stock"]["nodes"][0]["available"], "25");
    assert_eq!(stock["seller"]["keyBatches"]["nodes"].as_array().unwrap().len(), 2);

    let desk = admin
        .data("{ me { email roles sessions { current device } } desk { orders { nodes { number timeline { kind } } } users { nodes { email } } tasks { nodes { id kind } } notices { nodes { verdict } } health { openTasks jobsDue } } }", json!({}))
        .await;
    assert_eq!(desk["desk"]["users"]["nodes"][0]["email"], "admin@example.com");
    assert_eq!(desk["me"]["sessions"][0]["current"], true);
    let node = admin
        .data(
            "query($id: ID!) { node(id: $id) { __typename id ... on Product { slug } } }",
            json!({ "id": product }),
        )
        .await;
    assert_eq!(node["node"], json!({ "__typename": "Product", "id": product, "slug": "editor" }));
    t.finish_with_jobs().await;
}
