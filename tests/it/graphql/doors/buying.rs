//! From the cart to the payment.

use dispense::people::code::Purpose;
use serde_json::{Value, json};

use super::shop::{BUYER, ORDER, Shop, once, order, pay, refusal, shop};
use crate::harness::visitor::Visitor;

fn cart(shop: &Shop, keys: i32) -> Value {
    json!([{ "key": "a", "variantId": shop.keys.variant, "quantity": keys },
        { "key": "b", "variantId": shop.book.variant, "quantity": 1 }])
}

/// Sends: quote, paymentMethods, orderPlace, order, myOrders.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cart_is_quoted_and_ordered_and_its_buyer_alone_sees_the_order() {
    let shop = shop().await;
    let quote = async |lines: Value| {
        let query = "query($i: QuoteInput!) { quote(input: $i) { token canPlace total { amount } problems { code }
            lines { key total { amount } problems { code available field } } paymentMethods { id available } } }";
        shop.buyer.ask(query, json!({ "i": { "lines": lines, "currency": "USD" } })).await["quote"].clone()
    };
    let none = quote(json!([])).await;
    assert_eq!((&none["canPlace"], &none["problems"][0]["code"]), (&json!(false), &json!("EMPTY")));
    let many = quote(cart(&shop, 8)).await;
    let problem = &many["lines"][0]["problems"][0];
    assert_eq!((&problem["code"], &problem["available"]), (&json!("NOT_ENOUGH_STOCK"), &json!(7)), "{many}");
    let good = quote(cart(&shop, 2)).await;
    assert_eq!((&good["canPlace"], &good["total"]["amount"]), (&json!(true), &json!("28.00")));
    assert_eq!(good["paymentMethods"], json!([{ "id": "mth_stripe", "available": true }]));

    let methods =
        "query($c: CurrencyCode) { paymentMethods(currency: $c) { id gateway currencies actions } }";
    let found = shop.guest.ask(methods, json!({ "c": "USD" })).await["paymentMethods"].clone();
    assert_eq!((&found[0]["id"], &found[0]["currencies"]), (&json!("mth_stripe"), &json!(["USD"])));
    assert_eq!(shop.guest.ask(methods, json!({ "c": "CNY" })).await["paymentMethods"], json!([]));

    let key = once();
    let place = async |who: &Visitor, keys: i32, total: &str, more: Value| {
        let mut input = json!({ "idempotencyKey": key, "lines": cart(&shop, keys), "currency": "USD", "expectedTotal": total });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        who.act("orderPlace", input, "replayed accessToken order { id number } quote { total { amount } }")
            .await
    };
    assert_eq!(refusal(&place(&shop.guest, 2, "28.00", json!({})).await), "EMAIL_REQUIRED email");
    let changed = place(&shop.buyer, 2, "27.00", json!({})).await;
    assert_eq!(
        (refusal(&changed).as_str(), &changed["quote"]["total"]["amount"]),
        ("PRICE_CHANGED expectedTotal", &json!("28.00"))
    );
    assert_eq!(
        refusal(&place(&shop.buyer, 8, "103.00", json!({})).await),
        "NOT_ENOUGH_STOCK lines.0.quantity"
    );
    let placed =
        place(&shop.buyer, 2, "28.00", json!({ "quoteToken": good["token"], "reference": "mine" })).await;
    assert_eq!((refusal(&placed).as_str(), &placed["replayed"]), ("done", &json!(false)));
    let again =
        place(&shop.buyer, 2, "28.00", json!({ "quoteToken": good["token"], "reference": "mine" })).await;
    assert_eq!((&again["replayed"], &again["order"]["id"]), (&json!(true), &placed["order"]["id"]));
    assert_eq!(
        refusal(&place(&shop.buyer, 1, "15.50", json!({})).await),
        "IDEMPOTENCY_CONFLICT idempotencyKey"
    );

    let look = format!("query($n: String!) {{ order(number: $n) {{ reference {ORDER} }} }}");
    let look = async |who: &Visitor| {
        who.ask(&look, json!({ "n": placed["order"]["number"] })).await["order"].clone()
    };
    let seen = look(&shop.buyer).await;
    assert_eq!(
        (&seen["state"], &seen["total"]["amount"], &seen["email"], &seen["reference"]),
        (&json!("PENDING_PAYMENT"), &json!("28.00"), &json!(BUYER), &json!("mine"))
    );
    let lines: Vec<_> =
        seen["lines"].as_array().unwrap().iter().map(|l| (&l["kind"], &l["quantity"])).collect();
    assert_eq!(lines, [(&json!("key"), &json!(2)), (&json!("file"), &json!(1))]);
    for stranger in [&shop.guest, &*shop.seller] {
        assert_eq!(look(stranger).await, Value::Null);
    }
    let mine = "{ myOrders { totalCount nodes { number state } } }";
    let list = shop.buyer.ask(mine, json!({})).await["myOrders"].clone();
    assert_eq!(
        list,
        json!({ "totalCount": 2, "nodes": [
            { "number": placed["order"]["number"], "state": "PENDING_PAYMENT" },
            { "number": shop.by_buyer.number, "state": "PAID" },
        ] })
    );
    assert_eq!(shop.guest.ask(mine, json!({})).await["myOrders"], Value::Null);
    shop.sound().await;
}

