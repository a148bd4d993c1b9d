//! Buys a key from a running shop with its sandbox on (`make run`), by nothing but its public API.
//!
//! ```text
//! cargo run --example buy_a_key -- http://127.0.0.1:8080 [product-slug]
//! ```

use std::error::Error;
use std::time::Duration;

use serde_json::{Value, json};

type Fallible<T> = Result<T, Box<dyn Error>>;

async fn ask(http: &reqwest::Client, shop: &str, query: &str, variables: Value) -> Fallible<Value> {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let request = http.post(format!("{shop}/graphql")).header("content-type", "application/json");
    let answer: Value = serde_json::from_str(&request.body(body).send().await?.text().await?)?;
    match answer.get("errors") {
        Some(errors) => Err(errors.to_string().into()),
        None => Ok(answer["data"].clone()),
    }
}

fn text<'a>(value: &'a Value, path: &str) -> Fallible<&'a str> {
    value.pointer(path).and_then(Value::as_str).ok_or_else(|| format!("no {path} in {value}").into())
}

#[tokio::main]
async fn main() -> Fallible<()> {
    let mut arguments = std::env::args().skip(1);
    let shop = arguments.next().unwrap_or_else(|| "http://127.0.0.1:8080".into());
    let slug = arguments.next().unwrap_or_else(|| "stargazer-pro".into());
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;

    let query = "query($slug: String!) { product(by: {slug: $slug}) { name variants { id } } }";
    let found = ask(&http, &shop, query, json!({ "slug": slug })).await?;
    let variant = text(&found, "/product/variants/0/id")?;
    let lines = json!([{ "key": "1", "variantId": variant, "quantity": 1 }]);

    let query = "query($in: QuoteInput!) { quote(input: $in) { token total { amount currency } \
                 paymentMethods { id gateway available } } }";
    let quoted = ask(&http, &shop, query, json!({ "in": { "lines": lines } })).await?;
    let methods = quoted["quote"]["paymentMethods"].as_array().ok_or("no way to pay")?;
    let method = methods.iter().find(|m| m["gateway"] == "generic").ok_or("the sandbox is off")?;

    // Kept by a real client before it sends: a lost answer is asked for again with the same key.
    let key = format!("example-{}", uuid::Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext)));
    let query = "mutation($in: OrderPlaceInput!) { orderPlace(input: $in) { accessToken order { number } \
                 payment { action { hostedUrl } } userErrors { message } paymentErrors { message } } }";
    let bought = ask(&http, &shop, query, json!({ "in": {
        "idempotencyKey": key, "lines": lines, "email": "ada@buyer.example",
        "currency": quoted["quote"]["total"]["currency"], "expectedTotal": quoted["quote"]["total"]["amount"],
        "quoteToken": quoted["quote"]["token"], "start": { "methodId": method["id"], "accepts": ["REDIRECT"] },
    } }))
    .await?;
    let number = text(&bought, "/orderPlace/order/number")?;
    let token = text(&bought, "/orderPlace/accessToken")?;
    println!("order {number}, token {token}");

    // What a browser would do: open the payment page, press the sandbox's button.
    let page = http.get(text(&bought, "/orderPlace/payment/action/hostedUrl")?).send().await?;
    let gateway = page.headers().get("location").ok_or("no redirect to the gateway")?.to_str()?.to_owned();
    http.post(format!("{gateway}/pay")).send().await?;

    let query = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { stage \
                 live { pollAfterSeconds } lines { id } } }";
    let line = loop {
        let seen = ask(&http, &shop, query, json!({ "n": number, "t": token })).await?;
        println!("{}", text(&seen, "/order/stage")?);
        if seen["order"]["stage"] == "DELIVERED" {
            break text(&seen, "/order/lines/0/id")?.to_owned();
        }
        let seconds = seen["order"]["live"]["pollAfterSeconds"].as_u64().ok_or("it will not be delivered")?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    };

    let query = "mutation($l: ID!, $t: String) { deliveryReveal(input: {target: {lineId: $l}, accessToken: $t}) \
                 { secrets { text } userErrors { message } } }";
    let shown = ask(&http, &shop, query, json!({ "l": line, "t": token })).await?;
    println!("key {}", text(&shown, "/deliveryReveal/secrets/0/text")?);
    Ok(())
}
