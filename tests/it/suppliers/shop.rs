//! A shop that buys at the simulator's supplier.

use chrono::TimeDelta;
use dispense::base::clock::Clock;
use dispense::base::ids::{OrderId, UnitId, VariantId};
use dispense::config::Config;
use dispense::orders::place::Placed;
use dispense::sandbox::{Drawer, Simulator, SimulatorConfig};
use serde_json::{Value, json};

use crate::goods::shop::Counter;
use crate::harness::visitor::Visitor;
use crate::harness::{TestApp, TestDatabase, with_generic};

pub struct Bazaar {
    pub counter: Counter,
    pub simulator: Simulator,
}

const CREATE: &str = "mutation($in: SupplierCreateInput!) { supplierCreate(input: $in) {
    supplier { id name url statusUrl state currency timeoutSeconds version down mapping { answerTexts delivered } }
    signingSecret userErrors { code field } } }";
const UPDATE: &str = "mutation($in: SupplierUpdateInput!) { supplierUpdate(input: $in) {
    supplier { id name url statusUrl state pausedFor version oldSecretUntil down downUntil } signingSecret
    userErrors { code field } } }";
const OFFERS: &str = "mutation($in: SupplierOffersSetInput!) { supplierOffersSet(input: $in) {
    variant { id availability { level canBuy } goods { __typename kind } }
    offers { supplierId product maxPrice { amount currency } } userErrors { code field } } }";

/// Lets a shop call what listens on loopback.
pub fn calls_loopback(config: &mut Config, simulator: &Simulator) {
    config.outbound.private_networks = vec!["127.0.0.0/8".into()];
    config.outbound.plain_http = true;
    config.outbound.ports = vec![simulator.address().port(), 443];
}

impl Bazaar {
    pub async fn open() -> Self {
        Self::open_over(TestDatabase::migrated().await).await
    }

    pub async fn open_over(db: TestDatabase) -> Self {
        Self::open_with(db, |_| {}).await
    }

    /// With a changed configuration.
    pub async fn open_with(db: TestDatabase, change: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::default();
        let config = SimulatorConfig::new(&["generic"], Drawer::default(), clock.clone());
        let simulator = Simulator::start(config).await.unwrap();
        let t = TestApp::start_by(clock, db, |config| {
            with_generic(config);
            calls_loopback(config, &simulator);
            change(config);
        })
        .await;
        t.canary("SUP-");
        t.canary(simulator.supplier("").1);
        Self { counter: Counter::over(t).await, simulator }
    }

    pub fn t(&self) -> &TestApp {
        &self.counter.t
    }

    /// The shop's admin, signed in just now.
    pub async fn boss(&self) -> Visitor {
        self.who("boss@shop.example").await
    }

    /// Somebody, signed in just now.
    pub async fn who(&self, email: &str) -> Visitor {
        let session = self.t().sign_in(email).await;
        self.t().visitor("198.51.100.9").signed_in(&session.tokens.access)
    }

    /// Connects the simulator's supplier; the connection's id.
    pub async fn connect(&self, name: &str) -> String {
        let made = self.create(&self.boss().await, self.connection(name)).await;
        assert_eq!(made["userErrors"], json!([]), "{made}");
        assert_eq!(made["signingSecret"], json!(null), "it was given");
        made["supplier"]["id"].as_str().unwrap().to_owned()
    }

    /// The input that connects the simulator's supplier; a call waits a second.
    pub fn connection(&self, name: &str) -> Value {
        let path: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let (url, secret) = self.simulator.supplier(&path);
        json!({ "name": name, "url": url, "statusUrl": format!("{url}/{{request_id}}"), "signingSecret": secret,
            "currency": "USD", "timeoutSeconds": 1 })
    }

    pub async fn create(&self, by: &Visitor, input: Value) -> Value {
        by.ask(CREATE, json!({ "in": input })).await["supplierCreate"].clone()
    }

    pub async fn update(&self, id: &str, mut input: Value) -> Value {
        input["supplierId"] = json!(id);
        self.boss().await.ask(UPDATE, json!({ "in": input })).await["supplierUpdate"].clone()
    }