/// Sends: emailCodeRequest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_proves_an_address_to_buy_what_is_limited() {
    let shop = shop().await;
    let t = shop.t();
    let limit = json!({ "variantId": shop.book.variant, "fields": { "limitPerBuyer": 1 } });
    assert_eq!(refusal(&shop.seller.act("variantUpdate", limit, "").await), "done");
    let lines = json!([{ "key": "b", "variantId": shop.book.variant, "quantity": 1 }]);
    let email = "proven@people.example";
    let problems = async |code: Value| {
        let input = json!({ "lines": lines, "currency": "USD", "email": email, "emailCode": code });
        let query = "query($i: QuoteInput!) { quote(input: $i) { canPlace problems { code } } }";
        shop.guest.ask(query, json!({ "i": input })).await["quote"]["problems"].clone()
    };
    assert_eq!(problems(Value::Null).await[0]["code"], "EMAIL_CODE_REQUIRED");
    let request =
        async |email: &str| refusal(&shop.guest.act("emailCodeRequest", json!({ "email": email }), "").await);
    assert_eq!(request("no address").await, "EMAIL_INVALID email");
    let guessed = problems(json!("AAAAA-AAAAA")).await;
    assert_eq!(guessed, json!([{ "code": "EMAIL_CODE_REQUIRED" }, { "code": "EMAIL_CODE_WRONG" }]));
    assert_eq!(request(email).await, "done");
    let code = t.mailed_code(Purpose::ProveEmail, email).await;
    assert_eq!(problems(json!(code.expose())).await, json!([]));
    let place = async |code: Value| {
        let input = json!({ "idempotencyKey": once(), "lines": lines, "currency": "USD", "expectedTotal": "3.00",
            "email": email, "emailCode": code });
        refusal(&shop.guest.act("orderPlace", input, "order { id }").await)
    };
    assert_eq!(place(Value::Null).await, "EMAIL_CODE_REQUIRED emailCode");
    assert_eq!(place(json!(code.expose())).await, "done");
    shop.sound().await;
}

