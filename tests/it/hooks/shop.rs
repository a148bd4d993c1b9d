//! A shop that sends events to a receiver.

use chrono::TimeDelta;
use dispense::base::actor::Role;
use dispense::base::ids::{HookEndpointId, SellerId, VariantId};
use dispense::check;
use dispense::config::Config;
use serde_json::{Value, json};

use super::receiver::Receiver;
use crate::harness::visitor::Visitor;
use crate::harness::{TestApp, TestDatabase, with_generic};

pub struct Relay {
    pub t: TestApp,
    pub receiver: Receiver,
}

const CREATE: &str = "mutation($in: HookEndpointCreateInput!) { hookEndpointCreate(input: $in) {
    endpoint { id url description eventTypes ordered state version oldSecretUntil failingSince disabledFor createdAt }
    signingSecret userErrors { code field } } }";
const UPDATE: &str = "mutation($in: HookEndpointUpdateInput!) { hookEndpointUpdate(input: $in) {
    endpoint { id url description eventTypes ordered state version disabledFor failingSince }
    userErrors { code field } } }";
const ROTATE: &str = "mutation($id: ID!) { hookSecretRotate(input: {endpointId: $id}) {
    endpoint { id oldSecretUntil } signingSecret userErrors { code field } } }";
const TEST: &str = "mutation($id: ID!) { hookEndpointTest(input: {endpointId: $id}) {
    endpoint { id } succeeded outcome status reason userErrors { code field retryAfterSeconds } } }";
const REPLAY: &str = "mutation($in: HookReplayInput!) { hookReplay(input: $in) {
    endpoint { id } count moreAfterSeq userErrors { code field } } }";
const LIST: &str = "query($states: [HookDeliveryState!]) { seller { hookEndpoints { id state failingSince disabledFor waiting
    deliveries(first: 100, states: $states) { totalCount pageInfo { hasNextPage } nodes { id seq eventType orderId state
      nextAttemptAt attemptsMade createdAt endedAt attempts { number startedAt endedAt outcome status reason durationMs } } } } } }";

/// Lets a shop call a receiver on loopback, and wait a second for it.
pub fn calls(config: &mut Config, receiver: &Receiver) {
    config.outbound.private_networks = vec!["127.0.0.0/8".into()];
    config.outbound.plain_http = true;
    config.outbound.ports = vec![receiver.port, 443];
    config.worker.hook_seconds = 1;
}

impl Relay {
    pub async fn open() -> Self {
        Self::open_over(TestDatabase::migrated().await, |_| {}).await
    }

    pub async fn open_over(db: TestDatabase, change: impl FnOnce(&mut Config)) -> Self {
        let receiver = Receiver::start().await;
        let t = TestApp::start_over(db, |config| {
            with_generic(config);
            calls(config, &receiver);
            change(config);
        })
        .await;
        t.person("boss@shop.example", &[Role::Admin]).await;
        t.canary("secret of the receiver");
        Self { t, receiver }
    }

    /// Somebody, signed in just now.
    pub async fn who(&self, email: &str) -> Visitor {
        let session = self.t.sign_in(email).await;
        self.t.visitor("198.51.100.9").signed_in(&session.tokens.access)
    }

    pub async fn boss(&self) -> Visitor {
        self.who("boss@shop.example").await
    }

    /// A seller of their own, who is not the shop.
    pub async fn another_seller(&self, email: &str) -> (SellerId, Visitor) {
        self.t.person(email, &[Role::Seller]).await;
        let other = self.t.app.clock.uuid();
        let slug = format!("s-{}", &other.simple().to_string()[24..]);
        self.t
            .db
            .sql(&format!(
                "insert into seller (id, slug, name) values ('{other}', '{slug}', 'Another');
                 update seller_member set seller_id = '{other}'
                   where user_id = (select id from app_user where email = '{email}')"
            ))
            .await;
        (SellerId(other), self.who(email).await)
    }

    pub async fn create(&self, by: &Visitor, input: Value) -> Value {
        by.ask(CREATE, json!({ "in": input })).await["hookEndpointCreate"].clone()
    }

    /// An endpoint of the shop at a path of the receiver, for these types; its id and secret.
    pub async fn connect(&self, path: &str, more: Value) -> (String, String) {
        let mut input = json!({ "url": format!("{}{path}", self.receiver.url) });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.create(&self.boss().await, input).await;
        assert_eq!(made["userErrors"], json!([]), "{made}");
        let secret = made["signingSecret"].as_str().unwrap().to_owned();
        self.t.canary(&secret);
        (made["endpoint"]["id"].as_str().unwrap().to_owned(), secret)
    }

    pub async fn update(&self, by: &Visitor, id: &str, mut input: Value) -> Value {
        input["endpointId"] = json!(id);
        by.ask(UPDATE, json!({ "in": input })).await["hookEndpointUpdate"].clone()
    }

    pub async fn rotate(&self, by: &Visitor, id: &str) -> Value {
        let rotated = by.ask(ROTATE, json!({ "id": id })).await["hookSecretRotate"].clone();
        if let Some(secret) = rotated["signingSecret"].as_str() {
            self.t.canary(secret);
        }
        rotated
    }

    pub async fn test(&self, by: &Visitor, id: &str) -> Value {
        by.ask(TEST, json!({ "id": id })).await["hookEndpointTest"].clone()
    }

    pub async fn replay(&self, by: &Visitor, id: &str, target: Value) -> Value {
        let input = json!({ "in": { "endpointId": id, "target": target } });
        by.ask(REPLAY, input).await["hookReplay"].clone()
    }

    /// The endpoints as their seller sees them.
    pub async fn list(&self, by: &Visitor, states: Value) -> Value {
        by.ask(LIST, json!({ "states": states })).await["seller"]["hookEndpoints"].clone()
    }

    /// What was sent or is to be sent to an endpoint, the oldest first, as the seller sees it.
    pub async fn deliveries(&self, id: &str) -> Vec<Value> {
        let endpoints = self.list(&self.boss().await, json!(null)).await;
        let mine = endpoints.as_array().unwrap().iter().find(|endpoint| endpoint["id"] == id).unwrap();
        mine["deliveries"]["nodes"].as_array().unwrap().iter().rev().cloned().collect()
    }

    /// States of what is on its way to an endpoint, as `delivered:3 queued:1`.
    pub async fn states(&self, id: &str) -> String {
        let id = HookEndpointId::parse(id).unwrap();
        let sql = format!(
            "select coalesce(string_agg(state || ':' || n, ' ' order by state), '') from
               (select state, count(*) n from hook_delivery where endpoint_id = '{}' group by state) s",
            id.0
        );
        self.t.db.one(&sql).await
    }

    /// Moves the clock on and sends what is due then.
    pub async fn pass(&self, time: TimeDelta) {
        self.t.advance(time).await;
        self.t.drain().await;
    }

    /// Something to sell, with all events of it behind.
    pub async fn selling(&self, keys: usize) -> VariantId {
        let variant = self.t.selling_keys(keys, 990).await;
        self.t.drain().await;
        variant
    }

    pub async fn must_be_sound(&self) {
        crate::check::clean::number(&self.t).await;
        let report = check::run(&self.t.app.db, &self.t.app.config.secrets).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }

    pub async fn sound(self) {
        self.must_be_sound().await;
        self.t.finish_with_jobs().await;
    }
}
