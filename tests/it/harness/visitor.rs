//! A client at the shop's door: GraphQL over HTTP, from a network address of its own.

use dispense::base::ids::OrderId;
use dispense::base::secret::Secret;
use dispense::orders::place::Placed;
use serde_json::{Value, json};

use super::sent::Sent;
use super::{Said, TestApp};

/// Lets visitors come from where they say, as behind a proxy.
pub fn behind_a_proxy(config: &mut dispense::config::Config) {
    config.server.trusted_proxies = vec!["127.0.0.0/8".into()];
}

/// One client. Its address counts in shops that are `behind_a_proxy`.
#[derive(Clone)]
pub struct Visitor {
    http: reqwest::Client,
    base: String,
    address: String,
    device: String,
    country: Option<&'static str>,
    token: Option<String>,
    sent: Sent,
}

impl TestApp {
    /// Somebody at this network address.
    pub fn visitor(&self, address: &str) -> Visitor {
        Visitor {
            http: self.http().clone(),
            base: self.base.clone(),
            address: address.into(),
            device: "a browser".into(),
            country: None,
            token: None,
            sent: self.sent.clone(),
        }
    }

    /// An order that was placed through the door, as the harness's other actions want it.
    pub async fn placed(&self, answer: &Value) -> Placed {
        let id = OrderId::parse(answer["order"]["id"].as_str().unwrap()).unwrap();
        let mut conn = self.app.db.conn().await.unwrap();
        let order = dispense::orders::store::find(&mut conn, id).await.unwrap().unwrap();
        let access_token = Secret::new(answer["accessToken"].as_str().unwrap_or_default());
        Placed { order, access_token, replayed: false }
    }

    /// Pays an order that was placed through the door by a signed notice.
    pub async fn pay(&self, answer: &Value) {
        let placed = self.placed(answer).await;
        self.attempt(&placed, 1).await;
        let (status, _) = self.notify(&Said::paid(&placed, &format!("T{}", placed.order.number))).await;
        assert_eq!(status, 200);
    }
}

impl Visitor {
    /// The same client, signed in.
    pub fn signed_in(&self, access: &Secret) -> Self {
        Self { token: Some(access.expose().to_owned()), ..self.clone() }
    }

    /// The same client, signed in by the text of a token.
    pub fn bearer(&self, access: &str) -> Self {
        Self { token: Some(access.to_owned()), ..self.clone() }
    }

    /// The same client, whose country a proxy names in `X-Client-Country`.
    pub fn in_country(&self, country: &'static str) -> Self {
        Self { country: Some(country), ..self.clone() }
    }

    /// The same place, another device.
    pub fn with_device(&self, device: &str) -> Self {
        Self { device: device.into(), ..self.clone() }
    }

    /// At another server of the shop.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.into(), ..self.clone() }
    }

    /// The whole answer.
    pub async fn raw(&self, query: &str, variables: Value) -> Value {
        let mut request = self
            .http
            .post(format!("{}/graphql", self.base))
            .header("content-type", "application/json")
            .header("x-forwarded-for", &self.address)
            .header("user-agent", &self.device);
        if let Some(country) = self.country {
            request = request.header("x-client-country", country);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = json!({ "query": query, "variables": variables }).to_string();
        let text = request.body(body).send().await.unwrap().text().await.unwrap();
        let answer = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        self.sent.record(query, None, &answer);
        answer
    }

    /// The data; any error fails the test.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let answer = self.raw(query, variables).await;
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].clone()
    }

    /// One mutation with `input`; its payload with these fields and `userErrors`.
    pub async fn act(&self, name: &str, input: Value, fields: &str) -> Value {
        let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let query = format!(
            "mutation($i: {kind}!) {{ {name}(input: $i) {{ {fields} userErrors {{ code message field }} }} }}"
        );
        self.ask(&query, json!({ "i": input })).await[name].clone()
    }

    /// Places an order of one variant; what is in `more` is added to the input.
    pub async fn order(&self, variant: &str, quantity: i32, total: &str, more: Value) -> Value {
        let mut input = json!({
            "idempotencyKey": format!("key-{}", hex::encode(dispense::base::clock::random::<10>())),
            "lines": [{ "key": "1", "variantId": variant, "quantity": quantity }],
            "currency": "USD", "expectedTotal": total,
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.act(
            "orderPlace",
            input,
            "order { id number state } accessToken replayed quote { total { amount } }",
        )
        .await
    }
}

/// The codes of a payload's `userErrors`.
pub fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"].as_array().unwrap().iter().map(|e| e["code"].as_str().unwrap()).collect()
}