/// Sends: paymentStart, paymentCheck, orderStatus.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_of_which_no_notice_comes_is_found_by_asking() {
    let shop = shop().await;
    let t = shop.t();
    let input = json!({ "idempotencyKey": once(), "currency": "USD", "expectedTotal": "12.50", "email": "slow@people.example",
        "lines": [{ "key": "a", "variantId": shop.keys.variant, "quantity": 1 }] });
    let fields = "accessToken order { id number live { watchTicket } }";
    let placed = shop.guest.act("orderPlace", input, fields).await;
    t.canary(placed["accessToken"].as_str().unwrap());
    let (id, token, number) =
        (&placed["order"]["id"], &placed["accessToken"], placed["order"]["number"].as_str().unwrap());
    let start = async |order: &Value, token: &Value, method: &str, back: &str| {
        let options = json!({ "methodId": method, "accepts": ["REDIRECT"], "returnUrl": back });
        let input =
            json!({ "idempotencyKey": once(), "orderId": order, "accessToken": token, "options": options });
        let fields = "payment { id state action { ... on RedirectAction { url } } }";
        shop.guest.act("paymentStart", input, fields).await
    };
    let back = "https://shop.example/back";
    for (order, token, method, back, wanted) in [
        (id, &Value::Null, "mth_stripe", back, "NOT_FOUND orderId"),
        (id, token, "mth_none", back, "METHOD_NOT_AVAILABLE options.methodId"),
        (id, token, "mth_stripe", "https://elsewhere.example/", "RETURN_URL_NOT_ALLOWED options.returnUrl"),
        (&json!(shop.by_guest.id), &shop.by_guest.token, "mth_stripe", back, "ALREADY_PAID"),
    ] {
        assert_eq!(refusal(&start(order, token, method, back).await), wanted);
    }
    let started = start(id, token, "mth_stripe", back).await;
    assert_eq!(refusal(&started), "done");
    let payment = started["payment"]["id"].clone();
    let see = async || {
        let query =
            format!("query($n: String!, $t: String) {{ order(number: $n, accessToken: $t) {{ {ORDER} }} }}");
        shop.guest.ask(&query, json!({ "n": number, "t": token })).await["order"].clone()
    };
    assert_eq!(see().await["payments"][0]["id"], payment);
    let status = "query($t: String!) { orderStatus(ticket: $t) { number stage total { amount } } }";
    let status =
        async |ticket: &Value| shop.guest.ask(status, json!({ "t": ticket })).await["orderStatus"].clone();
    let ticket = &placed["order"]["live"]["watchTicket"];
    assert_eq!(
        status(ticket).await,
        json!({ "number": number, "stage": "AWAITING_PAYMENT", "total": { "amount": "12.50" } })
    );
    assert_eq!(status(&json!("wat_nonsense")).await, Value::Null);

    shop.street.visit(started["payment"]["action"]["url"].as_str().unwrap()).await;
    shop.street.act(number, "lose-notice");
    shop.street.settled().await;
    assert_eq!(see().await["state"], "PENDING_PAYMENT");
    let check = async |payment: &Value, token: &Value| {
        let input = json!({ "paymentId": payment, "accessToken": token });
        shop.guest.act("paymentCheck", input, "order { state stage } payment { state }").await
    };
    assert_eq!(refusal(&check(&payment, &Value::Null).await), "NOT_FOUND paymentId");
    assert_eq!(refusal(&check(&json!(shop.by_buyer.payment), token).await), "NOT_FOUND paymentId");
    let found = check(&payment, ticket).await;
    assert_eq!(
        (refusal(&found).as_str(), &found["payment"]["state"]),
        ("done", &json!("CAPTURED")),
        "{found}"
    );
    shop.street.settled().await;
    let seen = see().await;
    assert_eq!((&seen["state"], &seen["stage"]), (&json!("PAID"), &json!("DELIVERED")));
    assert_eq!(status(ticket).await["stage"], "DELIVERED");
    shop.sound().await;
}

/// Sends: orderCancel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unpaid_order_is_given_up_by_its_holder_and_a_paid_one_is_not() {
    let shop = shop().await;
    let cancel = async |who: &Visitor, order: &str, token: &Value| {
        let input = json!({ "orderId": order, "accessToken": token, "reason": "too dear" });
        who.act("orderCancel", input, "order { state }").await
    };
    assert_eq!(refusal(&cancel(&shop.guest, &shop.unpaid.id, &Value::Null).await), "NOT_FOUND orderId");
    assert_eq!(refusal(&cancel(&shop.buyer, &shop.unpaid.id, &Value::Null).await), "NOT_FOUND orderId");
    assert_eq!(refusal(&cancel(&shop.guest, &shop.by_guest.id, &shop.by_guest.token).await), "ALREADY_PAID");
    assert_eq!(refusal(&cancel(&shop.buyer, &shop.by_buyer.id, &Value::Null).await), "ALREADY_PAID");
    let done = cancel(&shop.guest, &shop.unpaid.id, &shop.unpaid.token).await;
    assert_eq!((refusal(&done).as_str(), &done["order"]["state"]), ("done", &json!("CANCELLED")));
    shop.street.settled().await;
    let seen = shop.see(&shop.unpaid).await;
    assert_eq!(
        (&seen["state"], &seen["stage"], &seen["canPay"], &seen["canCancel"]),
        (&json!("CANCELLED"), &json!("CANCELLED"), &json!(false), &json!(false))
    );
    assert_eq!(
        shop.desk("orders(filter: { states: [CANCELLED] }) { nodes { id } }").await["orders"]["nodes"],
        json!([{ "id": shop.unpaid.id }])
    );
    let other = order(&shop.street, &shop.buyer, &[(&shop.book, 1)], "3.00", None).await;
    pay(&shop.street, &other).await;
    assert_eq!(shop.see(&other).await["state"], "PAID");
    shop.sound().await;
}
