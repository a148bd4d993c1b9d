//! Amounts that a gateway cannot take exactly: reported before a buyer is sent there, and refused with the same code.

use dispense::base::actor::Role;
use dispense::base::money::{Currency, Money};
use dispense::orders::place::Placed;
use dispense::payments::gateways::amounts;
use serde_json::{Value, json};

use super::street::{Street, street_with};
use crate::graphql::client::Client;

fn unit(gateway: &str, code: &str) -> Option<(u32, i64)> {
    amounts::unit(gateway, Currency::parse(code).unwrap()).map(|unit| (unit.exponent, unit.step))
}

fn units(gateway: &str, minor: i64, code: &str) -> Option<i64> {
    let currency = Currency::parse(code).unwrap();
    amounts::unit(gateway, currency).and_then(|unit| unit.units(Money::new(minor, currency)))
}

/// Rows: P2.
#[test]
fn each_gateway_has_its_own_decimals_and_steps() {
    for (gateway, code, wanted) in [
        ("stripe", "USD", Some((2, 1))),
        ("stripe", "HUF", Some((2, 1))),
        ("stripe", "TWD", Some((2, 1))),
        ("stripe", "JPY", Some((0, 1))),
        ("stripe", "KRW", Some((0, 1))),
        ("stripe", "ISK", Some((2, 100))),
        ("stripe", "UGX", Some((2, 100))),
        ("stripe", "KWD", Some((3, 10))),
        ("stripe", "TND", Some((3, 10))),
        ("stripe", "XTS", None),
        ("paypal", "EUR", Some((2, 1))),
        ("paypal", "HUF", Some((0, 1))),
        ("paypal", "JPY", Some((0, 1))),
        ("paypal", "TWD", Some((0, 1))),
        ("paypal", "KRW", None),
        ("paypal", "KWD", None),
        ("alipay", "CNY", Some((2, 1))),
        ("wechatpay", "USD", None),
        ("nobody", "USD", None),
    ] {
        assert_eq!(unit(gateway, code), wanted, "{gateway} {code}");
    }
    for (gateway, minor, code, wanted) in [
        ("paypal", 114_850, "HUF", None),
        ("paypal", 114_800, "HUF", Some(1_148)),
        ("paypal", 30_050, "TWD", None),
        ("paypal", 1_200, "JPY", Some(1_200)),
        ("stripe", 1_235, "KWD", None),
        ("stripe", 1_230, "KWD", Some(1_230)),
        ("stripe", 500, "ISK", Some(50_000)),
        ("stripe", 500, "UGX", Some(50_000)),
        ("stripe", 12_345, "KRW", Some(12_345)),
        ("stripe", 1_050, "MGA", None),
        ("stripe", i64::MAX, "ISK", None),
        ("generic", 1_235, "KWD", Some(1_235)),
    ] {
        assert_eq!(units(gateway, minor, code), wanted, "{gateway} {minor} {code}");
    }
    // The generic gateway counts as ISO 4217 does.
    for code in ["USD", "JPY", "KWD", "ISK", "IQD", "VND", "MGA", "CLP"] {
        let exponent = Currency::parse(code).unwrap().exponent();
        assert_eq!(unit("generic", code), Some((exponent, 1)), "{code}");
    }
}

/// A shop that sells in currencies with decimals of their own.
async fn shop() -> Street {
    let many = ["USD", "HUF", "TWD", "JPY", "KRW", "KWD", "ISK"];
    street_with(|account| {
        let takes = |code: &&&str| unit(&account.gateway, code).is_some();
        account.currencies = many.iter().filter(takes).map(|code| (*code).to_owned()).collect();
        if account.currencies.is_empty() {
            account.currencies = vec!["CNY".into()];
        }
    })
    .await
}

impl Street {
    /// One piece at this price, ordered in its currency.
    async fn priced(&self, minor: i64, code: &str) -> (String, Placed) {
        let variant = self.t.selling_keys(3, minor).await;
        let sql = format!("update price set currency = '{code}' where variant_id = '{}'", variant.0);
        self.t.db.sql(&sql).await;
        (variant.to_string(), self.t.place_in(&[(variant, 1)], code).await)
    }
}

fn of<'a>(methods: &'a Value, gateway: &str) -> &'a Value {
    methods.as_array().unwrap().iter().find(|m| m["gateway"] == gateway).unwrap()
}

