//! A shop whose seller speaks to it as a frontend does.

use dispense::base::actor::Role;
use dispense::base::ids::VariantId;
use dispense::check;
use dispense::config::Config;
use dispense::orders::place::Placed;
use serde_json::{Value, json};

use crate::graphql::client::Client;
use crate::harness::{Said, TestApp, with_generic};

pub struct Counter {
    pub t: TestApp,
    /// An admin, who sells for every seller.
    pub boss: Client,
    /// Signed in, without any right.
    pub buyer: Client,
    pub guest: Client,
}

const VARIANT: &str = "mutation($in: VariantUpdateInput!) { variantUpdate(input: $in) { variant { id } userErrors { code field } } }";
const PUBLISH: &str = "mutation($in: SecretVersionPublishInput!) { secretVersionPublish(input: $in) {
    secretVersion { id number } variant { id availability { canBuy text } } userErrors { code field } } }";
const FULFIL: &str = "mutation($in: DeliveryFulfilManuallyInput!) { deliveryFulfilManually(input: $in) {
    line { state } userErrors { code field } } }";
const REVEAL: &str =
    "mutation($line: ID!, $t: String) { deliveryReveal(input: {target: {lineId: $line}, accessToken: $t}) {
    secrets { text fields { name label value } delivery { kind state masked } } userErrors { code } } }";
const ORDER: &str =
    "query($n: String!, $t: String!) { order(number: $n, accessToken: $t) { state lines { id kind state
    terms { warrantyDays updatesIncluded downloadLimit accessDays activationLimit }
    grants { file { version } newerVersion { version } }
    deliveries { nodes { id state ... on SecretDelivery { masked
      licence { status activationLimit activationsUsed activations { id device activatedAt lastSeenAt } } } } } } } }";

impl Counter {
    pub async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    /// With a changed configuration.
    pub async fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        let t = TestApp::start_with(|config| {
            with_generic(config);
            change(config);
        })
        .await;
        Self::over(t).await
    }

    /// Of a shop that runs.
    pub async fn over(t: TestApp) -> Self {
        t.person("boss@shop.example", &[Role::Admin]).await;
        t.buyer("ada@buyer.example").await;
        let guest = Client::new(&t.app);
        let boss = guest.with(t.sign_in("boss@shop.example").await.tokens.access.expose());
        let buyer = guest.with(t.sign_in("ada@buyer.example").await.tokens.access.expose());
        Self { t, boss, buyer, guest }
    }

    /// Edits a variant as its seller; the first code when it is refused.
    pub async fn edit(&self, variant: VariantId, fields: Value) -> Option<Value> {
        let input = json!({ "in": { "variantId": variant.to_string(), "fields": fields } });
        let errors = self.boss.data(VARIANT, input).await["variantUpdate"]["userErrors"].clone();
        errors.get(0).cloned()
    }

    pub async fn publish(&self, by: &Client, variant: VariantId, text: &str) -> Value {
        let input = json!({ "in": { "variantId": variant.to_string(), "secretText": text } });
        by.data(PUBLISH, input).await["secretVersionPublish"].clone()
    }

    pub async fn fulfil(&self, by: &Client, delivery: &str, text: &str) -> Value {
        let input = json!({ "in": { "deliveryId": delivery, "secretText": text } });
        by.data(FULFIL, input).await["deliveryFulfilManually"].clone()
    }

    /// An order's first line, as its guest sees it.
    pub async fn line(&self, placed: &Placed) -> Value {
        let asked = json!({ "n": placed.order.number, "t": placed.access_token.expose() });
        self.guest.data(ORDER, asked).await["order"]["lines"][0].clone()
    }

    /// An order's state, as its guest sees it.
    pub async fn state(&self, placed: &Placed) -> String {
        let asked = json!({ "n": placed.order.number, "t": placed.access_token.expose() });
        self.guest.data(ORDER, asked).await["order"]["state"].as_str().unwrap().to_owned()
    }

    /// What `deliveryReveal` answers for an order's first line.
    pub async fn reveal(&self, placed: &Placed) -> Value {
        let line = self.line(placed).await["id"].clone();
        let asked = json!({ "line": line, "t": placed.access_token.expose() });
        self.guest.data(REVEAL, asked).await["deliveryReveal"].clone()
    }

    /// The texts that it shows.
    pub async fn texts(&self, placed: &Placed) -> Vec<String> {
        let revealed = self.reveal(placed).await;
        let secrets = revealed["secrets"].as_array().unwrap().iter();
        secrets.map(|secret| secret["text"].as_str().unwrap().to_owned()).collect()
    }

    /// The gateway says that all of an order's money went back.
    pub async fn refund(&self, placed: &Placed) {
        let said = Said {
            id: format!("evt_refund_{}", placed.order.number),
            kind: "payment.refunded",
            refunded_minor: Some(placed.order.total_minor),
            ..Said::paid(placed, &format!("T{}", placed.order.number))
        };
        assert_eq!(self.t.notify(&said).await.0, 200);
    }

    pub async fn must_be_sound(&self) {
        let report = check::run(&self.t.app.db, &self.t.app.config.secrets).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }
}