    pub async fn offer(&self, variant: VariantId, offers: Value) -> Value {
        let input = json!({ "in": { "variantId": variant.to_string(), "offers": offers } });
        self.boss().await.ask(OFFERS, input).await["supplierOffersSet"].clone()
    }

    /// A variant on sale that is bought at these suppliers for up to 5.00.
    pub async fn selling(&self, suppliers: &[&str]) -> VariantId {
        let variant = self.t().variant_on_sale("supplier", 990).await;
        let offer = |id: &&str| json!({ "supplierId": id, "product": "GIFT", "maxPrice": "5.00" });
        let set = self.offer(variant, suppliers.iter().map(offer).collect()).await;
        assert_eq!(set["userErrors"], json!([]), "{set}");
        variant
    }

    /// Has the supplier make trouble with its next calls.
    pub fn trouble(&self, next: &[&str]) {
        self.simulator.set_supplier_trouble(json!({ "next": next })).unwrap();
    }

    /// Has the supplier make trouble with all its calls.
    pub fn always(&self, trouble: Option<&str>) {
        self.simulator.set_supplier_trouble(json!({ "always": trouble })).unwrap();
    }

    pub async fn units(&self, id: OrderId) -> Vec<UnitId> {
        let sql = format!("select id from unit where order_id = '{}' order by unit_no", id.0);
        let rows = self.t().db.sql(&sql).await;
        rows.into_iter().map(|row| UnitId(row[0].as_ref().unwrap().parse().unwrap())).collect()
    }

    /// States of an order's purchases, in the order they were made, as `refused:OUT_OF_STOCK delivered`.
    pub async fn purchases(&self, placed: &Placed) -> String {
        let sql = format!(
            "select coalesce(string_agg(state || coalesce(':' || reason, ''), ' ' order by created_at, id), '')
             from supplier_purchase where order_id = '{}'",
            placed.order.id.0
        );
        self.t().db.one(&sql).await
    }

    /// What one supplier sold under a request id.
    pub fn sold_of(&self, request: &str) -> Option<Value> {
        let of = |(key, sold): (String, Value)| key.ends_with(&format!("/{request}")).then_some(sold);
        self.sold().into_iter().find_map(of)
    }

    /// What was sold, by supplier and request id.
    pub fn sold(&self) -> serde_json::Map<String, Value> {
        self.simulator.supplier_journal()["sold"].as_object().unwrap().clone()
    }

    /// How often the supplier was called about anything.
    pub fn calls(&self) -> usize {
        self.simulator.supplier_journal()["calls"].as_array().unwrap().len()
    }

    /// Runs jobs for so long.
    pub async fn pass(&self, time: TimeDelta) {
        let until = self.t().app.clock.now() + time;
        self.t().drain().await;
        for _ in 0..200 {
            let next = {
                let mut conn = self.t().app.db.conn().await.unwrap();
                dispense::infra::queue::next_due(&mut conn).await.unwrap()
            };
            let Some(next) = next.filter(|next| *next < until) else { break };
            let wait = next - self.t().app.clock.now();
            if wait > TimeDelta::zero() {
                self.t().advance(wait + TimeDelta::milliseconds(10)).await;
            }
            self.t().drain().await;
        }
        let rest = until - self.t().app.clock.now();
        if rest > TimeDelta::zero() {
            self.t().advance(rest).await;
        }
        self.t().drain().await;
    }

    /// What the supplier sold is what the shop has, and the shop is sound.
    pub async fn sound(self) {
        let bought: i64 = self
            .t()
            .db
            .one("select count(*) from vault_key k join key_batch b on b.id = k.batch_id where b.origin = 'bought'")
            .await
            .parse()
            .unwrap();
        let journal = self.sold();
        let texts: std::collections::BTreeSet<String> = journal
            .values()
            .flat_map(|sold| sold["texts"].as_array().unwrap().clone())
            .map(|text| text.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(texts.len() as i64, bought, "the supplier's journal and the vault: {journal:?}");
        self.counter.must_be_sound().await;
        crate::check::clean::number(self.t()).await;
        self.counter.t.finish_with_jobs().await;
    }
}