/// Rows: P2, O2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_amount_with_too_many_decimals_is_not_offered_and_not_started_and_the_others_are() {
    let street = shop().await;
    let client = Client::new(&street.t.app);
    for (gateway, minor, code, reason) in [
        ("paypal", 114_850, "HUF", Some("AMOUNT_NOT_SUPPORTED")),
        ("paypal", 114_800, "HUF", None),
        ("paypal", 30_050, "TWD", Some("AMOUNT_NOT_SUPPORTED")),
        ("paypal", 30_000, "TWD", None),
        ("paypal", 12_000, "JPY", None),
        ("paypal", 12_000, "KRW", Some("CURRENCY_NOT_SUPPORTED")),
        ("stripe", 1_235, "KWD", Some("AMOUNT_NOT_SUPPORTED")),
        ("stripe", 1_230, "KWD", None),
        ("stripe", 114_850, "HUF", None),
        ("stripe", 12_345, "KRW", None),
        ("stripe", 5_001, "ISK", None),
        ("generic", 1_235, "KWD", None),
    ] {
        let (variant, placed) = street.priced(minor, code).await;
        let reported = (reason.is_none(), reason.map_or(Value::Null, |reason| json!(reason)));
        let seen = |method: &Value| (method["available"].as_bool().unwrap(), method["reason"].clone());
        let asked = json!({ "in": { "lines": [{ "key": "a", "variantId": variant, "quantity": 1 }], "currency": code } });
        let quote =
            "query($in: QuoteInput!) { quote(input: $in) { paymentMethods { gateway available reason } } }";
        let quote = client.data(quote, asked).await["quote"].clone();
        assert_eq!(seen(of(&quote["paymentMethods"], gateway)), reported, "quote: {gateway} {minor} {code}");

        let token = placed.access_token.expose();
        let order = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { paymentMethods { id gateway available reason } } }";
        let order =
            client.data(order, json!({ "n": placed.order.number, "t": token })).await["order"].clone();
        let method = of(&order["paymentMethods"], gateway);
        assert_eq!(seen(method), reported, "order: {gateway} {minor} {code}");

        let start = "mutation($in: PaymentStartInput!) { paymentStart(input: $in) { payment { state } userErrors { code field message } } }";
        let wish = json!({ "in": { "idempotencyKey": format!("start-{}-{gateway}", placed.order.number), "orderId": placed.order.id.to_string(),
            "accessToken": token, "options": { "methodId": method["id"], "accepts": ["REDIRECT"] } } });
        let started = client.data(start, wish).await["paymentStart"].clone();
        match reason {
            None => {
                assert_eq!(started["payment"]["state"], "STARTED", "{gateway} {minor} {code}: {started}");
                // The gateway has the same amount in its own integers.
                let there = street.there(&placed.order.number);
                assert_eq!(there["amount"].as_i64(), units(gateway, minor, code), "{gateway} {minor} {code}");
            }
            Some(code) => {
                assert_eq!(started["userErrors"][0]["code"], code, "{started}");
                assert_eq!(started["userErrors"][0]["field"], json!(["options", "methodId"]));
                let none = format!("select count(*) from payment where order_id = '{}'", placed.order.id.0);
                assert_eq!(street.t.db.one(&none).await, "0", "nothing was begun");
            }
        }
    }
    street.t.finish_with_jobs().await;
}

/// Rows: P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_the_gateway_cannot_express_is_not_given_back_and_one_that_it_can_is() {
    let street = shop().await;
    let t = &street.t;
    for (gateway, minor, code, bad, good) in
        [("paypal", 114_800, "HUF", "100.50", "100"), ("stripe", 1_230, "KWD", "0.235", "0.230")]
    {
        let (_, placed) = street.priced(minor, code).await;
        street.start(&placed, gateway).await;
        street.act(&placed.order.number, "pay");
        street.settled().await;
        assert_eq!(t.order_state(placed.order.id).await, "paid", "{gateway}");
        let email = format!("support-{gateway}@shop.example");
        t.person(&email, &[Role::Support]).await;
        let token = t.sign_in(&email).await.tokens.access;
        let desk = Client::new(&t.app).with(token.expose());
        let refund = async |amount: &str| {
            let mutation = "mutation($in: OrderRefundInput!) { orderRefund(input: $in) { refund { state } userErrors { code field } } }";
            let input = json!({ "idempotencyKey": format!("refund-{gateway}-{amount}"), "orderId": placed.order.id.to_string(), "amount": amount });
            desk.data(mutation, json!({ "in": input })).await["orderRefund"].clone()
        };
        let refused = refund(bad).await;
        assert_eq!(
            refused["userErrors"][0],
            json!({ "code": "REFUND_NOT_SUPPORTED", "field": ["amount"] }),
            "{refused}"
        );
        assert_eq!(t.db.one("select count(*) from refund where state <> 'succeeded'").await, "0");
        let made = refund(good).await;
        assert_eq!(made["refund"]["state"], "SUCCEEDED", "{gateway}: {made}");
        street.settled().await;
    }
    street.t.finish_with_jobs().await;
}
