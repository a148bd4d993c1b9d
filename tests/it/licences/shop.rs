//! A seller of software, and the software.

use dispense::base::ids::{ProductId, VariantId};
use dispense::config::Config;
use dispense::orders::place::Placed;
use serde_json::{Value, json};

use crate::goods::shop::Counter;
use crate::harness::TestApp;

/// A shop that sells licences.
pub struct LicenceShop {
    pub shop: Counter,
    pub variant: VariantId,
    pub product: String,
}

/// A licence that was bought.
pub struct Sold {
    pub placed: Placed,
    pub key: String,
}

impl LicenceShop {
    /// With so many keys in stock, each for so many devices.
    pub async fn open(keys: usize, limit: Option<i32>) -> Self {
        Self::open_with(keys, limit, |_| {}).await
    }

    pub async fn open_with(keys: usize, limit: Option<i32>, change: impl FnOnce(&mut Config)) -> Self {
        let shop = Counter::open_with(change).await;
        let variant = shop.t.selling_keys(keys, 500).await;
        let terms = json!({ "licensing": true, "activationLimit": limit });
        assert_eq!(shop.edit(variant, terms).await, None);
        let product = product_of(&shop.t, variant).await;
        Self { shop, variant, product }
    }

    /// A paid order of one licence, whose key its buyer has seen.
    pub async fn buy(&self) -> Sold {
        let placed = self.shop.t.paid_order(self.variant, 1).await;
        let key = self.shop.texts(&placed).await.remove(0);
        Sold { placed, key }
    }

    /// What software sends of this key on a device.
    pub fn asks(&self, key: &str, device: &str) -> Value {
        json!({ "productId": self.product, "key": key, "device": device })
    }

    pub async fn activate(&self, sold: &Sold, device: &str) -> (u16, Value) {
        send(&self.shop.t, "activate", &self.asks(&sold.key, device)).await
    }

    pub async fn deactivate(&self, sold: &Sold, device: &str) -> (u16, Value) {
        send(&self.shop.t, "deactivate", &self.asks(&sold.key, device)).await
    }

    pub async fn validate(&self, sold: &Sold, device: Option<&str>) -> Value {
        let body = json!({ "productId": self.product, "key": sold.key, "device": device });
        let (status, answer) = send(&self.shop.t, "validate", &body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// The code that validating answers.
    pub async fn code(&self, sold: &Sold, device: Option<&str>) -> String {
        let answer = self.validate(sold, device).await;
        assert_eq!(answer["valid"], json!(answer["code"] == "VALID"));
        answer["code"].as_str().unwrap().to_owned()
    }

    /// The licence as its buyer sees it.
    pub async fn seen(&self, sold: &Sold) -> Value {
        self.shop.line(&sold.placed).await["deliveries"]["nodes"][0]["licence"].clone()
    }

    pub async fn sound(self) {
        self.shop.t.drain().await;
        self.shop.must_be_sound().await;
        self.shop.t.finish().await;
    }
}

pub async fn product_of(t: &TestApp, variant: VariantId) -> String {
    let sql = format!("select product_id from variant where id = '{}'", variant.0);
    ProductId(t.db.one(&sql).await.parse().unwrap()).to_string()
}

/// Sends a body of JSON; status and body of the answer.
pub async fn send(t: &TestApp, verb: &str, body: &Value) -> (u16, Value) {
    send_from(t, "127.0.0.1", verb, body).await
}

/// The same from another network, in shops that are behind a proxy.
pub async fn send_from(t: &TestApp, address: &str, verb: &str, body: &Value) -> (u16, Value) {
    let request = t.http().post(format!("{}/licences/{verb}", t.base));
    let request = request.header("content-type", "application/json").header("x-forwarded-for", address);
    let answer = request.body(body.to_string()).send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
}
